"""``annotate convert``: write further formats from existing results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import Selection
from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem
from annotate.cli import console
from annotate.cli.batch_command import RunOptions, output_options, run_options, show_run, sizes_of
from annotate.cli.convert_dialogue import convert_with_transcripts
from annotate.cli.format_options import check_into, into_option
from annotate.cli.options import (
    handle_errors,
    output_dir_option,
    say_no_tables,
    say_none_found,
    say_older,
    selection_options,
    verbosity,
)
from annotate.cli.transcript_options import transcript_options
from annotate.errors import EXIT_FAILED, ReportError
from annotate.results.formats.registry import TRACK_FORMATS
from annotate.storage.values import PathOrUrl, SkippedPath

if TYPE_CHECKING:
    from annotate.analytics.speech.find import TranscriptOptions


@click.command(epilog="\b\nExample:\n  annotate convert films --format vtt,eaf")
@handle_errors
@selection_options(may_be_deleted=True)
@output_options(has_corrections=True, required=True, help=f"Formats to write: {', '.join(TRACK_FORMATS)}; repeatable.")
@into_option
@output_dir_option("Output folder used when annotating.")
@click.option(
    "--with-transcript",
    "has_transcript",
    is_flag=True,
    help="Instead: dialogue and emotion in one subtitle file (srt, vtt), from a transcript of the video.",
)
@transcript_options
@run_options()
@verbosity
def convert(
    paths: Sequence[PathOrUrl],
    selection: Selection,
    options: OutputOptions,
    into: Path | None,
    output_dir: PathOrUrl | None,
    has_transcript: bool,
    speech: TranscriptOptions,
    run: RunOptions,
) -> int:
    """Write further formats from existing results.

    Nothing is decoded, and the videos need not exist any more. Files that exist are skipped; one that annotate did not write
    is never overwritten.
    """
    from annotate.batch.convert import convert_archive, scan_reports

    items = list(scan_reports(paths, selection, output_dir))
    if not items:
        if selection.has_patterns and any(scan_reports(paths, selection.without_patterns, output_dir)):
            say_none_found(paths, selection, quiet=run.quiet)
            return 0
        say_no_tables(paths)
        return EXIT_FAILED
    if has_transcript:
        if into is not None or options.variants:
            raise click.UsageError("--with-transcript goes with neither --into nor --style, --intervals and --eaf-version.")
        return convert_with_transcripts(items, options, speech, run)
    if into is not None:
        from annotate.batch.into import add_tiers

        check_into(into, options.formats, len(items))
        (item,) = items
        if isinstance(item, SkippedPath):
            raise ReportError(item.problem, item.remedy, path=item.path)
        console.print_text(f"{add_tiers(item, into, options)}")
        return 0
    exit_status = show_run(sizes_of(items), lambda executor: convert_archive(items, options, executor), run)
    say_older(sum(isinstance(item, ArchiveItem) and item.is_older for item in items), quiet=run.quiet)
    return exit_status
