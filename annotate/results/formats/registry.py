"""The formats of tracks that are made from a report; a format's module and library are loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from annotate.extras import check_extra

if TYPE_CHECKING:
    from annotate.results.report import Report

REPORT_FORMAT = "csv"
"""The report itself, from which the others are made; it is always written."""


@dataclass(frozen=True)
class Format:
    """A format of tracks.

    ``ending`` is the ending of its files' names, in a ``{language}`` or in none; ``module``, of this package, has the
    function ``write(report, language)`` that returns the text, or None where there is nothing to write. ``library`` is the
    library that the module imports, ``package`` its name on PyPI, ``extra`` the extra of this program that brings it, if
    it is not installed as usual.
    """

    ending: str
    module: str
    library: str = ""
    package: str = ""
    extra: str = ""


TRACKS: Mapping[str, Format] = MappingProxyType(
    {
        "srt": Format(".{language}.srt", "srt", "pysubs2", "pysubs2"),
        "vtt": Format(".{language}.vtt", "vtt", "webvtt", "webvtt-py"),
        "ass": Format(".{language}.ass", "ass", "pysubs2", "pysubs2"),
        "json": Format(".json", "json_document"),
        "eaf": Format(".eaf", "eaf", "pympi", "pympi-ling"),
        "textgrid": Format(".TextGrid", "textgrid", "praatio", "praatio"),
        "audacity": Format(".labels.txt", "audacity"),
        "otio": Format(".otio", "otio", "opentimelineio", "opentimelineio", "otio"),
    }
)
"""Name -> format of tracks."""

FORMATS = (REPORT_FORMAT, *TRACKS)
"""Formats that can be asked for."""

DEFAULT_FORMATS = (REPORT_FORMAT, "srt")


def check_libraries(names: Iterable[str]) -> None:
    """Check that the libraries of formats are installed, before hours are spent on the reports they are made from.

    Raises:
        SettingsError: a library is missing.
    """
    for name in names:
        track = TRACKS.get(name)
        if track is not None and track.library:
            check_extra(f"the format {name}", track.extra, {track.library: track.package})


def write_track(name: str, report: Report, language: str) -> str | None:
    """Return the text of a track, None where there is nothing to write."""
    text: str | None = import_module(f"{__package__}.{TRACKS[name].module}").write(report, language)
    return text
