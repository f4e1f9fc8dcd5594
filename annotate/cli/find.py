"""``annotate find``: moments in annotated videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.moment_options import MomentOptions, moment_options, search_moments
from annotate.cli.options import handle_errors, paths_argument, verbosity_options
from annotate.cli.table_output import LISTS, TABLES, closing_line, output_file
from annotate.cli.tables import format_columns, terminal_width
from annotate.errors import EXIT_FAILED, OutputError
from annotate.storage.base import prepare_output, storage_for
from annotate.storage.values import PathOrUrl
from annotate.text import clock, counted

if TYPE_CHECKING:
    from annotate.analytics.moments import Moment
    from annotate.analytics.trials import MatchedTrials

_RATE_TOLERANCE = 0.01


def _frame_rate(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Return the exact frame rate that a rounded one, such as 29.97, stands for."""
    from annotate.results.timecode import FRAME_RATES

    exact = [rate for rate in FRAME_RATES if value is not None and abs(rate - value) < _RATE_TOLERANCE]
    if value is not None and not exact:
        known = ", ".join(f"{rate:.5g}" for rate in FRAME_RATES)
        raise click.BadParameter(f"no timecode exists for {value:g} frames per second. Choose from {known}.")
    return exact[0] if exact else None


@click.command(epilog="\b\nExample:\n  annotate find films --emotion fear --min-seconds 2 -o fear.m3u")
@handle_errors
@paths_argument()
@moment_options
@click.option(
    "--rate",
    metavar="FPS",
    type=float,
    callback=_frame_rate,
    help="Frame rate of .edl, .otio and .fcpxml.  [default: the videos' own]",
)
@output_file(
    TABLES | LISTS, f"Also write a table ({', '.join(TABLES)}) or a list for players and editors ({', '.join(LISTS)})."
)
@verbosity_options
def find(
    paths: Sequence[PathOrUrl],
    wanted: MomentOptions,
    rate: float | None,
    output: Path | None,
    quiet: bool,
) -> int:
    """List moments: runs of segments in which one face keeps an emotion.

    Reads existing results only. A moment ends where the face shows another emotion, or falls below the confidence.
    """
    from annotate.cli.summary_tables import moment_columns

    if output is not None:
        prepare_output(output)
    found = search_moments(paths, wanted, quiet=quiet)
    moments = found.moments
    if found.any_read:
        if output is not None:
            for number, content in enumerate(_encode_moments(moments, output, rate, found.trials), 1):
                part = output if number == 1 else output.with_name(f"{output.stem}-{number}{output.suffix}")
                storage_for(part).write_atomic(part, content)
        if moments and not (quiet and output is not None):
            console.print_text(format_columns(moment_columns(moments), terminal_width()) + ("" if quiet else "\n"))
        if not quiet:
            total_s = sum(moment.span.duration_s for moment in moments)
            console.print_text(closing_line(f"{counted(len(moments), 'moment')}, {clock(total_s)} in total", output))
    return EXIT_FAILED if found.skipped else 0


def _encode_moments(
    moments: Sequence[Moment], output: Path, rate: float | None, trials: MatchedTrials | None
) -> list[bytes]:
    """Return moments in the format of the file's ending, in several files if it takes no more; print what it cannot hold."""
    from annotate.analytics import edit_lists
    from annotate.analytics.export import encode_table
    from annotate.analytics.fcpxml import to_fcpxml
    from annotate.analytics.moments import to_table

    ending = output.suffix.lower()
    if ending in TABLES:
        return [encode_table(to_table(moments, None if trials is None else trials.trials), ending, ["confidence"])]
    videos = {moment.report.video_path: moment.report for moment in moments}
    gone = sum(not storage_for(path).exists(path) for path in videos)
    if gone:
        console.say(
            f"{output}: {gone} of {len(videos)} videos are not beside their tables. Correct their paths in the list."
        )
    if ending == ".m3u":
        return [edit_lists.to_m3u(moments).encode()]
    if ending == ".otio":
        return [edit_lists.to_otio(moments, rate).encode()]
    if ending == ".fcpxml":
        return [to_fcpxml(moments, rate).encode()]
    parts = edit_lists.divided(moments)
    if len(parts) > 1:
        last = f"{output.stem}-{len(parts)}{output.suffix}"
        console.say(f"{output}: an edit list has at most {edit_lists.MAX_EVENTS} events; the rest is in files up to {last}.")
    common = rate or edit_lists.common_rate(moments)
    if any(edit_lists.frame_rate(report) != common for report in videos.values()):
        console.say(f"{output}: timecodes count {common:.5g} frames per second, and some videos have another frame rate.")
    try:
        return [edit_lists.to_edl(part, common).encode() for part in parts]
    except OutputError as error:
        raise error.with_path(output) from None
