"""``annotate find``: moments in annotated videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import Obstacle
from annotate.cli import console
from annotate.cli.options import EXIT_FAILED, QUIET, Place, fail, of_one_kind, verbosity
from annotate.cli.table_output import LISTS, TABLES, output_file, read_batches
from annotate.cli.tables import format_columns, terminal_width
from annotate.errors import AnnotateError
from annotate.storage.local.files import check_writable, write_whole
from annotate.text import clock

if TYPE_CHECKING:
    from annotate.analytics.moments import Moment

_RATE_TOLERANCE = 0.01


def _frame_rate(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """The exact rate behind a rounded one, such as 29.97."""
    from annotate.analytics.edit_lists import FRAME_RATES

    exact = [rate for rate in FRAME_RATES if value is not None and abs(rate - value) < _RATE_TOLERANCE]
    if value is not None and not exact:
        known = ", ".join(f"{rate:.5g}" for rate in FRAME_RATES)
        raise click.BadParameter(f"there are no timecodes for {value:g} frames a second; choose one of {known}.")
    return exact[0] if exact else None


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=Place(), callback=of_one_kind)
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
@verbosity
@click.pass_context
def find(
    ctx: click.Context,
    paths: tuple[Path, ...],
    emotions: tuple[str, ...],
    min_confidence: float,
    min_seconds: float,
    rate: float | None,
    output: Path | None,
) -> None:
    """Find moments in annotated videos: for how long a face keeps an emotion."""
    from annotate.analytics.moments import Wanted, check_known, classes_of, moments_in
    from annotate.cli.summary_tables import moment_columns

    wanted = Wanted(emotions, min_confidence, min_seconds)
    moments: list[Moment] = []
    known, failures = set[str](), list[Obstacle]()
    try:
        if output is not None:
            check_writable(output)
        for batch in read_batches(ctx, paths, failures):
            known |= classes_of(batch)
            moments += moments_in(batch, wanted)
        check_known(emotions, known)
        if known:
            if output is not None:
                write_whole(output, _encode_moments(moments, output, rate))
            if not ctx.meta.get(QUIET):
                table = format_columns(moment_columns(moments), terminal_width()) + "\n\n" if moments else ""
                total_s = sum(moment.span.duration_s for moment in moments)
                plural = "moment" if len(moments) == 1 else "moments"
                console.print_text(f"{table}{len(moments)} {plural}, {clock(total_s)} in all.")
    except AnnotateError as error:
        fail(error)
    ctx.exit(EXIT_FAILED if failures else 0)


def _encode_moments(moments: Sequence[Moment], output: Path, rate: float | None) -> bytes:
    """Moments as the ending says; what the list cannot tell is said."""
    from annotate.analytics import edit_lists
    from annotate.analytics.export import encode_table
    from annotate.analytics.moments import to_table

    ending = output.suffix.lower()
    if ending in TABLES:
        return encode_table(to_table(moments), ending)
    videos = {moment.report.video_path: moment.report for moment in moments}
    gone = sum(not path.exists() for path in videos)
    if gone:
        console.say(f"{output}: {gone} of {len(videos)} videos are not beside their reports, where the list has them")
    if ending == ".m3u":
        return edit_lists.to_m3u(moments).encode()
    if ending == ".otio":
        return edit_lists.to_otio(moments, rate).encode()
    if len(moments) > edit_lists.MOST_EVENTS:
        console.say(f"{output}: {len(moments)} events; some editors read no more than {edit_lists.MOST_EVENTS}")
    common = rate or edit_lists.common_rate(moments)
    if any(edit_lists.frame_rate(report) != common for report in videos.values()):
        console.say(f"{output}: not all videos have {common:.5g} frames a second, at which the list's timecodes count")
    return edit_lists.to_edl(moments, common).encode()
