"""Catalog of the videos that a server shows: uploads, and those of an archive, each with its state."""

from __future__ import annotations

import enum
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotate.archive.discover import Selection, walk
from annotate.archive.layout import OutputOptions, Outputs, name_outputs
from annotate.archive.scan import ArchiveItem, locate
from annotate.batch.plan import Action, Decision, decide
from annotate.results.meta import json_safe_text
from annotate.server.catalog_index import CatalogIndex, Figures
from annotate.server.data_dir import DataDir, archive_id
from annotate.server.queue import Queue, Upload
from annotate.server.settings import ServeSettings
from annotate.server.sidecars import StampedSidecars, find_stat
from annotate.server.wording import for_readers_elsewhere
from annotate.storage.base import local_only
from annotate.storage.values import FileStat, SkippedPath

_SCAN_INTERVAL_S = 2.0
_REST_FACTOR = 20
"""The rest between two scans is at least so many times what one takes, so that a large archive keeps the server quick."""

logger = logging.getLogger(__name__)


class VideoOrigin(enum.Enum):
    """Where a video comes from."""

    UPLOAD = "upload"
    ARCHIVE = "archive"


class AnnotationState(enum.Enum):
    """State of a video's results, by its files alone."""

    ANNOTATED = "annotated"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True)
class CatalogVideo:
    """A video that a server shows.

    ``outputs`` is where its results are, ``target`` where new ones go. ``fingerprint`` changes when the file does,
    ``version`` when its results do. ``folder`` is its path in the archive as text, with slashes, empty at the top.
    ``reason`` says, in words that may leave this machine, why it is stale or cannot be read.
    """

    id: str
    path: Path
    name: str
    folder: str
    origin: VideoOrigin
    size_bytes: int
    modified_s: float
    outputs: Outputs
    target: Outputs
    annotation_state: AnnotationState = AnnotationState.MISSING
    reason: str = ""
    fingerprint: str = ""
    version: int = 0
    figures: Figures | None = None

    @property
    def is_upload(self) -> bool:
        """Whether it was sent to the server; else it lies in the archive."""
        return self.origin is VideoOrigin.UPLOAD


@dataclass(frozen=True)
class Snapshot:
    """All videos at a moment, by id, in order: uploads from the latest on, then the archive's by path."""

    videos: Mapping[str, CatalogVideo] = field(default_factory=dict)
    skipped: tuple[SkippedPath, ...] = ()
    is_complete: bool = False
    """Whether the archive has been scanned since the server was started."""


_Stamps = tuple[FileStat, FileStat | None, FileStat | None, FileStat | None]
"""Size and time of a video, its sidecar, its report and its boxes; a decision holds while they stay the same."""


class Catalog:
    """Scans the uploads and the archive again and again; the result is replaced as a whole: reading never waits."""

    def __init__(
        self, settings: ServeSettings, queue: Queue, model_hash: str, on_change: Callable[[], None] = lambda: None
    ) -> None:
        """``on_change`` is called when a scan has found other videos, or others of them annotated, than the one before."""
        self.settings = settings
        self._on_change = on_change
        self.index = CatalogIndex()
        self._data_dir = DataDir(settings.data)
        self._queue = queue
        self._model_hash = model_hash
        self._root = settings.directory
        self._real_root = os.path.realpath(settings.directory) if settings.directory is not None else ""
        self._snapshot = Snapshot()
        self._sidecars = StampedSidecars()
        self._decisions: dict[tuple[Path, Outputs], tuple[_Stamps, Decision]] = {}
        self._located: dict[Path, tuple[Outputs, Outputs]] = {}
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The result of the latest scan."""
        return self._snapshot

    def find(self, video_id: str) -> CatalogVideo | None:
        """Return a video by its id, if its file may be used."""
        video = self._snapshot.videos.get(video_id)
        return video if video is not None and self.is_within(video) else None

    def start(self) -> None:
        """Begin to scan, in a thread of its own."""
        self._thread = threading.Thread(target=self._watch, daemon=True, name="catalog")
        self._thread.start()

    def request_rescan(self) -> None:
        """Have the next scan soon, since something has changed."""
        self._woken.set()

    def close(self) -> None:
        """End scanning."""
        self._ended.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def scan(self) -> Snapshot:
        """Scan everything now."""
        with self._lock:
            skipped: list[SkippedPath] = []
            found = {video.id: video for video in (*self._uploads(), *self._archive(skipped))}
            self.index.update({video.outputs.csv: video.version for video in found.values() if video.version})
            videos = {video.id: self._with_figures(video) for video in found.values()}
            before, self._snapshot = self._snapshot, Snapshot(videos, tuple(skipped), True)
            if videos.keys() != before.videos.keys():
                self._forget_removed()
            is_new = not before.is_complete or before.videos != videos
        if is_new:
            self._on_change()
        return self._snapshot

    def add(self, upload: Upload) -> CatalogVideo:
        """Take in an upload, and order its annotation; it is known before, since its turn may come at once."""
        with self._lock:
            video = self._with_state(self._of_upload(upload))
            self._snapshot = replace(self._snapshot, videos={video.id: video, **self._snapshot.videos})
            self._queue.add_upload(upload)
            return video

    def remove(self, video_id: str) -> None:
        """Forget an upload."""
        with self._lock:
            self._queue.remove_upload(video_id)
            videos = {key: video for key, video in self._snapshot.videos.items() if key != video_id}
            self._snapshot = replace(self._snapshot, videos=videos)

    def refresh(self, video_id: str) -> CatalogVideo | None:
        """Look at one video now, and return it as it is; None if it is not known."""
        with self._lock:
            known = self._snapshot.videos.get(video_id)
            if known is None:
                return None
            if not known.is_upload and known.path in self._located:
                video = self._with_best_results(known)
            else:
                video = self._with_state(known)
            videos = {**self._snapshot.videos, video_id: video}
            self.index.update({one.outputs.csv: one.version for one in videos.values() if one.version})
            videos[video_id] = video = self._with_figures(video)
            self._snapshot = replace(self._snapshot, videos=videos)
            return video

    def is_within(self, video: CatalogVideo) -> bool:
        """Return whether a video's file lies where it should: links out of the archive are not followed unasked."""
        if video.is_upload:
            return not video.path.is_symlink()
        if self.settings.follow_links:
            return True
        return os.path.realpath(video.path).startswith(os.path.join(self._real_root, ""))

    def _watch(self) -> None:
        while not self._ended.is_set():
            begun_s = time.monotonic()
            self._woken.clear()
            try:
                self.scan()
            except Exception:  # a disk may be gone for a while; what was known before still is
                logger.exception("the archive could not be scanned")
            rest_s = max(_SCAN_INTERVAL_S, _REST_FACTOR * (time.monotonic() - begun_s))
            self._woken.wait(rest_s)

    def _uploads(self) -> Iterator[CatalogVideo]:
        for upload in self._queue.uploads():
            yield self._with_state(self._of_upload(upload))

    def _of_upload(self, upload: Upload) -> CatalogVideo:
        path = self._data_dir.uploads / upload.id / upload.name
        outputs = name_outputs([path], path.parent, self._sidecars.get)[path]
        return CatalogVideo(
            upload.id, path, upload.name, "", VideoOrigin.UPLOAD, upload.size_bytes, upload.created_s, outputs, outputs
        )

    def _archive(self, skipped: list[SkippedPath]) -> Iterator[CatalogVideo]:
        root = self._root
        if root is None:
            return
        paths: list[Path] = []
        for entry in walk([root], Selection(follow_links=self.settings.follow_links)):
            if isinstance(entry, SkippedPath):
                skipped.append(entry)
            elif not local_only(entry).is_relative_to(self._data_dir.path):
                paths.append(local_only(entry))
        if paths != list(self._located):
            self._located = self._locate(root, paths)
        for path, (beside, apart) in self._located.items():
            try:
                stat = path.stat()
            except OSError:
                continue
            relative = path.relative_to(root)
            folder = "" if relative.parent == Path() else json_safe_text(str(relative.parent))
            target = beside if self.settings.write else apart
            video = CatalogVideo(
                archive_id(relative),
                path,
                json_safe_text(path.name),
                folder,
                VideoOrigin.ARCHIVE,
                stat.st_size,
                stat.st_mtime,
                target,
                target,
            )
            if path.is_symlink() and not self.is_within(video):
                skipped.append(SkippedPath(path, "leads out of the archive", "--follow-links takes it"))
                continue
            yield self._with_best_results(video)

    def _locate(self, root: Path, paths: list[Path]) -> dict[Path, tuple[Outputs, Outputs]]:
        """Return the outputs of the archive's videos beside them, and in the data folder's tree of results."""
        items = (
            locate(paths, [root], sidecars=self._sidecars),
            locate(paths, [root], self._data_dir.results_of(root), self._sidecars),
        )
        beside, apart = ([item for item in found if isinstance(item, ArchiveItem)] for found in items)
        return {local_only(one.video): (one.outputs, other.outputs) for one, other in zip(beside, apart, strict=True)}

    def _with_best_results(self, video: CatalogVideo) -> CatalogVideo:
        """Return a video of the archive with those of its results that hold; else with any; else with none."""
        seen = [self._with_state(replace(video, outputs=outputs)) for outputs in self._located[video.path]]
        for state in (AnnotationState.ANNOTATED, AnnotationState.STALE):
            for one in seen:
                if one.annotation_state is state:
                    return one
        return self._with_state(video)

    def _with_state(self, video: CatalogVideo) -> CatalogVideo:
        outputs = video.outputs
        try:
            stat = video.path.stat()
            found = FileStat(stat.st_size, stat.st_mtime_ns)
            stamps = (found, find_stat(outputs.meta), find_stat(outputs.csv), find_stat(outputs.boxes))
            decision = self._decide(video, stamps)
        except OSError as error:
            return replace(video, annotation_state=AnnotationState.MISSING, reason=f"cannot be read ({error.strerror})")
        fingerprint = f"{found.size_bytes}-{found.mtime_ns}"
        _, meta, csv, _ = stamps
        seen = replace(video, fingerprint=fingerprint, reason="", version=0 if csv is None else csv.mtime_ns)
        if decision.action is not Action.ANNOTATE:
            return replace(seen, annotation_state=AnnotationState.ANNOTATED)
        if meta is None:
            return replace(seen, annotation_state=AnnotationState.MISSING, version=0)
        return replace(seen, annotation_state=AnnotationState.STALE, reason=decision.reason)

    def _decide(self, video: CatalogVideo, stamps: _Stamps) -> Decision:
        """Return whether a video is to be annotated; decided anew only when a file has changed.

        Raises:
            OSError: the video cannot be read.
        """
        key = video.path, video.outputs
        known = self._decisions.get(key)
        if known is None or known[0] != stamps:
            item = ArchiveItem(video.path, video.outputs, self._sidecars.get(video.outputs.meta), stamps[0])
            decision = decide(item, OutputOptions(("csv",)), self.settings.analysis, self._model_hash)
            known = self._decisions[key] = (stamps, decision)
        return known[1]

    def _forget_removed(self) -> None:
        """Let go of what is known of videos that are gone."""
        kept = {(path, outputs) for path, located in self._located.items() for outputs in located}
        kept |= {(video.path, video.outputs) for video in self._snapshot.videos.values()}
        self._decisions = {key: decision for key, decision in self._decisions.items() if key in kept}
        self._sidecars.keep_only({outputs.meta for _, outputs in kept})

    def _with_figures(self, video: CatalogVideo) -> CatalogVideo:
        if not video.version:
            return video
        skipped = self.index.skipped(video.outputs.csv)
        if skipped is not None:
            reason = for_readers_elsewhere(skipped)
            return replace(video, annotation_state=AnnotationState.STALE, reason=reason, version=0)
        return replace(video, figures=self.index.figures(video.outputs.csv))
