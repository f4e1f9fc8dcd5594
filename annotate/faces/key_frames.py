"""Faces in key frames alone: each is found, followed and classified by single images, seconds apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from annotate.emotions.contract import Contract
from annotate.faces.blocks import Block, BlockReport, crop_face, make_block
from annotate.faces.box import pairwise_iou
from annotate.faces.detection import Detection, Detector
from annotate.faces.search import Observation, SearchReport, unmatched
from annotate.faces.track import LIKENESS_WEIGHT, TrackedFace, assign, drop_contained, likenesses
from annotate.media.decode import Frame
from annotate.media.picture_size import PictureSize, add_size
from annotate.span import Span

MAX_SHOWN_MS = 1000
"""What a key frame shows is taken to last no longer than this."""

MIN_LIKENESS = 0.6
"""Minimum likeness of a face in two key frames, since the second may be of another shot, with another face there.

Of one person's faces two seconds apart, 95 of 100 are that much alike; of faces of different people, 6.
"""


def join_repeats(frames: Iterable[Frame], sizes: list[PictureSize]) -> Iterator[Frame]:
    """Yield the decoded frames, each for the time until the next one, `MAX_SHOWN_MS` at most; note changes in ``sizes``.

    The last index is that of the last frame that begins within this time.
    """
    key: Frame | None = None
    for frame in frames:
        add_size(sizes, PictureSize(frame.span.start_ms, *frame.displayed_px))
        if frame.shown_us is None:
            if key is not None:
                yield key
            key = replace(frame, span=_limited(frame, frame.span.end_ms))
        elif key is not None and frame.span.start_ms < key.span.start_ms + MAX_SHOWN_MS:
            key = replace(key, last_index=frame.index, span=_limited(key, frame.span.end_ms))
    if key is not None:
        yield key


def search_key_frames(frames: Iterable[Frame], detector: Detector, report: SearchReport) -> Iterator[Observation]:
    """Search every frame for faces; ``report`` is filled in during iteration."""
    for number, frame in enumerate(frames):
        detections = detector.search(frame)
        if unmatched(detector.smaller(frame), detections):
            report.small_faces += 1
        yield Observation(frame, number == 0, detections)


@dataclass(frozen=True)
class _Track:
    number: int
    detection: Detection


def link_key_frames(observations: Iterable[Observation], min_overlap: float) -> Iterator[TrackedFace]:
    """Yield the faces of key frames: one that overlaps a face of the key frame before and looks like it continues its track.

    Nothing is known of the time in between, so there is no motion, and a face that was missed once begins a new track.
    """
    tracks: list[_Track] = []
    count = 0
    for observation in observations:
        detections = drop_contained(list(observation.detections or ()), [])
        matches = {column: tracks[row].number for row, column in _matches(tracks, detections, min_overlap).items()}
        tracks = []
        for position, detection in enumerate(detections):
            number = matches.get(position)
            if number is None:
                number, count = count, count + 1
            tracks.append(_Track(number, detection))
            yield TrackedFace(number, observation.frame, detection.box, detection.score, True, detection.pose)


def key_blocks(
    faces: Iterable[TrackedFace], contract: Contract, report: BlockReport, *, portraits: bool = False
) -> Iterator[Block]:
    """Yield a block of each face, whose crop is repeated; ``report`` is filled in during iteration."""
    block_counts: dict[int, int] = {}
    for face in faces:
        number = block_counts.get(face.track, 0)
        block_counts[face.track] = number + 1
        report.faces = len(block_counts)
        yield make_block([crop_face(face, contract, portrait=portraits)], contract, face_id=face.track + 1, number=number)


def _limited(frame: Frame, end_ms: int) -> Span:
    return Span(frame.span.start_ms, min(end_ms, frame.span.start_ms + MAX_SHOWN_MS))


def _matches(tracks: Sequence[_Track], detections: Sequence[Detection], min_overlap: float) -> dict[int, int]:
    """Return index of a track -> index of the detection that continues it."""
    if not tracks or not detections:
        return {}
    overlaps = pairwise_iou([track.detection.box for track in tracks], [detection.box for detection in detections])
    alike = likenesses([track.detection.features for track in tracks], detections)
    is_alike = alike >= (MIN_LIKENESS if len(detections[0].features) else 0)
    return assign(1 - overlaps + LIKENESS_WEIGHT * (1 - alike), (overlaps >= min_overlap) & is_alike)
