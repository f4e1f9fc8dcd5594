"""Properties of all formats: file names, libraries, reproducibility, and hostile class names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from annotate.archive.layout import is_output
from annotate.emotions.labels import EMOTION_WORDS, EMOTIONS
from annotate.errors import SettingsError
from annotate.results.formats.registry import DEFAULT_FORMATS, FORMATS, TRACK_FORMATS, check_libraries, format_track
from tests.results.reports import make_report

OTHER_NAMES = ("points.TextGrid", "timeseries.csv", "timeseries_tsconf.xml", "premiere.csv", "resolve.csv")
EDITORS = ("premiere", "resolve", "otio")
JSON_TO_OTIO = ("json", "eaf", "elan-csv", "elan-tsconf", "textgrid", "textgrid-points", "audacity", *EDITORS)
HOSTILE = ('a<b>&"c"', "{\\p1}x", "d.e f", "C:\\g", "--> h", "ü☃", "i")
"""Possible class names of another model."""


def test_formats_and_their_file_names() -> None:
    assert ("csv", "srt", "vtt", "ass", *JSON_TO_OTIO) == FORMATS
    assert DEFAULT_FORMATS == ("csv", "srt")
    names = {f"movie.emotions{kind.ending.format(language='en')}" for kind in TRACK_FORMATS.values()}
    assert names == {
        *(f"movie.emotions.en.{ending}" for ending in ("srt", "vtt", "ass")),
        *(f"movie.emotions.{ending}" for ending in ("json", "eaf", "TextGrid", "labels.txt", "otio")),
        *(f"movie.emotions.{ending}" for ending in OTHER_NAMES),
    }
    variants = {
        f"movie.emotions{kind.named(variant).format(language='en')}"
        for kind in TRACK_FORMATS.values()
        for variant in kind.variants
    }
    assert {"movie.emotions.caption.en.srt", "movie.emotions.merged.v3.eaf"} <= variants
    assert not names & variants
    assert all(is_output(name) for name in names | variants)


def test_all_libraries_are_installed_in_a_test_run() -> None:
    check_libraries(FORMATS)


@pytest.mark.parametrize(
    ("name", "library", "package", "requirement"),
    [
        ("vtt", "webvtt", "webvtt-py", "webvtt-py"),
        ("ass", "pysubs2", "pysubs2", "pysubs2"),
        ("eaf", "pympi", "pympi-ling", "pympi-ling"),
        ("textgrid", "praatio", "praatio", "praatio"),
        ("otio", "opentimelineio", "opentimelineio", "[otio]'"),
    ],
)
def test_a_missing_library_is_reported_with_its_package(
    monkeypatch: pytest.MonkeyPatch, name: str, library: str, package: str, requirement: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SettingsError) as caught:
        check_libraries(("csv", "json", name))
    assert name in caught.value.problem
    assert package in caught.value.problem
    assert f"{requirement}`" in caught.value.remedy
    check_libraries(("csv", "json", "audacity"))


def test_libraries_of_unused_formats_are_not_loaded() -> None:
    libraries = sorted({kind.library for kind in TRACK_FORMATS.values() if kind.library})
    code = f"import sys, annotate.batch.run, annotate.batch.convert; print([n for n in {libraries} if n in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


EACH = [(name, variant) for name, kind in TRACK_FORMATS.items() for variant in ("", *kind.variants)]


@pytest.mark.parametrize(("name", "variant"), EACH)
def test_output_is_reproducible(name: str, variant: str) -> None:
    first, second = (format_track(name, make_report(), "en", variant) for _ in range(2))
    assert first == second
    assert first is not None
    assert first.endswith("\n")


@pytest.mark.parametrize(("name", "variant"), EACH)
def test_without_faces_only_json_is_written(name: str, variant: str) -> None:
    assert (format_track(name, make_report(faces=0), "en", variant) is not None) == (name == "json")


def test_a_variant_is_what_a_format_has_of_what_is_wanted() -> None:
    assert [TRACK_FORMATS[name].variant(("v3", "merged", "caption")) for name in ("srt", "eaf", "textgrid", "json")] == [
        "caption",
        "merged.v3",
        "merged",
        "",
    ]


@pytest.mark.parametrize("name", TRACK_FORMATS)
@pytest.mark.parametrize("classes", [EMOTIONS, HOSTILE])
def test_only_formats_with_a_language_in_their_name_depend_on_it(name: str, classes: tuple[str, ...]) -> None:
    report = make_report(classes=classes, video="../films/a b\udce9\n.mp4")
    texts = {format_track(name, report, language) for language in EMOTION_WORDS}
    depends = "{language}" in TRACK_FORMATS[name].ending and classes == EMOTIONS
    assert len(texts) == (len(EMOTION_WORDS) if depends else 1)
    assert all(text is not None and text.encode() for text in texts)
