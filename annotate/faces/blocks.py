"""Cut face tracks into blocks of frames for the classifier."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.contract import LEVEL, Contract
from annotate.faces.box import Box
from annotate.faces.crop import Patch, extract_patch
from annotate.faces.portraits import Portrait, cut_portrait
from annotate.faces.pose import Pose, mean_pose
from annotate.faces.quality import Appearance, measure_crops
from annotate.faces.track import TrackedFace, TrackEnd
from annotate.settings import WHOLE_BLOCK
from annotate.span import Span


@dataclass(frozen=True, slots=True)
class TimedBox:
    """The box of a detection and its time in milliseconds."""

    time_ms: int
    box: Box


def box_at(detections: Sequence[TimedBox], time_ms: int) -> Box:
    """Return the box at a time: linear between ``detections``, which are in order of time, and constant beyond them.

    >>> box_at([TimedBox(0, Box(0, 0, 8, 8)), TimedBox(40, Box(4, 0, 8, 8))], 30)
    Box(x=3.0, y=0.0, width=8.0, height=8.0)
    """
    after = bisect_right(detections, time_ms, key=lambda detection: detection.time_ms)
    if after == 0 or after == len(detections):
        return detections[max(0, after - 1)].box
    previous, following = detections[after - 1], detections[after]
    share = (time_ms - previous.time_ms) / (following.time_ms - previous.time_ms)
    return previous.box.interpolate(following.box, share)


@dataclass(frozen=True)
class Block:
    """Consecutive analyzed frames of one face.

    ``pixels`` is (block frames, size, size) uint8 in full range; frames that the model skips repeat the frame before.
    ``box`` is the mean over the block, in pixels of the analyzed image. ``frames`` counts the frames without padding,
    ``detections`` those in which the face was detected, and ``overlap`` those shared with the face's previous block.
    ``face_id`` counts from 1, ``number`` counts a face's blocks from 0. ``detected`` are the detections outside the overlap;
    ``appearance`` is the mean over the block, with the size of the face in pixels of the analyzed image. ``scale`` is the
    width and height of a pixel of that image, in pixels of the displayed frame.
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
    appearance: Appearance
    pixels: NDArray[np.uint8]
    scale: tuple[float, float]
    portrait: Portrait | None = None
    """The face in one of the frames, where portraits are wanted; its box is in pixels of its own."""


@dataclass
class BlockReport:
    """Track counts, filled in during iteration: ``faces`` are the tracks that were kept."""

    faces: int = 0
    dropped_tracks: int = 0


@dataclass(frozen=True, slots=True)
class CroppedFace:
    """A tracked face with only a patch of its image, so that the image can be released."""

    index: int
    last_index: int
    span: Span
    box: Box
    score: float
    detected: bool
    pose: Pose
    patch: Patch
    scale: tuple[float, float]
    picture_us: int
    """Start of the frame whose image ``patch`` is from."""

    has_own_picture: bool

    portrait: Portrait | None = None


@dataclass
class _Pending:
    """A track's frames since its last block, after those of that block, which the track's final block may overlap."""

    frames: list[CroppedFace] = field(default_factory=list)
    count: int = 0
    """Number of frames so far."""

    blocks: int = 0
    earlier_blocks: int = 0
    """Blocks of the face before it was out of sight."""


def cut_blocks(
    events: Iterable[TrackedFace | TrackEnd],
    contract: Contract,
    min_track_frames: int,
    report: BlockReport,
    *,
    hop: int = WHOLE_BLOCK,
    portraits: bool = False,
) -> Iterator[Block]:
    """Yield the blocks of all faces, each as soon as it is complete and its face ID is known.

    A block begins ``hop`` frames after the one before; with `WHOLE_BLOCK`, where that one ends. Frames left at the end of a
    track are covered by a final block that ends with the track and overlaps the one before. A track shorter than a block
    gives one block, padded by repeating its last crop; a track of fewer than ``min_track_frames`` is dropped. Face IDs count
    kept tracks from 1 in order of appearance, so a block is held back until every earlier track is known to be kept or
    dropped. With ``portraits``, blocks have one of their faces.
    """
    held: dict[int, list[Block]] = {}
    ended: set[int] = set()
    face_ids: dict[int, int] = {}
    first_undecided = 0
    for track, blocks, has_ended in _track_blocks(events, contract, min_track_frames, hop, portraits):
        if has_ended:
            ended.add(track)
        if track in face_ids:
            for block in blocks:
                yield replace(block, face_id=face_ids[track])
            continue
        held.setdefault(track, []).extend(blocks)
        while held.get(first_undecided) or first_undecided in ended:
            released = held.pop(first_undecided, [])
            if released:
                report.faces += 1
                face_ids[first_undecided] = report.faces
                for block in released:
                    yield replace(block, face_id=report.faces)
            else:
                report.dropped_tracks += 1
            first_undecided += 1


def _track_blocks(
    events: Iterable[TrackedFace | TrackEnd], contract: Contract, min_track_frames: int, hop: int, portraits: bool
) -> Iterator[tuple[int, list[Block], bool]]:
    """Yield ``(track, new blocks, has ended)`` for every event that completes a block or ends a track."""
    size = contract.block_frames
    step = size if hop == WHOLE_BLOCK else min(hop, size)
    tracks: dict[int, _Pending] = {}
    block_counts: dict[int, int] = {}
    for event in events:
        if isinstance(event, TrackEnd):
            pending = tracks.pop(event.track)
            blocks = _last_block(pending, contract, min_track_frames)
            block_counts[event.track] = pending.earlier_blocks + pending.blocks + len(blocks)
            yield event.track, blocks, True
            continue
        if event.track not in tracks:
            tracks[event.track] = _Pending(earlier_blocks=block_counts.get(event.track, 0))
        pending = tracks[event.track]
        new_frames = len(pending.frames) + 1 - (size if pending.blocks else 0)
        is_portrait = portraits and (
            pending.count % size == size // 2 or (pending.count + 1 == min_track_frames and not pending.blocks)
        )
        previous = pending.frames[-1] if pending.frames else None
        pending.frames.append(crop_face(event, contract, previous, portrait=is_portrait))
        pending.count += 1
        if new_frames == (step if pending.blocks else size):
            del pending.frames[:-size]
            block = _block(pending, contract, overlap=size - new_frames)
            pending.blocks += 1
            yield event.track, [block], False


def crop_face(
    face: TrackedFace, contract: Contract, previous: CroppedFace | None = None, *, portrait: bool = False
) -> CroppedFace:
    """Return a tracked face with the patch that the contract's crop needs, and with its portrait if that is wanted.

    A frame with the image of the ``previous`` one also has its patch: the face is where it was then.
    """
    frame = face.frame
    picture_us = frame.start_us if frame.shown_us is None else frame.shown_us
    if previous is not None and previous.picture_us == picture_us:
        patch = previous.patch
    else:
        roll_deg = face.pose.roll_deg if contract.framing == LEVEL else 0.0
        patch = extract_patch(frame.image, face.box, roll_deg, contract.crop_margin, contract.crop_size_px)
    seen = face.box, face.score, face.detected, face.pose
    picture = picture_us, frame.shown_us is None
    kept = cut_portrait(frame.image, face.box, frame.span.start_ms) if portrait else None
    return CroppedFace(frame.index, frame.last_index, frame.span, *seen, patch, frame.scale, *picture, kept)


def _last_block(pending: _Pending, contract: Contract, min_track_frames: int) -> list[Block]:
    size = contract.block_frames
    if not pending.blocks:
        return [_block(pending, contract, overlap=0)] if len(pending.frames) >= min_track_frames else []
    new_frames = len(pending.frames) - size
    if not new_frames:
        return []
    del pending.frames[:-size]
    return [_block(pending, contract, overlap=size - new_frames)]


def _block(pending: _Pending, contract: Contract, overlap: int) -> Block:
    return make_block(pending.frames, contract, number=pending.earlier_blocks + pending.blocks, overlap=overlap)


def make_block(
    frames: Sequence[CroppedFace], contract: Contract, *, face_id: int = 0, number: int = 0, overlap: int = 0
) -> Block:
    """Make a block of consecutive frames of one face, at most a block's length; a shorter one repeats its last crop."""
    first, last = frames[0], frames[-1]
    boxes = np.array([(frame.box.x, frame.box.y, frame.box.width, frame.box.height) for frame in frames])
    box, pixels = Box(*boxes.mean(0).tolist()), _pixels(frames, contract)
    sharpness, brightness = measure_crops(pixels[: len(frames) : contract.frame_stride])
    appearance = Appearance(mean_pose([frame.pose for frame in frames]), sharpness, brightness, max(box.width, box.height))
    return Block(
        face_id=face_id,
        number=number,
        first_frame=first.index,
        last_frame=last.last_index,
        span=Span(first.span.start_ms, last.span.end_ms),
        box=box,
        face_score=float(np.mean([frame.score for frame in frames])),
        frames=len(frames),
        detections=sum(frame.detected for frame in frames),
        overlap=overlap,
        detected=tuple(TimedBox(frame.span.start_ms, frame.box) for frame in frames[overlap:] if frame.detected),
        appearance=appearance,
        pixels=pixels,
        scale=first.scale,
        portrait=next((frame.portrait for frame in reversed(frames[overlap:]) if frame.portrait is not None), None),
    )


def _pixels(frames: Sequence[CroppedFace], contract: Contract) -> NDArray[np.uint8]:
    """Return the crops that the model uses, each repeated up to the next; the last patch pads the block."""
    pixels = np.empty((contract.block_frames, contract.crop_size_px, contract.crop_size_px), np.uint8)
    for start in range(0, contract.block_frames, contract.frame_stride):
        pixels[start : start + contract.frame_stride] = _seen(frames, start, contract.frame_stride).patch.cropped
    return pixels


def _seen(frames: Sequence[CroppedFace], start: int, stride: int) -> CroppedFace:
    """Return the frame that stands for those from ``start`` to the next one that the model uses.

    It is the first of them with a picture of its own, or with another than the frame before; the first one if there is none.
    """
    for number in range(start, min(start + stride, len(frames))):
        frame = frames[number]
        if frame.has_own_picture or (number and frame.picture_us != frames[number - 1].picture_us):
            return frame
    return frames[min(start, len(frames) - 1)]
