"""Catalog of the videos that a server shows (uploads and an archive), each with the state of its results."""

from __future__ import annotations

import enum
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotate.archive.discover import Selection, walk
from annotate.archive.layout import OutputOptions, Outputs, candidate_outputs, name_outputs
from annotate.archive.scan import ArchiveItem, locate
from annotate.batch.plan import Decision, decide
from annotate.results.damage import NO_DAMAGE, Damage
from annotate.results.meta import json_safe_text
from annotate.server.catalog_index import CatalogIndex, EmotionStats
from annotate.server.data_dir import DataDir, archive_id
from annotate.server.messages import public_message
from annotate.server.queue import Queue, Upload
from annotate.server.settings import ServeSettings
from annotate.server.sidecars import CachedSidecars, PersonsVersions, stat_or_none
from annotate.storage.base import require_local
from annotate.storage.values import FileStat, PathOrUrl, SkippedPath

_SCAN_INTERVAL_S = 2.0
_PAUSE_FACTOR = 20
"""Minimum pause between scans, as a multiple of a scan's duration, so that a large archive does not slow the server."""

logger = logging.getLogger(__name__)


class VideoOrigin(enum.Enum):
    """Where a video comes from."""

    UPLOAD = "upload"
    ARCHIVE = "archive"


class AnnotationState(enum.Enum):
    """State of a video's results according to its files, without regard to orders."""

    ANNOTATED = "annotated"
    STALE = "stale"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True)
class CatalogVideo:
    """A video that a server shows.

    ``folder`` is its folder relative to the archive, with slashes; empty at the top level. ``outputs`` are the paths of its
    current results, ``target`` those of new ones. ``elsewhere`` are files of corrections that are not beside the table: the
    first one, in the data folder, is that of a table beside a video to which the server does not write. ``fingerprint``
    changes with the video file, ``version`` with the table (0 without one). ``reason`` says why the results are outdated or
    the video cannot be read, without paths of the server.
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
    elsewhere: tuple[PathOrUrl, ...] = ()
    annotation_state: AnnotationState = AnnotationState.MISSING
    reason: str = ""
    fingerprint: str = ""
    version: int = 0
    stats: EmotionStats | None = None
    is_older: bool = False
    """Whether an older analysis version made its results, which stay readable."""
    persons_version: int = 0
    """Changes with what files say on who is in it; 0 if they say nothing."""
    corrections_version: int = 0
    """Changes with the files of corrections by people; 0 without any."""
    damage: Damage = NO_DAMAGE
    """Damage of the video that its results, if readable, record."""

    @property
    def is_upload(self) -> bool:
        """Whether it was uploaded, rather than being part of the archive."""
        return self.origin is VideoOrigin.UPLOAD


@dataclass(frozen=True)
class Snapshot:
    """Result of one scan: videos by id, first the uploads (latest first), then the archive by path."""

    videos: Mapping[str, CatalogVideo] = field(default_factory=dict)
    skipped: tuple[SkippedPath, ...] = ()
    is_complete: bool = False
    """Whether the first scan since the start of the server is done."""


_FileStats = tuple[FileStat, FileStat | None, FileStat | None, FileStat | None, FileStat | None]
"""Sizes and times of video, sidecar, table, boxes and failure record; a decision is valid as long as they do not change."""


class Catalog:
    """Periodic scan of uploads and archive; it replaces the snapshot atomically, so that reading it never blocks."""

    def __init__(
        self, settings: ServeSettings, queue: Queue, model_hash: str, on_change: Callable[[], None] = lambda: None
    ) -> None:
        """Create a catalog; ``on_change`` is called after a scan in which videos or their states have changed."""
        self.settings = settings
        self._on_change = on_change
        self.index = CatalogIndex()
        self._data_dir = DataDir(settings.data)
        self._queue = queue
        self._model_hash = model_hash
        self._root = settings.directory
        self._real_root = os.path.realpath(settings.directory) if settings.directory is not None else ""
        self._snapshot = Snapshot()
        self._sidecars = CachedSidecars()
        self._persons = PersonsVersions()
        self._decisions: dict[tuple[Path, Outputs], tuple[_FileStats, Decision]] = {}
        self._located: dict[Path, tuple[Outputs, Outputs]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The result of the latest scan."""
        return self._snapshot

    def find(self, video_id: str) -> CatalogVideo | None:
        """Return a video by id; None if there is none, or its file must not be served (see `is_servable`)."""
        video = self._snapshot.videos.get(video_id)
        return video if video is not None and self.is_servable(video) else None

    def start(self) -> None:
        """Start scanning, in a separate thread."""
        self._thread = threading.Thread(target=self._scan_periodically, daemon=True, name="catalog")
        self._thread.start()

    def request_rescan(self) -> None:
        """Start the next scan soon, because something has changed."""
        self._wake.set()

    def close(self) -> None:
        """Stop scanning."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def scan(self) -> Snapshot:
        """Scan everything now, and return the new snapshot."""
        with self._lock:
            skipped: list[SkippedPath] = []
            found = {video.id: video for video in (*self._scan_uploads(), *self._scan_archive(skipped))}
            self._update_index(found.values())
            videos = {video.id: self._with_stats(video) for video in found.values()}
            before, self._snapshot = self._snapshot, Snapshot(videos, tuple(skipped), True)
            if videos.keys() != before.videos.keys():
                self._prune_caches()
            has_changed = not before.is_complete or before.videos != videos
        if has_changed:
            self._on_change()
        return self._snapshot

    def add(self, upload: Upload) -> CatalogVideo:
        """Add an upload, and order its annotation; the snapshot has it first, because the order may start immediately."""
        with self._lock:
            video = self._with_state(self._video_of_upload(upload))
            self._snapshot = replace(self._snapshot, videos={video.id: video, **self._snapshot.videos})
            self._queue.add_upload(upload)
            return video

    def remove(self, video_id: str) -> None:
        """Remove an upload from the catalog and the queue; its files are not deleted."""
        with self._lock:
            self._queue.remove_upload(video_id)
            videos = {key: video for key, video in self._snapshot.videos.items() if key != video_id}
            self._snapshot = replace(self._snapshot, videos=videos)

    def refresh(self, video_id: str) -> CatalogVideo | None:
        """Read the files of one video now, and return it; None if its id is unknown."""
        return self.refresh_all([video_id]).get(video_id)

    def refresh_all(self, video_ids: Iterable[str]) -> dict[str, CatalogVideo]:
        """Read the files of some videos now, and return those whose id is known, by id."""
        with self._lock:
            found: dict[str, CatalogVideo] = {}
            for known in filter(None, map(self._snapshot.videos.get, video_ids)):
                is_located = not known.is_upload and known.path in self._located
                found[known.id] = self._with_best_results(known) if is_located else self._with_state(known)
            videos = {**self._snapshot.videos, **found}
            self._update_index(videos.values())
            found = {video.id: self._with_stats(video) for video in found.values()}
            self._snapshot = replace(self._snapshot, videos={**videos, **found})
            return found

    def is_servable(self, video: CatalogVideo) -> bool:
        """Return whether a video's file may be served: not if it is a link out of the archive or the uploads."""
        if video.is_upload:
            return not video.path.is_symlink()
        if self.settings.follow_links:
            return True
        return os.path.realpath(video.path).startswith(os.path.join(self._real_root, ""))

    def _scan_periodically(self) -> None:
        while not self._closing.is_set():
            started_s = time.monotonic()
            self._wake.clear()
            try:
                self.scan()
            except Exception:  # the disk may be temporarily unavailable; the previous snapshot stays
                logger.exception("cannot scan the archive")
            pause_s = max(_SCAN_INTERVAL_S, _PAUSE_FACTOR * (time.monotonic() - started_s))
            self._wake.wait(pause_s)

    def _scan_uploads(self) -> Iterator[CatalogVideo]:
        for upload in self._queue.uploads():
            yield self._with_state(self._video_of_upload(upload))

    def _video_of_upload(self, upload: Upload) -> CatalogVideo:
        path = self._data_dir.uploads / upload.id / upload.name
        outputs = name_outputs([path], path.parent, self._sidecars.get)[path]
        return CatalogVideo(
            upload.id, path, upload.name, "", VideoOrigin.UPLOAD, upload.size_bytes, upload.created_s, outputs, outputs
        )

    def _scan_archive(self, skipped: list[SkippedPath]) -> Iterator[CatalogVideo]:
        """Yield the videos of the archive by path, and append paths that were skipped to ``skipped``."""
        root = self._root
        if root is None:
            return
        paths: list[Path] = []
        for entry in walk([root], Selection(follow_links=self.settings.follow_links)):
            if isinstance(entry, SkippedPath):
                skipped.append(entry)
            elif not require_local(entry).is_relative_to(self._data_dir.path):
                paths.append(require_local(entry))
        if paths != list(self._located):
            self._located = self._locate_outputs(root, paths)
        for path, (beside_video, in_data_dir) in self._located.items():
            try:
                stat = path.stat()
            except OSError:
                continue
            relative = path.relative_to(root)
            folder = "" if relative.parent == Path() else json_safe_text(str(relative.parent))
            target = beside_video if self.settings.write else in_data_dir
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
            if path.is_symlink() and not self.is_servable(video):
                skipped.append(SkippedPath(path, "links to a file outside the archive", "use --follow-links to include it"))
                continue
            yield self._with_best_results(video)

    def _locate_outputs(self, root: Path, paths: list[Path]) -> dict[Path, tuple[Outputs, Outputs]]:
        """Return, for each video of the archive, its outputs beside the video and those in the data folder."""
        items = (
            locate(paths, [root], sidecars=self._sidecars),
            locate(paths, [root], self._data_dir.results_root(root), self._sidecars),
        )
        beside_videos, in_data_dir = ([item for item in found if isinstance(item, ArchiveItem)] for found in items)
        return {
            require_local(one.video): (one.outputs, other.outputs)
            for one, other in zip(beside_videos, in_data_dir, strict=True)
        }

    def _with_best_results(self, video: CatalogVideo) -> CatalogVideo:
        """Return a video of the archive with its up-to-date results, else with outdated ones, else without results."""
        located = self._located[video.path]
        _, by_name, *_ = candidate_outputs(video.path, located[1].base.parent)
        found = (by_name.corrections, *(one.corrections for one in located if self._sidecars.get(one.meta) is not None))
        candidates = []
        for outputs in located:
            elsewhere = tuple(file for file in dict.fromkeys(found) if file != outputs.corrections)
            candidates.append(self._with_state(replace(video, outputs=outputs, elsewhere=elsewhere)))
        for state in (AnnotationState.ANNOTATED, AnnotationState.STALE, AnnotationState.FAILED):
            for candidate in candidates:
                if candidate.annotation_state is state:
                    return candidate
        return self._with_state(video)

    def _with_state(self, video: CatalogVideo) -> CatalogVideo:
        outputs = video.outputs
        try:
            stat = video.path.stat()
            source = FileStat(stat.st_size, stat.st_mtime_ns)
            files = (outputs.meta, outputs.csv, outputs.boxes, outputs.failure)
            meta, csv, boxes, failure = map(stat_or_none, files)
            file_stats = (source, meta, csv, boxes, failure)
            decision = self._decide(video, file_stats)
        except OSError as error:
            return replace(video, annotation_state=AnnotationState.MISSING, reason=f"cannot be read ({error.strerror})")
        fingerprint = f"{source.size_bytes}-{source.mtime_ns}"
        said = map(stat_or_none, (outputs.corrections, *video.elsewhere))
        corrections_version = sum(stat.mtime_ns for stat in said if stat is not None)
        video = replace(
            video,
            fingerprint=fingerprint,
            reason="",
            is_older=False,
            damage=NO_DAMAGE,
            version=0 if csv is None else csv.mtime_ns,
            corrections_version=corrections_version,
        )
        sidecar = self._sidecars.get(outputs.meta)
        video = replace(video, persons_version=0 if sidecar is None else self._persons.get(outputs.csv, sidecar))
        if decision.meta is not None:
            return replace(video, annotation_state=AnnotationState.ANNOTATED, damage=decision.meta.damage)
        reason = decision.reason if decision.failure is None else public_message(decision.failure)
        if decision.failure is not None and (sidecar is None or not sidecar.is_older):
            return replace(video, annotation_state=AnnotationState.FAILED, reason=reason, version=0)
        if meta is None:
            return replace(video, annotation_state=AnnotationState.MISSING, version=0)
        video = replace(video, annotation_state=AnnotationState.STALE, reason=reason)
        if sidecar is None or not sidecar.is_older:
            return video
        return replace(video, is_older=True, damage=sidecar.damage)

    def _decide(self, video: CatalogVideo, file_stats: _FileStats) -> Decision:
        """Return whether a video must be annotated, cached until one of its files changes.

        Raises:
            OSError: the video cannot be read.
        """
        key = video.path, video.outputs
        cached = self._decisions.get(key)
        if cached is None or cached[0] != file_stats:
            item = ArchiveItem(video.path, video.outputs, self._sidecars.get(video.outputs.meta), file_stats[0])
            decision = decide(item, OutputOptions(("csv",)), self.settings.analysis, self._model_hash)
            cached = self._decisions[key] = (file_stats, decision)
        return cached[1]

    def _prune_caches(self) -> None:
        """Remove videos that no longer exist from the caches of decisions and sidecars."""
        kept = {(path, outputs) for path, located in self._located.items() for outputs in located}
        kept |= {(video.path, video.outputs) for video in self._snapshot.videos.values()}
        self._decisions = {key: decision for key, decision in self._decisions.items() if key in kept}
        self._sidecars.keep_only({outputs.meta for _, outputs in kept})

    def _update_index(self, videos: Collection[CatalogVideo]) -> None:
        """Read the tables of videos that changed, or of which somebody said who is in them or what is wrong."""
        known = [video for video in videos if video.version]
        versions = {video.outputs.csv: video.version + video.persons_version + video.corrections_version for video in known}
        self.index.update(versions, {video.outputs.csv: video.elsewhere for video in known})

    def _with_stats(self, video: CatalogVideo) -> CatalogVideo:
        if not video.version:
            return video
        skipped = self.index.skipped(video.outputs.csv)
        if skipped is not None:
            reason = public_message(skipped)
            return replace(video, annotation_state=AnnotationState.STALE, reason=reason, version=0)
        return replace(video, stats=self.index.stats(video.outputs.csv))
