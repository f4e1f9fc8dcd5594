"""SubRip files, as pysubs2 and ffmpeg read them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.emotions.labels import EMOTION_WORDS, EMOTIONS
from annotate.results.cues import Cue, Line
from annotate.results.formats.srt import to_srt
from annotate.span import Span
from tests.clips import read_cues

ONE_FACE = [Cue(Span(0, 1001), (Line(1, "anger"),)), Cue(Span(1001, 3_723_999), (Line(2, "sadness"),))]
TWO_FACES = [*ONE_FACE, Cue(Span(3_724_000, 3_725_000), (Line(3, "fear"), Line(12, "surprise")))]


def read(text: str) -> list[tuple[int, int, str]]:
    """Return start and end in milliseconds and text of each cue."""
    return [(event.start, event.end, event.text) for event in pysubs2.SSAFile.from_string(text, format_="srt")]


def test_text_of_a_file() -> None:
    expected = "1\n00:00:00,000 --> 00:00:01,001\nanger\n\n2\n00:00:01,001 --> 01:02:03,999\nsadness\n"
    assert to_srt(ONE_FACE, "en").strip() == expected.strip()


def test_cues_as_read_by_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "movie.emotions.en.srt"
    path.write_text(to_srt(ONE_FACE, "en"), encoding="utf-8")
    assert read_cues(path) == [(0, 1001, "anger"), (1001, 3_723_999, "sadness")]


def test_hours_grow_beyond_100_and_no_cue_is_lost(tmp_path: Path) -> None:
    hours = (99, 100, 101, 2500)
    spans = [Span(hour * 3_600_000 + 1, hour * 3_600_000 + 61_234) for hour in hours]
    text = to_srt([Cue(span, (Line(1, "fear"),)) for span in spans], "en")
    assert [line for line in text.splitlines() if "-->" in line] == [
        f"{hour}:00:00,001 --> {hour}:01:01,234" for hour in hours
    ]
    path = tmp_path / "movie.emotions.en.srt"
    path.write_text(text, encoding="utf-8")
    assert read_cues(path) == [(span.start_ms, span.end_ms, "fear") for span in spans]


def test_faces_are_not_numbered_if_there_is_only_one_at_a_time() -> None:
    assert read(to_srt(ONE_FACE, "en")) == [(0, 1001, "anger"), (1001, 3_723_999, "sadness")]


def test_all_faces_are_numbered_if_two_are_visible_at_once() -> None:
    assert read(to_srt(TWO_FACES, "en")) == [
        (0, 1001, "1: anger"),
        (1001, 3_723_999, "2: sadness"),
        (3_724_000, 3_725_000, r"3: fear\N12: surprise"),
    ]


def test_russian_words_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "movie.emotions.ru.srt"
    path.write_bytes(to_srt(TWO_FACES, "ru").encode())
    texts = [event.text for event in pysubs2.load(str(path), encoding="utf-8")]
    assert texts == ["1: гнев", "2: печаль", r"3: страх\N12: удивление"]


def test_every_emotion_has_a_russian_word() -> None:
    cues = [Cue(Span(number * 1000, number * 1000 + 900), (Line(1, name),)) for number, name in enumerate(EMOTIONS)]
    expected = ["гнев", "отвращение", "страх", "счастье", "нейтральное состояние", "печаль", "удивление"]
    assert [text for _, _, text in read(to_srt(cues, "ru"))] == expected


@pytest.mark.parametrize("language", sorted(EMOTION_WORDS))
def test_classes_of_another_model_keep_their_names(language: str) -> None:
    assert read(to_srt([Cue(Span(0, 1000), (Line(1, "contempt"),))], language)) == [(0, 1000, "contempt")]


@settings(deadline=None)
@given(st.lists(st.integers(0, 86_400_000), min_size=2, max_size=20, unique=True).map(sorted))
def test_times_are_exact(edges: list[int]) -> None:
    spans = [Span(start_ms, end_ms) for start_ms, end_ms in itertools.pairwise(edges)]
    cues = [Cue(span, (Line(1, EMOTIONS[number % len(EMOTIONS)]),)) for number, span in enumerate(spans)]
    assert [Span(start_ms, end_ms) for start_ms, end_ms, _ in read(to_srt(cues, "en"))] == spans
