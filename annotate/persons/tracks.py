"""Describe the face tracks of videos that are annotated, by portraits from a few frames.

Key frames need no other frame to be decoded, so portraits are from these where every ffmpeg can leave the others out.
Tracks that are in none of them have portraits from frames that are decoded one by one, with a seek each.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.analysis.pipeline import analyzed_sizing
from annotate.errors import DecodingError
from annotate.faces.box import Box
from annotate.faces.crop import to_limited_range
from annotate.faces.portraits import (
    MAX_PORTRAITS,
    Describe,
    Described,
    Portrait,
    Portraits,
    cut_portrait,
    describe_track,
    portrait_worth,
)
from annotate.faces.pose import Pose
from annotate.faces.quality import Appearance
from annotate.media.decode import Frame, decode
from annotate.media.decoding_command import FrameChoice
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import Video, probe
from annotate.media.skipping import leaves_out
from annotate.media.stills import read_still
from annotate.persons.clusters import cluster
from annotate.persons.descriptor import DIMENSIONS, Vectors
from annotate.results.report import Report
from annotate.settings import KEY, ONE_CORE, WHOLE_BLOCK, Limits, Settings
from annotate.span import MS_PER_S

MAX_STILLS = 2
"""Maximum number of portraits of a face track from frames that are decoded one by one."""

_ENOUGH_WORTH = 0.9
"""Portraits worth this much of the best block to come are enough: no further key frames are decoded for their track."""

_SHARED_WORTH = 0.8
"""Minimum worth of a block whose frame is shared with another track, relative to the worst that would be chosen without."""

_EARLY_WORTH = 0.8
"""Minimum worth of the block of the only still of a track, relative to its best block. Tracks that are in no key frame begin
after one: the earlier the still, the fewer frames are decoded on the way."""

logger = logging.getLogger(__name__)

StillReader = Callable[[int], NDArray[np.uint8]]
"""Returns the frame at a time in milliseconds, RGB (height, width, 3) uint8; raises DecodingError."""


@dataclass(frozen=True, order=True)
class CropPosition:
    """Time and box of a crop of a face track, in pixels of the frame at the beginning of the video."""

    time_ms: int
    face_id: int
    box: Box


@dataclass(frozen=True)
class SeenBlock:
    """When a face is seen in one of its blocks, and how well it serves there to tell persons apart, 0..1."""

    start_ms: int
    end_ms: int
    worth: float


@dataclass(frozen=True)
class TrackVectors:
    """The mean descriptors of the portraits of face tracks of a video, (n, `DIMENSIONS`), and their numbers (n,)."""

    face_ids: tuple[int, ...]
    vectors: Vectors
    crops: NDArray[np.int64]

    @classmethod
    def of(cls, described: Mapping[int, Described], face_ids: Iterable[int]) -> TrackVectors:
        """Return the vectors of tracks; those that are not described have a vector of zeros."""
        order = tuple(sorted(face_ids))
        vectors, counts = np.zeros((len(order), DIMENSIONS), np.float32), np.zeros(len(order), np.int64)
        for row, face_id in enumerate(order):
            if face_id in described and described[face_id].count:
                counts[row] = described[face_id].count
                vectors[row] = described[face_id].total / counts[row]
        return cls(order, vectors, counts)


def describe_tracks(
    path: Path,
    report: Report,
    describe: Describe,
    *,
    limits: Limits = ONE_CORE,
    ffmpeg: FFmpeg | None = None,
    progress: Callable[[float], None] | None = None,
) -> TrackVectors:
    """Return the descriptors of the face tracks of a video.

    Tracks of which no frame can be decoded have a vector of zeros. ``progress`` is called with the
    time in the video, in seconds.

    Raises:
        MediaError: the video cannot be used.
    """
    seen = seen_blocks(report)
    if not seen:
        return TrackVectors.of({}, ())
    video, described = probe(path, limits.max_pixels, ffmpeg=ffmpeg), dict[int, Described]()
    count = MAX_STILLS
    if leaves_out(video, KEY):
        try:
            described |= _describe_key_frames(video, report, seen, describe, limits, progress)
            count = 1
        except DecodingError:
            logger.info("no portraits from key frames of %s", path, exc_info=True)
    rest = {face_id: blocks for face_id, blocks in seen.items() if face_id not in described}
    portraits = Portraits()
    for image, at_once in _stills(
        choose_crops(report, rest, count), lambda time_ms: read_still(path, time_ms, limits=limits, video=video)
    ):
        gray, meta = to_limited_range(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)), report.meta
        height, width = gray.shape
        for position in at_once:
            box = position.box.scaled(width / (meta.width_px or width), height / (meta.height_px or height))
            portraits.add(position.face_id, cut_portrait(gray, box, position.time_ms))
        if progress is not None:
            progress(at_once[0].time_ms / MS_PER_S)
    return TrackVectors.of(described | portraits.describe(describe), seen)


def seen_blocks(report: Report) -> dict[int, list[SeenBlock]]:
    """Return the blocks of each face track in order of time.

    Of blocks that overlap since they were made with a hop, only those a whole block apart are returned. Their worth is as
    for `annotate.faces.portraits.Portrait`; that of tables of older analysis versions, which do not say how faces look, is
    the face score.
    """
    table = report.table.drop_duplicates(["face_id", "start_time"]).sort_values(["face_id", "start_time"])
    if report.meta.hop != WHOLE_BLOCK:
        table = table[table.groupby("face_id").cumcount() % -(-WHOLE_BLOCK // report.meta.hop) == 0]
    names = ("face_id", "start_time", "end_time", "yaw", "pitch", "sharpness", "brightness", "face_px", "face_score")
    blocks: dict[int, list[SeenBlock]] = {}
    for face_id, start_s, end_s, yaw, pitch, sharpness, brightness, face_px, score in zip(
        *(table[name].tolist() for name in names), strict=True
    ):
        appearance = Appearance(Pose(yaw, pitch), sharpness, brightness, face_px)
        worth = score if np.isnan(yaw) else portrait_worth(appearance)
        blocks.setdefault(face_id, []).append(SeenBlock(round(start_s * MS_PER_S), round(end_s * MS_PER_S), worth))
    return blocks


def choose_crops(report: Report, seen: Mapping[int, Sequence[SeenBlock]], count: int = MAX_STILLS) -> list[CropPosition]:
    """Return the positions of at most ``count`` crops of each face track, in order of time.

    They are in blocks of the highest worth, a single one in an early block of nearly that worth. Where it costs little
    worth, tracks share frames, since each takes a seek.
    """
    positions, times_ms = list[CropPosition](), list[int]()
    for face_id, blocks in seen.items():
        order = _early_blocks(blocks) if count == 1 else sorted(blocks, key=lambda block: (-block.worth, block.start_ms))
        chosen = _choose_times(order, times_ms, count)
        times_ms = sorted({*times_ms, *chosen})
        boxes = ((time_ms, report.placed_boxes.at(face_id, time_ms)) for time_ms in chosen)
        positions += [CropPosition(time_ms, face_id, box) for time_ms, box in boxes if box is not None]
    return sorted(positions, key=lambda position: (position.time_ms, position.face_id))


def _early_blocks(blocks: Sequence[SeenBlock]) -> list[SeenBlock]:
    """Return the blocks, at least one, that serve nearly as well as the best one, in order of time."""
    best = max(block.worth for block in blocks)
    return [block for block in blocks if block.worth >= _EARLY_WORTH * best]


def _choose_times(blocks: Sequence[SeenBlock], times_ms: Sequence[int], count: int) -> list[int]:
    """Return the times of the crops of a face track: one each in its best blocks.

    ``blocks`` are in order of preference, the best first; ``times_ms`` are those of other tracks, in order of time.
    """
    best = blocks[:count]
    chosen = list[int]()
    for block in blocks:
        place = bisect_left(times_ms, block.start_ms)
        is_shared = place < len(times_ms) and times_ms[place] < block.end_ms and times_ms[place] not in chosen
        if is_shared and block.worth >= _SHARED_WORTH * best[-1].worth and len(chosen) < len(best):
            chosen.append(times_ms[place])
    for block in best:
        if len(chosen) < len(best) and not any(block.start_ms <= time_ms < block.end_ms for time_ms in chosen):
            chosen.append(round((block.start_ms + block.end_ms) / 2))
    return chosen


def _describe_key_frames(
    video: Video,
    report: Report,
    seen: Mapping[int, Sequence[SeenBlock]],
    describe: Describe,
    limits: Limits,
    progress: Callable[[float], None] | None,
) -> dict[int, Described]:
    """Return the descriptors of the face tracks that are in key frames; a track's portraits are released at its end.

    Decoding ends as soon as all tracks have enough portraits.

    Raises:
        DecodingError: no frame could be decoded.
    """
    size = analyzed_sizing(Settings().min_face)
    waiting = deque(sorted(seen, key=lambda face_id: seen[face_id][0].start_ms))
    current: list[int] = []
    portraits, described = Portraits(), dict[int, Described]()
    with closing(decode(video, size, limits=limits, choice=FrameChoice(KEY, repeats=False))) as frames:
        for frame in frames:
            time_ms = frame.span.start_ms
            while waiting and seen[waiting[0]][0].start_ms <= time_ms:
                current.append(waiting.popleft())
            for face_id in [face_id for face_id in current if seen[face_id][-1].end_ms <= time_ms]:
                current.remove(face_id)
                if found := portraits.best.pop(face_id, None):
                    described[face_id] = describe_track(found, describe)
            for face_id in current:
                _add_portrait(portraits, frame, face_id, seen[face_id], report)
            if progress is not None:
                progress(frame.span.end_s)
            if not waiting and all(
                _has_enough(portraits.best.get(face_id, ()), seen[face_id], time_ms) for face_id in current
            ):
                break
    return described | portraits.describe(describe)


def _has_enough(portraits: Sequence[Portrait], blocks: Sequence[SeenBlock], time_ms: int) -> bool:
    """Return whether a face track has as many portraits as are kept, and blocks after a time promise little better ones."""
    if len(portraits) < MAX_PORTRAITS:
        return False
    to_come = blocks[bisect_right(blocks, time_ms, key=lambda block: block.start_ms) :]
    return portraits[-1].worth >= _ENOUGH_WORTH * max((block.worth for block in to_come), default=0.0)


def _add_portrait(portraits: Portraits, frame: Frame, face_id: int, blocks: Sequence[SeenBlock], report: Report) -> None:
    """Add the portrait of a face in a frame, if it is seen then."""
    time_ms = frame.span.start_ms
    block = blocks[bisect_right(blocks, time_ms, key=lambda block: block.start_ms) - 1]
    box = report.boxes.at(face_id, time_ms)
    if block.start_ms <= time_ms < block.end_ms and box is not None:
        scale_x, scale_y = frame.scale
        portrait = cut_portrait(frame.image, box.scaled(1 / scale_x, 1 / scale_y), time_ms)
        portraits.add(face_id, replace(portrait, worth=block.worth))


def _stills(positions: Sequence[CropPosition], read: StillReader) -> Iterator[tuple[NDArray[np.uint8], list[CropPosition]]]:
    """Yield the frames of positions, with the positions in each; frames that cannot be decoded are left out."""
    by_time: dict[int, list[CropPosition]] = {}
    for position in positions:
        by_time.setdefault(position.time_ms, []).append(position)
    for time_ms, at_once in by_time.items():
        try:
            yield read(time_ms), at_once
        except DecodingError:
            logger.info("no crop at %d ms", time_ms, exc_info=True)


def number_persons(report: Report, tracks: TrackVectors) -> dict[int, int]:
    """Return the number of the person of each face track of a video, from 1 in order of appearance."""
    rows = {face_id: row for row, face_id in enumerate(tracks.face_ids)}
    apart = [(rows[first], rows[second]) for first, second in on_screen_together(report)]
    clusters = cluster(tracks.vectors, tracks.crops, apart=apart)
    return {face_id: int(number) + 1 for face_id, number in zip(tracks.face_ids, clusters, strict=True)}


def on_screen_together(report: Report) -> set[tuple[int, int]]:
    """Return the pairs of face tracks of a video that are on screen at one time: they are two persons."""
    spans = sorted((blocks[0].span.start_ms, blocks[-1].span.end_ms, face) for face, blocks in report.blocks_by_face.items())
    pairs, current = set(), list[tuple[int, int]]()
    for start_ms, end_ms, face in spans:
        current = [(other, other_end) for other, other_end in current if other_end > start_ms]
        pairs |= {(min(face, other), max(face, other)) for other, _ in current}
        current.append((face, end_ms))
    return pairs
