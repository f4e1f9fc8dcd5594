"""Figures of the benchmark of videos of stills, compared with made-up annotations and pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from annotate import Annotation, Box, Settings, iterate_annotations
from annotate.emotions.labels import EMOTIONS
from annotate.span import Span
from tests.faces.frames import sample_frames

pytest.importorskip("torch", reason="needs torch")

from tests.benchmarks.stills import LabeledStills, measure, show


def annotation(emotion: str, start_ms: int, end_ms: int, side_px: float = 100) -> Annotation:
    probabilities = tuple(float(name == emotion) for name in EMOTIONS)
    span, box = Span(start_ms, end_ms), Box(0, 0, side_px, side_px)
    return Annotation(1, 0, 0, 19, span, box, 1.0, 20, 3, 0, EMOTIONS, probabilities)


def labeled(*emotions: str, side_px: float = 80) -> LabeledStills:
    labels = np.array([EMOTIONS.index(emotion) for emotion in emotions])
    return LabeledStills("some", [], labels, np.full(len(labels), side_px))


def test_the_block_that_shows_a_still_longest_answers_for_it() -> None:
    """The second block shows less of the first still than the first does, and nothing else shows the second still."""
    stills = labeled("fear", "anger", "anger", "fear")
    annotations = [
        annotation("fear", 0, 800, 80),
        annotation("anger", 600, 1400, 120),
        annotation("fear", 2100, 2900, 160),
    ]
    found, accuracy, balanced, side = measure(stills, iter(annotations))
    assert (found, accuracy) == (0.75, 0.5)
    assert balanced == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert side == pytest.approx(1.5)


def test_each_still_is_shown_for_a_second(tmp_path_factory: pytest.TempPathFactory) -> None:
    (frame,) = sample_frames("portrait.mp4", count=1)
    empty = np.full_like(frame.image, 80)
    pictures = [frame.image, empty, np.asarray(cv2.flip(frame.image, 1), np.uint8)]
    stills = LabeledStills("some", pictures, np.zeros(3, int))
    spans = [each.span for each in iterate_annotations(show(stills, tmp_path_factory.mktemp("stills")), Settings())]
    assert {span.start_ms // 1000 for span in spans} == {0, 2}
    assert max(span.end_ms for span in spans) == 3000
