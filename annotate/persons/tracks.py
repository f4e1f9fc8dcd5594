"""Describe face tracks: each by its sharpest and most frontal crops, which are decoded one by one."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotate.errors import DecodingError
from annotate.faces.box import Box
from annotate.faces.quality import GOOD_SHARPNESS
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.persons.clusters import cluster
from annotate.persons.descriptor import DIMENSIONS, Describer, Vectors
from annotate.results.report import Report
from annotate.settings import ONE_CORE, Limits
from annotate.span import MS_PER_S

if TYPE_CHECKING:
    import pandas as pd

MAX_CROPS = 5
"""Maximum number of crops of a face track."""

_SHARP = 8 * GOOD_SHARPNESS
"""Sharpness from which more makes no better crop."""

_SHARED_WORTH = 0.8
"""Minimum worth of a block whose frame is shared with another track, relative to the worst that would be chosen without."""

_SMALL_PX = 80
"""Size of a face below which a crop loses details that tell persons apart."""

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
class TrackVectors:
    """The mean descriptors of the crops of face tracks of a video, (n, `DIMENSIONS`), and their numbers of crops (n,)."""

    face_ids: tuple[int, ...]
    vectors: Vectors
    crops: NDArray[np.int64]


def choose_crops(report: Report) -> list[CropPosition]:
    """Return the positions of at most `MAX_CROPS` crops of each face track, in order of time.

    They are in blocks with the sharpest, most frontal and largest faces; those of tables of older analysis versions, which
    do not say, have the highest face scores. Where it costs little worth, tracks share frames, since each takes a seek.
    """
    table = report.table.drop_duplicates(["face_id", "start_time"])
    table = table.assign(worth=_worth(table))
    ordered = table.sort_values(["face_id", "worth", "start_time"], ascending=[True, False, True])
    positions, times_ms = list[CropPosition](), list[int]()
    for face_id in ordered["face_id"].unique().tolist():
        rows = ordered[ordered["face_id"] == face_id]
        columns = (rows["start_time"] * MS_PER_S, rows["end_time"] * MS_PER_S, rows["worth"])
        blocks = list(zip(*(column.tolist() for column in columns), strict=True))
        chosen = _choose_times(blocks, times_ms)
        times_ms = sorted({*times_ms, *chosen})
        boxes = ((time_ms, report.placed_boxes.at(face_id, time_ms)) for time_ms in chosen)
        positions += [CropPosition(time_ms, face_id, box) for time_ms, box in boxes if box is not None]
    return sorted(positions, key=lambda position: (position.time_ms, position.face_id))


def _choose_times(blocks: Sequence[tuple[float, float, float]], times_ms: Sequence[int]) -> list[int]:
    """Return the times of the crops of a face track: one each in its best blocks.

    ``blocks`` are start and end in milliseconds and worth, the best first; ``times_ms`` those of other tracks, in order.
    """
    best = blocks[:MAX_CROPS]
    chosen = list[int]()
    for start_ms, end_ms, worth in blocks:
        place = bisect_left(times_ms, start_ms)
        is_shared = place < len(times_ms) and times_ms[place] < end_ms and times_ms[place] not in chosen
        if is_shared and worth >= _SHARED_WORTH * best[-1][2] and len(chosen) < len(best):
            chosen.append(times_ms[place])
    for start_ms, end_ms, _ in best:
        if len(chosen) < len(best) and not any(start_ms <= time_ms < end_ms for time_ms in chosen):
            chosen.append(round((start_ms + end_ms) / 2))
    return chosen


def describe_tracks(
    path: Path,
    report: Report,
    describer: Describer,
    *,
    limits: Limits = ONE_CORE,
    ffmpeg: FFmpeg | None = None,
    progress: Callable[[float], None] | None = None,
) -> TrackVectors:
    """Return the descriptors of the face tracks of a video; only the frames of crops are decoded, with one seek each.

    Tracks of which no frame can be decoded have a vector of zeros. ``progress`` is called with the
    time in the video, in seconds.

    Raises:
        MediaError: the video cannot be used.
    """
    positions = choose_crops(report)
    video = probe(path, limits.max_pixels, ffmpeg=ffmpeg) if positions else None
    crops, face_ids = [], []
    for image, at_once in _stills(positions, lambda time_ms: read_still(path, time_ms, limits=limits, video=video)):
        for position in at_once:
            height, width = image.shape[:2]
            meta = report.meta
            box = position.box.scaled(width / (meta.width_px or width), height / (meta.height_px or height))
            crops.append(describer.crop(image, box))
            face_ids.append(position.face_id)
        if progress is not None:
            progress(at_once[0].time_ms / MS_PER_S)
    return _means(describer(crops), face_ids, tuple(sorted(report.blocks_by_face)))


def _worth(table: pd.DataFrame) -> pd.Series[float]:
    """Return how well each block's face serves to tell persons apart, 0..1; the face score where that is unknown."""
    frontal = np.cos(np.radians(table["yaw"])) * np.cos(np.radians(table["pitch"]))
    sharp = (table["sharpness"] / _SHARP).clip(0, 1)
    worth = frontal * sharp * (table["face_px"] / _SMALL_PX).clip(0, 1) * table["quality"]
    known: pd.Series[float] = worth.where(worth.notna(), table["face_score"])
    return known


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


def _means(vectors: Vectors, face_ids: Sequence[int], tracks: tuple[int, ...]) -> TrackVectors:
    sums, counts = np.zeros((len(tracks), DIMENSIONS), np.float64), np.zeros(len(tracks), np.int64)
    rows = np.searchsorted(tracks, face_ids)
    np.add.at(sums, rows, vectors)
    np.add.at(counts, rows, 1)
    return TrackVectors(tracks, (sums / np.maximum(counts, 1)[:, None]).astype(np.float32), counts)


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
