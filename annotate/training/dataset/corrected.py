"""Labels from people's corrections: what they corrected or confirmed in annotated videos, as clips of one face each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from annotate.archive.layout import ARCHIVE_PERSONS
from annotate.archive.persons import PersonFiles
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.stored_report import read_item_report
from annotate.archive.validity import current_meta
from annotate.errors import ReportError
from annotate.faces.box import Box
from annotate.results.report import Report
from annotate.results.table import AUTHOR, OWN_COLUMNS, SOURCE
from annotate.span import MS_PER_S, Span
from annotate.storage.base import storage_for
from annotate.training.dataset.labels import LabeledClip, LabelTable, Omission, OmissionKind, parse_emotion


def read_corrected(folder: Path) -> LabelTable:
    """Return the time of the videos below ``folder`` that people corrected or confirmed; what they excluded is left out.

    The subject of a clip is the person, if persons were told apart and are named or numbered over the archive.
    """
    labels = LabelTable()
    for item in scan([folder]):
        if not isinstance(item, ArchiveItem) or not storage_for(item.video).exists(item.outputs.corrections):
            continue
        try:
            report = read_item_report(item, current_meta(item))
        except (ReportError, OSError) as error:
            labels.omissions.append(Omission(OmissionKind.UNREADABLE, str(error)))
            continue
        for problem in report.problems:
            labels.omissions.append(Omission(OmissionKind.UNREADABLE, f"{item.outputs.corrections}: {problem}"))
        relative = storage_for(item.video).relative(item.video, folder)
        video = item.video.name if relative == os.curdir else relative
        for face_id, span, emotion, box in _segments(report):
            try:
                label = parse_emotion(emotion)
            except ValueError as error:
                labels.omissions.append(Omission(OmissionKind.UNREADABLE, f"{item.video}: {error}"))
                continue
            labels.clips.append(LabeledClip(video, "", span, label, _subject(report, item, face_id), box))
    return labels


def _segments(report: Report) -> Iterator[tuple[int, Span, str, Box]]:
    """Yield face track, span, emotion and first box of what people said; adjacent rows with one emotion are one."""
    if SOURCE not in report.table:
        return
    rows = report.table[report.table[SOURCE] == AUTHOR].sort_values(["face_id", OWN_COLUMNS[0], "block"])
    names = ("face_id", *OWN_COLUMNS, "emotion", "x", "y", "width", "height")
    pending: tuple[int, Span, str, Box] | None = None
    for face_id, start_s, end_s, emotion, *sides in zip(*(rows[name].tolist() for name in names), strict=True):
        span = Span(round(start_s * MS_PER_S), round(end_s * MS_PER_S))
        if not span:
            continue
        if pending is not None and pending[0] == face_id and pending[2] == emotion and pending[1].end_ms == span.start_ms:
            pending = (face_id, pending[1] | span, emotion, pending[3])
            continue
        if pending is not None:
            yield pending
        pending = (face_id, span, emotion, Box(*sides))
    if pending is not None:
        yield pending


def _subject(report: Report, item: ArchiveItem, face_id: int) -> str:
    person = report.persons.get(face_id)
    if person is None or person.name:
        return "" if person is None else person.name
    file = PersonFiles().file_of(item.outputs.csv, report.meta)
    return f"person {person.number}" if file is not None and file.name == ARCHIVE_PERSONS else ""
