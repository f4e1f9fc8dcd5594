"""Shared by `summarize`, `find` and `agree`: read tables with a progress bar; options of trials and of files to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.analytics.face_filter import NO_FILTER, FaceFilter
from annotate.cli import console
from annotate.cli.options import (
    Command,
    Decorator,
    PathOrUrlType,
    collect,
    full_stop,
    say_lacking,
    say_no_tables,
    say_older,
    stacked,
)
from annotate.errors import SettingsError
from annotate.extras import check_extra
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import printable, suggest

if TYPE_CHECKING:
    from annotate.analytics.read import ReportBatch
    from annotate.analytics.trial_baseline import TrialSelection

TABLES = {".csv": "", ".json": "", ".xlsx": "openpyxl", ".parquet": "pyarrow"}
LISTS = {".edl": "", ".otio": "opentimelineio", ".fcpxml": "", ".m3u": ""}
"""Endings of files -> the extra package that writing them needs."""

_EXTRAS = {"openpyxl": "tables", "pyarrow": "tables", "opentimelineio": "otio", "matplotlib": "plot", "duckdb": "duckdb"}


def output_file(endings: Mapping[str, str], help_text: str, *names: str, is_required: bool = False) -> Decorator:
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
    given = names or ("-o", "--output")
    return click.option(*given, metavar="FILE", type=kind, required=is_required, callback=check, help=help_text)


@dataclass(frozen=True)
class TrialOptions:
    """A table of trials, and the condition or trial that emotions are relative to."""

    path: PathOrUrl | None = None
    baseline: str | None = None


trials_option = click.option(
    "--trials",
    metavar="FILE.csv",
    type=PathOrUrlType(dir_okay=False),
    help="Only time in the trials of this table (video,start,end,condition,participant).",
)


def trial_options(command: Command) -> Command:
    """Declare the options of ``trials``."""
    return stacked(
        trials_option,
        click.option(
            "--baseline-trial",
            "baseline",
            metavar="NAME",
            help="Emotions relative to each participant's own baseline in this condition or trial.",
        ),
        collect("trials", lambda trials, baseline: TrialOptions(trials, baseline), "trials", "baseline"),
    )(command)


def find_tables(paths: Sequence[PathOrUrl], skipped: list[SkippedPath]) -> list[PathOrUrl]:
    """Return the tables below paths; print what is skipped and which paths have none, and append it to ``skipped``."""
    from annotate.archive.find_reports import find_reports

    found = find_reports(paths)
    skipped += say_no_tables(found.empty)
    for entry in found.skipped:
        skipped.append(entry)
        console.say(f"skipped: {entry}")
    return found.reports


def closing_line(text: str, output: PathOrUrl | None) -> str:
    """Return what a command says last, behind the name of the file that it wrote, if any."""
    return f"{text}." if output is None else f"{printable(output)}: {text}."


def find_trials(
    trials: TrialOptions,
    reports: Sequence[PathOrUrl],
    skipped: list[SkippedPath],
    *,
    faces: FaceFilter = NO_FILTER,
    relative: bool = False,
    is_corrected: bool = True,
    quiet: bool,
) -> TrialSelection | None:
    """Return the trials of a table, if one is given; print which are missing or overlap.

    A table with trials that are missing is appended to ``skipped``.
    """
    from annotate.analytics.trial_baseline import check_baseline_trial, select_trials

    check_baseline_trial(trials.baseline, has_trials=trials.path is not None, relative=relative)
    if trials.path is None:
        return None
    selection = select_trials(trials.path, trials.baseline, reports, faces, is_corrected=is_corrected)
    if selection.matched.missing:
        skipped.append(SkippedPath(trials.path, "trials left out"))
    for remark in selection.matched.remarks:
        if not quiet or selection.matched.missing:
            console.say(remark)
    return selection


def read_tables(
    reports: Sequence[PathOrUrl],
    faces: FaceFilter,
    skipped: list[SkippedPath],
    *,
    quiet: bool,
    relative: bool = False,
    further: Sequence[str] = (),
    trials: TrialSelection | None = None,
    is_corrected: bool = True,
    probabilities: bool = False,
    is_beside: bool = False,
) -> Iterator[ReportBatch]:
    """Yield the results of tables, with a progress bar; print what is skipped, and append it to ``skipped``.

    Blocks that do not pass the filter ``faces`` are left out; with ``relative``, emotions are relative to baselines, and
    ``further`` are more columns. With ``trials``, blocks are restricted to them, with what is relative to their baselines
    in columns of its own if ``is_beside``. Corrections by people are applied if
    ``is_corrected``; those that do not fit are printed. The tables of older analysis versions are
    counted in one line at the end, and those that the filter leaves out for lack of columns in another.
    """
    from annotate.analytics.read import read_reports
    from annotate.analytics.selected import count_lacking
    from annotate.analytics.trial_baseline import needs_probabilities
    from annotate.archive.corrections import remark_on_problems

    older = lacking = 0
    chosen = reports if trials is None else trials.choose(reports)
    shown = console.progress(chosen, "tables", quiet=quiet)
    probabilities = probabilities or needs_probabilities(trials)
    reading = read_reports(
        shown, faces, relative=relative, further=further, probabilities=probabilities, is_corrected=is_corrected
    )
    for read in reading:
        if isinstance(read, SkippedPath):
            skipped.append(read)
            console.say(f"skipped: {read}")
        else:
            older += sum(report.is_older for report in read.reports.values())
            lacking += count_lacking(read.reports.values(), faces)
            for report in read.reports.values():
                if report.problems:
                    console.say(remark_on_problems(report.path, report.problems))
            if trials is not None and not quiet:
                for remark in trials.matched.late(read):
                    console.say(remark)
            if trials is None:
                yield read
            else:
                yield trials.apply_beside(read) if is_beside else trials.apply(read)
    say_older(older, quiet=quiet)
    say_lacking(lacking, quiet=quiet)
