"""``annotate report``: the HTML report of an archive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import (
    PathOrUrlType,
    corrections_option,
    face_filter_options,
    handle_errors,
    jobs_option,
    paths_argument,
    say_lacking,
    say_no_tables,
    say_older,
    verbosity_options,
    videos_option,
)
from annotate.cli.table_output import TrialOptions, closing_line, trial_options
from annotate.errors import EXIT_FAILED
from annotate.settings import available_cores
from annotate.storage.base import prepare_output
from annotate.storage.values import PathOrUrl
from annotate.text import counted

if TYPE_CHECKING:
    from annotate.analytics.face_filter import FaceFilter

PAGE_ENDINGS = (".html", ".htm")


def _page_name(ctx: click.Context, parameter: click.Parameter, path: Path) -> Path:
    if path.suffix.lower() not in PAGE_ENDINGS:
        raise click.BadParameter(f"{path}: not an HTML file name. End it in {' or '.join(PAGE_ENDINGS)}.")
    return path


@click.command(epilog="\b\nExample:\n  annotate report films -o films.html")
@handle_errors
@paths_argument()
@click.option(
    "-o",
    "--output",
    metavar="FILE.html",
    type=PathOrUrlType(remote=False, dir_okay=False),
    default="report.html",
    show_default=True,
    callback=_page_name,
    help="HTML file to write.",
)
@videos_option("PATH")
@trial_options
@corrections_option
@face_filter_options
@click.option("--no-thumbnails", is_flag=True, help="Leave out thumbnails of faces; the videos are then not opened.")
@jobs_option(task="opened for thumbnails")
@verbosity_options
def report(
    paths: Sequence[PathOrUrl],
    output: Path,
    videos: Path | None,
    trials: TrialOptions,
    is_corrected: bool,
    faces: FaceFilter,
    no_thumbnails: bool,
    jobs: int | None,
    quiet: bool,
) -> int:
    """Make an HTML report: charts, a table, and every video with its timeline.

    It opens in any browser without a network. Videos are played from where they are.
    """
    from annotate.analytics.selected import count_lacking
    from annotate.html_report.build import PageOptions, write_page
    from annotate.html_report.contents import SKIPPED_KIND

    def progress(reports: Sequence[PathOrUrl]) -> Iterable[PathOrUrl]:
        return console.progress(reports, "videos", quiet=quiet)

    options = PageOptions(
        videos,
        not no_thumbnails,
        jobs or available_cores(),
        faces=faces,
        trials=trials.path,
        baseline_trial=trials.baseline,
        is_corrected=is_corrected,
    )
    prepare_output(output)
    written = write_page(paths, output, options, progress)
    contents = written.contents
    empty = say_no_tables(contents.empty)
    for remark in contents.trial_remarks if not quiet or contents.trials_missing else ():
        console.say(remark)
    for skipped in contents.skipped:
        console.say(f"skipped: {skipped}")
    say_older(sum(report.is_older for report in contents.reports), quiet=quiet)
    say_lacking(count_lacking(contents.reports, faces), quiet=quiet)
    failed = [problem for problem in written.problems if problem.kind == SKIPPED_KIND]
    for problem in failed:
        if problem not in contents.skipped_problems:
            console.say(f"skipped: {problem.path}: {problem.reason}")
    if contents.reports and not quiet:
        if written.unplayable:
            count = f"{written.unplayable} of {len(contents.reports)}"
            console.say(
                f"{output}: {count} videos are not beside their tables, so the page cannot play them. Give --videos DIR."
            )
        console.print_text(closing_line(_totals(len(contents.reports), len(written.problems)), output))
    return EXIT_FAILED if empty or failed or contents.trials_missing else 0


def _totals(reports: int, problems: int) -> str:
    videos = counted(reports, "video")
    return f"{videos}, {counted(problems, 'problem')} (listed on the page)" if problems else videos
