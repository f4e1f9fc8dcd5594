from __future__ import annotations

import pytest

from annotate.faces.box import Box, pairwise_iou


def test_iou_of_equal_touching_and_nested_boxes() -> None:
    whole = Box(0, 0, 10, 10)
    others = [whole, Box(10, 0, 10, 10), Box(0, 0, 5, 10), Box(5, 5, 10, 10)]
    assert pairwise_iou([whole], others)[0].tolist() == pytest.approx([1, 0, 0.5, 25 / 175])


def test_iou_of_no_boxes_is_empty() -> None:
    assert pairwise_iou([], [Box(0, 0, 1, 1)]).shape == (0, 1)
    assert pairwise_iou([Box(0, 0, 1, 1)], []).shape == (1, 0)
