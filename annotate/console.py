"""What the command line shows: bars, lines and tables."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate
from tqdm import tqdm

from annotate.archive.outcome import Outcome, Status, Watcher

if TYPE_CHECKING:
    import pandas as pd

_NAME_COLUMNS = 40
_RESULT_COLUMNS = 60
_VIDEO_BAR = "{desc} {percentage:3.0f}%|{bar}| "
_ARCHIVE_BAR = "{desc} {n_fmt}/{total_fmt} |{bar}| {elapsed}<{remaining}"
_COUNTED = (
    (Status.ANNOTATED, "annotated"),
    (Status.NO_FACES, "without faces"),
    (Status.CONVERTED, "given further formats"),
    (Status.SKIPPED, "up to date"),
    (Status.FAILED, "failed"),
)


def printable(text: object) -> str:
    """Text that does nothing to a terminal: control characters and broken bytes escaped.

    >>> printable("a\\x1b[31m\\n")
    'a\\\\x1b[31m\\\\n'
    """
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))
    return shown.encode("utf-8", "backslashreplace").decode()


def clock(duration_s: float) -> str:
    """A length as people write it.

    >>> clock(5.04), clock(3725)
    ('0:05', '1:02:05')
    """
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def say(message: object) -> None:
    """A sentence on stderr, above the bars if there are any."""
    tqdm.write(printable(message), file=sys.stderr)


class Display:
    """Shows a run: two bars on a terminal, a line a video elsewhere, nothing but failures when quiet."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._quiet = quiet
        self._has_bars = not quiet and sys.stderr.isatty()
        self._started_s = time.monotonic()
        self._archive: tqdm[Any] | None = None
        self._video: tqdm[Any] | None = None
        if self._has_bars:
            self._archive = tqdm(
                total=total, desc="videos", bar_format=_ARCHIVE_BAR, leave=False, file=sys.stderr, dynamic_ncols=True
            )
        self.watcher = Watcher(self._begin, self._advance)

    def finish(self, outcome: Outcome) -> None:
        """A video is done."""
        self._close_video()
        if self._archive is not None:
            self._archive.update()
        if outcome.status is Status.FAILED:
            say(f"failed: {outcome.reason}")
        elif not self._quiet and not self._has_bars and outcome.status is not Status.SKIPPED:
            say(f"{outcome.path}: {', '.join(_facts(outcome, time.monotonic() - self._started_s))}")

    def close(self) -> None:
        """Removes the bars."""
        self._close_video()
        if self._archive is not None:
            self._archive.close()

    def _begin(self, path: Path, duration_s: float | None) -> None:
        self._started_s = time.monotonic()
        if self._has_bars:
            name = printable(path.name)
            shown = name if len(name) <= _NAME_COLUMNS else f"{name[: _NAME_COLUMNS - 1]}…"
            self._video = tqdm(
                total=duration_s,
                desc=shown,
                bar_format=_VIDEO_BAR,
                leave=False,
                file=sys.stderr,
                dynamic_ncols=True,
                position=1,
            )

    def _advance(self, analysed_s: float) -> None:
        if self._video is not None:
            self._video.bar_format = _VIDEO_BAR + _speed(analysed_s, time.monotonic() - self._started_s)
            self._video.update(min(analysed_s, self._video.total or analysed_s) - self._video.n)

    def _close_video(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None


def closing_table(outcomes: Sequence[Outcome]) -> str:
    """What became of every video, those that were up to date counted only, and a line of totals."""
    rows = [
        (
            printable(outcome.path),
            clock(outcome.duration_s) if outcome.duration_s else "",
            outcome.faces if outcome.status is not Status.FAILED else "",
            outcome.emotion,
            printable(_result(outcome)),
        )
        for outcome in outcomes
        if outcome.status is not Status.SKIPPED
    ]
    counts = Counter(outcome.status for outcome in outcomes)
    totals = ", ".join(f"{counts[status]} {text}" for status, text in _COUNTED if counts[status])
    plural = "video" if len(outcomes) == 1 else "videos"
    headers = ("video", "length", "faces", "mostly", "result")
    widths = (None, None, None, None, _RESULT_COLUMNS)
    table = tabulate(rows, headers, disable_numparse=True, maxcolwidths=widths) if rows else ""
    head = f"{table}\n\n" if rows else ""
    return f"{head}{len(outcomes)} {plural}: {totals}."


def summary_table(frame: pd.DataFrame) -> str:
    """A summary for people: lengths as clock times, shares in percent."""
    shares = list(frame.columns[5:])
    rows = [
        (
            printable(row[0]),
            clock(row[1]),
            clock(row[2]),
            row[3],
            row[4],
            *(f"{share:.0%}" if row[4] else "" for share in row[5:]),
        )
        for row in frame.itertuples(index=False, name=None)
    ]
    headers = ("video", "length", "with face", "faces", "mostly", *shares)
    return tabulate(
        rows, headers, disable_numparse=True, colalign=("left", "right", "right", "right", "left", *("right",) * len(shares))
    )


def print_text(text: str) -> None:
    """Text on stdout; what the terminal's encoding lacks is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


def _facts(outcome: Outcome, elapsed_s: float) -> Iterable[str]:
    yield outcome.status.value
    yield f"{clock(outcome.duration_s)} long"
    if outcome.status in (Status.ANNOTATED, Status.NO_FACES):
        yield _speed(outcome.duration_s, elapsed_s)
    if outcome.faces:
        yield f"{outcome.faces} {'face' if outcome.faces == 1 else 'faces'}"
    if outcome.emotion:
        yield f"mostly {outcome.emotion}"
    if outcome.reason:
        yield outcome.reason


def _speed(analysed_s: float, elapsed_s: float) -> str:
    return f"{analysed_s / max(elapsed_s, 1e-3):.1f}x real time"


def _result(outcome: Outcome) -> str:
    path = f"{outcome.path}: "
    reason = outcome.reason.removeprefix(path)
    return f"{outcome.status.value}: {reason}" if reason else outcome.status.value
