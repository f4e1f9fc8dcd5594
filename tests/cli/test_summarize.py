"""`annotate summarize` as a user types it, and what `annotate find` shares with it."""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from pandas.testing import assert_frame_equal

import annotate
from annotate.archive.find_reports import FoundReports, find_reports
from annotate.cli.main import main
from annotate.cli.tables import terminal_width, text_width
from annotate.emotions.labels import EMOTIONS
from annotate.storage.values import PathOrUrl
from tests.analytics.samples import CLIP, MOVIE, meta_of, report
from tests.analytics.test_moments import FEARS
from tests.cli.answers import rows_of

READERS: dict[str, Any] = {
    ".csv": pd.read_csv,
    ".JSON": pd.read_json,
    ".xlsx": pd.read_excel,
    ".parquet": pd.read_parquet,
}


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Return exit status, stdout and stderr of a command."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two annotated videos, one of which is an hour long and shows no face."""
    report(tmp_path / "in/new", "a.mp4", MOVIE)
    report(tmp_path / "in", "b.mp4", (), duration_s=3725.0)
    return tmp_path / "in"


def test_the_table_has_one_row_per_video_then_totals(archive: Path) -> None:
    status, output, errors = run("summarize", archive)
    assert (status, errors) == (0, "")
    rows = [line.split() for line in output.splitlines()]
    figures = ["0.71", "21.4", "57%", "0%", "0%", "43%", "0%", "0%", "0%"]
    assert rows[0] == ["video", "length", "with", "face", "tracks", "mostly", "confidence", "changes/min", *EMOTIONS]
    assert rows[2:] == [
        [str(archive / "b.mp4"), "1:02:05", "0:00", "0"],
        [str(archive / "new/a.mp4"), "0:10", "0:02", "2", "anger", *figures],
        ["total", "1:02:15", "0:02", "2", "anger", *figures],
    ]


@pytest.mark.parametrize(
    ("by", "head", "first", "total"),
    [
        ("folder", ["folder", "videos", "length"], ["{}", "1", "1:02:05"], ["total", "2", "1:02:15"]),
        (
            "face",
            ["video", "face", "start", "length", "mostly"],
            ["{}/new/a.mp4", "1", "0:00", "0:02"],
            ["total", "1:02:15"],
        ),
        ("minute", ["video", "minute", "length"], ["{}/b.mp4", "0", "1:00", "0:00", "0"], ["total", "1:02:15", "0:02", "2"]),
    ],
)
def test_other_groups_of_rows(archive: Path, by: str, head: list[str], first: list[str], total: list[str]) -> None:
    status, output, _ = run("summarize", archive, "--by", by)
    assert status == 0
    lines = [line.split() for line in output.splitlines()]
    expected = [head, [part.format(archive) for part in first], total]
    assert [line[: len(part)] for line, part in zip((lines[0], lines[2], lines[-1]), expected, strict=True)] == expected


def test_the_table_fits_the_terminal(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The common folder stands above the table; 80 columns hold all figures."""
    monkeypatch.setattr("annotate.cli.summarize.terminal_width", lambda: 80)
    lines = run("summarize", archive)[1].splitlines()
    assert max(map(text_width, lines)) <= 80
    assert lines[0].startswith("in ")
    short = [name[:3] for name in EMOTIONS]
    assert lines[1].split() == ["video", "length", "seen", "tracks", "most", "conf", "chg", *short]
    assert lines[4].split() == ["new/a.mp4", *"0:10 0:02 2 ang 0.71 21.4 57 0 0 43 0 0 0".split()]


def test_the_width_is_that_of_a_terminal_on_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal_width() is None
    terminal = SimpleNamespace(isatty=lambda: True, fileno=lambda: 1)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((97, 40)))
    assert terminal_width() == 97


@pytest.mark.parametrize(
    ("shown", "column", "first"),
    [
        ("length", "duration_s", "b.mp4"),
        ("with face", "face_s", "new/a.mp4"),
        ("seen", "face_s", "new/a.mp4"),
        ("tracks", "faces", "new/a.mp4"),
        ("mostly", "dominant", "b.mp4"),
        ("changes/min", "changes_per_minute", "new/a.mp4"),
        ("video", "video", "b.mp4"),
        ("happiness", "happiness", "new/a.mp4"),
    ],
)
def test_sort_by_headings_and_by_columns_of_files(archive: Path, shown: str, column: str, first: str) -> None:
    by_heading = run("summarize", archive, "--sort", shown)
    assert by_heading == run("summarize", archive, "--sort", column)
    status, output, errors = by_heading
    assert (status, errors) == (0, "")
    assert [row["video"] for row in rows_of(output)][::2] == [str(archive / first), "total"]


@pytest.mark.parametrize(
    ("by", "shown", "column", "expected"),
    [
        ("face", "face", "face_id", ["2", "1", ""]),
        ("face", "start", "start_time", ["2", "1", ""]),
        ("face", "length", "duration_s", ["1", "2", ""]),
    ],
)
def test_sort_face_tracks_by_headings(archive: Path, by: str, shown: str, column: str, expected: list[str]) -> None:
    status, output, _ = run("summarize", archive, "--by", by, "--sort", shown)
    assert status == 0
    assert [row["face"] for row in rows_of(output)] == expected
    assert run("summarize", archive, "--by", by, "--sort", column)[1] == output


def test_sort_and_top_leave_totals_alone(archive: Path) -> None:
    lines = [line.split() for line in run("summarize", archive, "--sort", "face_s", "--top", "1")[1].splitlines()[2:]]
    assert [line[:2] for line in lines] == [[str(archive / "new/a.mp4"), "0:10"], ["total", "1:02:15"]]


@pytest.mark.parametrize("by", ["video", "folder", "face", "minute"])
def test_files_hold_what_the_function_returns(archive: Path, by: str) -> None:
    """Files hold no totals, so that their rows can be added up."""
    expected = annotate.summarize(archive, by)
    for ending in READERS:
        path = archive / f"summary{ending}"
        status, _, errors = run("summarize", archive, "--by", by, "-o", path)
        assert (status, errors) == (0, "")
        read: dict[str, Any] = {
            ".csv": pd.read_csv,
            ".xlsx": pd.read_excel,
            ".parquet": pd.read_parquet,
            ".JSON": pd.read_json,
        }
        found = read[ending](path)
        assert_frame_equal(found.fillna({"dominant": ""}), expected, check_dtype=False)


def test_csv_file_byte_for_byte(archive: Path) -> None:
    run("summarize", archive, "-o", archive / "summary.csv")
    names = '","'.join(EMOTIONS)
    assert (archive / "summary.csv").read_text() == (
        '"video","older","duration_s","face_s","face_time_s","faces","dominant","confidence","changes_per_minute",'
        f'"{names}"\n'
        f'"{archive}/b.mp4",False,3725.0,0.0,0.0,0,"","","","","","","","","",""\n'
        f'"{archive}/new/a.mp4",False,10.0,2.3,2.8,2,"anger",0.7143,21.43,0.5714,0.0,0.0,0.4286,0.0,0.0,0.0\n'
    )


def test_a_name_that_a_spreadsheet_would_evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(tmp_path, "=1+1.mp4", CLIP)
    monkeypatch.chdir(tmp_path)
    assert run("summarize", ".", "-o", "summary.csv")[1].splitlines()[2].startswith("=1+1.mp4 ")
    rows = list(csv.reader(io.StringIO(Path("summary.csv").read_text())))
    assert rows[1][0] == "'=1+1.mp4"


def test_names_are_escaped_on_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a\x1b[2J\xe9")
    report(path, "a.mp4", FEARS)
    for command in ("summarize", "find"):
        status, output, errors = run(command, tmp_path)
        assert (status, errors) == (0, "")
        assert r"a\x1b[2J\xe9/a.mp4" in output
        assert "\x1b" not in output


def test_unusable_tables_are_listed_and_skipped(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sidecar, from another version, cut, or deleted between the check of the paths and the search."""
    gone = archive / "gone.mp4"

    def delete_and_find(paths: Iterable[PathOrUrl]) -> FoundReports:
        gone.unlink(missing_ok=True)
        return find_reports(paths)

    monkeypatch.setattr("annotate.archive.find_reports.find_reports", delete_and_find)
    half = report(archive, "c.mp4", MOVIE)
    half.write_text(half.read_text()[:-10])
    other = report(archive, "d.mp4", CLIP, version=99)
    lone = report(archive, "e.mp4", CLIP)
    meta_of(lone).unlink()
    for command in ("summarize", "find"):
        gone.touch()
        status, output, errors = run(command, archive, gone)
        assert status == 1
        words = [f"`annotate {gone}`", "damaged", "version", "missing"]
        lines = [line.split(": ", 2) for line in errors.splitlines()]
        assert [line[:2] for line in lines] == [["skipped", str(path)] for path in (gone, half, other, lone)]
        for reason, word in zip((line[2] for line in lines), words, strict=True):
            assert word in reason
        assert str(archive / "new/a.mp4") in output
        assert "/c.mp4" not in output


@pytest.mark.parametrize("command", ["summarize", "find", "export", "join", "review"])
def test_a_directory_without_tables_is_named(tmp_path: Path, archive: Path, command: str) -> None:
    (tmp_path / "none").mkdir()
    status, output, message = run(command, tmp_path / "none", "-o", tmp_path / "none.csv")
    assert (status, output) == (1, "")
    assert message.startswith(f"{tmp_path}/none: no tables")
    assert "no videos" in message
    assert message.count("\n") == 1
    assert not (tmp_path / "none.csv").exists()
    status, output, errors = run(command, tmp_path / "none", archive, "-o", tmp_path / "all.csv")
    assert (status, message in errors, (tmp_path / "all.csv").exists()) == (1, True, True)
    assert output
    assert run(command, "--quiet", tmp_path / "none", "-o", tmp_path / "none.csv") == (1, "", message)
    (tmp_path / "none/a.mp4").touch()
    assert f"`annotate {tmp_path}/none`" in run(command, tmp_path / "none", "-o", tmp_path / "none.csv")[2]


@pytest.mark.parametrize("command", ["summarize", "find"])
def test_quiet_prints_the_result_without_remarks(archive: Path, command: str) -> None:
    status, output, errors = run(command, "-q", archive)
    assert (status, errors, rows_of(output)) == (0, "", rows_of(run(command, archive)[1]))
    assert "in total" not in output


@pytest.mark.parametrize("command", ["summarize", "find"])
def test_quiet_prints_nothing_that_is_written(archive: Path, command: str) -> None:
    assert run(command, "-q", archive, "-o", archive / "out.csv") == (0, "", "")
    assert (archive / "out.csv").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("summarize", "in", "-o", "a.txt"), ["a.txt: ", "'.txt'", ".csv, .json, .xlsx, .parquet"]),
        (("summarize", "in", "-o", "a"), ["a: ", ".csv, .json, .xlsx, .parquet"]),
        (("summarize", "in", "-o", "a.edl"), ["a.edl: ", "'.edl'", ".csv, .json, .xlsx, .parquet"]),
        (("summarize", "in", "-o", "a.cvs"), ["a.cvs: ", "'.csv'"]),
        (("find", "in", "-o", "a.m3u8"), ["a.m3u8: ", "'.m3u'", ".csv, .json, .xlsx, .parquet, .edl, .otio, .fcpxml, .m3u"]),
        (("summarize", "in", "--by", "year"), ["'year'", "'video', 'folder', 'face', 'minute'"]),
        (("summarize", "in", "--top", "0"), ["--top", "0 is not in the range x>=1"]),
        (("summarize", "in", "--sort", "size"), ["'size'", "video, older, duration_s, "]),
        (("summarize", "in", "--sort", "hapiness"), ["'hapiness'", "did you mean 'happiness'"]),
        (("summarize", "in", "--sort", "duration"), ["'duration'", "did you mean 'duration_s'"]),
        (("find", "in", "--emotion", "feer"), ["'feer'", "did you mean 'fear'", "anger, disgust, fear, "]),
        (("find", "in", "--emotion", "fear", "--emotion", "joyy"), ["'joyy'", "did you mean 'happiness'"]),
        (("find", "in", "--emotions", "fear"), ["--emotions", "--emotion"]),
        (("find", "in", "--min-confidence", "60"), ["--min-confidence", "60.0 is not in the range 0<=x<=1"]),
        (("find", "in", "--rate", "12.5"), ["--rate", "12.5", "23.976, 24, 25, 29.97, "]),
        (("summarize",), ["'PATH...'"]),
    ],
)
def test_wrong_usage(archive: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], named: list[str]) -> None:
    monkeypatch.chdir(archive.parent)
    status, output, errors = run(*arguments)
    assert (status, output) == (2, "")
    assert [part for part in named if part not in " ".join(errors.split())] == []
    assert sorted(os.listdir()) == ["in"]


@pytest.mark.parametrize(
    ("command", "ending", "package", "extra"),
    [
        ("summarize", ".xlsx", "openpyxl", "tables"),
        ("summarize", ".parquet", "pyarrow", "tables"),
        ("find", ".otio", "opentimelineio", "otio"),
    ],
)
def test_a_missing_package_is_named_before_work_starts(
    archive: Path, monkeypatch: pytest.MonkeyPatch, command: str, ending: str, package: str, extra: str
) -> None:
    monkeypatch.setattr(
        "annotate.extras.find_spec", lambda name: None if name == package else importlib.util.find_spec(name)
    )
    monkeypatch.setattr("annotate.archive.find_reports.find_reports", lambda paths: pytest.fail("work has started"))
    status, _, errors = run(command, archive, "-o", archive / f"out{ending}")
    assert status == 2
    assert f"{ending} needs {package}" in errors
    assert f"`pip install 'annotate-video[{extra}]'`" in errors
    assert f"`pip install '.[{extra}]'`" in errors


@pytest.mark.parametrize("command", ["summarize", "find"])
def test_a_file_that_cannot_be_written_is_named_before_work_starts(
    archive: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("annotate.archive.find_reports.find_reports", lambda paths: pytest.fail("work has started"))
    (archive / "file").touch()
    status, output, errors = run(command, archive, "-o", archive / "file/out.csv")
    assert (status, output) == (1, "")
    assert errors.startswith(f"Error: {archive}/file: ")


def test_trials_on_the_command_line(archive: Path, tmp_path: Path) -> None:
    """Groups of trials, their moments, what is missing, and options that do not fit."""
    trials = tmp_path / "trials.csv"
    rows = ("a.mp4,0,1.6,film,P1", "a.mp4,1.6,2.3,rest,P1", "none.mp4,0,1,film,P2")
    trials.write_text("\n".join(["video,start,end,condition,participant", *rows]))
    status, output, errors = run("summarize", archive, "--trials", trials)
    lines = [line.split() for line in output.splitlines()]
    assert status == 1
    assert "1 trial of videos without a table" in errors
    assert lines[2][:6] == ["1", "film", "P1", str(archive / "new/a.mp4"), "0:02", "0:02"]
    assert lines[-1][:2] == ["total", "0:02"]
    by_condition = run("summarize", archive, "--trials", trials, "--by", "condition", "-o", tmp_path / "c.csv")[1]
    assert [line.split()[:2] for line in by_condition.splitlines()][2:5] == [["film", "1"], ["rest", "1"], ["total", "2"]]
    assert by_condition.splitlines()[-1].startswith(f"{tmp_path}/c.csv: 2 rows")
    assert pd.read_csv(tmp_path / "c.csv")["condition"].tolist() == ["film", "rest"]
    moments = run("find", archive, "--trials", trials, "--emotion", "happy", "-o", tmp_path / "m.csv")[1]
    assert [line.split()[1] for line in moments.splitlines()[2:4]] == ["1", "2"]
    assert pd.read_csv(tmp_path / "m.csv")["participant"].tolist() == ["P1", "P1"]
    for options in (("--by", "condition"), ("--baseline-trial", "rest"), ("--trials", trials, "--by", "face")):
        assert run("summarize", archive, *options)[0] == 2
    assert run("find", archive, "--trials", trials, "--baseline-trial", "rset")[0] == 2
