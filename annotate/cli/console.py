"""Output of the command line: bars, lines and tables."""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from tabulate import tabulate
from tqdm import tqdm

from annotate.batch.check import Fault, Finding
from annotate.batch.job import Outcome, Status
from annotate.errors import OutputError, unwritable
from annotate.storage.values import PathOrUrl
from annotate.text import clock, printable

Item = TypeVar("Item")

_NAME_COLUMNS = 40
_RESULT_COLUMNS = 60
_REDRAW_INTERVAL_S = 0.1
_COUNTED = (
    (Status.ANNOTATED, "annotated"),
    (Status.NO_FACES, "without faces"),
    (Status.CONVERTED, "converted"),
    (Status.RENDERED, "rendered"),
    (Status.UP_TO_DATE, "up to date"),
    (Status.LOCKED, "locked"),
    (Status.FAILED, "failed"),
)


def say(message: object) -> None:
    """Print a line on stderr, above the bars if there are any."""
    tqdm.write(printable(message), file=sys.stderr)


def progress(items: Sequence[Item], what: str, *, quiet: bool) -> Iterable[Item]:
    """Yield the items; on a terminal a bar shows how many were taken."""
    hidden = quiet or not sys.stderr.isatty()
    return tqdm(items, unit=f" {what}", leave=False, disable=hidden, file=sys.stderr, dynamic_ncols=True)


class Display:
    """Progress of a run: two bars on a terminal, one line per video elsewhere, nothing but failures when quiet.

    ``sizes`` are the videos with their bytes, with which the archive's bar moves: they are known beforehand, and go with
    lengths.
    """

    def __init__(self, sizes: Mapping[PathOrUrl, int], *, quiet: bool) -> None:
        self._quiet = quiet
        self._sizes = sizes
        self._left = len(sizes)
        self._counts: Counter[Status] = Counter()
        self._in_work: dict[PathOrUrl, tuple[float, float | None]] = {}
        self._finished: set[PathOrUrl] = set()
        self._begun_s: dict[PathOrUrl, float] = {}
        self._drawn_s = 0.0
        self._analyzed_s = 0.0
        self._bytes_done = 0
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        self._archive: tqdm[Any] | None = None
        self._video: tqdm[Any] | None = None
        if not quiet and sys.stderr.isatty():
            self._archive = self._bar(total=sum(self._sizes.values()), position=0)
            self._video = self._bar(total=1, position=1)

    def advance(self, path: PathOrUrl, done_s: float, duration_s: float | None) -> None:
        """Show that ``done_s`` seconds of a video are analyzed, of ``duration_s`` if that is known."""
        with self._lock:
            if path in self._finished:
                return
            now_s = time.monotonic()
            is_due = path not in self._begun_s or now_s - self._drawn_s >= _REDRAW_INTERVAL_S
            self._begun_s.setdefault(path, now_s)
            self._in_work[path] = (done_s, duration_s)
            if is_due:
                self._redraw()

    def finish(self, outcome: Outcome) -> None:
        """Show how the work on a video ended."""
        with self._lock:
            self._finished.add(outcome.path)
            self._in_work.pop(outcome.path, None)
            begun_s = self._begun_s.pop(outcome.path, None)
            self._counts[outcome.status] += 1
            self._left -= 1
            self._bytes_done += self._sizes.get(outcome.path, 0)
            if outcome.status in (Status.ANNOTATED, Status.NO_FACES, Status.RENDERED):
                self._analyzed_s += outcome.duration_s
            if outcome.status is Status.FAILED:
                say(f"failed: {outcome.sentence}")
            elif not self._quiet and self._archive is None and outcome.status is not Status.UP_TO_DATE:
                elapsed_s = time.monotonic() - begun_s if begun_s is not None else None
                say(f"{outcome.path}: {', '.join(_facts(outcome, elapsed_s))}")
            self._redraw()

    def close(self) -> None:
        """Remove the bars."""
        for bar in (self._video, self._archive):
            if bar is not None:
                bar.close()

    def _bar(self, total: int, position: int) -> tqdm[Any]:
        return tqdm(total=total, position=position, bar_format="{desc}", leave=False, file=sys.stderr, dynamic_ncols=True)

    def _redraw(self) -> None:
        if self._archive is None or self._video is None:
            return
        self._drawn_s = time.monotonic()
        analyzed_s = self._analyzed_s + sum(done_s for done_s, _ in self._in_work.values())
        partly = sum(
            done_s / duration_s * self._sizes.get(path, 0)
            for path, (done_s, duration_s) in self._in_work.items()
            if duration_s
        )
        failed = self._counts[Status.FAILED]
        done = sum(self._counts.values()) - failed
        self._archive.bar_format = (
            f"{done} done, {failed} failed, {self._left} left {{percentage:3.0f}}%|{{bar}}| "
            f"{clock(analyzed_s)} at {_speed(analyzed_s, self._drawn_s - self._started_s)}, {{remaining}} to go"
        )
        self._archive.n = min(self._bytes_done + round(partly), self._archive.total or 0)
        self._archive.refresh()
        if self._in_work:
            path, (done_s, duration_s) = next(iter(self._in_work.items()))
            name = printable(path.name).replace("{", "{{").replace("}", "}}")
            shown = name if len(name) <= _NAME_COLUMNS else f"{name[: _NAME_COLUMNS - 1]}…"
            self._video.bar_format = f"{shown} {{percentage:3.0f}}%|{{bar}}| {clock(done_s)}"
            self._video.total = total_s = duration_s or done_s or 1.0
            self._video.n = min(done_s, total_s)
        self._video.refresh()


@contextlib.contextmanager
def open_log(path: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """Give a function that appends a JSON line for an outcome to ``path``, if there is one.

    Raises:
        OutputError: it cannot be written, now or when the function is called.
    """
    if path is None:
        yield lambda outcome: None
        return
    try:
        file = path.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", "check --log", path=path) from None

    def write(outcome: Outcome) -> None:
        try:
            file.write(json.dumps(_log_line(outcome), ensure_ascii=False) + "\n")
            file.flush()
        except OSError as error:
            raise unwritable(path, error) from None

    try:
        yield write
    finally:
        with contextlib.suppress(OSError):
            file.close()


def closing_table(outcomes: Sequence[Outcome]) -> str:
    """Return a table with one row per video, but for those that were up to date, and a line of totals."""
    rows = [
        (
            printable(outcome.path),
            clock(outcome.duration_s) if outcome.duration_s else "",
            outcome.faces if outcome.status is not Status.FAILED else "",
            outcome.emotion,
            printable(_result(outcome)),
        )
        for outcome in outcomes
        if outcome.status is not Status.UP_TO_DATE
    ]
    counts = Counter(outcome.status for outcome in outcomes)
    totals = ", ".join(f"{counts[status]} {text}" for status, text in _COUNTED if counts[status])
    plural = "video" if len(outcomes) == 1 else "videos"
    headers = ("video", "length", "faces", "mostly", "result")
    widths = (None, None, None, None, _RESULT_COLUMNS)
    table = tabulate(rows, headers, disable_numparse=True, maxcolwidths=widths) if rows else ""
    head = f"{table}\n\n" if rows else ""
    return f"{head}{len(outcomes)} {plural}: {totals}."


def finding_line(finding: Finding) -> str:
    """Return a line that says what is wrong with a file."""
    return printable(f"{finding.path}: {finding.fault.value}: {finding.reason}")


def check_totals(videos: int, findings: Sequence[Finding]) -> str:
    """Return the last line of a check."""
    counts = Counter(finding.fault for finding in findings)
    totals = ", ".join(f"{counts[fault]} {fault.value}" for fault in Fault if counts[fault])
    return f"{videos} {'video' if videos == 1 else 'videos'} checked: {totals or 'all is well'}."


def print_text(text: str) -> None:
    """Print text on stdout; what the terminal's encoding lacks is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def _log_line(outcome: Outcome) -> dict[str, Any]:
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "path": str(outcome.path),
        "status": outcome.status.value,
        "duration_s": outcome.duration_s,
        "faces": outcome.faces,
        "emotion": outcome.emotion,
        "reason": _full_reason(outcome),
        "trace": outcome.trace,
    }


def _facts(outcome: Outcome, elapsed_s: float | None) -> Iterable[str]:
    yield outcome.status.label
    if outcome.duration_s:
        yield f"{clock(outcome.duration_s)} long"
    if elapsed_s is not None:
        yield _speed(outcome.duration_s, elapsed_s)
    if outcome.faces:
        yield f"{outcome.faces} {'face' if outcome.faces == 1 else 'faces'}"
    if outcome.emotion:
        yield f"mostly {outcome.emotion}"
    if outcome.reason:
        yield _full_reason(outcome)


def _full_reason(outcome: Outcome) -> str:
    """Return an outcome's reason; where nothing was made, with the file that it is about."""
    return outcome.sentence if outcome.status in (Status.FAILED, Status.LOCKED) else outcome.reason


def _speed(analyzed_s: float, elapsed_s: float) -> str:
    return f"{analyzed_s / max(elapsed_s, 1e-3):.1f}x real time"


def _result(outcome: Outcome) -> str:
    return f"{outcome.status.label}: {outcome.reason}" if outcome.reason else outcome.status.label
