"""TextGrids as praatio reads them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from praatio import textgrid

from annotate.emotions.labels import EMOTIONS
from annotate.results.formats import textgrid_points
from annotate.results.formats.textgrid import write, write_merged
from tests.results.reports import CLIPPED, make_report


def read(folder: Path, **options: object) -> textgrid.Textgrid:
    """Return the TextGrid of the hand-made report, read back from its file."""
    text = write(make_report(**options), "en")  # type: ignore[arg-type]
    assert text is not None
    path = folder / "movie.emotions.TextGrid"
    path.write_text(text, encoding="utf-8")
    return textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")


def test_one_tier_per_face_with_clipped_blocks(tmp_path: Path) -> None:
    grid = read(tmp_path)
    assert grid.tierNames == ("face 1", "face 2")
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, 6)
    for face_id, spans in CLIPPED.items():
        entries = grid.getTier(f"face {face_id}").entries
        assert [(round(1000 * entry.start), round(1000 * entry.end)) for entry in entries] == spans
    assert [entry.label for entry in grid.getTier("face 2").entries] == ["anger", "surprise"]


def test_merged_intervals_last_while_the_emotion_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "merged.TextGrid"
    path.write_text(write_merged(make_report(), "en") or "")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    assert [tuple(entry) for entry in grid.getTier("face 1").entries] == [
        (0, 1.602, "happiness"),
        (1.602, 2.403, "sadness"),
        (2.403, 2.804, "fear"),
    ]


def test_points_are_the_probabilities_of_the_blocks(tmp_path: Path) -> None:
    path = tmp_path / "points.TextGrid"
    path.write_text(textgrid_points.write(make_report(), "en") or "")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    assert grid.tierNames == tuple(f"face {face_id} {name}" for face_id in (1, 2) for name in EMOTIONS)
    anger = [(point.time, float(point.label)) for point in grid.getTier("face 2 anger").entries]
    assert anger == [(2.4505, 0.88), (4.9995, 0.02)]


def test_gaps_are_empty_intervals(tmp_path: Path) -> None:
    read(tmp_path)
    grid = textgrid.openTextgrid(str(tmp_path / "movie.emotions.TextGrid"), includeEmptyIntervals=True)
    entries = grid.getTier("face 2").entries
    assert [entry.label for entry in entries] == ["", "anger", "", "surprise", ""]
    assert (entries[0].start, entries[-1].end) == (0, 6)
    assert all(one.end == other.start for one, other in itertools.pairwise(entries))


def test_the_grid_ends_with_a_block_that_ends_after_the_video(tmp_path: Path) -> None:
    grid = read(tmp_path, blocks=((1, 0, 5000, 6040, "fear", 0),), faces=1)
    assert grid.maxTimestamp == pytest.approx(6.04)


def test_quotes_in_class_names(tmp_path: Path) -> None:
    grid = read(tmp_path, classes=('"a"', "b", "c", 'say "x"', "d", "e", "f"), faces=1)
    assert grid.getTier("face 1").entries[0].label == 'say "x"'
