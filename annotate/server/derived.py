"""Derived videos: proxies that every browser can play, and rendered videos with boxes and emotions drawn in."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_current_report
from annotate.batch.job import LocalJob, Outcome, Status, WorkContext
from annotate.batch.rendering import Rendering, boxes_track, browser_proxy, burned_in, move_into_place
from annotate.errors import read_error, write_error
from annotate.media.containers import MP4
from annotate.media.probe import Video, probe
from annotate.results.damage import Damage
from annotate.server.catalog import CatalogVideo
from annotate.server.data_dir import DataDir
from annotate.server.queue import OrderKind
from annotate.settings import Limits
from annotate.storage.base import storage_for
from annotate.storage.names import TEMPORARY_PREFIX, TEMPORARY_SUFFIX
from annotate.storage.values import PathOrUrl

_SUFFIX = f".{MP4}"


@dataclass(frozen=True)
class DerivedJob(LocalJob):
    """Everything a worker needs to make one derived video; it is written to ``target``."""

    item: ArchiveItem
    target: Path
    kind: OrderKind
    limits: Limits
    corrections: tuple[PathOrUrl, ...] = ()
    """Files of corrections that are not beside the table."""


class DerivedVideos:
    """Derived videos in the data folder; one is valid until its video or, if rendered, its table or corrections change."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def path(self, video: CatalogVideo, kind: OrderKind) -> Path:
        """Return the path of a derived video; it contains the versions of the source and, if rendered, of the table."""
        version = video.version + video.corrections_version if kind.language else 0
        return self._data_dir.derived / video.id / f"{kind.value}-{video.fingerprint}-{version}{_SUFFIX}"

    def exists(self, video: CatalogVideo, kind: OrderKind) -> bool:
        """Return whether there is a valid derived video."""
        return self.path(video, kind).is_file()

    def job(self, video: CatalogVideo, kind: OrderKind, limits: Limits) -> DerivedJob:
        """Return the job that makes a derived video, for `make_derived`."""
        item = ArchiveItem.read(video.path, video.outputs)
        return DerivedJob(item, self.path(video, kind), kind, limits, video.elsewhere)


def make_derived(job: DerivedJob, context: WorkContext) -> Outcome:
    """Make a derived video atomically, and delete outdated ones of the same kind.

    Raises:
        AnnotateError: the video cannot be read or decoded, has no valid table to draw, or the result cannot be written.
    """
    storage_for(job.path).check_readable(job.path)
    storage_for(job.target).ensure_dir(job.target.parent)
    video = probe(job.path, job.limits.max_pixels, ffmpeg=context.tools.ffmpeg)

    def on_seconds(done_s: float) -> None:
        if context.progress is not None:
            context.progress(done_s, video.duration_s)

    on_seconds(0.0)
    rendering = _rendering(job, video)
    try:
        with tempfile.TemporaryDirectory(TEMPORARY_SUFFIX, TEMPORARY_PREFIX, job.target.parent) as folder:
            path, warnings = rendering.make(Path(folder), on_seconds)
            for outdated in job.target.parent.glob(f"{job.kind.value}-*{_SUFFIX}"):
                storage_for(outdated).delete(outdated)
            move_into_place(path, job.target)
    except OSError as error:
        raise write_error(job.target, error) from error
    return Outcome(job.path, Status.RENDERED, video.duration_s or 0.0, problem=Damage(warnings=warnings).statement())


def _rendering(job: DerivedJob, video: Video) -> Rendering:
    if not job.kind.language:
        return browser_proxy(video, job.limits)
    try:
        report = read_current_report(job.item.reread(), elsewhere=job.corrections)
    except OSError as error:
        raise read_error(job.path, error) from error
    return burned_in(video, MP4, boxes_track(report, job.kind.language), job.limits)
