"""Videos that are derived from others: proxies that every browser plays, and videos with the emotions drawn in."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_current_report
from annotate.batch.job import Outcome, Status, WorkContext
from annotate.batch.rendering import Rendering, boxes, drawn, playable, put
from annotate.errors import unreadable, unwritable
from annotate.media.containers import MP4
from annotate.media.probe import Video, probe
from annotate.server.catalog import CatalogVideo
from annotate.server.data_dir import DataDir
from annotate.server.queue import Kind
from annotate.settings import Limits
from annotate.storage.base import local_only, storage_for
from annotate.storage.names import TEMPORARY_PREFIX, TEMPORARY_SUFFIX

_ENDING = f".{MP4}"


@dataclass(frozen=True)
class CopyJob:
    """A video to be derived from another one; ``target`` is where it goes."""

    item: ArchiveItem
    target: Path
    kind: Kind
    limits: Limits

    @property
    def path(self) -> Path:
        """The source."""
        return local_only(self.item.video)

    @property
    def outputs(self) -> Outputs:
        """Names of the source's outputs."""
        return self.item.outputs


class DerivedVideos:
    """Derived videos in the data folder; each counts as long as source and report are as they were."""

    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def path(self, video: CatalogVideo, kind: Kind) -> Path:
        """Return where one lies, or is to lie, by the state of its source and, if that shows in it, of the report."""
        version = video.version if kind.language else 0
        return self._data_dir.derived / video.id / f"{kind.value}-{video.fingerprint}-{version}{_ENDING}"

    def is_there(self, video: CatalogVideo, kind: Kind) -> bool:
        """Return whether one is made."""
        return self.path(video, kind).is_file()

    def job(self, video: CatalogVideo, kind: Kind, limits: Limits) -> CopyJob:
        """Return the job that makes one, which `make_copy` does."""
        return CopyJob(ArchiveItem.read(video.path, video.outputs), self.path(video, kind), kind, limits)


def make_copy(job: CopyJob, context: WorkContext) -> Outcome:
    """Make a derived video, whole or not at all; those of the same kind of an earlier source or report are removed.

    Raises:
        AnnotateError: it could not be made.
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
            made, complaints = rendering.make(Path(folder), on_seconds)
            for earlier in job.target.parent.glob(f"{job.kind.value}-*{_ENDING}"):
                storage_for(earlier).delete(earlier)
            put(made, job.target)
    except OSError as error:
        raise unwritable(job.target, error) from error
    remark = f"damaged: the decoder complained {complaints} times" if complaints else ""
    return Outcome(job.path, Status.RENDERED, video.duration_s or 0.0, problem=remark)


def _rendering(job: CopyJob, video: Video) -> Rendering:
    if not job.kind.language:
        return playable(video, job.limits)
    try:
        report = read_current_report(job.item.again())
    except OSError as error:
        raise unreadable(job.path, error) from error
    return drawn(video, MP4, boxes(report, job.kind.language), job.limits)
