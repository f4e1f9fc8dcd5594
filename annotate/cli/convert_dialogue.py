"""``annotate convert --with-transcript``: dialogue and emotion in one subtitle file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem
from annotate.cli.batch_command import RunOptions, show_run, sizes_of
from annotate.cli.transcript_options import say_about_transcripts
from annotate.errors import EXIT_FAILED
from annotate.storage.values import SkippedPath

if TYPE_CHECKING:
    from annotate.analytics.speech.find import TranscriptOptions


def convert_with_transcripts(
    items: Sequence[ArchiveItem | SkippedPath], options: OutputOptions, speech: TranscriptOptions, run: RunOptions
) -> int:
    """Write subtitles with dialogue and emotion of the videos that have a transcript; return the exit status."""
    from annotate.analytics.speech.dialogue import dialogue_names
    from annotate.batch.dialogue import find_for_items, write_dialogues

    dialogue_names(options.formats)
    transcripts = find_for_items(items, speech)
    transcripts.without += [
        item.outputs.csv for item in items if not isinstance(item, SkippedPath) and item.outputs.csv not in transcripts.files
    ]
    chosen = [item for item in items if isinstance(item, SkippedPath) or item.outputs.csv in transcripts.files]
    skipped = list[SkippedPath]()
    say_about_transcripts(transcripts, skipped, quiet=run.quiet)
    if not chosen:
        return EXIT_FAILED if skipped else 0
    status = show_run(sizes_of(chosen), lambda executor: write_dialogues(chosen, options, transcripts, executor), run)
    return status or (EXIT_FAILED if skipped else 0)
