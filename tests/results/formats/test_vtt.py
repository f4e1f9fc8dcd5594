"""WebVTT as ffmpeg reads it, and positions of its cues."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.emotions.palette import COLORS, text_color
from annotate.faces.box import Box
from annotate.results.cues import MIN_CUE_MS
from annotate.results.formats.vtt import CueRegion, css_class, write
from annotate.results.table import OWN_COLUMNS
from tests.clips import read_cues
from tests.results.reports import SIZE_PX, box_at, make_report

CUE = re.compile(r"^(\S+) --> (\S+) line:([\d.]+)% position:([\d.]+)% align:end\n(.*)$", re.MULTILINE)


def text_of(language: str = "en", **options: object) -> str:
    """Return the WebVTT text of the hand-made report."""
    text = write(make_report(**options), language)  # type: ignore[arg-type]
    assert text is not None
    return text


def test_times_and_labels_as_read_by_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "movie.emotions.en.vtt"
    path.write_text(text_of(), encoding="utf-8")
    cues = read_cues(path)
    assert {cue for cue in cues if cue[2].startswith("2")} == {(2000, 2901, "2: anger"), (4000, 5999, "2: surprise")}
    assert (cues[0][0], max(end_ms for _, end_ms, text in cues if text.startswith("1"))) == (0, 2403 + MIN_CUE_MS)


def test_russian_words_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "movie.emotions.ru.vtt"
    path.write_bytes(text_of("ru", faces=1).encode())
    assert next(text for _, _, text in read_cues(path)) == "счастье"


def test_a_cue_is_above_its_face_and_ends_at_the_right_of_its_box() -> None:
    (found,) = [match for match in CUE.finditer(text_of()) if "anger" in match[5]]
    box = box_at(2, 2000)
    assert float(found[4]) == pytest.approx(100 * (box.x + box.width) / SIZE_PX[0], abs=0.06)
    assert found[3] == "0.0"
    assert found[5] == "<c.anger>2: anger</c>"
    first = next(CUE.finditer(text_of()))
    assert float(first[3]) == pytest.approx(100 * (60 / 360 - 0.07), abs=0.06)


def test_a_cue_is_split_into_readable_parts_if_its_face_moves_far() -> None:
    """A face 100 pixels wide moves by 50 pixels in 1.25 s."""
    found = list(CUE.finditer(text_of(blocks=((1, 0, 0, 3600, "fear", 0),), faces=1)))
    assert [(match[1], match[2]) for match in found] == [
        ("00:00:00.000", "00:00:01.334"),
        ("00:00:01.334", "00:00:02.668"),
        ("00:00:02.668", "00:00:03.600"),
    ]
    for match, time_ms in zip(found, (0, 1334, 2668), strict=True):
        box = box_at(1, time_ms)
        assert float(match[4]) == pytest.approx(100 * (box.x + box.width) / SIZE_PX[0], abs=0.06)


def test_hours_grow_beyond_100_and_no_cue_is_lost(tmp_path: Path) -> None:
    report = make_report(blocks=((1, 0, 0, 1000, "fear", 0), (1, 1, 7_200_000, 7_201_000, "anger", 0)))
    times = {name: report.table[name] + 99 * 3600 for name in ("start_time", "end_time", *OWN_COLUMNS)}
    path = tmp_path / "movie.emotions.en.vtt"
    path.write_text(write(replace(report, columns=report.table.assign(**times)), "en") or "", encoding="utf-8")
    hour_ms = 3_600_000
    expected = [(99 * hour_ms, 99 * hour_ms + 1000, "fear"), (101 * hour_ms, 101 * hour_ms + 1000, "anger")]
    assert read_cues(path) == expected


def test_the_style_has_the_color_of_every_emotion_that_occurs() -> None:
    style = text_of().split("STYLE\n")[1].split("\n\n")[0]
    for emotion in ("anger", "happiness", "surprise"):
        rule = f"::cue(.{emotion}) {{ background-color: {COLORS[emotion]}; color: {text_color(emotion)}; }}"
        assert rule in style.splitlines()
    assert "disgust" not in style


def test_class_names_of_another_model_are_never_tags(tmp_path: Path) -> None:
    names = ("<b>&amp;", "b", "c", "1 --> 2", "d", "4. {5}", "e")
    path = tmp_path / "movie.emotions.en.vtt"
    path.write_text(text_of(classes=names, faces=1), encoding="utf-8")
    found = {text.replace("\\", "{") for _, _, text in read_cues(path)}  # ffmpeg escapes braces
    assert found == {"c", "1 --> 2", "4. {5}"}
    assert f"<c.{css_class('1 --> 2')}>1 --&gt; 2</c>" in path.read_text()


@given(
    st.tuples(st.integers(100, 4000), st.integers(100, 4000)),
    st.builds(Box, *(st.integers(-500, 4500) for _ in range(2)), *(st.integers(1, 2000) for _ in range(2))),
)
def test_no_cue_leaves_the_frame(size_px: tuple[int, int], box: Box) -> None:
    match = re.fullmatch(r"line:([\d.]+)% position:([\d.]+)% align:end", CueRegion(*size_px).settings(box, "1: fear"))
    assert match is not None
    line, position = float(match[1]), float(match[2])
    assert 0 <= line <= 100 - 100 * 0.07 * min(size_px) / size_px[1] + 0.05
    assert min(100, 100 * 7 * 0.03 * min(size_px) / size_px[0]) - 0.05 <= position <= 100


def test_without_a_frame_size_cues_have_no_position() -> None:
    assert " line" not in text_of(size_px=(0, 0))
