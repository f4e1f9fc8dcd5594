"""Restrict results to what is said: moments while words are spoken, and sums by speaker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from annotate.analytics.clipping import clip_to_spans
from annotate.analytics.read import ReportBatch, ReportSummary
from annotate.analytics.speech.find import Transcripts
from annotate.analytics.speech.join import SEPARATOR
from annotate.analytics.speech.speakers import SpeakerMatch, identity, match_speakers
from annotate.analytics.speech.utterances import Transcript, Utterance, is_machine_label
from annotate.analytics.trial_baseline import TrialSelection
from annotate.analytics.trials import MatchedTrials, Trial, Trials
from annotate.errors import TranscriptError
from annotate.span import Span
from annotate.storage.values import PathOrUrl

TEXT, SPEAKER = "text", "speaker"
SPOKEN_COLUMNS = (TEXT, SPEAKER)


class SpokenTimes(MatchedTrials):
    """Utterances by the path of the table of their video, as trials whose columns are `SPOKEN_COLUMNS`."""

    @classmethod
    def of(cls, reports: Sequence[PathOrUrl]) -> SpokenTimes:
        """Return none yet, of videos with these tables."""
        return cls(Trials(reports[0].parent if reports else Path(), (), SPOKEN_COLUMNS, groups=()))

    def late(self, batch: ReportBatch) -> Iterator[str]:
        """Yield nothing: the last words often end after the video."""
        yield from ()


def select_spoken(transcripts: Transcripts, reports: Sequence[PathOrUrl], texts: Sequence[str]) -> TrialSelection:
    """Return the utterances of videos that contain one of ``texts``, as trials to which moments are restricted.

    Upper and lower case are one, and so are all spaces.

    Raises:
        TranscriptError: none of the videos has a transcript.
    """
    wanted = [" ".join(text.casefold().split()) for text in texts]
    matched = SpokenTimes.of(reports)
    count = number = 0
    for report in reports:
        transcript = transcripts.of(report)
        transcripts.forget(report)
        if transcript is None:
            continue
        count += 1
        for utterance in transcript.utterances:
            if any(text in utterance.line.casefold() for text in wanted):
                number += 1
                further = {TEXT: utterance.line, SPEAKER: utterance.speaker}
                trial = Trial(number, utterance.line, report.name, utterance.span, further=further)
                matched.by_report.setdefault(report, []).append(trial)
    if not count and not transcripts.skipped:
        raise TranscriptError("no transcripts of these videos", "give their folder with --transcripts")
    return TrialSelection(matched)


@dataclass
class SpeakerSums:
    """Numbers speakers from 0, in the order in which they are met, and adds up how long they speak.

    Speakers of one name are one in all videos, those with labels of diarization (``SPEAKER_01``) only within one.
    """

    transcripts: Transcripts = field(default_factory=Transcripts)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    _rows: list[dict[str, object]] = field(default_factory=list)

    def assign(self, batch: ReportBatch) -> pd.DataFrame:
        """Return the blocks of speakers' own persons while they speak, clipped to that, with the column ``speaker``.

        Speakers who are not matched with a person have no blocks.
        """
        parts = [batch.blocks.iloc[:0].assign(speaker=np.array([], dtype=np.int64))]
        blocks_of = dict(iter(batch.blocks.groupby("report")))
        for number, report in batch.reports.items():
            transcript = self.transcripts.of(report.path)
            if transcript is not None:
                parts += self._assign(report, blocks_of.get(number, batch.blocks.iloc[:0]), transcript)
                self.transcripts.forget(report.path)
        return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]

    def _assign(self, report: ReportSummary, blocks: pd.DataFrame, transcript: Transcript) -> Iterable[pd.DataFrame]:
        identities = np.array([identity(face_id, report.persons) for face_id in blocks["face_id"]], dtype=np.int64)
        matches = match_speakers(transcript.utterances, zip(identities.tolist(), _spans(blocks), strict=True))
        labels = {one: report.label(face_id) for face_id, one in zip(blocks["face_id"], identities.tolist(), strict=True)}
        for speaker, spans in _spans_by_speaker(transcript.utterances).items():
            number = self._number(report, speaker)
            match = matches.get(speaker)
            self._rows.append(
                {
                    SPEAKER: number,
                    "report_path": report.path,
                    "utterances": sum(one.speaker == speaker for one in transcript.utterances),
                    "speech_ms": sum(span.duration_ms for span in spans),
                    "older": report.is_older,
                    **_match_values(match, labels),
                }
            )
            if match is not None:
                yield clip_to_spans(blocks[identities == match.identity], spans)[0].assign(speaker=number)

    def table(self, sums: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        """Return the sums of speakers, given those of each speaker and video; the duration is that of speech."""
        names = pd.DataFrame([*self._numbers], columns=[SPEAKER, "video"])
        rows = pd.DataFrame(
            self._rows,
            columns=[SPEAKER, "report_path", "utterances", "speech_ms", "older", "speaker_person", "speaker_share"],
        )
        grouped = rows.groupby(SPEAKER)
        own = sums.groupby(SPEAKER)[list(columns)].sum().reindex(names.index, fill_value=0)
        return names.join(own).assign(
            utterances=grouped["utterances"].sum(),
            duration_ms=grouped["speech_ms"].sum(),
            videos=grouped["report_path"].nunique(),
            older=grouped["older"].any(),
            speaker_person=grouped["speaker_person"].agg(lambda texts: SEPARATOR.join(dict.fromkeys(filter(None, texts)))),
            speaker_share=grouped["speaker_share"].min(),
        )

    def _number(self, report: ReportSummary, speaker: str) -> int:
        key = (speaker, report.video if is_machine_label(speaker) else "")
        return self._numbers.setdefault(key, len(self._numbers))


def _match_values(match: SpeakerMatch | None, labels: Mapping[int, str]) -> dict[str, object]:
    if match is None:
        return {"speaker_person": "", "speaker_share": np.nan}
    return {"speaker_person": labels[match.identity], "speaker_share": match.share}


def _spans(blocks: pd.DataFrame) -> list[Span]:
    return [Span(*pair) for pair in zip(blocks["start_ms"].tolist(), blocks["end_ms"].tolist(), strict=True)]


def _spans_by_speaker(utterances: Iterable[Utterance]) -> dict[str, list[Span]]:
    """Return when each speaker speaks, as disjoint spans in order."""
    spans: dict[str, list[Span]] = {}
    for utterance in utterances:
        own = spans.setdefault(utterance.speaker, [])
        if own and utterance.span.start_ms <= own[-1].end_ms:
            own[-1] |= utterance.span
        else:
            own.append(utterance.span)
    return spans
