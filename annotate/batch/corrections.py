"""Corrections by people: written beside the table under its lock, then shown in the formats that exist."""

from __future__ import annotations

import contextlib
import datetime
import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from annotate.analytics.agreement.codings import TierChoice, read_codings
from annotate.archive.corrections import read_content
from annotate.archive.layout import CORRECTIONS_ENDING, Outputs, kept_path
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_current_report, read_item_report
from annotate.archive.validity import TABLE_CHANGED, current_meta
from annotate.batch.write import OutputWriter, refresh_tracks, write_sidecar
from annotate.errors import CodingError, OutputError, ReportError, SettingsError, StorageError, read_error
from annotate.results.corrected import apply_corrections, box_of, resolve_label
from annotate.results.corrections import EXCLUDE, Correction, add_lines, parse_corrections, redo_last, shorten, undo_last
from annotate.results.edited import differences, labels_in, labels_in_copy, restore_table
from annotate.results.meta import Meta, Render, hash_content, json_safe_name
from annotate.results.report import Report
from annotate.results.table import class_names_of, parse_table
from annotate.span import Span
from annotate.storage.base import Lock, storage_for
from annotate.storage.values import PathOrUrl

Edit = Callable[[bytes, Report], bytes]
"""Returns the new bytes of a file of corrections, given those it has and the report as the machine made it."""

_SEE_FACES = "see faces and times with `annotate summarize --by face`"
_SEE_LIST = "see all with `annotate correct --list`"


@dataclass(frozen=True)
class Edited:
    """What was done: the report as the machine made it and the file's corrections now, the earlier ones of these, those that
    do not fit, and remarks on other files."""

    report: Report
    corrections: tuple[Correction, ...]
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    before: int = 0


def edit_corrections(item: ArchiveItem, edit: Edit) -> Edited:
    """Change the corrections of a video, write its unedited formats again, and mark rendered labels as outdated.

    The file is written first and whole, so that what was confirmed is there even if the program is killed. A table that
    somebody edited is restored before, and what was changed in it becomes corrections.

    Raises:
        ReportError: there is no valid table, or the file of corrections cannot be read.
        OutputError: a file cannot be written, or another run is working on the video.
    """
    with _locked(item) as lock:
        storage, file = storage_for(item.outputs.base), item.outputs.corrections
        before = len(parse_corrections(read_content(file)).corrections)
        remarks = _recover(item, lock)
        current = item.reread()
        meta = current_meta(current)
        report = read_item_report(current, meta, is_corrected=False)
        content = read_content(file)
        new = edit(content, report)
        lock.confirm()
        if new != content:
            storage.write_atomic(file, new, lock.scratch)
        rows = parse_corrections(new)
        corrected = apply_corrections(report.table, rows.corrections)
        writer = OutputWriter(item.outputs, meta, lock)
        shown = replace(meta, renders=_with_outdated(meta)) if new != content or remarks else meta
        written = refresh_tracks(replace(report, columns=corrected.table, meta=shown, excluded=corrected.excluded), writer)
        if written != meta:
            lock.confirm()
            write_sidecar(written, item.outputs, lock)
        problems = (*rows.problems, *corrected.problems)
        return Edited(report, rows.corrections, problems, (*remarks, *writer.kept), before)


def edit_elsewhere(item: ArchiveItem, file: PathOrUrl, edit: Edit) -> None:
    """Change corrections that are not beside the table of a video, in a folder of their own; nothing else is written.

    Raise as `edit_corrections` does.
    """
    storage, base = storage_for(file), file.with_name(file.name.removesuffix(CORRECTIONS_ENDING))
    storage.ensure_dir(file.parent)
    with _locked(replace(item, outputs=Outputs(base))) as lock:
        report = read_current_report(item, is_corrected=False)
        content = read_content(file)
        new = edit(content, report)
        if new != content:
            lock.confirm()
            storage.write_atomic(file, new, lock.scratch)


def adding(make: Callable[[Report], Iterable[Correction]]) -> Edit:
    """Return the edit that adds corrections, which must fit the table.

    It raises:
        SettingsError: one does not fit, or its emotion is unknown.
    """

    def edit(content: bytes, report: Report) -> bytes:
        names, wanted = class_names_of(report.table), list(make(report))
        try:
            made = [replace(correction, emotion=resolve_label(correction.emotion, names)) for correction in wanted]
        except ValueError as error:
            raise SettingsError(str(error), f"choose from {', '.join((*names, EXCLUDE))}") from None
        made = [_with_box(correction, report.table) for correction in made]
        if problems := apply_corrections(report.table, made).problems:
            texts = [problem.partition(": ")[2] for problem in problems]
            raise SettingsError(shorten(texts), _SEE_FACES)
        return add_lines(content, made) if made else content

    return edit


def undo(content: bytes, report: Report, author: str | None = None) -> bytes:
    """Take back what was corrected last, or last by an author.

    Raises:
        SettingsError: nothing was.
    """
    kept, removed = undo_last(content, now(), author)
    if not removed:
        raise SettingsError("there is no correction to undo", _SEE_LIST)
    return kept


def redo(content: bytes, report: Report, author: str | None = None) -> bytes:
    """Let what was taken back last, or last of an author, count again.

    Raises:
        SettingsError: nothing was, or something was corrected since.
    """
    kept, restored = redo_last(content, author)
    if not restored:
        raise SettingsError("there is no correction to redo (or another one was made since)", _SEE_LIST)
    return kept


def unchanged(content: bytes, report: Report) -> bytes:
    """Leave the file as it is."""
    return content


def confirmed(report: Report, correction: Correction) -> list[Correction]:
    """Return corrections that say what the machine says, while one that has no emotion yet lasts.

    Raises:
        SettingsError: the face is not seen then.
    """
    made = [
        replace(correction, span=span & correction.span, emotion=emotion)
        for span, emotion in _merged(labels_in(report.table).get(correction.face_id or 0, ()))
        if span & correction.span
    ]
    if not made:
        span = correction.span
        raise SettingsError(f"{correction.face} is not seen from {span.start_s:g} to {span.end_s:g} s", _SEE_FACES)
    return made


def changes_in_table(
    table: pd.DataFrame, content: bytes, author: str, note: str = ""
) -> tuple[list[Correction], tuple[str, ...]]:
    """Return the changes in an edited copy of a table as corrections, and sentences on lines that do not fit.

    Raises:
        ValueError: it is no such copy.
    """
    edited = labels_in_copy(content, table)
    machine, time = labels_in(table), now()
    made = [
        Correction(span, emotion, face_id, author=author, time=time, note=note)
        for face_id, labels in edited.labels.items()
        for span, emotion in differences(machine[face_id], labels)
    ]
    return made, edited.problems


def changes_in_tiers(shown: Report, path: PathOrUrl, author: str, note: str = "") -> list[Correction]:
    """Return the changes in a file of ELAN or Praat, written from the report ``shown`` and edited since, as corrections.

    Tiers that are missing say nothing.

    Raises:
        CodingError: it cannot be used, or has no tier of the report.
    """
    made, time, errors = list[Correction](), now(), list[CodingError]()
    for lane, blocks in shown.blocks_by_lane.items():
        try:
            codings = read_codings([path], TierChoice((glob.escape(lane),), lambda label: True)).codings
        except CodingError as error:
            errors.append(error)
            continue
        labels = [(code.span, code.label) for coding in codings for code in coding.codes]
        face_id = blocks[0].face_id
        person = shown.persons.get(face_id)
        whose = {"face_id": face_id} if person is None else {"person": str(person.number)}
        made += [
            Correction(span, emotion, author=author, time=time, note=note, **whose)
            for span, emotion in differences([(block.span, block.emotion) for block in blocks], labels)
        ]
    if errors and len(errors) == len(shown.blocks_by_lane):
        raise errors[0]
    return made


def now() -> str:
    """Return the time of a correction that is made now."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_box(correction: Correction, table: pd.DataFrame) -> Correction:
    """Return a correction of a track with the box by which it is found in a table that is made anew."""
    if correction.face_id is None or correction.box is not None:
        return correction
    return replace(correction, box=box_of(table, correction.face_id, correction.span))


def _recover(item: ArchiveItem, lock: Lock) -> tuple[str, ...]:
    """Restore a table in which somebody edited emotions, keep the edited one under another name, and add corrections.

    These are written first, so that they are there if the program is killed. Return remarks.

    Raises:
        ReportError: the machine's table cannot be told from it, or an output is invalid otherwise.
    """
    current = item.reread()
    try:
        current_meta(current)
    except ReportError as error:
        if error.problem != TABLE_CHANGED or current.meta is None:
            raise
    else:
        return ()
    storage, path, file, meta = storage_for(item.outputs.csv), item.outputs.csv, item.outputs.corrections, current.meta
    edited, expected, kept = storage.read(path), meta.outputs.get(json_safe_name(path)), kept_path(path)
    original = restore_table(edited, lambda content: hash_content(content) == expected, is_older=meta.is_older)
    lock.confirm()
    if original is None:
        storage.rename(path, kept)
        remedy = f"run `annotate {item.video}`, then `annotate correct {item.video} --from-table {kept}`"
        problem = f"was edited so that the machine's table cannot be told, and is kept as {kept.name}"
        raise ReportError(problem, remedy, path=path)
    table = parse_table(original, is_older=meta.is_older)
    made, problems = changes_in_table(table, edited, "", f"edited in {json_safe_name(path)}")
    content = read_content(file)
    known = {(each.face_id, each.span, each.emotion) for each in parse_corrections(content).corrections}
    new = [_with_box(each, table) for each in made if (each.face_id, each.span, each.emotion) not in known]
    if new:
        storage.write_atomic(file, add_lines(content, new), lock.scratch)
    storage.write_atomic(kept, edited, lock.scratch)
    storage.write_atomic(path, original, lock.scratch)
    remark = f"{json_safe_name(path)} was edited: restored, and kept as {json_safe_name(kept)}"
    return (remark, *([f"{json_safe_name(kept)}: {shorten(problems)}"] if problems else []))


def _with_outdated(meta: Meta) -> dict[str, Render]:
    """Return rendered videos as they stand in a sidecar, those that show emotions as made from an earlier report."""
    return {
        path: replace(render, report="") if render.language and not render.options else render
        for path, render in meta.renders.items()
    }


def _merged(labels: Sequence[tuple[Span, str]]) -> Iterator[tuple[Span, str]]:
    """Yield spans with labels, adjacent ones with the same label in one."""
    pending: tuple[Span, str] | None = None
    for span, label in labels:
        if pending is not None and pending[1] == label and pending[0].end_ms == span.start_ms:
            pending = (pending[0] | span, label)
            continue
        if pending is not None:
            yield pending
        pending = (span, label)
    if pending is not None:
        yield pending


@contextlib.contextmanager
def _locked(item: ArchiveItem) -> Iterator[Lock]:
    with storage_for(item.outputs.base).lock(item.outputs.base) as lock:
        if lock is None:
            raise OutputError("another run is working on it", "rerun when it has finished", path=item.video)
        try:
            yield lock
        except StorageError:
            raise
        except OSError as error:
            raise read_error(item.video, error) from error
