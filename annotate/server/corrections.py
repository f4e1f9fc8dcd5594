"""Corrections of a video that people make on its page: what a segment shows, undone and redone, by several at once.

They are written beside the table, or in the data folder if the table is beside a video that the server does not write to. A
change names the corrections that its author saw where it applies, so that nobody overrides what they did not see.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from annotate.archive.corrections import merge_rows, read_content, read_corrections
from annotate.archive.scan import ArchiveItem
from annotate.batch.corrections import Edit, adding, edit_corrections, edit_elsewhere, now, redo, undo
from annotate.results.corrected import counting_spans
from annotate.results.corrections import Correction, CorrectionRows, clean_text, parse_corrections, redo_last, undo_last
from annotate.results.report import Report
from annotate.results.segments import Segment, segments_of
from annotate.server.catalog import CatalogVideo
from annotate.server.downloads import load_report
from annotate.server.refusal import RefusedError
from annotate.server.settings import ServeSettings
from annotate.span import Span
from annotate.storage.base import require_local
from annotate.storage.values import PathOrUrl

_BAD_REQUEST, _CONFLICT = 400, 409

Step = Callable[[CorrectionRows, bytes, Report], bytes]
"""Returns the new bytes of a file of corrections, given all that apply, the bytes that it has and the machine's report."""


@dataclass(frozen=True)
class Review:
    """The segments of a video, what does not fit, and the times of what an author can undo and redo (empty: nothing)."""

    segments: list[Segment]
    problems: tuple[str, ...]
    undo_time: str = ""
    redo_time: str = ""


class ChangedError(RefusedError):
    """Somebody else has changed something that the author of a change did not see."""

    def __init__(self) -> None:
        super().__init__(_CONFLICT, "somebody has corrected this in the meantime", "look at it, and decide again")


def review_of(video: CatalogVideo, settings: ServeSettings, author: str) -> Review:
    """Return the state of the review of a video, and what an author can undo and redo.

    Raises:
        ReportError: the table is missing, damaged or outdated, or a file of corrections cannot be read.
    """
    table, file, name = load_report(video, is_corrected=False).table, _file_of(video, settings), clean_text(author)
    content = read_content(file)
    rows = _all_rows(video, file, parse_corrections(content))
    segments = segments_of(table, rows.corrections)
    undone, redone = undo_last(content, "", name)[1], redo_last(content, name)[1]
    return Review(
        segments,
        (*rows.problems, *counting_spans(table, rows.corrections).problems),
        undone[-1].time if undone else "",
        redone[-1].undone if redone else "",
    )


def saying(correction: Correction, seen: Collection[str]) -> Step:
    """Return the step that adds a correction, whose author saw some corrections (`Segment.mark`) during its span."""

    def add(rows: CorrectionRows, content: bytes, report: Report) -> bytes:
        there = {
            segment.mark
            for segment in segments_of(report.table, rows.corrections)
            if segment.face_id == correction.face_id and segment.span & correction.span and segment.mark
        }
        if there != set(seen):
            raise ChangedError
        return adding(lambda _: [replace(correction, time=now())])(content, report)

    return add


def undoing(author: str, time: str) -> Step:
    """Return the step that takes back what an author corrected last, at a time."""
    author = clean_text(author)

    def step(rows: CorrectionRows, content: bytes, report: Report) -> bytes:
        _, removed = undo_last(content, "", author)
        if removed and removed[-1].time != time:
            raise ChangedError
        return undo(content, report, author)

    return step


def redoing(author: str, time: str) -> Step:
    """Return the step that lets what an author took back last, at a time, count again."""
    author = clean_text(author)

    def step(rows: CorrectionRows, content: bytes, report: Report) -> bytes:
        _, restored = redo_last(content, author)
        if restored and restored[-1].undone != time:
            raise ChangedError
        return redo(content, report, author)

    return step


def said(face_id: int, span: Span, emotion: str, author: str, note: str) -> Correction:
    """Return a correction by an author who has a name.

    Raises:
        RefusedError: it has no name, or no time.
    """
    correction = Correction(span, emotion, face_id, author=clean_text(author), note=clean_text(note))
    if not correction.author:
        raise RefusedError(_BAD_REQUEST, "the name of the author is missing", "give a name")
    if not span:
        raise RefusedError(_BAD_REQUEST, "the end is not after the start")
    return correction


def change_corrections(video: CatalogVideo, step: Step, settings: ServeSettings) -> None:
    """Apply a step to the corrections of a video.

    Raises:
        RefusedError: it does not fit, or somebody else was faster (`ChangedError`).
        ReportError: the table is missing, damaged or outdated, or a file of corrections cannot be read.
        OutputError: the file cannot be written, or another run is working on the video.
    """
    file = _file_of(video, settings)

    def edit(content: bytes, report: Report) -> bytes:
        return step(_all_rows(video, file, parse_corrections(content)), content, report)

    _edit(video, file, edit)


def _edit(video: CatalogVideo, file: PathOrUrl, edit: Edit) -> None:
    item = ArchiveItem.read(video.path, video.outputs)
    if file == video.outputs.corrections:
        edit_corrections(item, edit)
    else:
        edit_elsewhere(item, file, edit)


def _file_of(video: CatalogVideo, settings: ServeSettings) -> PathOrUrl:
    """Return the file that new corrections are written to."""
    beside = video.outputs.corrections
    is_writable = video.is_upload or settings.write or require_local(beside).is_relative_to(settings.data)
    return beside if is_writable else video.elsewhere[0]


def _all_rows(video: CatalogVideo, file: PathOrUrl, rows: CorrectionRows) -> CorrectionRows:
    """Return all corrections of a video, given those of one of its files."""
    others = (one for one in (video.outputs.corrections, *video.elsewhere) if one != file)
    return functools.reduce(merge_rows, map(read_corrections, others), rows)
