"""Shared by `summarize`, `find` and `agree`: read tables with a progress bar; options of trials and of files to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import Command, Decorator, PathOrUrlType, full_stop, say_lacking, say_no_reports, say_older
from annotate.errors import SettingsError
from annotate.extras import check_extra
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import suggest

if TYPE_CHECKING:
    from annotate.analytics.face_filter import FaceFilter
    from annotate.analytics.read import ReportBatch
    from annotate.analytics.trials import MatchedTrials

TABLES = {".csv": "", ".json": "", ".xlsx": "openpyxl", ".parquet": "pyarrow"}
LISTS = {".edl": "", ".otio": "opentimelineio", ".m3u": ""}
"""Endings of files -> the extra package that writing them needs."""

_EXTRAS = {"openpyxl": "tables", "pyarrow": "tables", "opentimelineio": "otio", "matplotlib": "plot"}


def output_file(endings: Mapping[str, str], help_text: str, *names: str) -> Decorator:
    """Declare ``-o``, a file whose ending gives the format; missing packages are reported before work begins.

    ``names`` are those of another option, instead of ``-o``.
    """

    def check(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
        if path is None:
            return None
        ending = path.suffix.lower()
        if ending not in endings:
            guess = suggest(ending, endings)
            raise click.BadParameter(f"{path}: unknown format {ending!r}{guess}. Choose from {', '.join(endings)}.")
        package = endings[ending]
        if package:
            try:
                check_extra(f"{path}: {ending}", _EXTRAS[package], {package: package})
            except SettingsError as error:
                raise click.BadParameter(full_stop(error)) from None
        return path

    kind = PathOrUrlType(remote=False, dir_okay=False)
    return click.option(*(names or ("-o", "--output")), metavar="FILE", type=kind, callback=check, help=help_text)


def trials_option(command: Command) -> Command:
    """Declare ``trials``, a table of trials."""
    help_text = "Only time in the trials of this table (video,start,end,condition,participant)."
    return click.option("--trials", metavar="FILE.csv", type=PathOrUrlType(dir_okay=False), help=help_text)(command)


def find_tables(paths: Sequence[PathOrUrl], skipped: list[SkippedPath], *, quiet: bool) -> list[PathOrUrl]:
    """Return the tables below paths; print what is skipped, and append it to ``skipped``."""
    from annotate.archive.find_reports import find_reports

    found = find_reports(paths)
    for path in found.empty:
        say_no_reports([path], quiet=quiet)
    for entry in found.skipped:
        skipped.append(entry)
        console.say(f"skipped: {entry}")
    return found.reports


def find_trials(
    trials: PathOrUrl | None, reports: Sequence[PathOrUrl], skipped: list[SkippedPath], *, quiet: bool
) -> MatchedTrials | None:
    """Return the trials of a table, if one is given; print which are missing or overlap.

    A table with trials that are missing is appended to ``skipped``.
    """
    from annotate.analytics.trials import match_trials, read_trials

    if trials is None:
        return None
    matched = match_trials(read_trials(trials), reports)
    if matched.missing:
        skipped.append(SkippedPath(trials, "trials left out"))
    for remark in matched.remarks:
        if not quiet or matched.missing:
            console.say(remark)
    return matched


def read_batches(
    paths: Sequence[PathOrUrl], faces: FaceFilter, skipped: list[SkippedPath], *, quiet: bool, relative: bool = False
) -> Iterator[ReportBatch]:
    """Yield the results below paths as `read_tables` does; print what is skipped, and append it to ``skipped``."""
    yield from read_tables(find_tables(paths, skipped, quiet=quiet), faces, skipped, quiet=quiet, relative=relative)


def read_tables(
    reports: Sequence[PathOrUrl],
    faces: FaceFilter,
    skipped: list[SkippedPath],
    *,
    quiet: bool,
    relative: bool = False,
    further: Sequence[str] = (),
) -> Iterator[ReportBatch]:
    """Yield the results of tables, with a progress bar; print what is skipped, and append it to ``skipped``.

    Blocks that do not pass the filter ``faces`` are left out; with ``relative``, emotions are relative to baselines, and
    ``further`` are more columns. The tables of older analysis versions are counted in one line at the end, and those that
    the filter leaves out for lack of columns in another.
    """
    from annotate.analytics.read import read_reports
    from annotate.analytics.summary import count_lacking

    older = lacking = 0
    shown = console.progress(reports, "reports", quiet=quiet)
    for read in read_reports(shown, faces, relative=relative, further=further):
        if isinstance(read, SkippedPath):
            skipped.append(read)
            console.say(f"skipped: {read}")
        else:
            older += sum(report.is_older for report in read.reports.values())
            lacking += count_lacking(read.reports.values(), faces)
            yield read
    say_older(older, quiet=quiet)
    say_lacking(lacking, quiet=quiet)
