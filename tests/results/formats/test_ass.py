"""ASS tracks: boxes as libass draws them on a black image, and the events in the file."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.emotions.palette import COLORS
from annotate.faces.box import Box
from annotate.results.formats.ass import Canvas, draw, write
from annotate.results.table import OWN_COLUMNS
from tests.clips import ask_ffmpeg, read_cues
from tests.results.reports import SIZE_PX, box_at, make_report


def text_of(language: str = "en", **options: object) -> str:
    """Return the ASS text of the hand-made report."""
    text = write(make_report(**options), language)  # type: ignore[arg-type]
    assert text is not None
    return text


@functools.cache
def can_draw() -> bool:
    """Return whether the installed ffmpeg has libass."""
    return b" ass " in ask_ffmpeg("-filters").replace(b"V->V", b"")


def drawn(folder: Path, text: str, time_s: float, size_px: tuple[int, int] = SIZE_PX) -> NDArray[np.uint8]:
    """Return a black image (height, width, 3) with the track drawn on it at a time."""
    if not can_draw():
        pytest.skip("this ffmpeg has no libass")
    (folder / "track.ass").write_text(text, encoding="utf-8")
    source = f"color=black:size={size_px[0]}x{size_px[1]}:rate=25:duration={time_s + 0.04},format=rgb24"
    raw_image = ("-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24")
    content = ask_ffmpeg(
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        source,
        "-vf",
        f"ass=track.ass,trim=start={time_s}",
        *raw_image,
        folder=folder,
    )
    return np.frombuffer(content, np.uint8).reshape(size_px[1], size_px[0], 3)


def has_color(image: NDArray[np.uint8], emotion: str) -> NDArray[np.bool_]:
    """Return where an image (height, width, 3) has the color of an emotion."""
    expected = np.array(list(bytes.fromhex(COLORS[emotion][1:])), int)
    result: NDArray[np.bool_] = (abs(image.astype(int) - expected) < 30).all(axis=2)
    return result


def extent(marked: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return first and last column, first and last row with the side of a box, ignoring labels."""
    columns = np.flatnonzero(marked.sum(axis=0) > 60)
    rows = np.flatnonzero(marked.sum(axis=1) > 60)
    return int(columns[0]), int(columns[-1]), int(rows[0]), int(rows[-1])


@pytest.mark.parametrize(
    ("time_s", "emotion"), [(0.4, "happiness"), (1.0, "happiness"), (1.52, "happiness"), (2.0, "sadness"), (2.6, "fear")]
)
def test_a_box_follows_its_face_between_detections_in_the_color_of_the_block(
    tmp_path: Path, time_s: float, emotion: str
) -> None:
    image = drawn(tmp_path, text_of(faces=1), time_s)
    left, right, _, bottom = extent(has_color(image, emotion))
    box = box_at(1, round(1000 * time_s))
    assert (left, right) == pytest.approx((box.x, box.x + box.width), abs=3)
    assert bottom == pytest.approx(box.y + box.height, abs=3)
    inner = image[round(box.y) + 4 : round(box.y + box.height) - 4, round(box.x) + 4 : round(box.x + box.width) - 4]
    assert inner.size
    assert not inner.any()


def test_nothing_is_drawn_without_a_face(tmp_path: Path) -> None:
    assert drawn(tmp_path, text_of(), 2.0).any()
    assert not drawn(tmp_path, text_of(), 3.5).any()


def test_each_of_two_faces_has_a_box_in_its_color(tmp_path: Path) -> None:
    image = drawn(tmp_path, text_of(), 2.2)
    box = box_at(2, 2200)
    left, right, _, bottom = extent(has_color(image, "anger"))
    assert (left, right, bottom) == pytest.approx((box.x, box.x + box.width, box.y + box.height), abs=3)


@pytest.mark.parametrize("size_px", [(640, 360), (700, 1000)])
def test_the_longest_label_stays_within_the_frame(tmp_path: Path, size_px: tuple[int, int]) -> None:
    names = ("neutral", "disgust", "fear", "happiness", "anger", "sadness", "surprise")
    image = drawn(tmp_path, text_of("ru", size_px=size_px, classes=names), 2.2, size_px)
    assert has_color(image, "neutral").any()
    assert not image[:, -1].any()
    assert not image[0].any()


def test_labels_as_read_by_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "movie.emotions.en.ass"
    path.write_text(text_of(), encoding="utf-8")
    labels = [cue for cue in read_cues(path) if "m 0 0" not in cue[2] and cue[2]]
    expected = {"1: happiness", "1: sadness", "1: fear", "2: anger", "2: surprise"}
    assert {text for _, _, text in labels} == expected
    assert min(start_ms for start_ms, _, _ in labels) == 0
    assert (2000, 2900, "2: anger") in labels
    assert max(end_ms for _, end_ms, text in labels if text.startswith("1")) == 2800


def test_the_script_has_the_size_of_the_frame() -> None:
    file = pysubs2.SSAFile.from_string(text_of(size_px=(360, 640)))
    assert (file.info["PlayResX"], file.info["PlayResY"], file.info["WrapStyle"]) == ("360", "640", "2")
    assert sorted(file.styles) == sorted(
        f"{emotion} {what}" for emotion in {event.style.split()[0] for event in file} for what in ("box", "label")
    )


def test_class_names_of_another_model_are_never_override_tags() -> None:
    names = ("{\\an5}a", "b", "c", "x,y\\N", "d", "e", "f")
    file = pysubs2.SSAFile.from_string(text_of(classes=names, faces=1))
    labels = [event.text.split("}", 1)[1] for event in file if event.layer == 1]
    assert labels[0] == "x,y/N"
    assert all(event.style in file.styles for event in file)


boxes = st.builds(Box, *(st.integers(-500, 4500) for _ in range(2)), *(st.integers(1, 2000) for _ in range(2)))


@given(st.tuples(st.integers(160, 4000), st.integers(120, 4000)), boxes)
def test_no_label_leaves_the_frame(size_px: tuple[int, int], box: Box) -> None:
    canvas = Canvas(*size_px)
    x, y = canvas.label_corner(box, "1: fear")
    width_px = 7 * canvas.font_px * 0.55
    assert canvas.line_px < x < size_px[0] - width_px - canvas.line_px
    assert canvas.font_px + canvas.line_px < y < size_px[1] - canvas.line_px


def test_cues_beyond_the_time_limit_of_the_format_are_dropped() -> None:
    report = make_report(blocks=((1, 0, 0, 1602, "happiness", 0), (1, 1, 1602, 3204, "fear", 0)))
    times = {name: report.table[name] + 35_997 for name in ("start_time", "end_time", *OWN_COLUMNS)}
    text = write(replace(report, columns=report.table.assign(**times)), "en")
    assert text is not None
    assert {event.end for event in pysubs2.SSAFile.from_string(text)} == {35_998_600}


def test_bars_show_the_probability_of_the_emotion_per_block() -> None:
    report = make_report(faces=1)
    report.table.loc[report.table["block"] == 1, "happiness"] = 0.62
    text = draw(report, "en", with_bars=True)
    assert text is not None
    file = pysubs2.SSAFile.from_string(text)
    bars = [event for event in file if event.style.endswith(" bar")]
    widths = [int(event.text.split("fscx")[1].split("\\")[0]) for event in bars]
    spans = [(event.start, event.end) for event in bars]
    assert (spans[:4], widths[:4]) == ([(0, 800), (800, 1600), (1600, 2400), (2400, 2800)], [88, 62, 88, 88])
    backgrounds = [event for event in file if event.style == "ground"]
    assert [(event.start, event.end) for event in backgrounds] == [(0, 1600), (1600, 2400), (2400, 2800)]
    assert {event.text for event in file if event.layer == 1 for event.text in [event.text.split("}")[1]]} == {
        "1: happiness",
        "1: sadness",
        "1: fear",
    }


@pytest.mark.parametrize("time_s", [0.4, 1.2])
def test_a_bar_lies_below_its_box(tmp_path: Path, time_s: float) -> None:
    text = draw(make_report(faces=1), "en", with_bars=True)
    assert text is not None
    image = drawn(tmp_path, text, time_s)
    box, line_px = box_at(1, round(1000 * time_s)), Canvas(*SIZE_PX).line_px
    top = round(box.y + box.height) + 2 * line_px
    bar = has_color(image[top : top + 3 * line_px], "happiness")
    columns = np.flatnonzero(bar.all(axis=0))
    assert (columns[0], columns[-1] + 1) == pytest.approx((box.x, box.x + 0.88 * box.width), abs=2)
    assert not has_color(image[top + 3 * line_px + 1 :], "happiness").any()


def test_the_track_has_no_bars_and_numbers_only_if_needed() -> None:
    text = text_of(faces=1)
    assert "bar" not in text
    assert "ground" not in text
    assert "}happiness" in text


@given(boxes)
def test_a_bar_stays_within_the_frame(box: Box) -> None:
    canvas = Canvas(640, 360)
    bar = canvas.bar_of(box, 0.5)
    assert bar.y + bar.height <= 360
    assert (bar.x, bar.width) == (box.x, max(1, box.width / 2))
