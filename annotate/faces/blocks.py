"""Cutting tracks into blocks of frames for the classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.contract import Contract
from annotate.faces.box import Box
from annotate.faces.crop import Patch, take_patch
from annotate.faces.track import TrackedFace, TrackEnd
from annotate.span import Span


@dataclass(frozen=True, slots=True)
class TimedBox:
    """The box of a face at a time in milliseconds at which it was detected."""

    time_ms: int
    box: Box


@dataclass(frozen=True)
class Block:
    """Consecutive analyzed frames of one face.

    ``pixels`` is (block frames, size, size) uint8 in full range; where the model uses every so many-th frame only, the
    others repeat those. ``box`` is the mean over the block, in pixels of the analyzed image. ``frames`` counts real frames,
    not padding; ``detections`` those the face was detected in; ``overlap`` those the block before already had. ``face_id``
    counts from 1, ``number`` counts a face's blocks from 0. ``detected`` are the detections in the frames that the block
    before did not have.
    """

    face_id: int
    number: int
    first_frame: int
    last_frame: int
    span: Span
    box: Box
    face_score: float
    frames: int
    detections: int
    overlap: int
    detected: tuple[TimedBox, ...]
    pixels: NDArray[np.uint8]


@dataclass
class BlockReport:
    """Track counts, filled in while blocks are delivered."""

    faces: int = 0
    dropped_tracks: int = 0


@dataclass(frozen=True, slots=True)
class Cropped:
    """A sighting whose image has been cut down to the face's surroundings, so that the image can go."""

    index: int
    last_index: int
    span: Span
    box: Box
    score: float
    detected: bool
    patch: Patch


@dataclass
class _Pending:
    """A track's frames since its last block, and that block's, of which its last may need some again."""

    frames: list[Cropped] = field(default_factory=list)
    blocks: int = 0


def cut_blocks(
    events: Iterable[TrackedFace | TrackEnd], contract: Contract, min_track_frames: int, report: BlockReport
) -> Iterator[Block]:
    """Yield blocks of all faces, each as soon as it is complete.

    The rest of a track that has filled a block is covered by one more block that ends with the track; a
    shorter track gives one block padded by repeating its last crop, and one of fewer than ``min_track_frames`` none.
    Faces are numbered from 1 in order of appearance, dropped tracks not counted: a block waits until it is known which
    of the earlier tracks are kept.
    """
    waiting: dict[int, list[Block]] = {}
    ended: set[int] = set()
    numbers: dict[int, int] = {}
    undecided = 0
    for track, blocks, has_ended in _track_blocks(events, contract, min_track_frames):
        if has_ended:
            ended.add(track)
        if track in numbers:
            for block in blocks:
                yield replace(block, face_id=numbers[track])
            continue
        waiting.setdefault(track, []).extend(blocks)
        while waiting.get(undecided) or undecided in ended:
            held = waiting.pop(undecided, [])
            if held:
                report.faces += 1
                numbers[undecided] = report.faces
                for block in held:
                    yield replace(block, face_id=report.faces)
            else:
                report.dropped_tracks += 1
            undecided += 1


def _track_blocks(
    events: Iterable[TrackedFace | TrackEnd], contract: Contract, min_track_frames: int
) -> Iterator[tuple[int, list[Block], bool]]:
    """Yield for every event that completes a block or a track: the track, its new blocks, and whether it has ended."""
    size = contract.block_frames
    tracks: dict[int, _Pending] = {}
    for event in events:
        if isinstance(event, TrackEnd):
            pending = tracks.pop(event.track)
            yield event.track, _last_block(pending, contract, min_track_frames), True
            continue
        pending = tracks.setdefault(event.track, _Pending())
        pending.frames.append(cut_face(event, contract))
        fresh = len(pending.frames) - (size if pending.blocks else 0)
        if fresh == size:
            del pending.frames[:-size]
            block = _block(pending, contract, overlap=0)
            pending.blocks += 1
            yield event.track, [block], False


def cut_face(sighting: TrackedFace, contract: Contract) -> Cropped:
    """Return a sighting's face as the contract frames it."""
    frame = sighting.frame
    patch = take_patch(frame.image, sighting.box, contract.crop_margin, contract.crop_size_px)
    return Cropped(frame.index, frame.last_index, frame.span, sighting.box, sighting.score, sighting.detected, patch)


def _last_block(pending: _Pending, contract: Contract, min_track_frames: int) -> list[Block]:
    size = contract.block_frames
    if not pending.blocks:
        return [_block(pending, contract, overlap=0)] if len(pending.frames) >= min_track_frames else []
    fresh = len(pending.frames) - size
    if not fresh:
        return []
    del pending.frames[:-size]
    return [_block(pending, contract, overlap=size - fresh)]


def _block(pending: _Pending, contract: Contract, overlap: int) -> Block:
    return join_frames(pending.frames, contract, number=pending.blocks, overlap=overlap)


def join_frames(
    frames: Sequence[Cropped], contract: Contract, *, face_id: int = 0, number: int = 0, overlap: int = 0
) -> Block:
    """Return consecutive frames of one face, as many as a block has or fewer, as a block; the last one fills its end."""
    first, last = frames[0], frames[-1]
    boxes = np.array([(seen.box.x, seen.box.y, seen.box.width, seen.box.height) for seen in frames])
    return Block(
        face_id=face_id,
        number=number,
        first_frame=first.index,
        last_frame=last.last_index,
        span=Span(first.span.start_ms, last.span.end_ms),
        box=Box(*boxes.mean(0).tolist()),
        face_score=float(np.mean([seen.score for seen in frames])),
        frames=len(frames),
        detections=sum(seen.detected for seen in frames),
        overlap=overlap,
        detected=tuple(TimedBox(seen.span.start_ms, seen.box) for seen in frames[overlap:] if seen.detected),
        pixels=_pixels([seen.patch for seen in frames], contract),
    )


def _pixels(patches: Sequence[Patch], contract: Contract) -> NDArray[np.uint8]:
    """Return the crops that the model uses, each repeated up to the next; the last patch is repeated to the block's end."""
    pixels = np.empty((contract.block_frames, contract.crop_size_px, contract.crop_size_px), np.uint8)
    for start in range(0, contract.block_frames, contract.frame_stride):
        pixels[start : start + contract.frame_stride] = patches[min(start, len(patches) - 1)].crop()
    return pixels
