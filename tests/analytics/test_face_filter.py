"""Filters of faces: what they keep, alone and in summaries, moments and reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import annotate
from annotate.analysis.annotation import Annotation
from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.read import ReportBatch, read_reports
from annotate.errors import SettingsError
from annotate.faces.pose import Pose
from annotate.faces.quality import GOOD_SHARPNESS, Appearance
from tests.analytics.samples import block, report, write_known

TABLE = pd.DataFrame({"yaw": [-41, -40, 0, 40, 41, np.nan], "face_px": [60, 50, 49, 50, 60, 90], "quality": [0.5] * 6})


def seen(annotation: Annotation, yaw_deg: float = 0.0, *, face_px: float = 96.0, quality: float = 1.0) -> Annotation:
    """Return a block with the appearance of its face."""
    return replace(annotation, appearance=Appearance(Pose(yaw_deg), GOOD_SHARPNESS * quality, 0.5, face_px))


BLOCKS = (
    seen(block(1, 0, 0, 800, "fear")),
    seen(block(1, 1, 800, 1600, "anger"), -60, quality=0.2),
    seen(block(1, 2, 1200, 2000, "fear", overlap=10), 20, face_px=40),
    seen(block(2, 0, 0, 800, "anger"), quality=0.2),
)


def old_table(folder: Path) -> Path:
    """Write a table without pose and quality, as of analysis version 5."""
    path = report(folder, "old.mp4", BLOCKS, version=5)
    write_known(path, "".join(f"{line.rsplit(',', 8)[0]}\n" for line in path.read_text().splitlines()))
    return path


@pytest.mark.parametrize(
    ("faces", "kept"),
    [
        (FaceFilter(), [0, 1, 2, 3, 4, 5]),
        (FaceFilter(max_yaw_deg=40), [1, 2, 3]),
        (FaceFilter(min_face_px=50), [0, 1, 3, 4, 5]),
        (FaceFilter(min_quality=0.5), [0, 1, 2, 3, 4, 5]),
        (FaceFilter(min_quality=0.51), []),
        (FaceFilter(40, 50, 0.5), [1, 3]),
    ],
)
def test_limits_are_inclusive_and_need_a_value(faces: FaceFilter, kept: list[int]) -> None:
    assert list(faces.select(TABLE).index) == kept


@pytest.mark.parametrize("limits", [(-1,), (181,), (None, -1), (None, None, 1.1), (float("nan"),)])
def test_limits_out_of_range_are_refused(limits: tuple[float | None, ...]) -> None:
    with pytest.raises(SettingsError):
        FaceFilter(*limits)


def test_blocks_that_are_left_out_hide_no_time(tmp_path: Path) -> None:
    """The block from 0.8 to 1.6 s would otherwise hide the first 0.4 s of the one after it."""
    paths = [report(tmp_path, "a.mp4", BLOCKS), old_table(tmp_path)]
    batch = next(iter(read_reports(paths, FaceFilter(max_yaw_deg=40))))
    assert isinstance(batch, ReportBatch)
    found = batch.blocks[["report", "face_id", "start_ms", "end_ms"]]
    assert list(found.itertuples(index=False, name=None)) == [(0, 1, 0, 800), (0, 1, 1200, 2000), (0, 2, 0, 800)]
    assert [batch.reports[number].has_appearance for number in (0, 1)] == [True, False]


def test_summaries_and_moments_leave_out_blocks(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", BLOCKS)
    rows = annotate.summarize(path, min_quality=0.5)
    assert rows[["duration_s", "face_time_s", "faces", "fear", "anger"]].to_numpy().tolist() == [[10.0, 1.6, 1, 1, 0]]
    assert annotate.summarize(path, min_quality=0.5, min_face_px=50)["face_time_s"].tolist() == [0.8]
    (moment,) = annotate.find_moments(path, max_yaw_deg=59.9, min_quality=0.5).itertuples()
    assert (moment.emotion, moment.start_time, moment.end_time) == ("fear", 0.0, 2.0)


def test_nothing_counts_in_tables_without_pose_and_quality(tmp_path: Path) -> None:
    new, old = report(tmp_path, "new.mp4", BLOCKS), old_table(tmp_path)
    assert annotate.summarize([new, old])["faces"].tolist() == [2, 2]
    with pytest.warns(UserWarning, match="1 table lacks") as warned:
        rows = annotate.summarize([new, old], max_yaw_deg=90)
    assert (rows["faces"].tolist(), rows["older"].tolist(), len(warned)) == ([2, 0], [False, True], 1)
