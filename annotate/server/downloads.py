"""Results of a video as files to take away: the report as it stands, and other formats made from it on demand."""

from __future__ import annotations

from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_current_report
from annotate.errors import ReportError
from annotate.results.formats.registry import REPORT_FORMAT, TRACKS, check_libraries, write_track
from annotate.results.report import Report
from annotate.server.catalog import CatalogVideo
from annotate.storage.base import local_only

MEDIA_TYPES = {
    "csv": "text/csv",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "ass": "text/x-ssa",
    "json": "application/json",
    "eaf": "application/xml",
    "otio": "application/json",
}
"""What browsers are told of a format; others are plain text."""


def read_report(video: CatalogVideo) -> Report:
    """Return a video's report, which is as it was written and of the video as it is.

    Raises:
        ReportError: there is none, or it no longer holds.
    """
    try:
        return read_current_report(ArchiveItem.read(video.path, video.outputs))
    except OSError as error:
        raise ReportError(f"cannot be read ({error.strerror})", path=video.outputs.csv) from None


def make_file(video: CatalogVideo, format_name: str, language: str) -> tuple[str, bytes]:
    """Return name and content of a video's report in a format, byte for byte as the command line writes it.

    Raises:
        ReportError: there is no report, it no longer holds, or there is nothing to write in this format.
        SettingsError: a library that the format needs is missing.
    """
    outputs = video.outputs
    report = read_report(video)
    if format_name == REPORT_FORMAT:
        return outputs.csv.name, local_only(outputs.csv).read_bytes()
    check_libraries((format_name,))
    text = write_track(format_name, report, language)
    if text is None:
        raise ReportError(f"no face was found, so there is nothing to write as {format_name}", path=video.path)
    return outputs.track(format_name, language).name, text.encode()


def formats_of(video: CatalogVideo) -> list[str]:
    """Return the formats there is something to write in: without faces the report and the JSON document alone."""
    has_faces = video.figures is not None and video.figures.faces > 0
    return [REPORT_FORMAT, *(name for name in TRACKS if has_faces or name == "json")]
