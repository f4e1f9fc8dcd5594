"""What the command line shows."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
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

ANNOTATED = Outcome(Path("a.mp4"), Status.ANNOTATED, 65.0, 2, "fear")
NO_FACES = Outcome(Path("b.mp4"), Status.NO_FACES, 3725.4, 0, "", "damaged: the last 1.0 s could not be decoded")
CONVERTED = Outcome(Path("c.mp4"), Status.CONVERTED, 5.0, 1)
SKIPPED = Outcome(Path("d.mp4"), Status.UP_TO_DATE, 5.0, 1)
FAILED = Outcome(Path("e.mp4"), Status.FAILED, problem="the file is empty", remedy="copy it again from its source")
BUSY = Outcome.locked(Path("f.mp4"))
ALL = (ANNOTATED, NO_FACES, CONVERTED, SKIPPED, FAILED)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def ten_seconds_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is ten seconds further every time it is read."""
    moments = iter(range(0, 10_000, 10))
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: float(next(moments))))


@settings(deadline=None)
@given(st.text())
def test_printable_text_is_left_alone_and_the_rest_escaped(text: str) -> None:
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
        ("caf\udce9", r"caf\udce9"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
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


def test_a_bar_tells_how_many_items_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(progress(range(7), "reports", quiet=False)) == list(range(7))
    assert "0/7" in sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "reports/s" in sys.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("terminal", "quiet"), [(True, True), (False, False)])
def test_no_bar_when_quiet_or_elsewhere(terminal: bool, quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert list(progress("abc", "reports", quiet=quiet)) == ["a", "b", "c"]
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_say_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\ntwo")
    assert capsys.readouterr() == ("", "one\\ntwo\n")


def test_closing_table_has_a_row_for_all_but_those_up_to_date() -> None:
    lines = closing_table(ALL).splitlines()
    assert [line.split() for line in (lines[0], lines[2], lines[4])] == [
        ["video", "length", "faces", "mostly", "result"],
        ["a.mp4", "1:05", "2", "fear", "annotated"],
        ["c.mp4", "0:05", "1", "formats", "added"],
    ]
    assert lines[3].split(maxsplit=3) == ["b.mp4", "1:02:05", "0", "no faces: damaged: the last 1.0 s could not be decoded"]
    assert lines[5].split(maxsplit=1) == ["e.mp4", "failed: the file is empty; copy it again from its source"]
    expected = "5 videos: 1 annotated, 1 without faces, 1 given further formats, 1 up to date, 1 failed."
    assert lines[6:] == ["", expected]


@pytest.mark.parametrize(
    ("outcomes", "shown"),
    [
        ([SKIPPED], "1 video: 1 up to date."),
        ([SKIPPED, SKIPPED], "2 videos: 2 up to date."),
    ],
)
def test_closing_table_of_what_is_up_to_date_is_a_line(outcomes: list[Outcome], shown: str) -> None:
    assert closing_table(outcomes) == shown


def test_closing_table_escapes_names_and_reasons() -> None:
    path = Path("a\x1b[2J\n.mp4")
    table = closing_table([Outcome(path, Status.FAILED, problem="no such file")])
    assert table.splitlines()[2].split(maxsplit=1) == [r"a\x1b[2J\n.mp4", "failed: no such file"]
    assert "\x1b" not in table


def test_closing_table_breaks_long_reasons() -> None:
    problem = " ".join(["reason"] * 40)
    lines = closing_table([Outcome(Path("e.mp4"), Status.FAILED, problem=problem)]).splitlines()
    assert max(len(line) for line in lines) < 100
    assert sum(line.count("reason") for line in lines) == 40


def test_closing_table_keeps_names_that_look_like_numbers() -> None:
    assert closing_table([Outcome(Path("1e5"), Status.ANNOTATED, 1.0, 1, "fear")]).splitlines()[2].startswith("1e5 ")


def test_text_the_output_cannot_hold_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="ascii"))
    print_text("счастье €")
    sys.stdout.flush()
    assert content.getvalue() == b"\\u0441\\u0447\\u0430\\u0441\\u0442\\u044c\\u0435 \\u20ac\n"


@pytest.mark.usefixtures("ten_seconds_a_step")
def test_elsewhere_than_on_a_terminal_a_line_a_video(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(dict.fromkeys((outcome.path for outcome in ALL), 0), quiet=False)
    for outcome in ALL:
        if outcome in (ANNOTATED, NO_FACES):
            display.advance(outcome.path, 0.0, outcome.duration_s)
        display.finish(outcome)
    display.close()
    assert capsys.readouterr() == (
        "",
        "a.mp4: annotated, 1:05 long, 6.5x real time, 2 faces, mostly fear\n"
        "b.mp4: no faces, 1:02:05 long, 372.5x real time, damaged: the last 1.0 s could not be decoded\n"
        "c.mp4: formats added, 0:05 long, 1 face\n"
        "failed: e.mp4: the file is empty; copy it again from its source\n",
    )


def test_quiet_shows_failures_only(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(dict.fromkeys((outcome.path for outcome in ALL), 0), quiet=True)
    for outcome in ALL:
        display.advance(outcome.path, 1.0, outcome.duration_s)
        display.finish(outcome)
    display.close()
    assert capsys.readouterr() == ("", "failed: e.mp4: the file is empty; copy it again from its source\n")


def test_quiet_shows_no_bars_on_a_terminal_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    display = Display({ANNOTATED.path: 0}, quiet=True)
    display.advance(ANNOTATED.path, 1.0, 10.0)
    display.finish(ANNOTATED)
    display.close()
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_two_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive's bar goes by bytes: half of the second video, which is three times the first."""
    first, second = Path("first.mp4"), Path("sec\x1bond.mp4")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=iter([0.0, *[4.0] * 50]).__next__))
    display = Display({first: 100, second: 300}, quiet=False)
    display.finish(Outcome(first, Status.ANNOTATED, 10.0))
    display.advance(second, 30.0, 60.0)
    say("bars are drawn again below a sentence")
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


def test_the_log_has_a_line_a_video(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for outcome in ALL[:2]:
        with open_log(path) as write:
            write(outcome)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["path"], line["status"], line["duration_s"], line["faces"]) for line in lines] == [
        ("a.mp4", "annotated", 65.0, 2),
        ("b.mp4", "no faces", 3725.4, 0),
    ]
    assert lines[0]["time"].endswith("+00:00")


def test_lines_of_the_log_keep_their_keys_and_reasons(tmp_path: Path) -> None:
    """What failed, or was left to another run, has its reason with a path: the video's, or that of another file."""
    other = replace(FAILED, about=Path("e.emotions.csv"), trace="trace", host="a.example")
    with open_log(tmp_path / "run.jsonl") as write:
        for outcome in (NO_FACES, FAILED, BUSY, other):
            write(outcome)
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    keys = ["time", "path", "status", "duration_s", "faces", "emotion", "reason", "trace"]
    assert [list(line) for line in lines] == [keys] * 4
    assert [(line["path"], line["status"], line["reason"], line["trace"]) for line in lines] == [
        ("b.mp4", "no faces", "damaged: the last 1.0 s could not be decoded", ""),
        ("e.mp4", "failed", "e.mp4: the file is empty; copy it again from its source", ""),
        ("f.mp4", "another run is at it", "f.mp4: another run is at it; it is left to that one", ""),
        ("e.mp4", "failed", "e.emotions.csv: the file is empty; copy it again from its source [on a.example]", "trace"),
    ]


def test_the_file_concerned_is_shown_where_it_is_not_the_video(capsys: pytest.CaptureFixture[str]) -> None:
    other = replace(FAILED, about=Path("e.emotions.csv"))
    Display({other.path: 0}, quiet=False).finish(other)
    assert capsys.readouterr().err == "failed: e.emotions.csv: the file is empty; copy it again from its source\n"
    assert closing_table([other]).splitlines()[2].startswith("e.mp4 ")
    assert "failed: e.emotions.csv: the file is empty; copy it again" in closing_table([other])


def test_a_video_of_another_run_is_left_to_that(capsys: pytest.CaptureFixture[str]) -> None:
    Display({BUSY.path: 0}, quiet=False).finish(BUSY)
    assert capsys.readouterr().err == ("f.mp4: another run is at it, f.mp4: another run is at it; it is left to that one\n")
    lines = [line.strip() for line in closing_table([BUSY]).splitlines()[2:4]]
    assert lines[0].startswith("f.mp4 ")
    assert " ".join(lines).endswith("another run is at it: another run is at it; it is left to that one")
    assert closing_table([BUSY]).endswith("1 video: 1 in another run's work.")


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="check --log"), open_log(tmp_path / "missing" / "run.jsonl"):
        pass


def test_without_a_log_nothing_is_written() -> None:
    with open_log(None) as write:
        assert write(ANNOTATED) is None
