"""Analyze the chunks of a long video, in parallel threads or one by one, and merge the results.

Threads are enough: decoding runs in ffmpeg's process, and detection and classification release the GIL.
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
from annotate.analysis.pipeline import Analysis
from annotate.errors import DecodingError
from annotate.faces.blocks import BlockReport
from annotate.media.decode import SEEKABLE_CONTAINERS, MediaProgress
from annotate.media.decoding_report import DecodingReport
from annotate.media.probe import Video
from annotate.media.skipping import DAMAGED, TIMES, UnmatchedTimesError
from annotate.settings import ALL_FRAMES, KEY, Settings

_MIN_BYTES_PER_S = 200
"""Minimum mean size of a second of video; a header that states more seconds than fit into the file is not believed."""


class Cores(Protocol):
    """A semaphore of `threading` or `multiprocessing` that counts the free cores, without the calling thread's."""

    def acquire(self, block: bool = True, /) -> bool:
        """Take a core; return False if none is free and ``block`` is false."""

    def release(self) -> None:
        """Return a core."""

    def __enter__(self) -> bool | None:
        """Wait for a core and take it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Return the core."""


def analyze(analysis: Analysis, cores: Cores | None = None) -> list[Annotation]:
    """Return all annotations of a video, ordered by start, then face; chunks of a long video use free ``cores``.

    If decoding with several threads or in chunks gave warnings, the video is decoded again with one thread, since damaged
    frames otherwise differ between runs. If frames were left out and there were warnings, or it cannot be told which they
    were, all are decoded. Raises the errors of iterating an `Analysis`, but for that.
    """
    reason = ""
    try:
        annotations = _analyze_once(analysis, cores)
    except UnmatchedTimesError:
        annotations, reason = [], TIMES
    if analysis.settings.decode != ALL_FRAMES and (reason or analysis.decoding.warning_count):
        analysis.decode_all(reason or DAMAGED)
        annotations = _analyze_once(analysis, cores)
    if analysis.decoding.warning_count and analysis.limits.threads != 1:
        analysis.limits = replace(analysis.limits, threads=1)
        annotations = list(analysis)
    return sort_annotations(annotations)


def _analyze_once(analysis: Analysis, cores: Cores | None) -> list[Annotation]:
    annotations = None if cores is None else analyze_in_chunks(analysis, cores)
    return list(analysis) if annotations is None else annotations


def sort_annotations(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return annotations ordered by start, then face."""
    return sorted(annotations, key=lambda annotation: (annotation.span.start_ms, annotation.face_id, annotation.block))


def analyze_in_chunks(analysis: Analysis, cores: Cores) -> list[Annotation] | None:
    """Return the annotations of a long video, analyzing its chunks in as many threads as there are free cores.

    The result equals that of iterating the analysis. Return None if the video is short, its container is not seekable, or
    the chunks may differ from those of a decoding from the start; such a video, like any damaged one, must be analyzed with
    one thread.
    """
    count = count_chunks(analysis.video, analysis.settings)
    return None if count < 2 else merge_chunks(analysis, ChunkThreads(analysis, cores, count).run())


def count_chunks(video: Video, settings: Settings) -> int:
    """Return the number of chunks of a video: 1 if it is short, its container is not seekable, or only key frames count.

    The number is bounded by the size of the file, since a header may state any length; the last chunk has no end.
    """
    if video.container not in SEEKABLE_CONTAINERS or settings.decode == KEY:
        return 1
    try:
        max_count = video.path.stat().st_size // (_MIN_BYTES_PER_S * settings.chunk_s)
    except OSError:
        return 1
    return max(1, min(max_count, math.ceil((video.duration_s or 0) / settings.chunk_s)))


def analyze_chunk(analysis: Analysis, number: int, count: int, progress: MediaProgress) -> list[ChunkItem] | None:
    """Decode and analyze chunk ``number`` (from 0) of ``count`` and return its items.

    Return None if the decoder warned, or if frames were left out and it cannot be told which.

    Threads can share an `Analysis`; a cluster worker opens its own. ``progress`` is called with the seconds of the chunk
    done so far.

    Raises:
        DecodingError: no frame of the first chunk could be decoded, or the decoder hung there.
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
    except UnmatchedTimesError:
        return None
    except DecodingError:
        if not number:
            raise
    return None if report.warning_count else items


def merge_chunks(analysis: Analysis, chunks: Sequence[list[ChunkItem] | None] | None) -> list[Annotation] | None:
    """Merge the chunks of a video and return its annotations, the same as from a sequential analysis.

    Return None if a decoder warned or the chunks do not align; the analysis is then limited to one thread.
    """
    complete = [items for items in chunks or () if items is not None]
    if chunks is None or len(complete) < len(chunks) or not chunks_align(complete):
        analysis.limits = replace(analysis.limits, threads=1)
        return None
    merger = ChunkMerger(analysis.settings.track_overlap)
    annotations = [annotation for items in complete for annotation in merger.merge(items)]
    analysis.decoding = DecodingReport(merger.frames, merger.end_ms)
    analysis.blocks = BlockReport(merger.faces, merger.dropped_tracks)
    analysis.sizes = merger.sizes
    analysis.small_faces = merger.small_faces
    analysis.left_out = merger.left_out
    analysis.described = merger.described
    return annotations


class ChunkThreads:
    """Analyzes a video's chunks, in order of time, in the calling thread and one more thread per free core."""

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
            DecodingError: no frame could be decoded.
        """
        threads: list[threading.Thread] = []
        try:
            while (number := self._next_chunk()) is not None:
                for _ in range(len(self._pending)):
                    if not self._cores.acquire(False):
                        break
                    threads.append(threading.Thread(target=self._run_thread, daemon=True))
                    threads[-1].start()
                self._analyze(number)
        except BaseException:
            self._aborted.set()
            raise
        finally:
            for thread in threads:
                thread.join()
        if self._error is not None:
            raise self._error
        return None if self._aborted.is_set() else self._chunks

    def _next_chunk(self) -> int | None:
        with contextlib.suppress(IndexError):
            if not self._aborted.is_set():
                return self._pending.popleft()
        return None

    def _run_thread(self) -> None:
        """Analyze pending chunks; the core is released after each, so that other videos can take it."""
        try:
            while True:
                try:
                    number = self._next_chunk()
                    if number is None:
                        return
                    self._analyze(number)
                finally:
                    self._cores.release()
                if not self._cores.acquire(False):
                    return
        except BaseException as error:  # noqa: BLE001  (re-raised in the calling thread)
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
                self._pending.clear()  # the chunks after one without frames have none, or do not align


class _Aborted(Exception):  # noqa: N818  (stops a thread; not an error)
    """The parallel analysis was given up by another thread."""
