"""Long videos in parts that do not depend on each other, and how the parts become one again.

A seam lies at every ``part_s`` of a video's time (see `annotate.settings.Settings`). Shots, and with them looks, tracks
and blocks, begin anew there, so that what is found in a part follows from its frames alone, and parts can be worked on at
once. A face that is seen in the last frame before a seam and in the same place in the first one behind it keeps its number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from annotate.faces.box import Box, overlaps
from annotate.faces.shots import continues
from annotate.media.decode import Frame
from annotate.span import MS_PER_S

if TYPE_CHECKING:
    from annotate.analysis.annotation import Annotation


@dataclass(frozen=True)
class FrameMark:
    """By what a frame is known again: its index in its own decoding, its time and a hash of its picture."""

    index: int
    start_ms: int
    digest: bytes

    @classmethod
    def of(cls, frame: Frame) -> FrameMark:
        """The mark of a frame."""
        return cls(frame.index, frame.span.start_ms, hashlib.blake2b(frame.image.data, digest_size=16).digest())

    def shows_the_same_as(self, other: FrameMark) -> bool:
        """Whether two decodings delivered the same frame."""
        return (self.start_ms, self.digest) == (other.start_ms, other.digest)


@dataclass(frozen=True)
class PartStart:
    """A part's annotations come next."""

    first: FrameMark


@dataclass(frozen=True)
class PartEnd:
    """A part's annotations have come.

    ``last_looked_ms`` is the time of its last analysed frame, ``following`` the first frame behind the seam (None at the end
    of the video), ``goes_on`` whether the shot does too.
    """

    frames: int
    end_ms: int
    faces: int
    dropped_tracks: int
    last_looked_ms: int
    following: FrameMark | None
    goes_on: bool


class Part:
    """The frames of the part that ``first`` lies in, from it and ``rest``; iterate it once, then read what it saw."""

    def __init__(self, first: Frame, rest: Iterator[Frame], part_s: int) -> None:
        self._first = first
        self._end_ms = (first.span.start_s // part_s + 1) * part_s * MS_PER_S
        self._rest = rest
        self.last_looked = first
        self.following: Frame | None = None
        self.frames = 0
        self.end_ms = 0

    def __iter__(self) -> Iterator[Frame]:
        frame = self._first
        while True:
            self.frames += 1
            self.end_ms = frame.span.end_ms
            yield frame
            following = next(self._rest, None)
            if following is None or following.span.start_ms >= self._end_ms:
                self.following = following
                return
            frame = following

    def looked_at(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Passes on those of the part's frames that are analysed."""
        for frame in frames:
            self.last_looked = frame
            yield frame

    def end(self, faces: int, dropped_tracks: int, gap_ms: int) -> PartEnd:
        """What is known of it now that all its frames have come."""
        following = self.following
        return PartEnd(
            frames=self.frames,
            end_ms=self.end_ms,
            faces=faces,
            dropped_tracks=dropped_tracks,
            last_looked_ms=self.last_looked.span.start_ms,
            following=None if following is None else FrameMark.of(following),
            goes_on=following is not None and continues(self.last_looked, following, gap_ms),
        )


Stream = Iterable["PartStart | Annotation | PartEnd"]


@dataclass
class Joiner:
    """Numbers the frames, faces and blocks of a video's parts, taken in order, as those of one.

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

    def join(self, stream: Stream) -> Iterator[Annotation]:
        """The annotations of one or more parts, numbered through."""
        for item in stream:
            if isinstance(item, PartStart):
                self._first = item.first
            elif isinstance(item, PartEnd):
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
        """The number of a face before the seam that goes on here, or a new one."""
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

    def _end(self, part: PartEnd) -> None:
        self.frames += part.frames
        self.end_ms = part.end_ms
        self.dropped_tracks += part.dropped_tracks
        still_there = {number: box for number, (time_ms, box) in self._last_seen.items() if time_ms == part.last_looked_ms}
        self._at_seam = still_there if part.goes_on else {}
        self._earlier_blocks = {number: self._blocks[number] for number in self._at_seam}
        self._numbers, self._blocks, self._last_seen = {}, {}, {}


def is_seamless(streams: Iterable[list[PartStart | Annotation | PartEnd]]) -> bool:
    """Whether parts that were decoded one by one hold, together, each frame of the video once.

    Each part read on to the first frame behind its seam: the next one must begin with just that picture at just that time.
    """
    following: FrameMark | None = None
    for number, stream in enumerate(streams):
        for item in stream:
            if isinstance(item, PartStart) and number:
                if following is None or not following.shows_the_same_as(item.first):
                    return False
            elif isinstance(item, PartEnd):
                following = item.following
    return following is None
