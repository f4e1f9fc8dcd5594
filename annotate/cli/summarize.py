"""``annotate summarize``: total an archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import (
    corrections_option,
    face_filter_options,
    handle_errors,
    paths_argument,
    relative_option,
    verbosity_options,
)
from annotate.cli.table_output import (
    TABLES,
    TrialOptions,
    closing_line,
    find_tables,
    find_trials,
    output_file,
    read_tables,
    trial_options,
)
from annotate.cli.tables import format_columns, terminal_width
from annotate.cli.transcript_options import say_about_transcripts, speaker_sums, transcript_options
from annotate.errors import EXIT_FAILED
from annotate.storage.base import prepare_output, storage_for
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import counted

if TYPE_CHECKING:
    from annotate.analytics.face_filter import FaceFilter
    from annotate.analytics.speech.find import TranscriptOptions


@click.command(epilog="\b\nExample:\n  annotate summarize films --by folder --sort happiness --top 10")
@handle_errors
@paths_argument()
@click.option(
    "--by",
    type=click.Choice(("video", "folder", "face", "minute", "person", "speaker", "trial", "condition", "participant")),
    help="Group rows by video, folder, face track, minute, person (annotate persons) or speaker (transcripts), or with "
    "--trials by these.  "
    "[default: video, or trial]",
)
@click.option("--sort", metavar="COLUMN", help="Sort by a column: numbers descending, text ascending.")
@click.option("--top", metavar="N", type=click.IntRange(1), help="Show the first N rows only; totals include all.")
@click.option(
    "--corrections",
    "is_review",
    is_flag=True,
    help="Instead: how much of what people reviewed they kept, and the confusion.",
)
@transcript_options
@trial_options
@relative_option
@corrections_option
@face_filter_options
@output_file(TABLES, f"Also write the table to a file ({', '.join(TABLES)}).")
@verbosity_options
def summarize(
    paths: Sequence[PathOrUrl],
    by: str | None,
    sort: str | None,
    top: int | None,
    is_review: bool,
    speech: TranscriptOptions,
    trials: TrialOptions,
    relative: bool,
    is_corrected: bool,
    faces: FaceFilter,
    output: Path | None,
    quiet: bool,
) -> int:
    """Total the results of annotated videos: one row per video, then totals.

    Reads existing results only. Shares are of face time: two faces for a second count as two seconds. With --trials, rows
    are trials, conditions or participants.
    """
    from annotate.analytics.export import encode_table
    from annotate.analytics.summary import STAT_COLUMNS, Tally, choose_grouping, sort_rows
    from annotate.cli.summary_tables import column_name, summary_columns

    if is_review:
        if by or sort or top or trials.path or relative or not is_corrected:
            raise click.UsageError("--corrections stands alone: it is about all that was reviewed.")
        return _summarize_reviews(paths, output, quiet=quiet)
    grouping, skipped = choose_grouping(by, has_trials=trials.path is not None), list[SkippedPath]()
    if output is not None:
        prepare_output(output)
    reports = find_tables(paths, skipped)
    selection = find_trials(trials, reports, skipped, faces=faces, relative=relative, is_corrected=is_corrected, quiet=quiet)
    speakers = speaker_sums(speech, reports) if grouping == "speaker" and reports else None
    tally = Tally(grouping, None if selection is None else selection.matched, speakers)
    for batch in read_tables(
        reports, faces, skipped, quiet=quiet, relative=relative, trials=selection, is_corrected=is_corrected
    ):
        tally.add(batch)
    if speakers is not None:
        say_about_transcripts(speakers.transcripts, skipped, quiet=quiet)
    summary = tally.summary()
    rows = sort_rows(summary.rows, column_name(sort, list(summary.rows.columns)), top)
    percent = ["confidence", *summary.totals.columns[1 + len(STAT_COLUMNS) :]]
    if grouping == "person" and tally.count and rows.empty and not quiet:
        console.say("No persons were told apart. Run `annotate persons` first.")
    if tally.count:
        if output is not None:
            storage_for(output).write_atomic(output, encode_table(rows, output.suffix.lower(), percent))
        if not (quiet and output is not None):
            console.print_text(format_columns(summary_columns(rows, summary.totals), terminal_width()))
        if output is not None and not quiet:
            console.print_text("\n" + closing_line(counted(len(rows), "row"), output))
    return EXIT_FAILED if skipped else 0


def _summarize_reviews(paths: Sequence[PathOrUrl], output: Path | None, *, quiet: bool) -> int:
    """Print how good the machine was where people looked; return the exit status."""
    from annotate.analytics.export import encode_table
    from annotate.analytics.face_filter import NO_FILTER
    from annotate.analytics.reviews import Reviews
    from annotate.cli.review_tables import review_line, review_tables

    reviews, skipped = Reviews(), list[SkippedPath]()
    if output is not None:
        prepare_output(output)
    reports = find_tables(paths, skipped)
    if not reports:
        return EXIT_FAILED
    for batch in read_tables(reports, NO_FILTER, skipped, quiet=quiet):
        reviews.add(batch)
    pairs = reviews.pairs()
    if output is not None:
        storage_for(output).write_atomic(output, encode_table(pairs, output.suffix.lower()))
    if not (quiet and output is not None):
        for columns in review_tables(reviews) if reviews.reviewed_s else ():
            console.print_text(format_columns(columns, terminal_width()) + "\n")
        console.print_text(review_line(reviews))
    if output is not None and not quiet:
        console.print_text(closing_line(counted(len(pairs), "row"), output))
    return EXIT_FAILED if skipped else 0
