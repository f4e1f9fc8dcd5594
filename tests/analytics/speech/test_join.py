"""What is said and what faces show: values computed by hand, in every format, with persons and corrections."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import annotate
from annotate.analytics import read
from annotate.analytics.read import ReportBatch, read_reports
from annotate.analytics.speech.find import TranscriptOptions, find_transcripts
from annotate.analytics.speech.join import JoinOptions, join_batch
from annotate.analytics.speech.join_archive import columns_of, write_joined
from annotate.analytics.speech.read import SPEAKERS_ENDING, TEXT_ENDINGS
from annotate.analytics.table_writers import WRITERS
from annotate.emotions.labels import EMOTIONS
from annotate.errors import SettingsError, TranscriptError
from annotate.results.corrections import COLUMNS as CORRECTION_FILE_COLUMNS
from tests.analytics.samples import CLIP, block, change_meta, report
from tests.analytics.speech.samples import interview, write_whisperx
from tests.analytics.test_export_archive import read_back

PLACE = ["video", "older", "transcript", "utterance"]


def test_rows_have_the_emotions_of_their_time(tmp_path: Path) -> None:
    """The first: 3 s of happiness and 2 s of neutral; the last: 1 s each of two faces. Peaks leave out neutral."""
    table = annotate.join(interview(tmp_path))
    assert list(table.columns[:4]) == PLACE
    assert table["utterance"].tolist() == [1, 2, 3]
    assert table[["start_time", "end_time"]].to_numpy().tolist() == [[1, 6], [6.5, 7.5], [8.5, 9.5]]
    assert table["text"].tolist() == ["thank you so much", "why", "=1+1"]
    assert table["speaker"].tolist() == ["Ann", "Ben", "Ann"]
    assert table["speaker_person"].tolist() == ["face 1", "", "face 1"]
    assert table["speaker_share"].tolist()[::2] == [0.8333, 0.8333]
    assert table["speaker_alone_s"].tolist()[::2] == [5, 5]
    assert table["on_screen"].tolist() == ["face 1", "face 1", "face 1; face 2"]
    assert table["face_s"].tolist() == [5, 1, 1]
    assert table["face_time_s"].tolist() == [5, 1, 2]
    assert table["dominant"].tolist() == ["happiness", "neutral", "anger"]
    assert table["happiness"].tolist() == [0.6, 0, 0]
    assert table["neutral"].tolist() == [0.4, 1, 0]
    assert table["anger"].tolist() == [0, 0, 0.5]
    assert table["peak_emotion"].tolist()[::2] == ["happiness", "anger"]
    assert table["peak"].tolist() == [0.8, round(0.1 / 6, 4), 0.7]
    assert table["peak_time"].tolist() == [2.5, 7.0, 9.0]
    assert table["peak_face"].tolist() == ["face 1", "face 1", "face 2"]


def test_emotions_of_the_speaker_and_of_others(tmp_path: Path) -> None:
    """Where the speaker is not matched, nobody is the speaker and nobody is another."""
    path = interview(tmp_path)
    own, others = (annotate.join(path, faces=faces) for faces in ("speaker", "others"))
    assert own["dominant"].tolist() == ["happiness", "", "surprise"]
    assert others["dominant"].tolist() == ["", "", "anger"]
    assert own["face_time_s"].tolist() == [5, 0, 1]
    assert own["on_screen"].tolist() == others["on_screen"].tolist() == ["face 1", "face 1", "face 1; face 2"]
    assert own.loc[1, list(EMOTIONS)].isna().all()
    assert pd.isna(own.loc[1, "peak"])


def test_words(tmp_path: Path) -> None:
    path = interview(tmp_path)
    table = annotate.join(path, "word")
    assert table["text"].tolist() == ["thank", "you", "so", "much", "why", "=1+1"]
    assert table["utterance"].tolist() == [1, 1, 1, 1, 2, 3]
    assert table["word"].tolist() == [1, 2, 3, 4, 1, 1]
    assert table["start_time"].tolist() == [1, 2.25, 3.5, 4.75, 6.5, 8.5]
    assert table["dominant"].tolist() == ["happiness"] * 2 + ["neutral"] * 3 + ["anger"]
    (tmp_path / "a.json").unlink()
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nx\n")
    with pytest.warns(UserWarning, match="no times of words"):
        assert not len(annotate.join(path, "word"))


def test_persons_and_corrections_apply(tmp_path: Path) -> None:
    """Two tracks of one named person are one; a corrected block has what people say, an excluded one nothing."""
    blocks = [block(1, 0, 0, 3000, "anger"), block(2, 0, 3000, 6000, "fear"), block(3, 0, 6000, 9000, "anger")]
    path = report(tmp_path, "a.mp4", blocks)
    write_whisperx(tmp_path / "a.json", [(0, 6, "SPEAKER_00", "a b c d e f"), (6, 9, "SPEAKER_01", "g")])
    rows = [f",,{face},{start},{start + 3},0,0,80,80,{person},{name},1" for face, start, person, name in PERSONS]
    head = "video,source,face_id,start_time,end_time,x,y,width,height,person,name,decided"
    (tmp_path / "a.emotions.persons.csv").write_text("\n".join([head, *rows, ""]))
    change_meta(path, persons=["a.emotions.persons.csv"])
    table = annotate.join(path)
    assert table["speaker_person"].tolist() == ["Ann", "person 2"]
    assert table["on_screen"].tolist() == ["Ann", "person 2"]
    values = {"face_id": "2", "start_time": "3", "end_time": "6", "emotion": "happiness"}
    lines = [",".join(values.get(name, "") for name in CORRECTION_FILE_COLUMNS)]
    values = {"face_id": "3", "start_time": "6", "end_time": "9", "emotion": "exclude"}
    lines.append(",".join(values.get(name, "") for name in CORRECTION_FILE_COLUMNS))
    (tmp_path / "a.emotions.corrections.csv").write_text("\n".join([",".join(CORRECTION_FILE_COLUMNS), *lines, ""]))
    table = annotate.join(path)
    assert table["happiness"].tolist()[0] == 0.5
    assert table["on_screen"].tolist() == ["Ann", ""]


PERSONS = ((1, 0, 1, "Ann"), (2, 3, 1, "Ann"), (3, 6, 2, ""))


@pytest.mark.parametrize("ending", WRITERS)
def test_an_archive_in_every_format(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts, with a codebook; text that a spreadsheet would run is escaped; videos without a transcript are counted."""
    if ending == ".duckdb":
        pytest.importorskip("duckdb")
    monkeypatch.setattr(read, "_BATCH_BYTES", 1)
    interview(tmp_path / "in/x")
    interview(tmp_path / "in/y", "b.mp4")
    report(tmp_path / "in", "c.mp4", CLIP)
    reports = sorted((tmp_path / "in").rglob("*.emotions.csv"))
    transcripts, columns = find_transcripts(reports), columns_of(reports, JoinOptions())
    read_batches = (batch for batch in read_reports(reports, probabilities=True) if isinstance(batch, ReportBatch))
    parts = [join_batch(batch, transcripts, columns) for batch in read_batches]
    done = write_joined(parts, columns, tmp_path / f"out{ending}")
    assert (done.rows, done.videos) == (6, 2)
    assert "1 video left out" in transcripts.closing_remark()
    table = read_back(done.path, "utterances")
    assert list(table.columns) == list(columns.names)
    assert table["text"].tolist()[2] == ("'=1+1" if ending == ".csv" else "=1+1")
    assert table["happiness"].tolist()[:2] == [0.6, 0.0]
    codebook = pd.read_csv(done.codebook, keep_default_na=False)
    assert codebook["column"].tolist() == list(columns.names)
    assert (codebook[["range", "source", "meaning"]] != "").all(axis=None)


def test_the_same_without_a_transcript_or_with_wrong_options(tmp_path: Path) -> None:
    path = report(tmp_path / "in", "a.mp4", CLIP)
    with pytest.warns(UserWarning, match="1 video left out.*folder"):
        assert list(annotate.join(path).columns[:4]) == PLACE
    with pytest.raises(SettingsError, match="speaker"):
        annotate.join(path, faces="speakers")
    with pytest.raises(SettingsError, match="word"):
        annotate.join(path, "line")
    with pytest.raises(TranscriptError, match="no such"):
        annotate.join(path, transcripts=tmp_path / "none")
    with pytest.raises(TranscriptError, match="no transcripts"):
        annotate.join(path, transcripts=tmp_path / "in")


def test_times_after_the_video_and_offsets(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    (tmp_path / "a.srt").write_text("1\n00:00:11,001 --> 00:00:14,002\nx\n")
    assert annotate.join(path)["on_screen"].tolist() == [""]
    moved = annotate.join(path, offset_s=-10)
    assert moved[["start_time", "end_time", "face_s"]].to_numpy().tolist() == [[1.001, 4.002, 2.999]]


def test_names_of_transcripts(tmp_path: Path) -> None:
    """By the longest name of a video; one that is not annotated keeps its own, and our files are none."""
    for name in ("a.mp4", "a.2.mp4"):
        report(tmp_path, name, CLIP)
    (tmp_path / "a.3.mp4").touch()
    srt = "1\n00:00:01,000 --> 00:00:02,000\n"
    for name in ("a.en.srt", "a.mp4.ru.srt", "a.2.srt", "A.3.srt", "a.emotions.en.srt", "ab.srt"):
        (tmp_path / name).write_text(srt + name)
    (tmp_path / "a.info.json").write_text("{}")
    reports = [tmp_path / "a.2.emotions.csv", tmp_path / "a.emotions.csv"]
    found = find_transcripts(reports)
    assert {path.name: [file.name for file in files] for path, files in found.files.items()} == {
        "a.emotions.csv": ["a.info.json", "a.en.srt", "a.mp4.ru.srt"],
        "a.2.emotions.csv": ["a.2.srt"],
    }
    transcript = found.of(reports[1])
    assert transcript is not None
    assert transcript.path.name == "a.en.srt"
    assert found.remarks == [f"{tmp_path / 'a.en.srt'} is read, not a.mp4.ru.srt beside it"]
    russian = find_transcripts(reports, TranscriptOptions(names=("*.RU.*",)))
    assert [file.name for file in russian.files[reports[1]]] == ["a.mp4.ru.srt"]


def test_a_folder_of_transcripts(tmp_path: Path) -> None:
    """Folders tell videos of one name apart; what fits several or none is said."""
    reports = [report(tmp_path / "in" / folder, "a.mp4", CLIP) for folder in ("x", "y")]
    texts = tmp_path / "texts"
    for name in ("x/a.en.srt", "y/a.vtt", "a.srt", "z.srt"):
        (texts / name).parent.mkdir(parents=True, exist_ok=True)
        (texts / name).write_text("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nx\n")
    found = find_transcripts(reports, TranscriptOptions(texts))
    assert {path.parent.name: [file.name for file in files] for path, files in found.files.items()} == {
        "x": ["a.en.srt"],
        "y": ["a.vtt"],
    }
    assert [skipped.path.name for skipped in found.skipped] == ["a.srt"]
    assert "z.srt" in found.remarks[0]
    single = find_transcripts(reports[:1], TranscriptOptions(texts / "z.srt"))
    assert [file.name for file in single.files[reports[0]]] == ["z.srt"]


def test_every_column_is_explained() -> None:
    text = (Path(annotate.__file__).parent / "analytics/speech/README.md").read_text()
    columns = columns_of([], JoinOptions("word"))
    assert {name for name in columns.names if name not in EMOTIONS[1:-1]} <= set(re.findall(r"`(\w+)`", text))
    for ending in (*TEXT_ENDINGS, SPEAKERS_ENDING):
        assert f"`{ending}`" in text.replace(".TextGrid", ".textgrid")
