"""Output of the command line: progress bars, lines, the log and the closing table."""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, TypeVar

import click
from tqdm import tqdm

from annotate.batch.check import Finding, FindingKind
from annotate.batch.job import Outcome, Status
from annotate.cli.json_output import json_safe
from annotate.cli.tables import Column, format_columns
from annotate.errors import OutputError, write_error
from annotate.storage.values import PathOrUrl
from annotate.text import clock, counted, printable

Item = TypeVar("Item")

_NAME_COLUMNS = 40
_BAR_COLUMNS = 10
_REDRAW_INTERVAL_S = 0.1
_LOG_LINE_BYTES = 1 << 20
_LEAST_ELAPSED_S = 2.0
"""Start-up time, during which no estimate is shown."""
_UNTIL_S = 20.0
_LEAST_DONE = 0.01
"""Share of the work that must be done before that for an estimate: less tells more of the start than of the rest."""

_COUNTED = (
    (Status.ANNOTATED, "annotated"),
    (Status.NO_FACES, "without faces"),
    (Status.CONVERTED, "converted"),
    (Status.RENDERED, "rendered"),
    (Status.DESCRIBED, "described"),
    (Status.UP_TO_DATE, "up to date"),
    (Status.LOCKED, "locked"),
    (Status.FAILED, "failed"),
)
_UNDONE = (Status.FAILED, Status.LOCKED)
"""Statuses without outputs."""


def say(message: object) -> None:
    """Print a line on stderr, above the bars; errors of the stream are ignored."""
    with contextlib.suppress(OSError):
        tqdm.write(printable(message), file=sys.stderr)


def progress(items: Iterable[Item], what: str, *, total: int | None = None, quiet: bool = False) -> Iterable[Item]:
    """Yield the items; on a terminal a bar counts them, of ``total`` or as many as the sequence has."""
    if quiet or total == 0 or (isinstance(items, Sized) and not len(items)) or not sys.stderr.isatty():
        yield from items
        return
    started_s = time.monotonic()
    with tqdm(items, total=total, bar_format="{desc}", leave=False, file=sys.stderr, dynamic_ncols=True) as bar:
        count = bar.total or 0

        def show(done: int) -> None:
            to_go = _to_go(time.monotonic() - started_s, done, count)
            bar.bar_format = f"{done}/{count} {what} {{percentage:3.0f}}%|{{bar}}| {to_go}"

        show(0)
        bar.refresh()
        for done, item in enumerate(bar, 1):
            yield item
            show(done)


class Display:
    """Progress of a run: two bars on a terminal, one line per video elsewhere, failures only when quiet.

    ``sizes`` maps each video to its bytes. The archive's bar counts bytes: unlike lengths they are known beforehand.
    """

    def __init__(self, sizes: Mapping[PathOrUrl, int], *, quiet: bool) -> None:
        self._quiet = quiet
        self._sizes = sizes
        self._left = len(sizes)
        self._counts: Counter[Status] = Counter()
        self._in_work: dict[PathOrUrl, tuple[float, float | None]] = {}
        self._finished: set[PathOrUrl] = set()
        self._start_s: dict[PathOrUrl, float] = {}
        self._drawn_s = 0.0
        self._analyzed_s = 0.0
        self._bytes_done = 0
        self._bytes_skipped = 0
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        self._archive: tqdm[Any] | None = None
        self._video: tqdm[Any] | None = None
        if not quiet and sys.stderr.isatty():
            self._archive = self._bar(total=sum(self._sizes.values()), position=0)
            self._video = self._bar(total=1, position=1)

    def advance(self, path: PathOrUrl, done_s: float, duration_s: float | None) -> None:
        """Show that ``done_s`` of ``duration_s`` seconds of a video are analyzed."""
        with self._lock:
            if path in self._finished:
                return
            now_s = time.monotonic()
            is_due = path not in self._start_s or now_s - self._drawn_s >= _REDRAW_INTERVAL_S
            self._start_s.setdefault(path, now_s)
            self._in_work[path] = (done_s, duration_s)
            if is_due:
                self._redraw()

    def finish(self, outcome: Outcome) -> None:
        """Show the outcome of a video."""
        with self._lock:
            self._finished.add(outcome.path)
            self._in_work.pop(outcome.path, None)
            start_s = self._start_s.pop(outcome.path, None)
            self._counts[outcome.status] += 1
            self._left -= 1
            self._bytes_done += self._sizes.get(outcome.path, 0)
            if outcome.status in (Status.UP_TO_DATE, Status.LOCKED):
                self._bytes_skipped += self._sizes.get(outcome.path, 0)
            if outcome.status in (Status.ANNOTATED, Status.NO_FACES, Status.RENDERED, Status.DESCRIBED):
                self._analyzed_s += outcome.duration_s
            if outcome.status is Status.FAILED:
                say(f"failed: {outcome.message}")
            elif not self._quiet and self._archive is None and outcome.status is not Status.UP_TO_DATE:
                elapsed_s = time.monotonic() - start_s if start_s is not None else None
                say(f"{outcome.path}: {', '.join(_facts(outcome, elapsed_s))}")
            self._redraw()

    @property
    def analyzed_s(self) -> float:
        """Seconds of video in finished videos."""
        return self._analyzed_s

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started_s

    def close(self) -> None:
        """Remove the bars."""
        for bar in (self._video, self._archive):
            if bar is not None:
                with contextlib.suppress(OSError):
                    bar.close()

    def _bar(self, total: int, position: int) -> tqdm[Any]:
        return tqdm(total=total, position=position, bar_format="{desc}", leave=False, file=sys.stderr, dynamic_ncols=True)

    def _redraw(self) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            self._draw()

    def _draw(self) -> None:
        if self._archive is None or self._video is None:
            return
        self._drawn_s = time.monotonic()
        analyzed_s = self._analyzed_s + sum(done_s for done_s, _ in self._in_work.values())
        partly = sum(
            done_s / duration_s * self._sizes.get(path, 0)
            for path, (done_s, duration_s) in self._in_work.items()
            if duration_s
        )
        self._archive.n = min(self._bytes_done + round(partly), self._archive.total or 0)
        self._archive.bar_format = self._archive_format(analyzed_s, self._drawn_s - self._started_s)
        self._archive.refresh()
        if self._in_work:
            path, (done_s, duration_s) = next(iter(self._in_work.items()))
            name = printable(path.name).replace("{", "{{").replace("}", "}}")
            shown = name if len(name) <= _NAME_COLUMNS else f"{name[: _NAME_COLUMNS - 1]}…"
            self._video.bar_format = f"{shown} {{percentage:3.0f}}%|{{bar}}| {clock(done_s)}"
            self._video.total = total_s = duration_s or done_s or 1.0
            self._video.n = min(done_s, total_s)
        self._video.refresh()

    def _archive_format(self, analyzed_s: float, elapsed_s: float) -> str:
        """Return the format of the archive's bar, shortened on narrow terminals."""
        assert self._archive is not None
        failed = self._counts[Status.FAILED]
        done = sum(self._counts.values()) - failed
        worked = self._archive.n - self._bytes_skipped
        to_go = _to_go(elapsed_s, worked, worked + (self._archive.total or 0) - self._archive.n)
        speed = f"{clock(analyzed_s)} at {_speed(analyzed_s, elapsed_s)}, " if analyzed_s else ""
        counts, shorter = f"{done} done, {failed} failed, {self._left} left", f"{done}/{done + failed + self._left}"
        shorter += f", {failed} failed" if failed else ""
        columns = shutil.get_terminal_size().columns if self._archive.ncols is None else self._archive.ncols
        for before, after in ((counts, f"{speed}{to_go}"), (counts, to_go), (shorter, to_go)):
            if len(f"{before} 100%|| {after}") + _BAR_COLUMNS <= columns:
                break
        return f"{before} {{percentage:3.0f}}%|{{bar}}| {after}"


def is_log(path: Path) -> bool:
    """Return whether a file can be used as a log: it is new, empty, or starts with a line that is a JSON object.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_file():
        return True
    with path.open("rb") as file:
        start = file.readline(_LOG_LINE_BYTES)
    try:
        return not start or isinstance(json.loads(start), dict)
    except ValueError:
        return False


@contextlib.contextmanager
def open_log(path: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """Yield a function that appends a JSON line for an outcome to ``path``, or does nothing without one.

    Raises:
        OutputError: the file cannot be written, now or later.
    """
    if path is None:
        yield lambda outcome: None
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", "check --log", path=path) from None

    def write(outcome: Outcome) -> None:
        try:
            file.write(json.dumps(json_safe(_log_line(outcome)), ensure_ascii=False) + "\n")
            file.flush()
        except OSError as error:
            raise write_error(path, error) from None

    try:
        yield write
    finally:
        with contextlib.suppress(OSError):
            file.close()


def closing_table(outcomes: Sequence[Outcome], width: int | None = None) -> str:
    """Return a table that is no wider than the terminal, then remarks and failures in full, then totals.

    Videos that were up to date are only counted.
    """
    shown = [outcome for outcome in outcomes if outcome.status is not Status.UP_TO_DATE]
    columns = [
        Column("video", [printable(outcome.path) for outcome in shown], name=True),
        Column("length", [clock(outcome.duration_s) if outcome.duration_s else "" for outcome in shown], to_right=True),
        Column(
            "tracks", ["" if outcome.status is Status.FAILED else str(outcome.faces) for outcome in shown], to_right=True
        ),
        *_people_column(shown),
        Column("mostly", [printable(outcome.emotion) for outcome in shown]),
        Column("result", [outcome.status.label for outcome in shown]),
    ]
    columns = [column for column in columns if any(column.cells)]
    failures = [f"{outcome.path}: {outcome.reason}" for outcome in shown if outcome.status is Status.FAILED]
    remarks = [
        f"{outcome.path}: {outcome.reason}" for outcome in shown if outcome.reason and outcome.status is not Status.FAILED
    ]
    small = sum(outcome.has_small_faces for outcome in shown)
    if small:
        remarks.append(f"{counted(small, 'video')} had faces a little smaller than --min-face, which were left out")
    whole = sum(outcome.decoded_whole for outcome in shown)
    if whole:
        remarks.append(
            f"{counted(whole, 'video')} decoded whole in spite of --decode (decoded_whole in the sidecar says why)"
        )
    counts = Counter(outcome.status for outcome in outcomes)
    totals = ", ".join(f"{counts[status]} {text}" for status, text in _COUNTED if counts[status])
    parts = [format_columns(columns, width)] if shown else []
    parts += _listed("Remarks", remarks) + _listed(f"{len(failures)} failed", failures)
    return "\n\n".join([*parts, f"{counted(len(outcomes), 'video')}{f': {totals}' if totals else ''}."])


def _people_column(outcomes: Sequence[Outcome]) -> list[Column]:
    """Return the column of numbers of persons, if these were told apart in any video."""
    if not any(outcome.people for outcome in outcomes):
        return []
    return [Column("people", [str(outcome.people or "") for outcome in outcomes], to_right=True)]


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    return ["\n  ".join((f"{heading}:", *map(printable, lines)))] if lines else []


def finding_line(finding: Finding) -> str:
    """Return a line about a finding."""
    return printable(f"{finding.path}: {finding.kind.value}: {finding.reason}")


def check_totals(videos: int, findings: Sequence[Finding]) -> str:
    """Return the last line of a check."""
    counts = Counter(finding.kind for finding in findings)
    totals = ", ".join(f"{counts[kind]} {kind.value}" for kind in FindingKind if counts[kind])
    return f"{counted(videos, 'video')} checked: {totals or 'no problems'}."


def print_text(text: str) -> None:
    """Print text on stdout, above the bars; characters that its encoding lacks are escaped.

    Raises:
        OutputError: stdout cannot be written.
        BrokenPipeError: the reader of a pipe has closed it.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        with tqdm.external_write_mode(file=sys.stdout):
            click.echo(text.encode(encoding, "backslashreplace").decode(encoding))
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise write_error("stdout", error) from None


def show(text: str) -> None:
    """Print a summary of finished work; errors of the stream are reported, but do not fail the command."""
    try:
        print_text(text)
    except BrokenPipeError:
        return
    except OutputError as error:
        say(f"Error: {error}")


def _log_line(outcome: Outcome) -> dict[str, Any]:
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "path": str(outcome.path),
        "status": outcome.status.value,
        "duration_s": outcome.duration_s,
        "faces": outcome.faces,
        **({"people": outcome.people} if outcome.people else {}),
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
        yield counted(outcome.faces, "face track")
    if outcome.people:
        yield counted(outcome.people, "person")
    if outcome.emotion:
        yield f"mostly {outcome.emotion}"
    if outcome.reason:
        yield _full_reason(outcome)


def _full_reason(outcome: Outcome) -> str:
    """Return an outcome's reason, with the file concerned where nothing was written."""
    return outcome.message if outcome.status in _UNDONE else outcome.reason


def _to_go(elapsed_s: float, done: float, total: float) -> str:
    """Return the time to go as text, given the time that ``done`` of ``total`` took."""
    is_early = elapsed_s < _LEAST_ELAPSED_S or (elapsed_s < _UNTIL_S and done < _LEAST_DONE * total)
    if done <= 0 or is_early:
        return "estimating"
    return f"{clock(elapsed_s * (total - done) / done)} to go"


def _speed(analyzed_s: float, elapsed_s: float) -> str:
    return f"{analyzed_s / max(elapsed_s, 1e-3):.1f}x real time"
