"""`annotate join`, `find --text`, `summarize --by speaker` and `convert --with-transcript` as a user types them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

import annotate
from annotate.results.meta import describe_source, parse_meta
from tests.analytics.samples import CLIP, change_meta, meta_of, report
from tests.analytics.speech.samples import interview
from tests.cli.answers import run
from tests.object_store import Bucket


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An interview with its transcript, and a clip without; both with a file that stands for the video."""
    for path, name in ((interview(tmp_path / "in"), "a.mp4"), (report(tmp_path / "in", "b.mp4", CLIP), "b.mp4")):
        (video := path.parent / name).write_bytes(name.encode())
        change_meta(path, source=asdict(describe_source(video)))
    return tmp_path / "in"


def test_a_table_on_the_terminal(archive: Path) -> None:
    answer = run("join", archive)
    assert answer.status == 0
    assert [(row["start"], row["speaker"], row["matched"], row["mostly"]) for row in answer.rows] == [
        ("0:01.0", "Ann", "face 1 83%", "happiness"),
        ("0:06.5", "Ben", "", "neutral"),
        ("0:08.5", "Ann", "face 1 83%", "anger"),
    ]
    assert "1 of 2 speakers" in answer.last_line
    assert "1 video left out" in answer.errors
    assert run("join", archive, "-q").errors == ""
    assert [row["word"] for row in run("join", archive, "--by", "word", "--faces", "speaker").rows][:2] == ["thank", "you"]

    none = run("join", archive, "--match", "*.de.*")
    assert (none.status, none.last_line) == (0, "0 utterances of 0 videos.")
    assert "Name transcripts" in none.errors


def test_persons_that_nobody_told_apart(archive: Path) -> None:
    """Moments of a person, and rows by person: it is said why there are none."""
    for arguments in (("find", archive, "--person", "Zoe"), ("summarize", archive, "--by", "person")):
        answer = run(*arguments)
        assert (answer.status, "person" in answer.errors) == (0, True)
        assert run(*arguments, "-q").errors == ""


def test_files(archive: Path, tmp_path: Path) -> None:
    """A transcript that cannot be used is named, with the exit status; the rest is written."""
    (archive / "b.srt").write_text("1\n00:00:0x,000 --> 00:00:03,000\nTwo\n")
    answer = run("join", archive, "-o", tmp_path / "new/out.csv")
    assert answer.status == 1
    assert answer.skipped == [str(archive / "b.srt")]
    assert "line 2" in answer.errors
    assert "3 utterances of 1 video" in answer.output
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["out.codebook.csv", "out.csv"]


def test_wrong_usage(archive: Path, tmp_path: Path) -> None:
    assert run("join", archive, "-o", tmp_path / "x.doc").status == 2
    assert run("join", tmp_path / "none").status == 2
    assert run("join", archive, "--transcripts", tmp_path / "none").status == 1
    assert run("join", archive, "--tier", "x", "--offset", "x").status == 2
    assert run("find", archive, "--text", "x", "--trials", "t.csv").status == 2
    (tmp_path / "empty").mkdir()
    answer = run("join", tmp_path / "empty")
    assert (answer.status, answer.output) == (1, "")
    assert "no videos" in answer.errors


def test_find_and_summarize(archive: Path) -> None:
    answer = run("find", archive, "--text", "thank you", "--emotion", "happy")
    assert [(row["said"], row["start"], row["end"]) for row in answer.rows] == [("thank you so much", "0:01.0", "0:04.0")]
    assert run("find", archive, "--text", "never").last_line.startswith("0 moments")
    answer = run("summarize", archive, "--by", "speaker")
    assert [(row["speaker"], row["matched"], row["share"], row["length"]) for row in answer.rows][:2] == [
        ("Ann", "face 1", "83%", "0:06"),
        ("Ben", "", "", "0:01"),
    ]


def test_subtitles_with_dialogue(archive: Path) -> None:
    """Written once, listed in the sidecar, renewed as the transcript changes; files of others stay as they are."""
    convert = ("convert", archive, "--format", "srt,vtt", "--with-transcript")
    answer = run(*convert)
    assert (answer.status, "1 video left out" in answer.errors) == (0, True)
    srt = archive / "a.emotions.dialogue.en.srt"
    assert "[happiness] thank you so much" in srt.read_text()
    assert not (archive / "a.emotions.en.srt").exists()
    meta = parse_meta(meta_of(archive / "a.emotions.csv").read_bytes())
    assert meta is not None
    assert srt.name in meta.outputs
    assert run("check", archive).status == 0
    assert "1 up to date" in run(*convert).last_line
    document = json.loads((archive / "a.json").read_text())
    document["segments"][0]["text"] = "thanks"
    (archive / "a.json").write_text(json.dumps(document))
    assert "1 converted" in run(*convert).last_line
    assert "[happiness] thanks" in srt.read_text()
    answer = run("correct", archive / "a.mp4", "--face", "1", "--from", "1", "--to", "6", "--emotion", "fear")
    assert "as before" in answer.errors + answer.output
    assert "1 converted" in run(*convert).last_line
    assert "[fear] thanks" in srt.read_text()
    (archive / "a.emotions.dialogue.ru.srt").write_text("mine")
    assert run(*convert, "--lang", "ru").status == 1
    assert (archive / "a.emotions.dialogue.ru.srt").read_text() == "mine"
    assert run("convert", archive, "--format", "ass", "--with-transcript").status == 2
    (archive / "a.json").write_text("{")
    assert (run(*convert).status, run("join", archive).skipped) == (1, [str(archive / "a.json")])


@pytest.mark.filterwarnings("ignore:1 video without")
def test_object_storage(bucket: Bucket, archive: Path, tmp_path: Path) -> None:
    """Beside the tables, and in a folder of their own."""
    for path in archive.iterdir():
        bucket.put(f"films/{path.name}", path)
    answer = run("join", f"{bucket.url}/films", "-o", tmp_path / "out.csv")
    assert (answer.status, "3 utterances of 1 video" in answer.output) == (0, True)
    for function in (annotate.join, annotate.find_moments, annotate.summarize):
        assert len(function(f"{bucket.url}/films")) == len(function(archive)) > 0
    bucket.put("texts/films/a.json", archive / "a.json")
    bucket.delete("films/a.json")
    assert len(run("join", f"{bucket.url}/films", "--transcripts", f"{bucket.url}/texts").rows) == 3
    answer = run("convert", f"{bucket.url}/films/a.mp4", "--format", "srt", "--with-transcript", "--transcripts", archive)
    assert (answer.status, b"[happiness] thank you" in bucket.get("films/a.emotions.dialogue.en.srt")) == (0, True)
