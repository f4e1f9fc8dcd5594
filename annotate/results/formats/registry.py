"""Output formats that are derived from the table; the module and library of a format are loaded on first use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from annotate.errors import SettingsError
from annotate.extras import check_extra

if TYPE_CHECKING:
    from annotate.results.report import Report

REPORT_FORMAT = "csv"
"""The table, from which all other formats are derived; it is always written."""


CAPTION, MERGED, EAF_3 = "caption", "merged", "v3"
VARIANTS = (CAPTION, MERGED, EAF_3)
"""Names of what a format may be written as instead, in the order of their parts of file names."""

_CAPTIONS = "captions"


@dataclass(frozen=True)
class Format:
    """An output format.

    ``ending`` is the end of file names, with ``{language}`` if the text depends on it. ``module``, in this package, has the
    ``function``, called with report and language, that returns the text, or None if there is nothing to write.
    ``library`` is the library that the module imports, ``package`` its name on PyPI, ``extra`` the extra of annotate that
    installs it, empty for base dependencies. ``names_video`` tells whether the text has the name of the video. ``variants``
    maps the names of variants, joined by periods, to module and function that write them, joined by a period.
    """

    ending: str
    module: str
    library: str = ""
    package: str = ""
    extra: str = ""
    names_video: bool = False
    variants: Mapping[str, str] = field(default_factory=dict)
    function: str = "write"

    def variant(self, wanted: Collection[str]) -> str:
        """Return the variant to write if these are ``wanted``; empty for the usual text."""
        return ".".join(name for name in VARIANTS if name in wanted and name in self.variants)

    def named(self, variant: str) -> str:
        """Return the end of file names of a variant."""
        return f".{variant}{self.ending}" if variant else self.ending


TRACK_FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "srt": Format(".{language}.srt", "srt", "pysubs2", "pysubs2", variants={CAPTION: f"{_CAPTIONS}.write_srt"}),
        "vtt": Format(".{language}.vtt", "vtt", "webvtt", "webvtt-py", variants={CAPTION: f"{_CAPTIONS}.write_vtt"}),
        "ass": Format(".{language}.ass", "ass", "pysubs2", "pysubs2", variants={CAPTION: f"{_CAPTIONS}.write_ass"}),
        "json": Format(".json", "json_document", names_video=True),
        "eaf": Format(
            ".eaf",
            "eaf",
            "pympi",
            "pympi-ling",
            names_video=True,
            variants={MERGED: "eaf.write_merged", EAF_3: "eaf.write_3", f"{MERGED}.{EAF_3}": "eaf.write_merged_3"},
        ),
        "elan-csv": Format(".timeseries.csv", "timeseries"),
        "elan-tsconf": Format(".timeseries_tsconf.xml", "tsconf", names_video=True),
        "textgrid": Format(".TextGrid", "textgrid", "praatio", "praatio", variants={MERGED: "textgrid.write_merged"}),
        "textgrid-points": Format(".points.TextGrid", "textgrid_points", "praatio", "praatio"),
        "audacity": Format(".labels.txt", "audacity"),
        "premiere": Format(".premiere.csv", "markers", function="write_premiere"),
        "resolve": Format(".resolve.csv", "markers", function="write_resolve"),
        "otio": Format(".otio", "otio", "opentimelineio", "opentimelineio", "otio", names_video=True),
    }
)
"""Formats derived from the table, by name."""

FORMATS = (REPORT_FORMAT, *TRACK_FORMATS)
"""Names of all formats."""

DEFAULT_FORMATS = (REPORT_FORMAT, "srt")


def check_libraries(names: Iterable[str]) -> None:
    """Check that the libraries of formats are installed, before hours of analysis.

    Raises:
        SettingsError: a library is not installed.
    """
    for name in names:
        track = TRACK_FORMATS.get(name)
        if track is not None and track.library:
            check_extra(f"the format {name}", track.extra, {track.library: track.package})


def is_available(name: str) -> bool:
    """Return whether the library of a format is installed."""
    try:
        check_libraries([name])
    except SettingsError:
        return False
    return True


def format_track(name: str, report: Report, language: str, variant: str = "") -> str | None:
    """Return a report in a format or a variant of it, None if there is nothing to write."""
    track = TRACK_FORMATS[name]
    module, _, function = (track.variants[variant] if variant else f"{track.module}.{track.function}").partition(".")
    text: str | None = getattr(import_module(f"{__package__}.{module}"), function)(report, language)
    return text
