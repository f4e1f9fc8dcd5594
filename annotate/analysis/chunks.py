"""Chunks of long videos that do not depend on each other, and how they become one video again.

A seam lies at every ``chunk_s`` of a video's time (see `annotate.settings.Settings`). Shots, and with them detection passes,
tracks and blocks, begin anew there, so that the annotations of a chunk follow from its frames alone, and chunks can be
analyzed at once. A face that is seen in the last frame before a seam and in the same place in the first one behind it keeps
its number.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from annotate.analysis.annotation import Annotation
from annotate.faces.box import Box, overlaps
from annotate.faces.shots import USUAL_FRAMES, continues, until_gap
from annotate.media.decode import Frame
from annotate.span import MS_PER_S


@dataclass(frozen=True)
class FrameMark:
    """Identity of a frame: its index in its own decoding, its time and a hash of its image."""

    index: int
    start_ms: int
    digest: bytes

    @classmethod
    def of(cls, frame: Frame) -> FrameMark:
        """Return the mark of a frame."""
        return cls(frame.index, frame.span.start_ms, hashlib.blake2b(frame.image.data, digest_size=16).digest())

    def shows_the_same_as(self, other: FrameMark) -> bool:
        """Return whether two decodings delivered the same frame."""
        return (self.start_ms, self.digest) == (other.start_ms, other.digest)


@dataclass(frozen=True)
class ChunkStart:
    """Comes before the annotations of a chunk; ``first`` is its first frame."""

    first: FrameMark


@dataclass(frozen=True)
class ChunkEnd:
    """Comes after the annotations of a chunk.

    ``last_analyzed_ms`` is the time of its last analyzed frame, ``following`` the first frame behind the seam (None at the
    end of the video), ``shot_continues`` whether the shot does too.
    """

    frames: int
    end_ms: int
    faces: int
    dropped_tracks: int
    last_analyzed_ms: int
    following: FrameMark | None
    shot_continues: bool


ChunkItem = ChunkStart | Annotation | ChunkEnd
"""The results of a chunk are its start, its annotations and its end; none at all if it holds no frame."""


class Chunk:
    """The frames of the chunk that ``first`` lies in, from it and ``rest``; iterate it once, then read the counts."""

    def __init__(self, first: Frame, rest: Iterator[Frame], chunk_s: int, gap_ms: int) -> None:
        self._first = first
        self._end_ms = (first.span.start_s // chunk_s + 1) * chunk_s * MS_PER_S
        self._rest = rest
        self._gap_ms = gap_ms
        self._last_analyzed = first
        self.following: Frame | None = None
        self.frames = 0
        self.end_ms = 0

    def __iter__(self) -> Iterator[Frame]:
        frame, intervals_ms = self._first, deque[int](maxlen=USUAL_FRAMES)
        while True:
            following = next(self._rest, None)
            if following is not None:
                interval_ms = following.span.start_ms - frame.span.start_ms
                frame = until_gap(frame, following, intervals_ms, self._gap_ms)
                intervals_ms.append(interval_ms)
            self.frames += 1
            self.end_ms = frame.span.end_ms
            yield frame
            if following is None or following.span.start_ms >= self._end_ms:
                self.following = following
                return
            frame = following

    def note_analyzed(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield ``frames``, those of the chunk that are analyzed, and remember the last one."""
        for frame in frames:
            self._last_analyzed = frame
            yield frame

    def end(self, faces: int, dropped_tracks: int) -> ChunkEnd:
        """Return the end of the chunk when all its frames have come."""
        following = self.following
        return ChunkEnd(
            frames=self.frames,
            end_ms=self.end_ms,
            faces=faces,
            dropped_tracks=dropped_tracks,
            last_analyzed_ms=self._last_analyzed.span.start_ms,
            following=None if following is None else FrameMark.of(following),
            shot_continues=following is not None and continues(self._last_analyzed, following, self._gap_ms),
        )


@dataclass
class ChunkMerger:
    """Numbers the frames, faces and blocks of a video's chunks, taken in order, as those of one.

    ``overlap`` is the least intersection over union of a face's boxes on both sides of a seam.
    """

    overlap: float
    frames: int = 0
    end_ms: int = 0
    faces: int = 0
    dropped_tracks: int = 0
    _first: FrameMark | None = None
    _numbers: dict[int, int] = field(default_factory=dict)
    _blocks: dict[int, int] = field(default_factory=dict)
    _earlier_blocks: dict[int, int] = field(default_factory=dict)
    _last_seen: dict[int, tuple[int, Box]] = field(default_factory=dict)
    _at_seam: dict[int, Box] = field(default_factory=dict)

    def merge(self, items: Iterable[ChunkItem]) -> Iterator[Annotation]:
        """Yield the annotations of one or more chunks, numbered through."""
        for item in items:
            if isinstance(item, ChunkStart):
                self._first = item.first
            elif isinstance(item, ChunkEnd):
                self._end(item)
            else:
                yield self._renumbered(item)

    def _renumbered(self, annotation: Annotation) -> Annotation:
        assert self._first is not None
        if annotation.face_id not in self._numbers:
            self._numbers[annotation.face_id] = self._number(annotation, self._first.start_ms)
        number = self._numbers[annotation.face_id]
        block = self._earlier_blocks.get(number, 0) + annotation.block
        self._blocks[number] = block + 1
        if annotation.detected:
            last = annotation.detected[-1]
            self._last_seen[number] = last.time_ms, last.box
        shift = self.frames - self._first.index
        return replace(
            annotation,
            face_id=number,
            block=block,
            first_frame=annotation.first_frame + shift,
            last_frame=annotation.last_frame + shift,
        )

    def _number(self, annotation: Annotation, start_ms: int) -> int:
        """Return the number of a face before the seam that continues here, or a new one."""
        first = next(iter(annotation.detected), None)
        if self._at_seam and first is not None and first.time_ms == start_ms:
            numbers = list(self._at_seam)
            shares = overlaps([first.box], [self._at_seam[number] for number in numbers])[0]
            nearest = int(shares.argmax())
            if shares[nearest] >= self.overlap:
                del self._at_seam[numbers[nearest]]
                return numbers[nearest]
        self.faces += 1
        return self.faces

    def _end(self, end: ChunkEnd) -> None:
        self.frames += end.frames
        self.end_ms = end.end_ms
        self.dropped_tracks += end.dropped_tracks
        at_end = {number: box for number, (time_ms, box) in self._last_seen.items() if time_ms == end.last_analyzed_ms}
        self._at_seam = at_end if end.shot_continues else {}
        self._earlier_blocks = {number: self._blocks[number] for number in self._at_seam}
        self._numbers, self._blocks, self._last_seen = {}, {}, {}


def chunks_align(chunks: Iterable[Iterable[ChunkItem]]) -> bool:
    """Return whether chunks that were decoded one by one hold, together, each frame of the video once.

    The decoding of each chunk read on to the first frame behind its seam: the next one must begin with the same image at the
    same time.
    """
    following: FrameMark | None = None
    for number, items in enumerate(chunks):
        for item in items:
            if isinstance(item, ChunkStart) and number:
                if following is None or not following.shows_the_same_as(item.first):
                    return False
            elif isinstance(item, ChunkEnd):
                following = item.following
    return following is None
