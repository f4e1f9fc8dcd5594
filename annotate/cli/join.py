"""``annotate join``: what is said, and what faces show meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.export import FILES
from annotate.cli.options import corrections_option, face_filter_options, handle_errors, paths_argument, verbosity_options
from annotate.cli.table_output import find_tables, output_file, read_tables
from annotate.cli.tables import format_columns, terminal_width
from annotate.cli.transcript_options import say_about_transcripts, transcript_options
from annotate.errors import EXIT_FAILED
from annotate.storage.base import prepare_output
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import counted

if TYPE_CHECKING:
    import pandas as pd

    from annotate.analytics.face_filter import FaceFilter
    from annotate.analytics.speech.find import TranscriptOptions


@click.command(epilog="\b\nExample:\n  annotate join films --transcripts whisper -o speech.parquet")
@handle_errors
@paths_argument()
@transcript_options
@click.option(
    "--by", type=click.Choice(("utterance", "word")), default="utterance", show_default=True, help="One row per this."
)
@click.option(
    "--faces",
    "whose",
    type=click.Choice(("all", "speaker", "others")),
    default="all",
    show_default=True,
    help="Whose emotions: of all faces on screen, the speaker's person, or all others.",
)
@corrections_option
@face_filter_options
@output_file(FILES, f"Write a table and its codebook instead ({', '.join(FILES)}).")
@verbosity_options
def join(
    paths: Sequence[PathOrUrl],
    speech: TranscriptOptions,
    by: str,
    whose: str,
    is_corrected: bool,
    faces: FaceFilter,
    output: Path | None,
    quiet: bool,
) -> int:
    """Say what faces show while something is said: one row per utterance or word.

    Reads existing results, and transcripts beside the videos (.srt, .vtt, .json of whisper or whisperX, .eaf, .TextGrid;
    speakers from .rttm). A speaker is matched with a person or face only if that one is alone on screen often enough.
    """
    import pandas as pd

    from annotate.analytics.speech.find import find_transcripts
    from annotate.analytics.speech.join import JoinOptions, join_batch
    from annotate.analytics.speech.join_archive import columns_of, write_joined
    from annotate.cli.join_tables import joined_columns, matches_line

    skipped = list[SkippedPath]()
    if output is not None:
        prepare_output(output)
    reports = find_tables(paths, skipped)
    if not reports:
        return EXIT_FAILED
    transcripts = find_transcripts(reports, speech)
    columns = columns_of(reports, JoinOptions(by, whose))

    def parts() -> Iterator[pd.DataFrame]:
        for batch in read_tables(reports, faces, skipped, quiet=quiet, probabilities=True, is_corrected=is_corrected):
            yield join_batch(batch, transcripts, columns)

    if output is None:
        tables = [rows for rows in parts() if len(rows)]
        say_about_transcripts(transcripts, skipped, quiet=quiet)
        if tables:
            rows = pd.concat(tables, ignore_index=True)
            console.print_text(format_columns(joined_columns(rows, columns), terminal_width()) + ("" if quiet else "\n"))
        if not quiet:
            console.print_text(matches_line(rows) if tables else f"{counted(0, by)} of {counted(0, 'video')}.")
    else:
        written = write_joined(parts(), columns, output)
        say_about_transcripts(transcripts, skipped, quiet=quiet)
        if not quiet:
            count = f"{counted(written.rows, by)} of {counted(written.videos, 'video')}"
            console.print_text(f"{written.path}: {count}; columns are described in {written.codebook}.")
    return EXIT_FAILED if skipped else 0
