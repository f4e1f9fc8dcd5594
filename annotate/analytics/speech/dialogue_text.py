"""`annotate.dialogue_subtitles`: dialogue and emotion of one video in one subtitle track."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

from annotate.analytics.speech.dialogue import dialogue_names, format_dialogue
from annotate.analytics.speech.find import find_transcripts
from annotate.analytics.speech.join_archive import transcript_options
from annotate.archive.find_reports import find_reports
from annotate.archive.stored_report import read_report
from annotate.emotions.labels import EMOTION_WORDS
from annotate.errors import ReportError, SettingsError, TranscriptError
from annotate.storage.base import parse_path


def dialogue_subtitles(
    path: str | os.PathLike[str],
    transcript: str | os.PathLike[str] | None = None,
    *,
    file_format: str = "srt",
    language: str = "en",
    tiers: str | Iterable[str] = (),
    encoding: str = "",
    offset_s: float = 0.0,
) -> str:
    """Return dialogue and emotion of an annotated video as one subtitle track; write nothing.

    Args:
        path: the video, or its table.
        transcript: the transcript; without it, the one beside the video.
        file_format: ``"srt"`` or ``"vtt"``.
        language: that of the words for emotions, ``"en"`` or ``"ru"``.
        tiers, encoding, offset_s: as for `annotate.join`.

    Returns:
        The text. Lines of the transcript that cannot be used are said in a `UserWarning`.

    Raises:
        SettingsError: there is no such format or language.
        ReportError: the video is not annotated, or its table is damaged.
        TranscriptError: there is no transcript, or it cannot be used.
    """
    (name,) = dialogue_names([file_format])
    if language not in EMOTION_WORDS:
        raise SettingsError(f"unknown language {language!r}", f"choose from {', '.join(sorted(EMOTION_WORDS))}")
    video = parse_path(path)
    reports = find_reports([video]).reports
    if len(reports) != 1:
        raise ReportError("not one annotated video", "give a video that is annotated", path=video)
    transcripts = find_transcripts(reports, transcript_options(transcript, (), tiers, encoding, offset_s))
    said = transcripts.of(reports[0])
    for remark in transcripts.remarks if said is not None else ():
        warnings.warn(remark, stacklevel=2)
    for skipped in transcripts.skipped if said is None else ():
        raise TranscriptError(skipped.problem, skipped.remedy, path=skipped.path)
    if said is None:
        raise TranscriptError("no transcript", "name one", path=video)
    return format_dialogue(name, read_report(reports[0]), said, language)
