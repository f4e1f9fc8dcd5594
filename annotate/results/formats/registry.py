"""The kinds of tracks that are made from a report; what a kind needs is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from annotate.errors import SettingsError

if TYPE_CHECKING:
    from annotate.results.report import Report

REPORT_FORMAT = "csv"
"""The report itself, from which the others are made; it is always written."""


@dataclass(frozen=True)
class Format:
    """A kind of track.

    ``ending`` is what its file's name ends with, in a ``{language}`` or in none; ``module``, of this package, has the
    function ``write(report, language)`` that gives its text, or None where there is nothing to write. ``library`` is
    what that imports, ``package`` what it is called on PyPI.
    """

    ending: str
    module: str
    library: str = ""
    package: str = ""


TRACKS: Mapping[str, Format] = MappingProxyType(
    {
        "srt": Format(".{language}.srt", "srt", "pysubs2", "pysubs2"),
        "vtt": Format(".{language}.vtt", "vtt", "webvtt", "webvtt-py"),
        "ass": Format(".{language}.ass", "ass", "pysubs2", "pysubs2"),
        "json": Format(".json", "json_document"),
        "eaf": Format(".eaf", "eaf", "pympi", "pympi-ling"),
        "textgrid": Format(".TextGrid", "textgrid", "praatio", "praatio"),
        "audacity": Format(".labels.txt", "audacity"),
        "otio": Format(".otio", "otio", "opentimelineio", "opentimelineio"),
    }
)
"""Name -> kind of track."""

FORMATS = (REPORT_FORMAT, *TRACKS)
"""Formats that can be asked for."""

DEFAULT_FORMATS = (REPORT_FORMAT, "srt")


def check_libraries(names: Iterable[str]) -> None:
    """Tries whether all that formats need is there, before hours are spent on what they are made from.

    Raises:
        SettingsError: a library is missing.
    """
    for name in names:
        needed = TRACKS.get(name)
        if needed is None or not needed.library:
            continue
        try:
            import_module(needed.library)
        except ImportError:
            raise SettingsError(
                f"the format {name} needs {needed.package}, which is not installed; `pip install {needed.package}` adds it"
            ) from None


def write_track(name: str, report: Report, language: str) -> str | None:
    """The text of a track, None where there is nothing to write."""
    text: str | None = import_module(f"{__package__}.{TRACKS[name].module}").write(report, language)
    return text
