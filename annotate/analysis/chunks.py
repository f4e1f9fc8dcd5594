"""Split long videos into independent chunks, and merge the results.

There is a chunk boundary at every multiple of ``chunk_s`` (see `annotate.settings.Settings`). Shots, and with them
detection passes, tracks and blocks, restart there, so the annotations of a chunk depend on its frames alone, and chunks
can be analyzed in parallel. A face that is detected in the last frame before a boundary and in the same place in the first
frame after it keeps its ID.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from annotate.analysis.annotation import Annotation
from annotate.faces.box import Box, pairwise_iou
from annotate.faces.portraits import Described, add_described
from annotate.faces.shots import INTERVALS_KEPT, end_before_gap, in_same_shot
from annotate.media.decode import Frame
from annotate.media.picture_size import PictureSize, add_size
from annotate.span import MS_PER_S


@dataclass(frozen=True)
class FrameMark:
    """Identifies a frame: its index in its own decoding, its start time and a hash of its image."""

    index: int
    start_ms: int
    digest: bytes

    @classmethod
    def of(cls, frame: Frame) -> FrameMark:
        """Return the mark of a frame."""
        return cls(frame.index, frame.span.start_ms, hashlib.blake2b(frame.image.data, digest_size=16).digest())

    def is_same_frame_as(self, other: FrameMark) -> bool:
        """Return whether both marks, from two decodings, are of the same frame."""
        return (self.start_ms, self.digest) == (other.start_ms, other.digest)


@dataclass(frozen=True)
class ChunkStart:
    """Precedes the annotations of a chunk; ``first`` is the chunk's first frame."""

    first: FrameMark


@dataclass(frozen=True)
class ChunkEnd:
    """Follows the annotations of a chunk.

    ``last_analyzed_ms`` is the start of the last analyzed frame, ``next_frame`` the first frame after the boundary (None at
    the end of the video), ``shot_continues`` whether the shot continues across the boundary. ``sizes`` are those of its
    pictures, the first one and every other than before. ``small_faces`` is as in `annotate.faces.search.SearchReport`.
    ``left_out`` is the number of frames that were not decoded. ``described`` are the descriptors of the tracks, if wanted.
    """

    frames: int
    end_ms: int
    faces: int
    dropped_tracks: int
    last_analyzed_ms: int
    next_frame: FrameMark | None
    shot_continues: bool
    sizes: tuple[PictureSize, ...] = ()
    small_faces: int = 0
    left_out: int = 0
    described: Mapping[int, Described] = field(default_factory=dict)


ChunkItem = ChunkStart | Annotation | ChunkEnd
"""The results of a chunk are its start, its annotations and its end; there are none if the chunk has no frames."""


class Chunk:
    """Iterates, once, over the frames of one chunk: ``first`` and those of ``rest`` before the next boundary.

    When it is exhausted, ``frames``, ``end_ms``, ``left_out``, ``sizes`` and ``next_frame`` (the first frame after the
    boundary) are set.
    """

    def __init__(self, first: Frame, rest: Iterator[Frame], chunk_s: int, gap_ms: int) -> None:
        self._first = first
        self._end_ms = (first.span.start_s // chunk_s + 1) * chunk_s * MS_PER_S
        self._rest = rest
        self._gap_ms = gap_ms
        self._last_analyzed = first
        self.next_frame: Frame | None = None
        self.frames = 0
        self.end_ms = 0
        self.left_out = 0
        self.sizes: list[PictureSize] = []

    def __iter__(self) -> Iterator[Frame]:
        frame, intervals_ms = self._first, deque[int](maxlen=INTERVALS_KEPT)
        while True:
            next_frame = next(self._rest, None)
            if next_frame is not None:
                interval_ms = next_frame.span.start_ms - frame.span.start_ms
                frame = end_before_gap(frame, interval_ms, intervals_ms, self._gap_ms)
                intervals_ms.append(interval_ms)
            self.frames += 1 + frame.last_index - frame.index
            self.end_ms = frame.span.end_ms
            self.left_out += not frame.was_decoded
            add_size(self.sizes, PictureSize(frame.span.start_ms, *frame.displayed_px))
            yield frame
            if next_frame is None or next_frame.span.start_ms >= self._end_ms:
                self.next_frame = next_frame
                return
            frame = next_frame

    def note_analyzed(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield ``frames``, the analyzed frames of the chunk, and remember the last one."""
        for frame in frames:
            self._last_analyzed = frame
            yield frame

    def end(
        self, faces: int, dropped_tracks: int, small_faces: int = 0, described: Mapping[int, Described] | None = None
    ) -> ChunkEnd:
        """Return the end of the chunk; call it after the iteration."""
        next_frame = self.next_frame
        return ChunkEnd(
            frames=self.frames,
            end_ms=self.end_ms,
            faces=faces,
            dropped_tracks=dropped_tracks,
            last_analyzed_ms=self._last_analyzed.span.start_ms,
            next_frame=None if next_frame is None else FrameMark.of(next_frame),
            shot_continues=next_frame is not None and in_same_shot(self._last_analyzed, next_frame, self._gap_ms),
            sizes=tuple(self.sizes),
            small_faces=small_faces,
            left_out=self.left_out,
            described=described or {},
        )


@dataclass
class ChunkMerger:
    """Merges the results of consecutive chunks: renumbers frames, faces and blocks across the whole video.

    ``min_overlap`` is the minimum intersection over union of a face's boxes on both sides of a boundary.
    """

    min_overlap: float
    frames: int = 0
    end_ms: int = 0
    faces: int = 0
    dropped_tracks: int = 0
    sizes: list[PictureSize] = field(default_factory=list)
    small_faces: int = 0
    left_out: int = 0
    described: dict[int, Described] = field(default_factory=dict)
    _first: FrameMark | None = None
    _merged_ids: dict[int, int] = field(default_factory=dict)
    _block_counts: dict[int, int] = field(default_factory=dict)
    _earlier_blocks: dict[int, int] = field(default_factory=dict)
    _last_detections: dict[int, tuple[int, Box]] = field(default_factory=dict)
    _at_boundary: dict[int, Box] = field(default_factory=dict)

    def merge(self, items: Iterable[ChunkItem]) -> Iterator[Annotation]:
        """Yield the annotations of one or more chunks, renumbered."""
        for item in items:
            if isinstance(item, ChunkStart):
                self._first = item.first
            elif isinstance(item, ChunkEnd):
                self._end(item)
            else:
                yield self._renumbered(item)

    def _renumbered(self, annotation: Annotation) -> Annotation:
        assert self._first is not None
        if annotation.face_id not in self._merged_ids:
            self._merged_ids[annotation.face_id] = self._merged_id(annotation, self._first.start_ms)
        face_id = self._merged_ids[annotation.face_id]
        block = self._earlier_blocks.get(face_id, 0) + annotation.block
        self._block_counts[face_id] = block + 1
        if annotation.detected:
            last = annotation.detected[-1]
            self._last_detections[face_id] = last.time_ms, last.box
        shift = self.frames - self._first.index
        return replace(
            annotation,
            face_id=face_id,
            block=block,
            first_frame=annotation.first_frame + shift,
            last_frame=annotation.last_frame + shift,
        )

    def _merged_id(self, annotation: Annotation, start_ms: int) -> int:
        """Return the ID of the face that the annotation continues across the boundary at ``start_ms``, or a new ID."""
        first = next(iter(annotation.detected), None)
        if self._at_boundary and first is not None and first.time_ms == start_ms:
            face_ids = list(self._at_boundary)
            ious = pairwise_iou([first.box], [self._at_boundary[face_id] for face_id in face_ids])[0]
            best = int(ious.argmax())
            if ious[best] >= self.min_overlap:
                del self._at_boundary[face_ids[best]]
                return face_ids[best]
        self.faces += 1
        return self.faces

    def _end(self, end: ChunkEnd) -> None:
        self.frames += end.frames
        self.end_ms = end.end_ms
        self.dropped_tracks += end.dropped_tracks
        self.small_faces += end.small_faces
        self.left_out += end.left_out
        add_described(self.described, {self._merged_ids[face_id]: own for face_id, own in end.described.items()})
        for size in end.sizes:
            add_size(self.sizes, size)
        at_end = {
            face_id: box for face_id, (time_ms, box) in self._last_detections.items() if time_ms == end.last_analyzed_ms
        }
        self._at_boundary = at_end if end.shot_continues else {}
        self._earlier_blocks = {face_id: self._block_counts[face_id] for face_id in self._at_boundary}
        self._merged_ids, self._block_counts, self._last_detections = {}, {}, {}


def chunks_align(chunks: Iterable[Iterable[ChunkItem]]) -> bool:
    """Return whether separately decoded chunks together contain every frame of the video exactly once.

    Each chunk was decoded up to the first frame after its boundary; the next chunk must start with the same image at the
    same time.
    """
    next_frame: FrameMark | None = None
    for number, items in enumerate(chunks):
        for item in items:
            if isinstance(item, ChunkStart) and number:
                if next_frame is None or not next_frame.is_same_frame_as(item.first):
                    return False
            elif isinstance(item, ChunkEnd):
                next_frame = item.next_frame
    return next_frame is None
