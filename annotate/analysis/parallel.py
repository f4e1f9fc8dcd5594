"""The parts of one long video worked on at once: by threads of one process, or one by one, and joined.

Decoding is another process's work, and detecting and classifying release Python's lock, so that threads are enough.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from annotate.analysis.chunks import Joiner, PartEnd, PartStart, is_seamless
from annotate.errors import DecodingError
from annotate.faces.blocks import BlockReport
from annotate.media.decode import SOUGHT_IN, DecodingReport
from annotate.media.probe import Video
from annotate.settings import Settings

if TYPE_CHECKING:
    from annotate.analysis.annotation import Annotation
    from annotate.analysis.chunks import PartEnd, PartStart
    from annotate.analysis.pipeline import Analysis
    from annotate.media.probe import Video
    from annotate.settings import Settings


class Cores(Protocol):
    """Cores that may be used besides the one this thread has, as a semaphore of `threading` or `multiprocessing`."""

    def acquire(self, block: bool = True, /) -> bool:
        """Takes one, if one is free."""

    def release(self) -> None:
        """Gives one back."""

    def __enter__(self) -> bool | None:
        """Waits for one."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Gives it back."""


Stream = list["PartStart | Annotation | PartEnd"]
"""What a part gave; see `annotate.analysis.chunks`."""


def annotate_parts(analysis: Analysis, cores: Cores) -> list[Annotation] | None:
    """A long video's annotations, its parts worked on at once by as many threads as there are free cores.

    The result is the one that iterating the analysis gives. None if the video is short, its container does not tell where
    frames are, or what was decoded part by part is not certain to be what a decoding from the start gives: that is then to
    be done with one thread, as for everything damaged.
    """
    count = count_parts(analysis.video, analysis.settings)
    return None if count < 2 else join_parts(analysis, _Crew(analysis, cores, count).work())


def count_parts(video: Video, settings: Settings) -> int:
    """In how many parts a video may be worked on: 1 if it is short, or if its container does not tell where frames are."""
    return max(1, math.ceil((video.duration_s or 0) / settings.part_s)) if video.container in SOUGHT_IN else 1


def look_at_part(analysis: Analysis, number: int, count: int, progress: Callable[[float], None]) -> Stream | None:
    """What part ``number`` of ``count`` gives, decoded by itself with the analysis's limits; None if the decoder complained.

    ``progress`` is told how far in the video it is, in seconds.

    Raises:
        DecodingError: of the first part not one frame could be decoded.
    """
    report = DecodingReport()
    stream: Stream = []
    try:
        stream += analysis.stream(report, number, number + 1 if number + 1 < count else None, progress)
    except DecodingError:
        if not number:
            raise
    return None if report.warning_count else stream


def join_parts(analysis: Analysis, streams: Sequence[Stream | None] | None) -> list[Annotation] | None:
    """The annotations of a video of which all parts have been looked at, as if they had been in turn.

    None if a decoder complained or the parts do not fit together; the analysis is then limited to one thread.
    """
    sound = [stream for stream in streams or () if stream is not None]
    if streams is None or len(sound) < len(streams) or not is_seamless(sound):
        analysis.limits = replace(analysis.limits, threads=1)
        return None
    joiner = Joiner(analysis.settings.track_overlap)
    annotations = [annotation for stream in sound for annotation in joiner.join(stream)]
    analysis.decoding = DecodingReport(joiner.frames, joiner.end_ms)
    analysis.blocks = BlockReport(joiner.faces, joiner.dropped_tracks)
    return annotations


class _Crew:
    """Threads that take a video's parts from its start on; this thread is one of them."""

    def __init__(self, analysis: Analysis, cores: Cores, count: int) -> None:
        self._analysis = replace(analysis, limits=replace(analysis.limits, threads=1))
        self._cores = cores
        self._streams: list[Stream] = [[] for _ in range(count)]
        self._coming = deque(range(count))
        self._done_s = [0.0] * count
        self._given_up = threading.Event()
        self._error: BaseException | None = None

    def work(self) -> list[Stream] | None:
        """What each part gave; None if a decoder complained."""
        helpers: list[threading.Thread] = []
        try:
            while (number := self._next()) is not None:
                for _ in range(len(self._coming)):
                    if not self._cores.acquire(False):
                        break
                    helpers.append(threading.Thread(target=self._help, daemon=True))
                    helpers[-1].start()
                self._do(number)
        except BaseException:
            self._given_up.set()
            raise
        finally:
            for helper in helpers:
                helper.join()
        if self._error is not None:
            raise self._error
        return None if self._given_up.is_set() else self._streams

    def _next(self) -> int | None:
        with contextlib.suppress(IndexError):
            if not self._given_up.is_set():
                return self._coming.popleft()
        return None

    def _help(self) -> None:
        """Works while there are parts; after each the core is offered to others first."""
        try:
            while True:
                try:
                    number = self._next()
                    if number is None:
                        return
                    self._do(number)
                finally:
                    self._cores.release()
                if not self._cores.acquire(False):
                    return
        except BaseException as error:  # noqa: BLE001  (it is raised where the crew was asked to work)
            self._error = error
            self._given_up.set()

    def _do(self, number: int) -> None:
        start_s = number * self._analysis.settings.part_s

        def progress(time_s: float) -> None:
            if self._given_up.is_set():
                raise _GivenUp
            self._done_s[number] = max(0.0, time_s - start_s)
            if self._analysis.progress is not None:
                self._analysis.progress(sum(self._done_s))

        with contextlib.suppress(_GivenUp):
            stream = look_at_part(self._analysis, number, len(self._streams), progress)
            if stream is None:
                self._given_up.set()
            else:
                self._streams[number] = stream


class _GivenUp(Exception):  # noqa: N818  (it ends a thread's work, and is no error)
    """Another thread has found that the parts do not serve."""


def analyse(analysis: Analysis, cores: Cores | None = None) -> list[Annotation]:
    """All annotations of a video, ordered by start, then face; parts of a long one are worked on at once by free ``cores``.

    A video whose decoding with several threads or in parts brought complaints is decoded again with one: damaged pictures
    differ from run to run otherwise. Errors as for iterating an `Analysis`.
    """
    annotations = None if cores is None else annotate_parts(analysis, cores)
    if annotations is None:
        annotations = list(analysis)
    if analysis.decoding.warning_count and analysis.limits.threads != 1:
        analysis.limits = replace(analysis.limits, threads=1)
        annotations = list(analysis)
    return in_order(annotations)


def in_order(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Annotations ordered by start, then face."""
    return sorted(annotations, key=lambda annotation: (annotation.span.start_ms, annotation.face_id, annotation.block))
