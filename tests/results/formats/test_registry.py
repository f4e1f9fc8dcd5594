"""What all kinds of tracks have in common: names, libraries, times, and what they make of hostile names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from annotate.archive.layout import is_output
from annotate.emotions.labels import EMOTIONS, WORDS
from annotate.errors import SettingsError
from annotate.results.formats.registry import DEFAULT_FORMATS, FORMATS, TRACKS, check_libraries, write_track
from tests.results.reports import make_report

HOSTILE = ('a<b>&"c"', "{\\p1}x", "d.e f", "C:\\g", "--> h", "ü☃", "i")
"""Names that another model's classes might have."""


def test_formats_and_their_files() -> None:
    assert FORMATS == ("csv", "srt", "vtt", "ass", "json", "eaf", "textgrid", "audacity", "otio")
    assert DEFAULT_FORMATS == ("csv", "srt")
    names = {f"movie.emotions{kind.ending.format(language='en')}" for kind in TRACKS.values()}
    assert names == {
        *(f"movie.emotions.en.{ending}" for ending in ("srt", "vtt", "ass")),
        *(f"movie.emotions.{ending}" for ending in ("json", "eaf", "TextGrid", "labels.txt", "otio")),
    }
    assert all(is_output(name) for name in names)


def test_all_libraries_are_there_in_a_test_run() -> None:
    check_libraries(FORMATS)


@pytest.mark.parametrize(
    ("name", "library", "package", "installed"),
    [
        ("vtt", "webvtt", "webvtt-py", "webvtt-py"),
        ("ass", "pysubs2", "pysubs2", "pysubs2"),
        ("eaf", "pympi", "pympi-ling", "pympi-ling"),
        ("textgrid", "praatio", "praatio", "praatio"),
        ("otio", "opentimelineio", "opentimelineio", "'annotate[otio]'"),
    ],
)
def test_a_missing_library_is_told_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, name: str, library: str, package: str, installed: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SettingsError) as refusal:
        check_libraries(("csv", "json", name))
    assert refusal.value.problem == f"the format {name} needs {package}"
    assert f"pip install {installed} " in refusal.value.remedy
    check_libraries(("csv", "json", "audacity"))


def test_no_library_of_a_format_is_loaded_for_a_run_that_does_not_ask_for_it() -> None:
    libraries = sorted({kind.library for kind in TRACKS.values() if kind.library})
    code = f"import sys, annotate.batch.run, annotate.batch.convert; print([n for n in {libraries} if n in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("name", TRACKS)
def test_a_report_gives_the_same_text_every_time(name: str) -> None:
    first, second = (write_track(name, make_report(), "en") for _ in range(2))
    assert first == second
    assert first is not None
    assert first.endswith("\n")


@pytest.mark.parametrize("name", TRACKS)
def test_without_faces_there_is_nothing_to_write_but_the_document(name: str) -> None:
    assert (write_track(name, make_report(faces=0), "en") is not None) == (name == "json")


@pytest.mark.parametrize("name", TRACKS)
@pytest.mark.parametrize("classes", [EMOTIONS, HOSTILE])
def test_only_tracks_with_a_language_in_their_name_depend_on_it(name: str, classes: tuple[str, ...]) -> None:
    report = make_report(classes=classes, video="../films/a b\udce9\n.mp4")
    texts = {write_track(name, report, language) for language in WORDS}
    depends = "{language}" in TRACKS[name].ending and classes == EMOTIONS
    assert len(texts) == (len(WORDS) if depends else 1)
    assert all(text is not None and text.encode() for text in texts)
