"""`annotate.join`: bring together what is said in videos and what faces show; the table as a file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from annotate.analytics.archive_table import find_columns
from annotate.analytics.export_archive import ExportedTable, write_parts
from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.read import read_reports
from annotate.analytics.selected import find_with_trials
from annotate.analytics.speech.find import TranscriptOptions, find_transcripts
from annotate.analytics.speech.join import ALL, UTTERANCE, JoinColumns, JoinOptions, join_batch
from annotate.analytics.speech.read import ReadingOptions
from annotate.analytics.speech.with_warnings import warn_about_transcripts
from annotate.emotions.labels import EMOTIONS
from annotate.results.table import class_columns
from annotate.storage.base import parse_path
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import several

TABLE_NAMES = {"utterance": "utterances", "word": "words"}
"""Grouping of rows -> the name of the table in a database, and of the sheet."""


def columns_of(reports: Sequence[PathOrUrl], options: JoinOptions) -> JoinColumns:
    """Return the columns of the rows of tables; only their first lines are read."""
    return JoinColumns(options, class_columns(find_columns(reports, is_corrected=False).blocks) or EMOTIONS)


def write_joined(parts: Iterable[pd.DataFrame], columns: JoinColumns, output: Path) -> ExportedTable:
    """Write rows to a file, in the format of its ending, and the codebook beside it.

    Raises:
        OutputError: a file cannot be written, or holds no more rows.
    """
    return write_parts(parts, columns.codebook(), output, columns.percent, TABLE_NAMES[columns.options.by])


def transcript_options(
    transcripts: str | os.PathLike[str] | None,
    match: str | Iterable[str],
    tiers: str | Iterable[str],
    encoding: str,
    offset_s: float,
) -> TranscriptOptions:
    """Return the options that functions of the Python interface take one by one."""
    folder = None if transcripts is None else parse_path(transcripts)
    reading = ReadingOptions(several(tiers), encoding, offset_s)
    return TranscriptOptions(folder, several(match), reading)


def join(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    by: str = UTTERANCE,
    *,
    transcripts: str | os.PathLike[str] | None = None,
    faces: str = ALL,
    match: str | Iterable[str] = (),
    tiers: str | Iterable[str] = (),
    encoding: str = "",
    offset_s: float = 0.0,
    max_yaw_deg: float | None = None,
    min_face_px: float | None = None,
    min_quality: float | None = None,
) -> pd.DataFrame:
    """Return what faces show while something is said, from annotated videos and their transcripts.

    Args:
        paths: one or more tables, videos (for their tables) or directories.
        by: one row per ``"utterance"`` or ``"word"``.
        transcripts: a folder of transcripts, or one; without it they are beside the videos.
        faces: whose emotions are meant: of ``"all"`` faces on screen, the ``"speaker"``'s person, or the ``"others"``.
        match: shell patterns; only transcripts with such names count.
        tiers: names or shell patterns of tiers of ``.eaf`` and ``.TextGrid``.
        encoding: that of transcripts as text; without it, it is recognized.
        offset_s: added to the times of transcripts.
        max_yaw_deg, min_face_px, min_quality: limits as for `annotate.summarize`.

    Returns:
        A table with the columns of ``annotate join`` (see annotate/analytics/speech/README.md), times in seconds. What is
        left out is said in a `UserWarning` each: tables as by `annotate.summarize`, and transcripts or parts of them.

    Raises:
        SettingsError: ``by`` or ``faces`` has another value, or a limit is out of range.
        TranscriptError: the folder of transcripts does not exist, or has none.
    """
    options = JoinOptions(by, faces)
    limits = FaceFilter(max_yaw_deg, min_face_px, min_quality)
    found, _ = find_with_trials(paths, limits, None, None)
    transcribed = find_transcripts(found.reports, transcript_options(transcripts, match, tiers, encoding, offset_s))
    columns = columns_of(found.reports, options)
    parts = []
    for skipped in found.skipped:
        warnings.warn(f"skipped: {skipped}", stacklevel=2)
    for read in read_reports(found.reports, limits, probabilities=True):
        if isinstance(read, SkippedPath):
            warnings.warn(f"skipped: {read}", stacklevel=2)
        else:
            parts.append(join_batch(read, transcribed, columns))
    warn_about_transcripts(transcribed)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns.names))
