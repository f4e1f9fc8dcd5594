"""Output of the command line: progress, messages, the log and the closing table."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.batch.job import Outcome, Status
from annotate.cli import console
from annotate.cli.console import Display, closing_table, open_log, print_text, progress, say
from annotate.errors import OutputError
from annotate.text import clock, printable
from tests.cli.answers import rows_of

ANNOTATED = Outcome(Path("a.mp4"), Status.ANNOTATED, 65.0, 2, "fear")
NO_FACES = Outcome(Path("b.mp4"), Status.NO_FACES, 3725.4, 0, "", "damaged: the last 1.0 s could not be decoded")
CONVERTED = Outcome(Path("c.mp4"), Status.CONVERTED, 5.0, 1)
UP_TO_DATE = Outcome(Path("d.mp4"), Status.UP_TO_DATE, 5.0, 1)
FAILED = Outcome(Path("e.mp4"), Status.FAILED, problem="the file is empty", remedy="copy it again from its source")
LOCKED = Outcome.locked(Path("f.mp4"))
ALL = (ANNOTATED, NO_FACES, CONVERTED, UP_TO_DATE, FAILED)


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def ten_seconds_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that advances by ten seconds at each reading."""
    moments = iter(range(0, 10_000, 10))
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: float(next(moments))))


@settings(deadline=None)
@given(st.text())
def test_only_unprintable_text_is_escaped(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert text != shown or text.isprintable()
    assert not text.isprintable() or shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("снег ☃.mp4", "снег ☃.mp4"),
        ("a\nb\t\r", r"a\nb\t\r"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202egnp.mp4", r"a\u202egnp.mp4"),
        ("caf\udce9", r"caf\xe9"),
    ],
)
def test_control_sequences_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("duration_s", "shown"),
    [(0, "0:00"), (0.4, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599.6, "1:00:00"), (36_000, "10:00:00")],
)
def test_clock(duration_s: float, shown: str) -> None:
    assert clock(duration_s) == shown


@pytest.mark.parametrize(("duration_s", "shown"), [(0.04, "0:00.0"), (59.96, "1:00.0"), (3725.25, "1:02:05.2")])
def test_clock_with_decimals(duration_s: float, shown: str) -> None:
    assert clock(duration_s, 1) == shown


@pytest.mark.usefixtures("ten_seconds_a_step")
def test_a_bar_counts_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "tqdm", partial(console.tqdm, mininterval=0))
    assert list(progress(range(7), "reports", quiet=False)) == list(range(7))
    shown = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "0/7 reports   0%|" in shown
    assert "s/" not in shown
    assert "2/7 reports  29%|" in shown
    assert "1/7 reports  14%|#4        | 2:00 to go" in shown


def test_the_first_hundredth_gives_no_estimate_at_once() -> None:
    assert console._to_go(3, 0.001, 1) == console._to_go(1, 0.5, 1) == "estimating"
    assert console._to_go(3, 0.5, 1) == "0:03 to go"
    assert console._to_go(100, 0.001, 1) == "27:45:00 to go"


@pytest.mark.parametrize(("terminal", "quiet"), [(True, True), (False, False)])
def test_no_bar_when_quiet_or_not_on_a_terminal(terminal: bool, quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert list(progress("abc", "reports", quiet=quiet)) == ["a", "b", "c"]
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_no_bar_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(progress([], "tables")) == []
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_say_prints_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\ntwo")
    assert capsys.readouterr() == ("", "one\\ntwo\n")


def test_closing_table_has_a_row_per_video_that_was_not_up_to_date() -> None:
    assert [list(row.values()) for row in rows_of(closing_table(ALL))] == [
        ["a.mp4", "1:05", "2", "fear", "annotated"],
        ["b.mp4", "1:02:05", "0", "", "no faces"],
        ["c.mp4", "0:05", "1", "", "converted"],
        ["e.mp4", "", "", "", "failed"],
    ]
    assert list(rows_of(closing_table(ALL))[0]) == ["video", "length", "tracks", "mostly", "result"]
    assert list(rows_of(closing_table(ALL[-1:]))[0]) == ["video", "result"]


def test_closing_table_counts_persons_apart_from_face_tracks() -> None:
    told_apart = [replace(ANNOTATED, people=1), NO_FACES]
    assert [row.get("people") for row in rows_of(closing_table(told_apart))] == ["1", ""]


def test_closing_table_ends_with_remarks_failures_and_totals() -> None:
    _, remarks, failures, totals = closing_table(ALL).split("\n\n")
    assert remarks.splitlines() == ["Remarks:", f"  b.mp4: {NO_FACES.problem}"]
    assert failures.splitlines() == ["1 failed:", f"  e.mp4: {FAILED.reason}"]
    assert totals == "5 videos: 1 annotated, 1 without faces, 1 converted, 1 up to date, 1 failed."


def test_closing_table_counts_videos_with_small_faces_in_one_remark() -> None:
    small = [replace(outcome, has_small_faces=True) for outcome in (ANNOTATED, NO_FACES, UP_TO_DATE)]
    remarks = closing_table(small).split("\n\n")[1].splitlines()
    assert remarks[:-1] == ["Remarks:", f"  b.mp4: {NO_FACES.problem}"]
    assert re.match(r" +2 videos .*--min-face", remarks[-1])
    assert "--min-face" not in closing_table(ALL)


def test_closing_table_counts_videos_that_were_decoded_whole() -> None:
    remark = closing_table([replace(ANNOTATED, decoded_whole=True)]).split("\n\n")[1].splitlines()[-1]
    assert re.match(r" +1 video .*--decode", remark)
    assert "--decode" not in closing_table(ALL)


def test_closing_table_has_no_empty_lists() -> None:
    assert closing_table([ANNOTATED]).split("\n\n")[1:] == ["1 video: 1 annotated."]


def test_closing_table_fits_the_terminal() -> None:
    outcome = replace(ANNOTATED, path=Path(f"{'long-' * 40}name.mp4"))
    table = closing_table([outcome, FAILED], 60).split("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 60
    assert [row["result"] for row in rows_of(table)] == ["annotated", "failed"]


@pytest.mark.parametrize(
    ("outcomes", "shown"),
    [
        ([UP_TO_DATE], "1 video: 1 up to date."),
        ([UP_TO_DATE, UP_TO_DATE], "2 videos: 2 up to date."),
    ],
)
def test_closing_table_of_videos_up_to_date_is_one_line(outcomes: list[Outcome], shown: str) -> None:
    assert closing_table(outcomes) == shown


def test_closing_table_escapes_names_and_reasons() -> None:
    path = Path("a\x1b[2J\n.mp4")
    table = closing_table([Outcome(path, Status.FAILED, problem="no such\x1b file")])
    assert rows_of(table)[0]["video"] == r"a\x1b[2J\n.mp4"
    assert r"  a\x1b[2J\n.mp4: no such\x1b file" in table.splitlines()
    assert "\x1b" not in table


def test_closing_table_has_long_reasons_in_full_below() -> None:
    problem = " ".join(["reason"] * 40)
    table = closing_table([Outcome(Path("e.mp4"), Status.FAILED, problem=problem)], 80)
    assert max(map(len, table.split("\n\n")[0].splitlines())) < 80
    assert f"  e.mp4: {problem}" in table.splitlines()


def test_closing_table_keeps_names_that_look_like_numbers() -> None:
    assert rows_of(closing_table([Outcome(Path("1e5"), Status.ANNOTATED, 1.0, 1, "fear")]))[0]["video"] == "1e5"


def test_text_that_the_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="ascii"))
    print_text("счастье €")
    sys.stdout.flush()
    assert content.getvalue() == b"\\u0441\\u0447\\u0430\\u0441\\u0442\\u044c\\u0435 \\u20ac\n"


@pytest.mark.usefixtures("ten_seconds_a_step")
def test_one_line_per_video_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(dict.fromkeys((outcome.path for outcome in ALL), 0), quiet=False)
    for outcome in ALL:
        if outcome in (ANNOTATED, NO_FACES):
            display.advance(outcome.path, 0.0, outcome.duration_s)
        display.finish(outcome)
    display.close()
    assert capsys.readouterr() == (
        "",
        "a.mp4: annotated, 1:05 long, 6.5x real time, 2 face tracks, mostly fear\n"
        f"b.mp4: no faces, 1:02:05 long, 372.5x real time, {NO_FACES.problem}\n"
        "c.mp4: converted, 0:05 long, 1 face track\n"
        f"failed: e.mp4: {FAILED.reason}\n",
    )


def test_quiet_shows_failures_only(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(dict.fromkeys((outcome.path for outcome in ALL), 0), quiet=True)
    for outcome in ALL:
        display.advance(outcome.path, 1.0, outcome.duration_s)
        display.finish(outcome)
    display.close()
    assert capsys.readouterr() == ("", f"failed: e.mp4: {FAILED.reason}\n")


def test_quiet_shows_no_bars_on_a_terminal_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    display = Display({ANNOTATED.path: 0}, quiet=True)
    display.advance(ANNOTATED.path, 1.0, 10.0)
    display.finish(ANNOTATED)
    display.close()
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_two_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive's bar counts bytes: half of the second video, which is three times as large as the first."""
    first, second = Path("first.mp4"), Path("sec\x1bond.mp4")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=iter([0.0, *[4.0] * 50]).__next__))
    display = Display({first: 100, second: 300}, quiet=False)
    display.finish(Outcome(first, Status.ANNOTATED, 10.0))
    display.advance(second, 30.0, 60.0)
    say("bars are redrawn below a message")
    shown = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "1 done, 0 failed, 1 left  62%|" in shown
    assert "0:40 at 10.0x real time" in shown
    assert r"sec\x1bond.mp4  50%|" in shown
    display.finish(Outcome(second, Status.FAILED, problem="it is empty"))
    display.close()
    ended = sys.stderr.getvalue().removeprefix(shown)  # type: ignore[attr-defined]
    assert r"failed: sec\x1bond.mp4: it is empty" in ended
    assert "1 done, 1 failed, 0 left 100%|" in ended
    assert ended.rsplit("\r", 1)[-1].strip() == ""


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_narrow_terminal_keeps_the_time_to_go(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=iter([0.0, *[4000.0] * 50]).__next__))
    display = Display({Path(f"{number}.mp4"): 100 for number in range(2000)}, quiet=False)
    display.finish(Outcome(Path("0.mp4"), Status.FAILED, problem="it is empty"))
    display.finish(Outcome(Path("1.mp4"), Status.ANNOTATED, 100_000.0))
    bar = re.findall(r"[^\r\n]*\|.*to go", sys.stderr.getvalue())[-1]  # type: ignore[attr-defined]
    assert len(bar) <= columns
    display.close()


def test_a_video_of_unknown_length_has_a_bar_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    path = Path("{a}.mp4")
    display = Display({path: 0}, quiet=False)
    display.advance(path, 5.0, None)
    display.close()
    assert "{a}.mp4 100%|" in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_long_names_are_cut_on_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    display = Display({Path(f"{'x' * 60}.mp4"): 0}, quiet=False)
    display.advance(Path(f"{'x' * 60}.mp4"), 1.0, 10.0)
    display.close()
    assert f"{'x' * 39}…" in sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "x" * 40 not in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_the_log_has_one_line_per_video(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for outcome in ALL[:2]:
        with open_log(path) as write:
            write(outcome)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["path"], line["status"], line["duration_s"], line["faces"]) for line in lines] == [
        ("a.mp4", "annotated", 65.0, 2),
        ("b.mp4", "no_faces", 3725.4, 0),
    ]
    assert lines[0]["time"].endswith("+00:00")


def test_lines_of_the_log_keep_their_keys_and_reasons(tmp_path: Path) -> None:
    """The reason of a failed or locked video starts with a path: the video's, or that of the file concerned."""
    other = replace(FAILED, about=Path("e.emotions.csv"), trace="trace", host="a.example")
    with open_log(tmp_path / "run.jsonl") as write:
        for outcome in (NO_FACES, FAILED, LOCKED, other):
            write(outcome)
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    keys = ["time", "path", "status", "duration_s", "faces", "emotion", "reason", "trace"]
    assert [list(line) for line in lines] == [keys] * 4
    assert [(line["path"], line["status"], line["reason"], line["trace"]) for line in lines] == [
        ("b.mp4", "no_faces", NO_FACES.problem, ""),
        ("e.mp4", "failed", "e.mp4: the file is empty. Copy it again from its source.", ""),
        ("f.mp4", "locked", f"f.mp4: {LOCKED.reason}", ""),
        ("e.mp4", "failed", "e.emotions.csv: the file is empty. Copy it again from its source. [on a.example]", "trace"),
    ]


def test_statuses_of_the_log_are_single_words(tmp_path: Path) -> None:
    with open_log(tmp_path / "run.jsonl") as write:
        for status in Status:
            write(Outcome(Path("a.mp4"), status))
    found = [json.loads(line)["status"] for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert found == ["annotated", "no_faces", "converted", "rendered", "described", "up_to_date", "locked", "failed"]


def test_the_file_concerned_is_shown_if_it_is_not_the_video(capsys: pytest.CaptureFixture[str]) -> None:
    other = replace(FAILED, about=Path("e.emotions.csv"))
    Display({other.path: 0}, quiet=False).finish(other)
    assert capsys.readouterr().err == f"failed: e.emotions.csv: {FAILED.reason}\n"
    assert rows_of(closing_table([other]))[0]["video"] == "e.mp4"
    assert f"  e.mp4: e.emotions.csv: {FAILED.reason}" in closing_table([other]).splitlines()


def test_a_video_locked_by_another_run_is_a_remark(capsys: pytest.CaptureFixture[str]) -> None:
    Display({LOCKED.path: 0}, quiet=False).finish(LOCKED)
    shown = capsys.readouterr().err
    assert shown.startswith("f.mp4: locked, ")
    assert shown.endswith(f"{LOCKED.reason}\n")
    rows, remarks, totals = closing_table([LOCKED]).split("\n\n")
    assert [(row["video"], row["result"]) for row in rows_of(rows)] == [("f.mp4", "locked")]
    assert remarks.splitlines() == ["Remarks:", f"  f.mp4: {LOCKED.reason}"]
    assert totals == "1 video: 1 locked."


def test_a_log_that_cannot_be_written_is_an_error_about_its_path(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "run.jsonl"
    with pytest.raises(OutputError) as raised, open_log(path):
        pass
    assert raised.value.path == path
    assert "(No such file or directory)" in raised.value.problem
    assert "--log" in raised.value.remedy


def test_without_a_log_nothing_is_written() -> None:
    with open_log(None) as write:
        assert write(ANNOTATED) is None
