"""``annotate find``: moments in annotated videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import handle_errors, paths_argument, verbosity_options
from annotate.cli.table_output import LISTS, TABLES, output_file, read_batches
from annotate.cli.tables import format_columns, terminal_width
from annotate.errors import EXIT_FAILED
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import clock

if TYPE_CHECKING:
    from annotate.analytics.moments import Moment

_RATE_TOLERANCE = 0.01


def _frame_rate(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Return the exact rate behind a rounded one, such as 29.97."""
    from annotate.analytics.edit_lists import FRAME_RATES

    exact = [rate for rate in FRAME_RATES if value is not None and abs(rate - value) < _RATE_TOLERANCE]
    if value is not None and not exact:
        known = ", ".join(f"{rate:.5g}" for rate in FRAME_RATES)
        raise click.BadParameter(f"there are no timecodes for {value:g} frames a second; choose one of {known}.")
    return exact[0] if exact else None


@click.command()
@handle_errors
@paths_argument()
@click.option(
    "--emotion", "emotions", metavar="NAME", multiple=True, help="Moments of it; of any if not given; may be repeated."
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Least confidence of every block.",
)
@click.option("--min-seconds", type=click.FloatRange(0), default=0.0, show_default=True, help="Least length.")
@click.option(
    "--rate", metavar="FPS", type=float, callback=_frame_rate, help="Frame rate of .edl and .otio, if not the videos'."
)
@output_file(TABLES | LISTS, f"Write them too, as {', '.join(TABLES)}, or to jump through: {', '.join(LISTS)}.")
@verbosity_options
def find(
    paths: Sequence[PathOrUrl],
    emotions: tuple[str, ...],
    min_confidence: float,
    min_seconds: float,
    rate: float | None,
    output: Path | None,
    quiet: bool,
) -> int:
    """Find moments in annotated videos: for how long a face keeps an emotion."""
    from annotate.analytics.moments import MomentQuery, check_known, classes_of, moments_in
    from annotate.cli.summary_tables import moment_columns

    query = MomentQuery(emotions, min_confidence, min_seconds)
    moments: list[Moment] = []
    known, skipped = set[str](), list[SkippedPath]()
    if output is not None:
        storage_for(output).check_writable(output)
    for batch in read_batches(paths, skipped, quiet=quiet):
        known |= classes_of(batch)
        moments += moments_in(batch, query)
    check_known(emotions, known)
    if known:
        if output is not None:
            storage_for(output).write_atomic(output, _encode_moments(moments, output, rate))
        if not quiet:
            table = format_columns(moment_columns(moments), terminal_width()) + "\n\n" if moments else ""
            total_s = sum(moment.span.duration_s for moment in moments)
            plural = "moment" if len(moments) == 1 else "moments"
            console.print_text(f"{table}{len(moments)} {plural}, {clock(total_s)} in all.")
    return EXIT_FAILED if skipped else 0


def _encode_moments(moments: Sequence[Moment], output: Path, rate: float | None) -> bytes:
    """Return moments as a file of the kind that the ending says; print what such a list cannot hold."""
    from annotate.analytics import edit_lists
    from annotate.analytics.export import encode_table
    from annotate.analytics.moments import to_table

    ending = output.suffix.lower()
    if ending in TABLES:
        return encode_table(to_table(moments), ending)
    videos = {moment.report.video_path: moment.report for moment in moments}
    gone = sum(not storage_for(path).exists(path) for path in videos)
    if gone:
        console.say(f"{output}: {gone} of {len(videos)} videos are not beside their reports, where the list has them")
    if ending == ".m3u":
        return edit_lists.to_m3u(moments).encode()
    if ending == ".otio":
        return edit_lists.to_otio(moments, rate).encode()
    if len(moments) > edit_lists.MAX_EVENTS:
        console.say(f"{output}: {len(moments)} events; some editors read no more than {edit_lists.MAX_EVENTS}")
    common = rate or edit_lists.common_rate(moments)
    if any(edit_lists.frame_rate(report) != common for report in videos.values()):
        console.say(f"{output}: not all videos have {common:.5g} frames a second, at which the list's timecodes count")
    return edit_lists.to_edl(moments, common).encode()
