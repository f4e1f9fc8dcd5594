"""``annotate plot``: draw timelines and highlights of annotated videos as images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.layout import REPORT_ENDING
from annotate.cli import console
from annotate.cli.options import (
    PathOrUrlType,
    corrections_option,
    handle_errors,
    language_option,
    paths_argument,
    say_no_tables,
    say_older,
    verbosity_options,
    videos_option,
)
from annotate.cli.table_output import TrialOptions, find_trials, trial_options
from annotate.errors import EXIT_FAILED, AnnotateError, SettingsError
from annotate.extras import check_extra
from annotate.plots.figures import ENDINGS
from annotate.storage.base import prepare_output, require_local, storage_for
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import printable

if TYPE_CHECKING:
    from annotate.analytics.trials import Trial
    from annotate.results.report import Report

_TRIAL_LETTERS = 60
_KINDS = {False: "timeline", True: "frames"}


@click.command(epilog="\b\nExample:\n  annotate plot films/party.mp4 --svg")
@handle_errors
@paths_argument("VIDEO...", remote=False)
@click.option("--frames", is_flag=True, help="Draw a sheet of highlights instead: face, emotion, confidence and time.")
@click.option("--svg", "is_svg", is_flag=True, help="Write SVG, not PNG.")
@click.option(
    "--most",
    metavar="N",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="Maximum number of face tracks in a timeline (longest first), or of highlights on a sheet.",
)
@language_option
@corrections_option
@trial_options
@videos_option("VIDEO")
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR",
    type=PathOrUrlType(remote=False),
    help="File to write (.png, .svg) for one video, or folder for all.  [default: the current folder]",
)
@verbosity_options
def plot(
    paths: Sequence[Path],
    frames: bool,
    is_svg: bool,
    most: int,
    language: str,
    is_corrected: bool,
    trials: TrialOptions,
    videos: Path | None,
    output: Path | None,
    quiet: bool,
) -> int:
    """Draw the timeline of each annotated video, or trial, as an image.

    VIDEO is a video, its table, or a directory. Only --frames needs the videos themselves.
    """
    from annotate.archive.corrections import remark_on_problems
    from annotate.archive.find_reports import check_videos_folder, find_reports
    from annotate.archive.stored_report import read_report

    check_extra("plotting", "plot", {"matplotlib": "matplotlib"})
    found = find_reports(paths)
    file = _file_of(output)
    check_videos_folder(paths, videos)
    skipped_trials = list[SkippedPath]()
    selection = find_trials(trials, found.reports, skipped_trials, is_corrected=is_corrected, quiet=quiet)
    by_report: dict[PathOrUrl, list[Trial | None]] = {report: [None] for report in found.reports}
    if selection is not None:
        by_report = {report: [*selection.matched.by_report[report]] for report in selection.choose(found.reports)}
    if file is not None and sum(map(len, by_report.values())) > 1:
        what = "videos" if selection is None else "trials"
        problem = f"one file for {sum(map(len, by_report.values()))} {what}"
        raise SettingsError(problem, "give a directory", path=f"-o {file}")
    folder = output if output is not None and file is None else Path()
    if file is not None:
        prepare_output(file)
    else:
        storage_for(folder).ensure_dir(folder)
    empty = say_no_tables(found.empty)
    for skipped in found.skipped:
        console.say(f"skipped: {skipped}")
    failed = bool(empty or found.skipped or skipped_trials)
    taken: set[str] = set()
    older = 0
    images = [(require_local(path), trial) for path, own in by_report.items() for trial in own]
    for report, trial in console.progress(images, "images", quiet=quiet):
        ending = f"{_KINDS[frames]}{'.svg' if is_svg else '.png'}"
        target = file or _free_name(folder, report, ending if trial is None else f"{_name_of(trial)}.{ending}", taken)
        try:
            folder_of_video = report.parent if videos is None else videos / report.parent.relative_to(paths[0])
            folder_of_frames = folder_of_video if frames else None
            shown = read_report(report, with_boxes=frames, is_corrected=is_corrected)
            if trial is not None and selection is not None and selection.baselines is not None:
                table = selection.baselines.relative_table(shown.table, trial)
                if table is None:
                    continue
                shown = replace(shown, columns=table)
            note = "" if trials.baseline is None else f", relative to {trials.baseline}"
            _plot(shown, folder_of_frames, target, trial, note, most=most, language=language)
        except AnnotateError as error:
            console.say(f"skipped: {error}")
            failed = True
        else:
            is_first = trial in (None, by_report[report][0])
            older += shown.meta.is_older and is_first
            if shown.problems and is_first:
                console.say(remark_on_problems(report, shown.problems))
            if not quiet:
                console.print_text(f"{printable(target)}{' (older)' if shown.meta.is_older else ''}")
    say_older(older, quiet=quiet)
    return EXIT_FAILED if failed else 0


def _file_of(output: Path | None) -> Path | None:
    """Return the output if it is meant as a file, by its ending, and None if it is a directory.

    Raises:
        SettingsError: the ending is no image format that is written.
    """
    if output is None or output.is_dir() or not output.suffix:
        return None
    if output.suffix.lower() not in ENDINGS:
        known = " or ".join(ENDINGS)
        remedy = f"choose {known}, or an existing directory"
        raise SettingsError(f"unknown image format {output.suffix!r}", remedy, path=f"-o {output}")
    return output


def _name_of(trial: Trial) -> str:
    """Return the name of a trial as a part of file names."""
    return "".join(char if char.isalnum() or char in "-_" else "_" for char in trial.name)[:_TRIAL_LETTERS]


def _plot(
    report: Report, folder: Path | None, target: Path, trial: Trial | None, note: str, *, most: int, language: str
) -> None:
    """Draw one image of a report and write it: a sheet with frames of the video in ``folder``, else the timeline.

    With a trial, it is about this only; ``note`` ends its title.
    """
    from annotate.plots.figures import encode_figure, plot_style, write_image
    from annotate.plots.sheet import draw_sheet
    from annotate.plots.timeline import draw_timeline

    with plot_style():
        span = None if trial is None else trial.span
        if folder is not None:
            figure = draw_sheet(report if span is None else report.during(span), folder / report.video, language, most)
        else:
            title = report.meta.source.name if trial is None else f"{report.meta.source.name}, {trial.title}{note}"
            figure = draw_timeline(report, title, language, most, span)
        write_image(target, encode_figure(figure, target.suffix.lower()))


def _free_name(folder: Path, report: Path, ending: str, taken: set[str]) -> Path:
    """Return a name after the report's, with a number if an earlier one of the run has that name."""
    base = report.name.removesuffix(REPORT_ENDING)
    names = (f"{base}.{ending}" if number < 2 else f"{base}.{number}.{ending}" for number in range(1, len(taken) + 3))
    name = next(name for name in names if name.casefold() not in taken)
    taken.add(name.casefold())
    return folder / name
