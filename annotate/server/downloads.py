"""Results of a video as downloads: the table as it is on disk, and other formats generated from it on demand."""

from __future__ import annotations

from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_current_report
from annotate.errors import ReportError
from annotate.results.formats.registry import REPORT_FORMAT, TRACK_FORMATS, check_libraries, format_track
from annotate.results.report import Report
from annotate.server.catalog import CatalogVideo
from annotate.storage.base import require_local

MEDIA_TYPES = {
    "csv": "text/csv",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "ass": "text/x-ssa",
    "json": "application/json",
    "eaf": "application/xml",
    "elan-csv": "text/csv",
    "elan-tsconf": "application/xml",
    "premiere": "text/csv",
    "resolve": "text/csv",
    "otio": "application/json",
}
"""Media types by format; other formats are plain text."""


class Chunks:
    """A file that cannot seek, whose content is taken from it as it is written."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, content: bytes) -> int:
        """Keep content until it is taken; return its size."""
        self._written.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        content = b"".join(self._written)
        self._written.clear()
        return content


def load_report(video: CatalogVideo, *, is_corrected: bool = True) -> Report:
    """Return the report of a video, with corrections by people if ``is_corrected``.

    Raises:
        ReportError: the table is missing, damaged, or outdated because the video has changed.
    """
    try:
        item = ArchiveItem.read(video.path, video.outputs)
        return read_current_report(item, is_corrected=is_corrected, elsewhere=video.elsewhere)
    except OSError as error:
        raise ReportError(f"cannot be read ({error.strerror})", path=video.outputs.csv) from None


def result_file(video: CatalogVideo, format_name: str, language: str) -> tuple[str, bytes]:
    """Return file name and content of a video's result in a format, byte for byte as the command line writes it.

    Raises:
        ReportError: the table is missing, damaged or outdated, or has no faces, and the format cannot express that.
        SettingsError: a library that the format needs is missing.
    """
    outputs = video.outputs
    report = load_report(video)
    if format_name == REPORT_FORMAT:
        return outputs.csv.name, require_local(outputs.csv).read_bytes()
    check_libraries((format_name,))
    text = format_track(format_name, report, language)
    if text is None:
        raise ReportError(f"no faces found, so there is no {format_name} file", path=video.path)
    return outputs.track(format_name, language).name, text.encode()


def available_formats(video: CatalogVideo) -> list[str]:
    """Return the formats available for a video: all of them, or only the table and JSON if it has no faces."""
    has_faces = video.stats is not None and video.stats.faces > 0
    return [REPORT_FORMAT, *(name for name in TRACK_FORMATS if has_faces or name == "json")]
