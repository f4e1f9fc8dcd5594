"""The videos that a server shows: uploads, and those of an archive, each with its state."""

from __future__ import annotations

import enum
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotate.archive.discover import Obstacle, Selection, walk
from annotate.archive.layout import Outputs, Wanted, name_outputs
from annotate.archive.output_tree import mirror
from annotate.batch.plan import Decision, Task, decide
from annotate.results.meta import plain_text
from annotate.server.catalog_index import Figures, ReportIndex
from annotate.server.data_dir import Places, archive_id
from annotate.server.queue import Queue, Upload
from annotate.server.settings import ServeSettings

_SCAN_INTERVAL_S = 2.0
_LEAST_REST = 20
"""Between two scans passes so many times what one takes, so that a large archive keeps the server quick."""

logger = logging.getLogger(__name__)


class Origin(enum.Enum):
    """Where a video comes from."""

    UPLOAD = "upload"
    ARCHIVE = "archive"


class Standing(enum.Enum):
    """What is known of a video from its files."""

    ANNOTATED = "annotated"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True)
class Video:
    """A video of the server's.

    ``outputs`` is where its results are, ``target`` where new ones go. ``subject`` changes when the file does, ``version``
    when its results do. ``folder`` is its path in the archive as text, with slashes, empty at the top.
    """

    id: str
    path: Path
    name: str
    folder: str
    origin: Origin
    size_bytes: int
    modified_s: float
    outputs: Outputs
    target: Outputs
    standing: Standing = Standing.MISSING
    reason: str = ""
    subject: str = ""
    version: int = 0
    figures: Figures | None = None

    @property
    def is_upload(self) -> bool:
        """Whether it was sent to the server; else it lies in the archive."""
        return self.origin is Origin.UPLOAD


@dataclass(frozen=True)
class Snapshot:
    """All videos at a moment, by id, in order: uploads from the latest on, then the archive's by path."""

    videos: Mapping[str, Video] = field(default_factory=dict)
    obstacles: tuple[Obstacle, ...] = ()
    is_complete: bool = False
    """Whether the archive has been looked through since the server was started."""


class Library:
    """Looks at the uploads and the archive again and again; what is known is replaced as a whole: reading never waits."""

    def __init__(
        self, settings: ServeSettings, queue: Queue, model_hash: str, changed: Callable[[], None] = lambda: None
    ) -> None:
        """``changed`` is called when a look has found other videos, or others of them annotated, than the one before."""
        self.settings = settings
        self._changed = changed
        self.index = ReportIndex()
        self._places = Places(settings.data)
        self._queue = queue
        self._model_hash = model_hash
        self._root = settings.directory
        self._real_root = os.path.realpath(settings.directory) if settings.directory is not None else ""
        self._snapshot = Snapshot()
        self._known: dict[tuple[Path, Path], tuple[tuple[int, ...], Decision]] = {}
        self._names: tuple[list[Path], dict[Path, Outputs], dict[Path, Outputs]] = ([], {}, {})
        self._lock = threading.Lock()
        self._poked = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What was seen last."""
        return self._snapshot

    def find(self, video_id: str) -> Video | None:
        """A video by its id, if its file may be used."""
        video = self._snapshot.videos.get(video_id)
        return video if video is not None and self.is_within(video) else None

    def start(self) -> None:
        """Begins to look, in a thread of its own."""
        self._thread = threading.Thread(target=self._watch, daemon=True, name="library")
        self._thread.start()

    def poke(self) -> None:
        """Something has changed: it is looked at soon."""
        self._poked.set()

    def close(self) -> None:
        """Ends looking."""
        self._ended.set()
        self._poked.set()
        if self._thread is not None:
            self._thread.join()

    def scan(self) -> Snapshot:
        """Looks at everything now."""
        with self._lock:
            obstacles: list[Obstacle] = []
            found = {video.id: video for video in (*self._uploads(), *self._archive(obstacles))}
            used = {(video.path, video.outputs.meta): video for video in found.values()}
            self._known = {key: known for key, known in self._known.items() if key in used}
            self.index.update({video.outputs.csv: video.version for video in found.values() if video.version})
            videos = {video.id: self._with_figures(video) for video in found.values()}
            before, self._snapshot = self._snapshot, Snapshot(videos, tuple(obstacles), True)
            is_new = not before.is_complete or before.videos != videos
        if is_new:
            self._changed()
        return self._snapshot

    def add(self, upload: Upload) -> Video:
        """Takes in an upload, and orders its annotation; it is known before, since its turn may come at once."""
        with self._lock:
            video = self._with_standing(self._of_upload(upload))
            self._snapshot = replace(self._snapshot, videos={video.id: video, **self._snapshot.videos})
            self._queue.add_upload(upload)
            return video

    def remove(self, video_id: str) -> None:
        """Forgets an upload."""
        with self._lock:
            self._queue.remove_upload(video_id)
            videos = {key: video for key, video in self._snapshot.videos.items() if key != video_id}
            self._snapshot = replace(self._snapshot, videos=videos)

    def refresh(self, video_id: str) -> Video | None:
        """Looks at one video now, and gives it as it is."""
        with self._lock:
            known = self._snapshot.videos.get(video_id)
            if known is None:
                return None
            _, beside, elsewhere = self._names
            if not known.is_upload and known.path in beside:
                video = self._best(known, beside[known.path], elsewhere[known.path])
            else:
                video = self._with_standing(known)
            videos = {**self._snapshot.videos, video_id: video}
            self.index.update({one.outputs.csv: one.version for one in videos.values() if one.version})
            videos[video_id] = video = self._with_figures(video)
            self._snapshot = replace(self._snapshot, videos=videos)
            return video

    def is_within(self, video: Video) -> bool:
        """Whether a video's file lies where it should: links that lead out of the archive are not followed unasked."""
        if video.is_upload:
            return not video.path.is_symlink()
        if self.settings.follow_links:
            return True
        return os.path.realpath(video.path).startswith(os.path.join(self._real_root, ""))

    def _watch(self) -> None:
        while not self._ended.is_set():
            begun_s = time.monotonic()
            self._poked.clear()
            try:
                self.scan()
            except Exception:  # a disk may be gone for a while; what was known before still is
                logger.exception("the archive could not be looked through")
            rest_s = max(_SCAN_INTERVAL_S, _LEAST_REST * (time.monotonic() - begun_s))
            self._poked.wait(rest_s)

    def _uploads(self) -> Iterator[Video]:
        for upload in self._queue.uploads():
            yield self._with_standing(self._of_upload(upload))

    def _of_upload(self, upload: Upload) -> Video:
        path = self._places.uploads / upload.id / upload.name
        outputs = name_outputs([path])[path]
        return Video(upload.id, path, upload.name, "", Origin.UPLOAD, upload.size_bytes, upload.created_s, outputs, outputs)

    def _archive(self, obstacles: list[Obstacle]) -> Iterator[Video]:
        root = self._root
        if root is None:
            return
        paths: list[Path] = []
        for entry in walk([root], Selection(follow_links=self.settings.follow_links)):
            if isinstance(entry, Obstacle):
                obstacles.append(entry)
            elif not entry.is_relative_to(self._places.data):
                paths.append(entry)
        if paths != self._names[0]:
            folders = mirror(paths, [root], self._places.results_of(root))
            self._names = paths, name_outputs(paths), name_outputs(paths, folders)
        _, beside, elsewhere = self._names
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            relative = path.relative_to(root)
            folder = "" if relative.parent == Path() else plain_text(str(relative.parent))
            target = beside[path] if self.settings.write else elsewhere[path]
            video = Video(
                archive_id(relative),
                path,
                plain_text(path.name),
                folder,
                Origin.ARCHIVE,
                status.st_size,
                status.st_mtime,
                target,
                target,
            )
            if path.is_symlink() and not self.is_within(video):
                obstacles.append(Obstacle(path, f"{path}: leads out of the archive; --follow-links takes it"))
                continue
            yield self._best(video, beside[path], elsewhere[path])

    def _best(self, video: Video, beside: Outputs, elsewhere: Outputs) -> Video:
        """A video with those of its results that hold; else with any; else with none."""
        seen = [self._with_standing(replace(video, outputs=outputs)) for outputs in (beside, elsewhere)]
        for standing in (Standing.ANNOTATED, Standing.STALE):
            for one in seen:
                if one.standing is standing:
                    return one
        return self._with_standing(video)

    def _with_standing(self, video: Video) -> Video:
        try:
            status = video.path.stat()
        except OSError as error:
            return replace(video, standing=Standing.MISSING, reason=f"cannot be read ({error.strerror})")
        meta = _stamp(video.outputs.meta)
        subject = f"{status.st_size}-{status.st_mtime_ns}"
        stamps = (status.st_size, status.st_mtime_ns, meta, _stamp(video.outputs.csv), _stamp(video.outputs.boxes))
        key = video.path, video.outputs.meta
        known = self._known.get(key)
        if known is None or known[0] != stamps:
            try:
                decision = decide(video.path, video.outputs, Wanted(("csv",)), self.settings.analysis, self._model_hash)
            except OSError as error:
                return replace(video, standing=Standing.MISSING, reason=f"cannot be read ({error.strerror})")
            known = self._known[key] = (stamps, decision)
        decision = known[1]
        if decision.task is not Task.ANNOTATE:
            return replace(video, standing=Standing.ANNOTATED, subject=subject, version=stamps[3] or meta)
        if not meta:
            return replace(video, standing=Standing.MISSING, reason="", subject=subject, version=0)
        return replace(video, standing=Standing.STALE, reason=decision.reason, subject=subject, version=stamps[3])

    def _with_figures(self, video: Video) -> Video:
        if not video.version:
            return video
        fault = self.index.fault(video.outputs.csv)
        if fault:
            reason = fault.removeprefix(f"{video.outputs.csv}: ")
            return replace(video, standing=Standing.STALE, reason=reason, version=0)
        return replace(video, figures=self.index.figures(video.outputs.csv))


def _stamp(path: Path) -> int:
    """The time of a file's last change in nanoseconds, 0 if it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
