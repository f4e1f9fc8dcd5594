"""Archives in numbers, from the reports that were made of them."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from annotate import console
from annotate.archive.walk import Obstacle
from annotate.commands.shared import EXIT_FAILED, QUIET, fail, listed, verbosity
from annotate.errors import AnnotateError, ReportError

logger = logging.getLogger(__name__)


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="FILE.csv", type=click.Path(path_type=Path), help="Write the table as CSV too.")
@verbosity
@click.pass_context
def summarize(ctx: click.Context, paths: tuple[Path, ...], output: Path | None) -> None:
    """Sum up the reports of annotated videos: a row a video, totals last."""
    from annotate.reports.summary import find_reports, summarize_report, to_frame
    from annotate.tracks.files import write_whole

    summaries, failed = [], False
    try:
        for found in find_reports(paths):
            try:
                if isinstance(found, Obstacle):
                    raise ReportError(found.reason)
                summaries.append(summarize_report(found))
            except ReportError as error:
                failed = True
                logger.info("%s left out", found, exc_info=True)
                console.say(f"left out: {error}")
        if summaries:
            frame = to_frame(summaries)
            if output is not None:
                write_whole(output, frame.to_csv(index=False, lineterminator="\n"))
            if not ctx.meta.get(QUIET):
                console.print_text(console.summary_table(frame))
        elif not failed and not ctx.meta.get(QUIET):
            console.say(f"no reports below {listed(paths)}; `annotate {listed(paths)}` makes them")
    except AnnotateError as error:
        fail(error)
    ctx.exit(EXIT_FAILED if failed else 0)
