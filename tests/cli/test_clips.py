"""`annotate clips`: what it prints and writes, wrong usage, interruption, and exit statuses."""

from __future__ import annotations

import csv
import signal
from pathlib import Path

import pytest

from annotate.batch import clips as clips_module
from annotate.batch.clip_job import ClipJob, make_clip
from annotate.batch.job import Outcome, WorkContext
from tests.batch.test_clips import NAMES, add_video
from tests.cli.answers import Answer, names, run

WRITTEN = sorted([*NAMES, "clips.csv", "clips.json"])


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with an annotated video in ``films``."""
    monkeypatch.chdir(tmp_path)
    add_video(tmp_path / "films")
    return tmp_path


def clips(*options: str) -> Answer:
    return run("clips", "films", "-o", "out", "--copy", *options)


def test_clips_are_listed_previewed_made_once_and_logged(films: Path) -> None:
    preview = clips("--dry-run", "--reel")
    assert (preview.status, preview.output.split()) == (0, [Path(name).stem for name in NAMES])
    assert names(films) == ["films"]
    answer = clips("--log", "log.jsonl", "--emotion", "happy")
    assert (answer.status, answer.output.splitlines()[0]) == (0, f"out/{NAMES[2]}")
    assert names(films / "out") == sorted([NAMES[2], "clips.csv", "clips.json"])
    assert (films / "log.jsonl").read_text().count('"rendered"') == 1
    assert clips("-q").output == ""
    assert names(films / "out") == WRITTEN
    again = clips()
    assert (again.status, "0 clips to make" in again.errors, "3 exist" in again.errors) == (0, True, True)


def test_gifs_sheet_and_reel_are_written_on_request(films: Path) -> None:
    answer = clips("--gif", "--sheet", "--reel", "--emotion", "happiness", "--lang", "ru")
    gif = NAMES[2].replace(".mp4", ".gif")
    assert names(films / "out") == sorted([NAMES[2], gif, "clips.csv", "clips.json", "reel.mp4", "sheet.png"])
    assert answer.output.splitlines()[1:3] == ["out/sheet.png", "out/reel.mp4"]


def test_trials_and_what_is_said_choose_moments_and_are_in_the_table(films: Path) -> None:
    (films / "films/a.en.srt").write_text("1\n00:00:01,200 --> 00:00:01,800\nWhat a day!\n")
    (films / "trials.csv").write_text("video,start,end,trial,condition\na.mp4,0.4,0.9,first,quiet\n")
    columns = ("emotion", "start_time", "end_time", "text", "trial", "condition")
    listed = []
    for folder, options in (("said", ["--text", "what a"]), ("tried", ["--trials", "trials.csv"])):
        assert run("clips", "films", "-o", folder, "--copy", *options).status == 0
        with (films / folder / "clips.csv").open(newline="") as file:
            listed += [tuple(row.get(name) for name in columns) for row in csv.DictReader(file)]
    assert listed == [
        ("happiness", "1.2", "1.8", "What a day!", None, None),
        ("anger", "1.2", "1.4", "What a day!", None, None),
        ("anger", "0.4", "0.9", None, "first", "quiet"),
        ("anger", "0.8", "0.9", None, "first", "quiet"),
    ]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["films"], "-o"),
        (["films", "-o", "out", "--copy", "--boxes"], "--copy"),
        (["films", "-o", "out", "--boxes", "--blur"], "--blur"),
        (["films", "-o", "out", "--keep", "1"], "--blur"),
        (["films", "-o", "out", "--lead-in", "-1"], "--lead-in"),
        (["films", "-o", "out", "--emotion", "hapiness"], "happiness"),
        (["flims", "-o", "out"], "films"),
        (["films/a.mp4", "-o", "out", "--videos", "films"], "directory"),
        (["s3://films", "-o", "out"], "local"),
        (["films", "-o", "films/a.mp4"], "films/a.mp4"),
    ],
)
def test_wrong_usage_writes_nothing(films: Path, options: list[str], word: str) -> None:
    answer = run("clips", *options)
    assert (answer.status, answer.output) == (2, "")
    assert word in answer.errors
    assert names(films) == ["films"]


def test_what_has_no_moments_makes_no_clips(films: Path) -> None:
    (films / "empty").mkdir()
    (films / "text.mp4").write_text("not a video")
    assert clips("--min-seconds", "50").status == 0
    assert run("clips", "empty", "-o", "out").status == 1
    assert run("clips", "text.mp4", "-o", "out").status == 1
    assert names(films) == ["empty", "films", "text.mp4"]


def test_a_remark_on_clips_inside_the_archive_and_problems_fail_the_command(films: Path) -> None:
    answer = run("clips", "films", "-o", "films/clips", "--copy")
    assert (answer.status, "--exclude clips" in answer.errors) == (0, True)
    (films / "films/a.mp4").unlink()
    answer = clips()
    assert (answer.status, answer.failed) == (1, ["films/a.mp4"])
    add_video(films / "films")
    (films / "out" / NAMES[1]).write_text("mine")
    answer = clips()
    assert (answer.status, answer.failed) == (1, [f"out/{NAMES[1]}"])
    assert (films / "out" / NAMES[1]).read_text() == "mine"
    answer = run("clips", "films", "-o", "out", "--copy", "--lead-in", "1")
    assert (answer.status, "--copy" in answer.errors) == (2, True)


def test_ctrl_c_keeps_finished_clips_in_the_table_and_leaves_nothing_else(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def interrupt_third(job: ClipJob, context: WorkContext) -> Outcome:
        if len(made) == 2:
            job.folder.mkdir()
            (job.folder / "half.mp4").write_text("half")
            signal.raise_signal(signal.SIGINT)
        made.append(job.target)
        return make_clip(job, context)

    with monkeypatch.context() as patch:
        patch.setattr(clips_module, "make_clip", interrupt_third)
        answer = clips()
    assert (answer.status, "Interrupted: 1 remaining" in answer.errors) == (130, True)
    assert names(films / "out") == sorted([*(path.name + ".mp4" for path in made), "clips.csv", "clips.json"])
    assert (films / "out/clips.csv").read_text().count(".mp4") == 2 * 2
    assert clips().status == 0
    assert names(films / "out") == WRITTEN
