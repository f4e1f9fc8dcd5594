from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotate.emotions.classifier import Classifier
from annotate.training.recipe.stability import Stability, measure_track, measure_video

SAMPLE_VIDEOS = Path(__file__).parents[3] / "sample_videos"


def test_constant_crops_are_stable() -> None:
    crops = np.full((50, 5, 80, 80), 128, np.uint8)
    assert measure_track(crops, Classifier()) == Stability(shifted=8, delayed=2)


def test_shares() -> None:
    total = Stability(4, 1, 2, 0) + Stability(4, 1, 2, 1)
    assert total.shift_share == 0.25
    assert total.delay_share == 0.25
    assert Stability().shift_share == 0


def test_blocks_of_a_video_are_compared() -> None:
    video = SAMPLE_VIDEOS / "portrait.mp4"
    if not video.exists():
        pytest.skip("sample videos missing")
    found = measure_video(video, Classifier())
    assert found.shifted > 0
    assert found.changed_by_shift <= found.shifted
