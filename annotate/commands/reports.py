"""Archives in numbers and moments, from the reports that were made of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate import console
from annotate.archive.walk import Obstacle
from annotate.columns import format_columns, terminal_width
from annotate.commands.shared import EXIT_FAILED, QUIET, Command, Place, fail, of_one_kind, verbosity
from annotate.errors import AnnotateError
from annotate.texts import clock
from annotate.tracks.files import check_writable, write_whole

if TYPE_CHECKING:
    from annotate.reports.moments import Moment
    from annotate.reports.read import Batch

TABLES = {".csv": "", ".json": "", ".xlsx": "openpyxl", ".parquet": "pyarrow"}
LISTS = {".edl": "", ".otio": "opentimelineio", ".m3u": ""}
"""Endings of files, and the package that writing them needs besides the usual ones."""

_EXTRAS = {"openpyxl": "tables", "pyarrow": "tables", "opentimelineio": "otio"}

_RATE_TOLERANCE = 0.01


def _output_file(endings: Mapping[str, str], help_text: str) -> Callable[[Command], Command]:
    """``-o`` for a file whose ending says what is written; what that needs is looked for before work begins."""

    def check(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
        if path is None:
            return None
        ending = path.suffix.lower()
        if ending not in endings:
            known = ", ".join(endings)
            raise click.BadParameter(f"{path}: the ending says what is written; choose one of {known}.")
        package = endings[ending]
        if package and find_spec(package) is None:
            extra = _EXTRAS[package]
            raise click.BadParameter(f"{path}: {ending} needs {package}; pip install 'annotate[{extra}]' brings it.")
        return path

    kind = Place(remote=False, dir_okay=False)
    return click.option("-o", "--output", metavar="FILE", type=kind, callback=check, help=help_text)


def _frame_rate(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """The exact rate behind a rounded one, such as 29.97."""
    from annotate.reports.edit_lists import FRAME_RATES

    exact = [rate for rate in FRAME_RATES if value is not None and abs(rate - value) < _RATE_TOLERANCE]
    if value is not None and not exact:
        known = ", ".join(f"{rate:.5g}" for rate in FRAME_RATES)
        raise click.BadParameter(f"there are no timecodes for {value:g} frames a second; choose one of {known}.")
    return exact[0] if exact else None


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=Place(), callback=of_one_kind)
@click.option(
    "--by",
    type=click.Choice(("video", "folder", "face", "minute")),
    default="video",
    show_default=True,
    help="What a row is.",
)
@click.option("--sort", metavar="COLUMN", help="Rows by a column of the file: the largest first, text from A on.")
@click.option("--top", metavar="N", type=click.IntRange(1), help="The first N rows only; totals are of all.")
@_output_file(TABLES, f"Write it too, as {', '.join(TABLES)}.")
@verbosity
@click.pass_context
def summarize(
    ctx: click.Context, paths: tuple[Path, ...], by: str, sort: str | None, top: int | None, output: Path | None
) -> None:
    """Sum up the reports of annotated videos: a row a video, totals last."""
    from annotate.commands.tables import summary_columns
    from annotate.reports.export import encode_table
    from annotate.reports.summary import Tally, ordered

    tally, failures = Tally(by), list[Obstacle]()
    try:
        if output is not None:
            check_writable(output)
        for batch in _batches(ctx, paths, failures):
            tally.add(batch)
        summary = tally.summary()
        rows = ordered(summary.rows, sort, top)
        if tally.count:
            if output is not None:
                write_whole(output, encode_table(rows, output.suffix.lower()))
            if not ctx.meta.get(QUIET):
                columns = summary_columns(rows, summary.whole)
                console.print_text(format_columns(columns, terminal_width()))
    except AnnotateError as error:
        fail(error)
    ctx.exit(EXIT_FAILED if failures else 0)


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
@_output_file(TABLES | LISTS, f"Write them too, as {', '.join(TABLES)}, or to jump through: {', '.join(LISTS)}.")
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
    from annotate.commands.tables import moment_columns
    from annotate.reports.moments import Wanted, check_known, classes_of, moments_in

    wanted = Wanted(emotions, min_confidence, min_seconds)
    moments: list[Moment] = []
    known, failures = set[str](), list[Obstacle]()
    try:
        if output is not None:
            check_writable(output)
        for batch in _batches(ctx, paths, failures):
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


def _batches(ctx: click.Context, paths: tuple[Path, ...], failures: list[Obstacle]) -> Iterator[Batch]:
    """Reads reports with a bar, and says what is left out; that is kept in ``failures`` too."""
    from annotate.reports.find import find_reports
    from annotate.reports.read import read_reports

    quiet = bool(ctx.meta.get(QUIET))
    found = find_reports(paths)
    for path in found.empty:
        if not quiet:
            console.say(f"no reports below {path}; `annotate {path}` makes them")
    reading = read_reports(console.progress(found.reports, "reports", quiet=quiet))
    for read in itertools.chain(found.obstacles, reading):
        if isinstance(read, Obstacle):
            failures.append(read)
            console.say(f"left out: {read.reason}")
        else:
            yield read


def _encode_moments(moments: Sequence[Moment], output: Path, rate: float | None) -> bytes:
    """Moments as the ending says; what the list cannot tell is said."""
    from annotate.reports import edit_lists
    from annotate.reports.export import encode_table
    from annotate.reports.moments import to_table

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
