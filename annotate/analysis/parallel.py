"""Analyzing the chunks of one long video at once, by threads of one process or one by one, and merging them.

Decoding is another process's work, and detecting and classifying release Python's lock, so that threads are enough.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Protocol

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import ChunkItem, ChunkMerger, chunks_align
from annotate.analysis.pipeline import Analysis, Progress
from annotate.errors import DecodingError
from annotate.faces.blocks import BlockReport
from annotate.media.decode import SEEKABLE_CONTAINERS, DecodingReport
from annotate.media.probe import Video
from annotate.settings import Settings

_LEAST_CHUNK_BYTES = 1 << 18
"""Chunks are not smaller than this on average: five minutes at 7 kbit/s."""


class Cores(Protocol):
    """Cores that may be used besides the one this thread has, as a semaphore of `threading` or `multiprocessing`."""

    def acquire(self, block: bool = True, /) -> bool:
        """Take one, if one is free."""

    def release(self) -> None:
        """Give one back."""

    def __enter__(self) -> bool | None:
        """Wait for one."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Give it back."""


def analyze(analysis: Analysis, cores: Cores | None = None) -> list[Annotation]:
    """Return all annotations of a video, ordered by start, then face; free ``cores`` analyze chunks of a long one at once.

    A video whose decoding with several threads or in chunks brought warnings is decoded again with one thread: damaged
    frames differ from run to run otherwise. Errors as for iterating an `Analysis`.
    """
    annotations = None if cores is None else analyze_in_chunks(analysis, cores)
    if annotations is None:
        annotations = list(analysis)
    if analysis.decoding.warning_count and analysis.limits.threads != 1:
        analysis.limits = replace(analysis.limits, threads=1)
        annotations = list(analysis)
    return in_order(annotations)


def in_order(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return annotations ordered by start, then face."""
    return sorted(annotations, key=lambda annotation: (annotation.span.start_ms, annotation.face_id, annotation.block))


def analyze_in_chunks(analysis: Analysis, cores: Cores) -> list[Annotation] | None:
    """Return a long video's annotations, its chunks analyzed at once by as many threads as there are free cores.

    The result is the one that iterating the analysis gives. None if the video is short, its container does not tell where
    frames are, or the chunks are not certain to be those of a decoding from the start: it is then to be analyzed with one
    thread, as is everything damaged.
    """
    count = count_chunks(analysis.video, analysis.settings)
    return None if count < 2 else merge_chunks(analysis, ChunkThreads(analysis, cores, count).run())


def count_chunks(video: Video, settings: Settings) -> int:
    """Return the number of chunks of a video: 1 if it is short, or if its container does not tell where frames are.

    It is bounded by the size of the file, since a length in a header may be anything; the last chunk goes on to the end.
    """
    if video.container not in SEEKABLE_CONTAINERS:
        return 1
    with contextlib.suppress(OSError):
        most = video.path.stat().st_size // _LEAST_CHUNK_BYTES
        return max(1, min(most, math.ceil((video.duration_s or 0) / settings.chunk_s)))
    return 1


def analyze_chunk(analysis: Analysis, number: int, count: int, progress: Progress) -> list[ChunkItem] | None:
    """Return the items of chunk ``number`` of ``count``, decoded by itself; None if the decoder warned.

    An `Analysis` can be shared by threads; a worker of a cluster opens its own. ``progress`` is called with the seconds of
    the chunk that are done.

    Raises:
        DecodingError: of the first chunk not one frame could be decoded, or the decoder hung there.
    """
    report, start_s = DecodingReport(), number * analysis.settings.chunk_s
    items: list[ChunkItem] = []
    try:
        items += analysis.chunk_items(
            report,
            number,
            number + 1 if number + 1 < count else None,
            lambda time_s: progress(max(0.0, time_s - start_s)),
        )
    except DecodingError:
        if not number:
            raise
    return None if report.warning_count else items


def merge_chunks(analysis: Analysis, chunks: Sequence[list[ChunkItem] | None] | None) -> list[Annotation] | None:
    """Return the annotations of a video of which all chunks have been analyzed, as if that had been in turn.

    None if a decoder warned or the chunks do not fit together; the analysis is then limited to one thread.
    """
    sound = [items for items in chunks or () if items is not None]
    if chunks is None or len(sound) < len(chunks) or not chunks_align(sound):
        analysis.limits = replace(analysis.limits, threads=1)
        return None
    merger = ChunkMerger(analysis.settings.track_overlap)
    annotations = [annotation for items in sound for annotation in merger.merge(items)]
    analysis.decoding = DecodingReport(merger.frames, merger.end_ms)
    analysis.blocks = BlockReport(merger.faces, merger.dropped_tracks)
    return annotations


class ChunkThreads:
    """Threads that analyze a video's chunks from its start on; the calling thread is one of them."""

    def __init__(self, analysis: Analysis, cores: Cores, count: int) -> None:
        self._analysis = replace(analysis, limits=replace(analysis.limits, threads=1))
        self._cores = cores
        self._chunks: list[list[ChunkItem]] = [[] for _ in range(count)]
        self._pending = deque(range(count))
        self._done_s = [0.0] * count
        self._aborted = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> list[list[ChunkItem]] | None:
        """Return the items of each chunk; None if a decoder warned.

        Raises:
            DecodingError: not one frame could be decoded.
        """
        helpers: list[threading.Thread] = []
        try:
            while (number := self._next()) is not None:
                for _ in range(len(self._pending)):
                    if not self._cores.acquire(False):
                        break
                    helpers.append(threading.Thread(target=self._help, daemon=True))
                    helpers[-1].start()
                self._analyze(number)
        except BaseException:
            self._aborted.set()
            raise
        finally:
            for helper in helpers:
                helper.join()
        if self._error is not None:
            raise self._error
        return None if self._aborted.is_set() else self._chunks

    def _next(self) -> int | None:
        with contextlib.suppress(IndexError):
            if not self._aborted.is_set():
                return self._pending.popleft()
        return None

    def _help(self) -> None:
        """Analyze chunks while there are any; after each the core is offered to others first."""
        try:
            while True:
                try:
                    number = self._next()
                    if number is None:
                        return
                    self._analyze(number)
                finally:
                    self._cores.release()
                if not self._cores.acquire(False):
                    return
        except BaseException as error:  # noqa: BLE001  (it is raised in the calling thread)
            self._error = error
            self._aborted.set()

    def _analyze(self, number: int) -> None:
        def progress(done_s: float) -> None:
            if self._aborted.is_set():
                raise _Aborted
            self._done_s[number] = done_s
            if self._analysis.progress is not None:
                self._analysis.progress(sum(self._done_s))

        with contextlib.suppress(_Aborted):
            items = analyze_chunk(self._analysis, number, len(self._chunks), progress)
            if items is None:
                self._aborted.set()
            elif items:
                self._chunks[number] = items
            else:
                self._pending.clear()  # behind a chunk without frames there are none


class _Aborted(Exception):  # noqa: N818  (it ends a thread's work, and is no error)
    """Another thread has found that the chunks do not serve."""
