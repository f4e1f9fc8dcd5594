"""``annotate correct``: put right what the machine got wrong in a video."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import (
    PathOrUrlType,
    collect,
    handle_errors,
    output_dir_option,
    paths_argument,
    stacked,
    verbosity_options,
)
from annotate.cli.tables import Column, format_columns, terminal_width
from annotate.errors import EXIT_FAILED, CodingError, SettingsError, read_error
from annotate.span import Span
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import clock, counted, printable

if TYPE_CHECKING:
    from annotate.archive.scan import ArchiveItem
    from annotate.batch.corrections import Edit, Edited
    from annotate.results.corrections import Correction
    from annotate.results.report import Report


class _TimeType(click.ParamType):  # type: ignore[type-arg]
    name = "time"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from annotate.results.corrections import parse_time_ms

        if isinstance(value, int):
            return value
        try:
            return parse_time_ms(value)
        except ValueError as error:
            self.fail(f"{error}. Give seconds, or a time such as 1:02.5.", param, ctx)


@dataclass(frozen=True)
class _Change:
    """What is to be changed; with nothing given, the file is checked and shown in the formats that exist."""

    face_id: int | None
    person: str | None
    start_ms: int | None
    end_ms: int | None
    emotion: str | None
    exclude: bool
    confirm: bool
    note: str
    author: str
    undo: bool
    redo: bool
    table: Path | None
    file: Path | None

    def check(self) -> None:
        """Check that options fit each other.

        Raises:
            click.UsageError: they do not.
        """
        labels = sum((self.emotion is not None, self.exclude, self.confirm))
        others = sum((self.undo, self.redo, self.table is not None, self.file is not None))
        faces = sum((self.face_id is not None, self.person is not None))
        is_placed = faces or self.start_ms is not None or self.end_ms is not None
        if labels + others > 1 or (others and is_placed):
            raise click.UsageError(
                "Give one of --emotion, --exclude, --confirm, --undo, --redo, --from-table and --from-file."
            )
        if labels and faces != 1:
            raise click.UsageError("Give --face N or --person NAME, and --from and --to.")
        if is_placed and not labels:
            raise click.UsageError("Give --emotion NAME, --exclude or --confirm.")
        if self.confirm and self.face_id is None:
            raise click.UsageError("--confirm is about a face: give --face N.")

    def edit(self, remarks: list[str]) -> Edit:
        """Return the edit; what does not fit is appended to ``remarks``."""
        from annotate.batch import corrections

        if self.undo:
            return corrections.undo
        if self.redo:
            return corrections.redo
        if self.table is not None:
            return corrections.adding(lambda report: self._of_table(report, remarks))
        if self.file is not None:
            return corrections.adding(self._of_file)
        if self.face_id is None and self.person is None:
            return corrections.unchanged
        return corrections.adding(self._of_options)

    def _of_options(self, report: Report) -> Sequence[Correction]:
        from annotate.batch.corrections import confirmed, now
        from annotate.results.corrections import EXCLUDE, Correction

        span = Span(self.start_ms or 0, report.end_ms if self.end_ms is None else self.end_ms)
        if not span:
            raise SettingsError("--to is not after --from", "give an earlier --from or a later --to")
        emotion = EXCLUDE if self.exclude else self.emotion or ""
        made = Correction(span, emotion, self.face_id, self.person or "", self.author, now(), self.note)
        return confirmed(report, made) if self.confirm else [made]

    def _of_table(self, report: Report, remarks: list[str]) -> Sequence[Correction]:
        from annotate.batch.corrections import changes_in_table

        assert self.table is not None
        try:
            made, problems = changes_in_table(report.table, self.table.read_bytes(), self.author, self.note)
        except OSError as error:
            raise read_error(self.table, error) from error
        except ValueError as error:
            remedy = "give a copy of the video's own table, saved as CSV in UTF-8"
            raise CodingError(f"not an edited table of this video ({error})", remedy, path=self.table) from None
        remarks += problems
        return made

    def _of_file(self, report: Report) -> Sequence[Correction]:
        from annotate.batch.corrections import changes_in_tiers

        assert self.file is not None
        return changes_in_tiers(report, self.file, self.author, self.note)


_change_options = stacked(
    click.option("--face", "face_id", metavar="N", type=click.IntRange(1), help="Number of the face track."),
    click.option("--person", metavar="NAME|N", help="Person, instead of a face track: all of their tracks."),
    click.option("--from", "start_ms", metavar="TIME", type=_TimeType(), help="Start: 0:12 or 12.5.  [default: 0:00]"),
    click.option("--to", "end_ms", metavar="TIME", type=_TimeType(), help="End.  [default: that of the video]"),
    click.option("--emotion", metavar="NAME", help="What the face shows."),
    click.option("--exclude", is_flag=True, help="The face is not to count then."),
    click.option("--confirm", is_flag=True, help="The machine is right then."),
    click.option("--note", metavar="TEXT", default="", help="Why."),
    click.option("--author", metavar="NAME", default=getpass.getuser, help="Who says so.  [default: your user name]"),
    click.option("--undo", is_flag=True, help="Take back what was corrected last."),
    click.option("--redo", is_flag=True, help="Let what was taken back last count again."),
    click.option(
        "--from-table",
        "table",
        metavar="FILE.csv",
        type=PathOrUrlType(remote=False, exists=True, dir_okay=False),
        help="What was changed in an edited copy of the table; rows that are missing are excluded.",
    ),
    click.option(
        "--from-file",
        "file",
        metavar="FILE",
        type=PathOrUrlType(remote=False, exists=True, dir_okay=False),
        help="What was changed in a file of annotate that was edited in ELAN or Praat (.eaf, .TextGrid).",
    ),
    collect(
        "change",
        _Change,
        *(
            "face_id",
            "person",
            "start_ms",
            "end_ms",
            "emotion",
            "exclude",
            "confirm",
            "note",
            "author",
            "undo",
            "redo",
            "table",
            "file",
        ),
    ),
)


@click.command(epilog="\b\nExample:\n  annotate correct films/party.mp4 --face 2 --from 0:12 --to 0:15 --emotion anger")
@handle_errors
@paths_argument("VIDEO")
@_change_options
@click.option("--list", "is_listed", is_flag=True, help="List all corrections of the video.")
@output_dir_option("Output folder used when annotating.")
@verbosity_options
def correct(paths: Sequence[PathOrUrl], change: _Change, is_listed: bool, output_dir: PathOrUrl | None, quiet: bool) -> int:
    """Correct what the machine got wrong in an annotated video.

    Corrections stand beside the table, which stays as it is; all commands apply them. Formats that exist are written again.
    Without options, a file of corrections that you wrote yourself is checked and shown in them, and what you changed in the
    table itself becomes corrections.
    """
    from annotate.batch.corrections import edit_corrections

    change.check()
    item = _find(paths, output_dir)
    remarks: list[str] = []
    edited = edit_corrections(item, change.edit(remarks))
    for remark in (*remarks, *edited.remarks):
        console.say(f"{item.video}: {remark}")
    for problem in edited.problems:
        console.say(f"{item.outputs.corrections}: {problem}")
    if is_listed and edited.corrections:
        console.print_text(format_columns(_columns(edited), terminal_width()))
    if not quiet:
        done = len(edited.corrections) - edited.before
        verb = "undone" if done < 0 else "redone" if change.redo else "added"
        count = len(edited.corrections)
        text = f"{counted(abs(done), 'correction')} {verb}, {count} in all" if done else counted(count, "correction")
        console.print_text(f"{printable(item.outputs.corrections)}: {text}.")
    return EXIT_FAILED if edited.problems or remarks else 0


def _find(paths: Sequence[PathOrUrl], output_dir: PathOrUrl | None) -> ArchiveItem:
    """Return the one video that is meant, which may be deleted.

    Raises:
        SettingsError: there is none, or several.
    """
    from annotate.batch.convert import scan_reports

    found = list(scan_reports(paths, None, output_dir)) if len(paths) == 1 else []
    if len(found) != 1 or isinstance(found[0], SkippedPath):
        raise SettingsError("not one video", "give one video", path=paths[0])
    return found[0]


def _columns(edited: Edited) -> list[Column]:
    from annotate.results.corrected import apply_corrections

    rows = edited.corrections
    machine = []
    for row in rows:
        reviewed = apply_corrections(edited.report.table, [replace(row, line=0)]).reviewed
        machine.append(", ".join(dict.fromkeys(emotion for emotion, _ in reviewed)))
    return [
        Column("face", [row.face for row in rows]),
        Column("start", [clock(row.span.start_s, 1) for row in rows], to_right=True),
        Column("end", [clock(row.span.end_s, 1) for row in rows], to_right=True),
        Column("emotion", [printable(row.emotion) for row in rows]),
        Column("machine", [printable(text) for text in machine]),
        Column("author", [printable(row.author) for row in rows], rank=1),
        Column("time", [printable(row.time) for row in rows], rank=2),
        Column("note", [printable(row.note) for row in rows], rank=3),
    ]
