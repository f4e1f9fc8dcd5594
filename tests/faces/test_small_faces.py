"""Faces that are a little too small: what YuNet reports, and which searches count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from annotate.analysis.pipeline import Analysis
from annotate.faces.box import Box, pairwise_iou
from annotate.faces.detection import Detection
from annotate.faces.search import SearchReport, detect_faces
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame, decode
from annotate.media.probe import probe
from annotate.media.sizing import Sizing
from annotate.settings import Settings
from annotate.span import Span

SETTINGS = Settings(detection_interval_ms=200, search_interval_ms=1000)
LEFT, RIGHT = Box(10, 10, 20, 20), Box(60, 10, 20, 20)


class Seeing:
    """A detector that finds a face on the left, and sees smaller ones; searches of the whole image do not find the face."""

    def __init__(self, *smaller: Box) -> None:
        self._smaller = tuple(Detection(box, 0.9) for box in smaller)
        self.searches = 0

    def search(self, frame: Frame, known: Sequence[Detection] = ()) -> tuple[Detection, ...]:
        self.searches += 1
        return self.look_near(frame, ()) if self.searches == 1 else ()

    def look(self, frame: Frame, known: object) -> tuple[Detection, ...]:
        return self.look_near(frame, known)

    def look_near(self, frame: Frame, known: object) -> tuple[Detection, ...]:
        return (Detection(LEFT, 0.9),)

    def smaller(self, frame: Frame) -> tuple[Detection, ...]:
        return self._smaller


@pytest.mark.parametrize(("smaller", "share"), [((), 0), ((LEFT,), 0), ((RIGHT,), 1), ((LEFT, RIGHT), 1)])
def test_searches_with_a_smaller_face_that_is_not_tracked_count_once(smaller: tuple[Box, ...], share: int) -> None:
    image = np.random.default_rng(0).integers(16, 235, (60, 100)).astype(np.uint8)
    frames = [Frame(index, index, Span(index * 40, index * 40 + 40), image) for index in range(80)]
    detector, report = Seeing(*smaller), SearchReport()
    assert len(list(detect_faces(frames, detector, SETTINGS, report))) == len(frames)
    assert (detector.searches, report.small_faces) == (5, 5 * share)


def test_a_face_is_found_or_a_little_too_small_or_not_seen(face_clip: Path) -> None:
    """The face is as high as 0.4 of the frame; the smallest face to find is a limit that allows for some error."""
    frame = next(decode(probe(face_clip), Sizing(240, 320, 0)))
    (face,) = YuNetDetector(0.3).search(frame)
    found = {}
    for min_face in (0.3, 0.45, 0.7, 0.85):
        detector = YuNetDetector(min_face)
        found[min_face] = len(detector.search(frame)), [small.box for small in detector.smaller(frame)]
        assert all(pairwise_iou([face.box], [box])[0, 0] > 0.5 for box in found[min_face][1])
    assert {min_face: (count, len(small)) for min_face, (count, small) in found.items()} == {
        0.3: (1, 0),
        0.45: (1, 0),
        0.7: (0, 1),
        0.85: (0, 1),
    }


def test_the_analysis_counts_the_searches(face_clip: Path) -> None:
    """Two seconds in chunks of one: both ends of each chunk are searched."""
    analysis = Analysis.open(face_clip, Settings(min_face=0.7, chunk_s=1))
    assert (list(analysis), analysis.small_faces) == ([], 4)
