"""Dialogue and emotion in one track: read back by the libraries of others, with the times of the transcript."""

from __future__ import annotations

from pathlib import Path

import pysubs2
import pytest
import webvtt

import annotate
from annotate.analytics.speech.dialogue import dialogue_cues
from annotate.analytics.speech.read import read_transcript
from annotate.archive.stored_report import read_report
from annotate.errors import ReportError, SettingsError, TranscriptError
from annotate.span import Span
from tests.analytics.samples import block, report
from tests.analytics.speech.samples import interview, write_whisperx

LINES = [
    (0, 1000, "[1: happiness]"),
    (1000, 6000, "[happiness] thank you so much"),
    (6500, 7500, "why"),
    (8500, 9500, "[surprise] =1+1"),
]


def test_subrip_and_vtt_say_the_same(tmp_path: Path) -> None:
    """Ann's face is not Ben's, so what he says has no emotion; before the first word stands what subtitles
    of these two faces say."""
    path = interview(tmp_path)
    before = (tmp_path / "a.json").read_bytes()
    srt = pysubs2.SSAFile.from_string(annotate.dialogue_subtitles(path))
    assert [(event.start, event.end, event.plaintext) for event in srt][:4] == LINES
    vtt = webvtt.from_string(annotate.dialogue_subtitles(path, file_format="vtt"))
    assert [(round(cue.start_in_seconds * 1000), cue.text) for cue in vtt][1] == (1000, LINES[1][2])
    assert [cue.voice for cue in vtt][:3] == [None, "Ann", "Ben"]
    assert "[счастье] thank" in annotate.dialogue_subtitles(path, language="ru")
    assert (tmp_path / "a.json").read_bytes() == before


def test_hostile_text_stays_one_cue(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", [block(1, 0, 0, 9000, "fear")])
    text = "a --> b <script>x</script> {\\an8} & c"
    write_whisperx(tmp_path / "a.json", [(1.0, 2.001, "A>b\n\nC", text)])
    vtt = webvtt.from_string(annotate.dialogue_subtitles(path, file_format="vtt"))
    cue = next(cue for cue in vtt if "script" in cue.raw_text)
    assert "&lt;script&gt;" in cue.raw_text
    assert (cue.start, cue.end) == ("00:00:01.000", "00:00:02.001")
    srt = annotate.dialogue_subtitles(path)
    assert srt.count("-->") == 3
    assert "00:00:01,000 --> 00:00:02,001\n[fear] a -> b <script>x</script> {\\an8} & c\n" in srt


def test_the_largest_face_where_nobody_is_matched_and_none_below_half(tmp_path: Path) -> None:
    """Without boxes, the face that is seen longer; an emotion of less than half of the utterance is not named."""
    blocks = [
        block(1, 0, 0, 1000, "anger"),
        block(2, 0, 0, 800, "fear"),
        block(1, 1, 1000, 1400, "neutral"),
        block(1, 2, 1400, 2000, "sadness"),
    ]
    path = report(tmp_path, "a.mp4", blocks)
    (tmp_path / "a.srt").write_text(
        "1\n00:00:00,000 --> 00:00:01,000\nx\n\n2\n00:00:01,000 --> 00:00:02,300\ny\n\n3\n00:00:05,000 --> 00:00:06,000\nz\n"
    )
    cues = dialogue_cues(read_report(path), read_transcript(tmp_path / "a.srt"), "en")
    assert [(cue.span, [text for _, text in cue.labels], cue.text) for cue in cues] == [
        (Span(0, 1000), ["anger"], "x"),
        (Span(1000, 2300), [], "y"),
        (Span(5000, 6000), [], "z"),
    ]


def test_wrong_use_gets_a_sentence(tmp_path: Path) -> None:
    path = interview(tmp_path)
    for options in ({"file_format": "ass"}, {"language": "xx"}):
        with pytest.raises(SettingsError):
            annotate.dialogue_subtitles(path, **options)  # type: ignore[arg-type]
    with pytest.raises(ReportError):
        annotate.dialogue_subtitles(tmp_path / "none.mp4")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(TranscriptError, match="line 1"):
        annotate.dialogue_subtitles(path)
    (tmp_path / "a.json").unlink()
    with pytest.raises(TranscriptError, match="no transcript"):
        annotate.dialogue_subtitles(path)
