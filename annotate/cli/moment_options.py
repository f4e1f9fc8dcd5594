"""Shared by `find` and `clips`: which moments are meant, and the search for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from annotate.cli import console
from annotate.cli.options import (
    Command,
    collect,
    corrections_option,
    face_filter_options,
    relative_option,
    stacked,
)
from annotate.cli.table_output import TrialOptions, find_tables, find_trials, read_tables, trial_options
from annotate.cli.transcript_options import find_spoken, transcript_options
from annotate.emotions.labels import EMOTIONS
from annotate.storage.values import PathOrUrl, SkippedPath

if TYPE_CHECKING:
    from annotate.analytics.face_filter import FaceFilter
    from annotate.analytics.moments import Moment
    from annotate.analytics.speech.find import TranscriptOptions
    from annotate.analytics.trials import MatchedTrials


@dataclass(frozen=True)
class MomentOptions:
    """Which moments are meant: a query, what is said, trials, and how tables are read."""

    query: dict[str, Any]
    texts: tuple[str, ...]
    speech: TranscriptOptions
    trials: TrialOptions
    relative: bool
    is_corrected: bool
    faces: FaceFilter


@dataclass(frozen=True)
class FoundMoments:
    """The moments that were found, with the trials they are in; whether tables were read, and what was skipped."""

    moments: list[Moment]
    trials: MatchedTrials | None
    any_read: bool
    skipped: list[SkippedPath] = field(default_factory=list)


def _complete_emotion(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in EMOTIONS if name.startswith(incomplete)]


def _make_options(**options: Any) -> MomentOptions:
    if options["texts"] and options["trials"].path is not None:
        raise click.UsageError("--text and --trials cannot be combined.")
    return MomentOptions(**options)


def moment_options(command: Command) -> Command:
    """Declare the options of ``wanted``."""
    return stacked(
        click.option(
            "--emotion",
            "emotions",
            metavar="NAME",
            multiple=True,
            shell_complete=_complete_emotion,
            help="Moments of this emotion only; repeatable.",
        ),
        click.option(
            "--min-confidence",
            metavar="0-1",
            type=click.FloatRange(0, 1),
            default=0.0,
            show_default=True,
            help="Minimum confidence of every segment.",
        ),
        click.option(
            "--min-seconds",
            "min_s",
            metavar="SECONDS",
            type=click.FloatRange(0),
            default=0.0,
            show_default=True,
            help="Minimum length of a moment.",
        ),
        click.option(
            "--person",
            "persons",
            metavar="NAME|N",
            multiple=True,
            help="Moments of this person only; repeatable.",
        ),
        collect("query", dict, "emotions", "min_confidence", "min_s", "persons"),
        click.option("--text", "texts", metavar="TEXT", multiple=True, help="Only while somebody says this; repeatable."),
        transcript_options,
        trial_options,
        relative_option,
        corrections_option,
        face_filter_options,
        collect("wanted", _make_options, "query", "texts", "speech", "trials", "relative", "is_corrected", "faces"),
    )(command)


def search_moments(paths: Sequence[PathOrUrl], wanted: MomentOptions, *, quiet: bool) -> FoundMoments:
    """Return the moments below paths, found with a progress bar; print what is skipped.

    Raises:
        SettingsError: an emotion is unknown, or trials do not fit.
        CodingError: the table of trials cannot be used.
    """
    from annotate.analytics.moments import MomentQuery, check_emotions, class_names_in, moments_in

    query = MomentQuery(**wanted.query)
    moments: list[Moment] = []
    known, skipped, has_persons = set[str](), list[SkippedPath](), False
    reports = find_tables(paths, skipped)
    relative, is_corrected, faces = wanted.relative, wanted.is_corrected, wanted.faces
    selection = find_trials(
        wanted.trials, reports, skipped, faces=faces, relative=relative, is_corrected=is_corrected, quiet=quiet
    )
    if wanted.texts and reports:
        selection = find_spoken(wanted.texts, wanted.speech, reports, skipped, quiet=quiet)
    matched = None if selection is None else selection.matched
    for batch in read_tables(
        reports, faces, skipped, quiet=quiet, relative=relative, trials=selection, is_corrected=is_corrected
    ):
        known |= class_names_in(batch)
        has_persons |= any(report.persons for report in batch.reports.values())
        moments += moments_in(batch, query, matched)
    check_emotions(query.emotions, known)
    if known and not moments and not quiet and query.persons:
        console.say(
            "No moments of such a person. See persons with `annotate summarize --by person`."
            if has_persons
            else "No moments of a person: persons were not told apart here. Run `annotate persons` first."
        )
    return FoundMoments(moments, matched, bool(known or (wanted.texts and reports)), skipped)
