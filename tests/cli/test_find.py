"""`annotate find` as a user types it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.analytics.samples import CLIP, MOVIE, block, report
from tests.analytics.test_moments import FEARS
from tests.cli.answers import rows_of
from tests.cli.test_summarize import archive, run

__all__ = ["archive"]


def test_find_lists_moments(tmp_path: Path) -> None:
    report(tmp_path, "a.mp4", FEARS)
    report(tmp_path, "b.mp4", MOVIE)
    arguments = ("find", tmp_path, "--emotion", "fear", "--min-confidence", ".6", "--min-seconds", "1")
    status, output, errors = run(*arguments, "-o", tmp_path / "moments.csv")
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    assert [line.split() for line in lines] == [
        ["video", "face", "start", "end", "seconds", "emotion", "confidence"],
        lines[1].split(),
        [f"{tmp_path}/a.mp4", "1", "0:00.0", "0:01.6", "1.6", "fear", "0.75"],
        [f"{tmp_path}/a.mp4", "1", "0:03.2", "0:04.4", "1.2", "fear", "0.83"],
        [],
        [f"{tmp_path}/moments.csv:", "2", "moments,", "0:03", "in", "total."],
    ]
    assert (tmp_path / "moments.csv").read_text() == (
        '"video","face_id","start_time","end_time","duration_s","emotion","confidence","older"\n'
        f'"{tmp_path}/a.mp4",1,0.0,1.6,1.6,"fear",0.75,False\n'
        f'"{tmp_path}/a.mp4",1,3.2,4.4,1.2,"fear",0.8333,False\n'
    )


def test_find_nothing(archive: Path) -> None:
    assert run("find", archive, "--emotion", "disgust") == (0, "0 moments, 0:00 in total.\n", "")


@pytest.mark.parametrize(
    ("name", "noun"),
    [("happy", "happiness"), ("Happy", "happiness"), ("joy", "happiness"), ("ANGER", "anger"), ("angry", "anger")],
)
def test_find_takes_other_words_and_any_case(archive: Path, name: str, noun: str) -> None:
    status, output, errors = run("find", archive, "--emotion", name)
    assert (status, errors) == (0, "")
    assert {row["emotion"] for row in rows_of(output)} == {noun}
    assert output == run("find", archive, "--emotion", noun)[1]


def test_find_several_emotions(archive: Path) -> None:
    _, output, _ = run("find", archive, "--emotion", "happy", "--emotion", "anger", "--emotion", "happiness")
    assert output == run("find", archive)[1]
    assert {row["emotion"] for row in rows_of(output)} == {"anger", "happiness"}


@pytest.mark.parametrize("name", ["moments.edl", "moments.otio", "moments.fcpxml", "moments.m3u"])
def test_find_writes_lists_for_players_and_editors(tmp_path: Path, name: str) -> None:
    report(tmp_path, "a.mp4", FEARS)
    (tmp_path / "a.mp4").touch()
    assert run("find", tmp_path, "--emotion", "anger", "-q", "-o", tmp_path / name) == (0, "", "")
    expected = {
        "moments.edl": "00:00:01:15 00:00:02:10 01:00:00:00 01:00:00:20",
        "moments.otio": '"a.mp4: anger, face 1, confidence 0.90"',
        "moments.fcpxml": 'value="anger, face 1, confidence 0.90"',
        "moments.m3u": "#EXTVLCOPT:start-time=1.600\n#EXTVLCOPT:stop-time=2.400\n",
    }
    assert expected[name] in (tmp_path / name).read_text()


def test_limits_of_an_edit_list_are_printed(tmp_path: Path) -> None:
    """A video that is not beside its table, more events than editors read, and another frame rate."""
    report(tmp_path, "a.mp4", [block(face, 0, 0, 800, "fear") for face in range(1, 1001)])
    report(tmp_path, "b.mp4", CLIP, frames=600)
    (tmp_path / "a.mp4").touch()
    path = tmp_path / "moments.edl"
    status, _, errors = run("find", tmp_path, "-q", "-o", path)
    assert status == 0
    gone, events, rate = errors.splitlines()
    assert all(line.startswith(f"{path}: ") for line in (gone, events, rate))
    assert "1 of 2 videos" in gone
    assert "999" in events
    assert "moments-2.edl" in events
    numbers = [re.findall(r"^(\d{3}) ", path.with_stem(name).read_text(), re.MULTILINE) for name in ("moments", "moments-2")]
    assert [len(each) for each in numbers] == [999, 2]
    assert numbers[1] == ["001", "002"]
    assert " 25 " in rate


def test_an_edit_list_beyond_24_hours_is_refused_and_not_written(tmp_path: Path) -> None:
    report(tmp_path, "a.mp4", [block(1, 0, 86_400_000, 86_401_000, "fear")], duration_s=90_000, frames=2_250_000)
    (tmp_path / "a.mp4").touch()
    path = tmp_path / "moments.edl"
    status, _, errors = run("find", tmp_path, "-q", "-o", path)
    assert status == 1
    assert str(path) in errors
    assert "24:00:01" in errors
    assert not path.exists()
    assert run("find", tmp_path, "-q", "-o", path.with_suffix(".m3u"))[0] == 0


@pytest.mark.parametrize(("rate", "codes"), [("24", "00:00:02:12 00:00:04:00"), ("29.97", "00:00:02;15 00:00:04;00")])
def test_a_list_has_the_given_rate(tmp_path: Path, rate: str, codes: str) -> None:
    """2.5 s are 60 frames at 24 fps, and 74.9 frames at 30000/1001 fps."""
    report(tmp_path, "a.mp4", [block(1, 0, 2500, 4000, "fear")], frames=600)
    run("find", tmp_path, "-q", "-o", tmp_path / "moments.edl", "--rate", rate)
    assert codes in (tmp_path / "moments.edl").read_text()
