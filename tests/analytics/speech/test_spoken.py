"""Moments while something is said, and sums by speaker."""

from __future__ import annotations

from pathlib import Path

import pytest

import annotate
from annotate.errors import SettingsError, TranscriptError
from tests.analytics.samples import CLIP, report
from tests.analytics.speech.samples import INTERVIEW, interview, write_whisperx


def test_moments_end_with_the_utterance(tmp_path: Path) -> None:
    """Upper and lower case and spaces do not matter; both columns follow, and no groups of trials."""
    path = interview(tmp_path)
    table = annotate.find_moments(path, "happy", texts="Thank  YOU")
    assert table[["start_time", "end_time", "emotion", "text", "speaker"]].to_numpy().tolist() == [
        [1, 4, "happiness", "thank you so much", "Ann"]
    ]
    assert "condition" not in table
    assert annotate.find_moments(path, texts=["why", "+1"])["start_time"].tolist() == [6.5, 8.5, 8.5]
    assert not len(annotate.find_moments(path, texts="never"))


def test_texts_need_transcripts_and_no_trials(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    with pytest.raises(TranscriptError, match="no transcripts"):
        annotate.find_moments(path, texts="x")
    trials = tmp_path / "t.csv"
    trials.write_text("video,start,end\na,0,2\n")
    with pytest.raises(SettingsError):
        annotate.find_moments(path, texts="x", trials=trials)
    (tmp_path / "empty").mkdir()
    assert not len(annotate.find_moments(tmp_path / "empty", texts="x"))


def test_sums_of_the_speakers_own_face(tmp_path: Path) -> None:
    """Ann speaks for 6 s, with 3 s of happiness, 2 of neutral and 1 of surprise; Ben is not matched.

    Names are of one speaker in all videos, labels of diarization in one only.
    """
    interview(tmp_path)
    interview(tmp_path, "b.mp4")
    report(tmp_path, "c.mp4", INTERVIEW)
    write_whisperx(tmp_path / "c.json", [(0, 4, "SPEAKER_00", "a"), (3, 5, "SPEAKER_00", "b"), (9, 9.5, "SPEAKER_00", "c")])
    report(tmp_path, "d.mp4", CLIP)
    with pytest.warns(UserWarning, match="1 video left out"):
        table = annotate.summarize(tmp_path, "speaker").set_index("speaker")
    assert list(table.index) == ["Ann", "Ben", "SPEAKER_00"]
    assert table["videos"].tolist() == [2, 2, 1]
    assert [Path(video).name for video in table["video"]] == ["", "", "c.mp4"]
    assert table["utterances"].tolist() == [4, 2, 3]
    assert table["duration_s"].tolist() == [12, 2, 5.5]
    assert table["face_time_s"].tolist() == [12, 0, 5.5]
    assert table["speaker_person"].tolist() == ["face 1", "", "face 1"]
    assert table.loc["Ann", ["happiness", "neutral", "surprise", "anger"]].tolist() == [0.5, 0.3333, 0.1667, 0]
    assert table.loc["Ben", ["dominant", "speaker_share"]].isin(["", None]).iloc[0]
    assert table["happiness"].isna().tolist() == [False, True, False]
