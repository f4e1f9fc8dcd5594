"""Shared by the commands that read transcripts: their options, and what is printed about files that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import Command, PathOrUrlType, collect, stacked
from annotate.storage.values import PathOrUrl, SkippedPath

if TYPE_CHECKING:
    from annotate.analytics.speech.find import TranscriptOptions, Transcripts
    from annotate.analytics.speech.spoken import SpeakerSums
    from annotate.analytics.trial_baseline import TrialSelection


def _make(
    transcripts: PathOrUrl | None, match: Sequence[str], tiers: Sequence[str], encoding: str, offset_s: float
) -> TranscriptOptions:
    from annotate.analytics.speech.find import TranscriptOptions
    from annotate.analytics.speech.read import ReadingOptions

    return TranscriptOptions(transcripts, tuple(match), ReadingOptions(tuple(tiers), encoding, offset_s))


def transcript_options(command: Command) -> Command:
    """Declare the options of ``speech``."""
    return stacked(
        click.option(
            "--transcripts",
            metavar="DIR",
            type=PathOrUrlType(),
            help="Folder of transcripts, or one.  [default: beside the videos]",
        ),
        click.option(
            "--match", metavar="GLOB", multiple=True, help="Only transcripts with such names ('*.en.*'); repeatable."
        ),
        click.option("--tier", "tiers", metavar="NAME", multiple=True, help="Tier of .eaf and .TextGrid; repeatable."),
        click.option("--encoding", metavar="NAME", default="", help="Encoding of transcripts.  [default: recognized]"),
        click.option(
            "--offset", "offset_s", metavar="SECONDS", type=float, default=0.0, help="Add this to times of transcripts."
        ),
        collect("speech", _make, "transcripts", "match", "tiers", "encoding", "offset_s"),
    )(command)


def find_spoken(
    texts: Sequence[str],
    options: TranscriptOptions,
    reports: Sequence[PathOrUrl],
    skipped: list[SkippedPath],
    *,
    quiet: bool,
) -> TrialSelection:
    """Return the times at which one of ``texts`` is said. Print as `say_about_transcripts` does."""
    from annotate.analytics.speech.find import find_transcripts
    from annotate.analytics.speech.spoken import select_spoken

    transcripts = find_transcripts(reports, options)
    selection = select_spoken(transcripts, reports, texts)
    say_about_transcripts(transcripts, skipped, quiet=quiet)
    return selection


def speaker_sums(options: TranscriptOptions, reports: Sequence[PathOrUrl]) -> SpeakerSums:
    """Return the sums by speaker of the transcripts of videos, empty so far."""
    from annotate.analytics.speech.find import find_transcripts
    from annotate.analytics.speech.spoken import SpeakerSums

    return SpeakerSums(find_transcripts(reports, options))


def say_about_transcripts(transcripts: Transcripts, skipped: list[SkippedPath], *, quiet: bool) -> None:
    """Print which transcripts cannot be used, and append them to ``skipped``; unless ``quiet`` also remarks on others."""
    for entry in transcripts.skipped:
        skipped.append(entry)
        console.say(f"skipped: {entry}")
    if not quiet:
        for remark in filter(None, (*transcripts.remarks, transcripts.closing_remark())):
            console.say(f"{remark.rstrip('.')}.")
