"""Transcripts for functions of the Python interface: what is left out becomes a warning."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

from annotate.analytics.speech.find import TranscriptOptions, Transcripts, find_transcripts
from annotate.analytics.speech.spoken import SpokenTimes, select_spoken
from annotate.analytics.trial_baseline import TrialSelection
from annotate.archive.find_reports import FoundReports
from annotate.errors import SettingsError
from annotate.storage.base import parse_path
from annotate.storage.values import PathOrUrl


def find_speech(reports: Sequence[PathOrUrl], folder: str | os.PathLike[str] | None) -> Transcripts:
    """Return the transcripts of videos. Raise as `find_transcripts` does."""
    return find_transcripts(reports, TranscriptOptions(None if folder is None else parse_path(folder)))


def select_spoken_with_warnings(
    found: FoundReports, texts: Sequence[str], folder: str | os.PathLike[str] | None, trials: TrialSelection | None
) -> TrialSelection:
    """Return the utterances that contain one of ``texts``; issue a `UserWarning` for each remark.

    Raises:
        SettingsError: there are trials too.
        TranscriptError: there are no transcripts.
    """
    if trials is not None:
        raise SettingsError("texts and trials cannot be combined", "leave out one of them")
    if not found.reports:
        return TrialSelection(SpokenTimes.of(()))
    transcripts = find_speech(found.reports, folder)
    selection = select_spoken(transcripts, found.reports, texts)
    warn_about_transcripts(transcripts, stacklevel=5)
    return selection


def warn_about_transcripts(transcripts: Transcripts, stacklevel: int = 3) -> None:
    """Issue a `UserWarning` for each transcript that cannot be used, and each remark."""
    for skipped in transcripts.skipped:
        warnings.warn(f"skipped: {skipped}", stacklevel=stacklevel)
    for remark in filter(None, (*transcripts.remarks, transcripts.closing_remark())):
        warnings.warn(remark, stacklevel=stacklevel)
