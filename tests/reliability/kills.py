"""Runs that are killed at random moments and begun again until they are done."""

from __future__ import annotations

import enum
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from tests.reliability.archives import (
    LOCKED,
    RUN_OPTIONS,
    TRACEBACK,
    annotate_undisturbed,
    copy_archive,
    difference,
    leavings,
    make_archive,
    outputs_of,
    remove_outputs,
)
from tests.reliability.processes import Run, start
from tests.reliability.row import Faults, Options, Row, listed

_QUICK_KILLS = 6
_KILLS_A_ROUND = 3
_RUNS_A_ROUND = 10
_RUN_TIMEOUT_S = 300.0
_GONE_IN_S = 10.0
"""An idle machine needs 3 s at most; this one may be busy."""

_HEEDED_IN_S = 2.0
_BEGUN_AT_ONCE = 0.5
"""The share of resuming runs that do not wait for what a kill left of the run before."""


class Kind(enum.Enum):
    """Who is killed, and how."""

    MAIN = "SIGKILL"
    WORKER = "SIGKILL to a worker"
    TERMINATE = "SIGTERM"
    INTERRUPT = "SIGINT"


_SIGNALS = {Kind.MAIN: signal.SIGKILL, Kind.TERMINATE: signal.SIGTERM, Kind.INTERRUPT: signal.SIGINT}
_STATUSES = {Kind.MAIN: {-9}, Kind.WORKER: {0}, Kind.TERMINATE: {143}, Kind.INTERRUPT: {130}}
"""How a run ends that is killed while its workers work."""

_UNUSUAL_STATUSES = {Kind.TERMINATE: {-15, 1}, Kind.INTERRUPT: {-2, 1}}
"""How it may end besides when it has not yet begun to work, or has already told its end: Python's own answers."""


@dataclass
class _Tally:
    wanted: int
    faults: Faults
    bar: tqdm[NoReturn]
    kills: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    early_tracebacks: int = 0
    longest_gone_s: float = 0.0

    @property
    def is_complete(self) -> bool:
        return self.kills.total() >= self.wanted

    def count(self, kind: Kind) -> None:
        self.kills[kind.value] += 1
        self.bar.update()


@dataclass(frozen=True)
class _Kill:
    kind: Kind
    at_s: float
    at_work: bool
    """Whether workers had begun and the closing table was not yet there."""


@dataclass
class _Place:
    """An archive on which rounds are played, and what its outputs come to."""

    archive: Path
    folder: Path
    expected: dict[str, bytes]
    length_s: float
    chance: random.Random


def kills(options: Options) -> Row:
    """Kills at random moments; whatever they hit, the outputs become those of an undisturbed run."""
    wanted = min(options.kills, _QUICK_KILLS) if options.quick else options.kills
    folder = options.room("kills")
    original = make_archive(folder / "original")
    archive = copy_archive(original, folder / "archive")
    annotate_undisturbed(copy_archive(original, folder / "warming"), folder)
    expected, length_s = annotate_undisturbed(copy_archive(original, folder / "undisturbed"), folder)
    place = _Place(archive, folder, expected, length_s, random.Random(options.seed))
    bar: tqdm[NoReturn] = tqdm(total=wanted, desc="kills", unit="kill")
    with bar:
        tally = _Tally(wanted, Faults("kills"), bar)
        while not tally.is_complete:
            _play_round(place, tally)
            remove_outputs(archive)
    seen = (
        f"{tally.kills.total()} kills ({listed(tally.kills)}) in {tally.rounds} rounds; an undisturbed run takes "
        f"{length_s:.1f} s; all processes gone {tally.longest_gone_s:.1f} s after the end at the latest; "
        f"{tally.early_tracebacks} tracebacks of Python before or after the work"
    )
    return tally.faults.row("outputs equal to those of an undisturbed run, no temporary file, no process left", seen)


def _play_round(place: _Place, tally: _Tally) -> None:
    """Starts runs, of which the first few may be killed, until one is done; then looks at the archive."""
    tally.rounds += 1
    remaining: list[tuple[Run, _Kill | None]] = []
    for number in range(_RUNS_A_ROUND):
        run = start([*RUN_OPTIONS, place.archive], place.folder)
        try:
            may_kill = number < _KILLS_A_ROUND and not tally.is_complete
            kill = _kill(run, place) if may_kill else None
            status = run.wait(_RUN_TIMEOUT_S)
            _judge(run, status, kill, tally)
        except BaseException:
            run.end()
            raise
        if kill is not None and kill.kind is Kind.MAIN and place.chance.random() < _BEGUN_AT_ONCE:
            remaining.append((run, kill))
        else:
            _see_gone(run, kill, tally)
        if status == 0 and LOCKED not in run.errors:
            break
    else:
        tally.faults.add(f"round {tally.rounds} was not done after {_RUNS_A_ROUND} runs", run.errors)
    for earlier, kill in remaining:
        _see_gone(earlier, kill, tally)
    told = difference(outputs_of(place.archive), place.expected)
    tally.faults.expect(not told, f"round {tally.rounds}: outputs {told}", run.errors)
    left = leavings(place.archive)
    tally.faults.expect(not left, f"round {tally.rounds}: temporary files left: {', '.join(left)}", run.errors)


def _kill(run: Run, place: _Place) -> _Kill | None:
    """Kills a run at a random moment; None if it was over before."""
    kind = place.chance.choice(list(Kind))
    moment_s = time.monotonic() + place.chance.uniform(0, place.length_s)
    if not run.wait_until(lambda: time.monotonic() >= moment_s):
        return None
    if kind is Kind.WORKER and not run.wait_until(lambda: bool(run.workers())):
        return None
    workers = run.workers()
    at_work = bool(workers) and not run.output
    if kind is not Kind.WORKER:
        run.process.send_signal(_SIGNALS[kind])
    elif not _kill_one(workers, place.chance):
        return None
    return _Kill(kind, time.monotonic(), at_work)


def _kill_one(workers: list[int], chance: random.Random) -> bool:
    try:
        os.kill(chance.choice(workers), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return False
    return True


def _judge(run: Run, status: int | None, kill: _Kill | None, tally: _Tally) -> None:
    """Counts a kill, and takes down what a run should not have done."""
    told = f"round {tally.rounds}: a run {f'that got {kill.kind.value}' if kill else 'that was left alone'}"
    if kill is not None and kill.kind is not Kind.WORKER and status == 0:
        late_s = time.monotonic() - kill.at_s
        tally.faults.expect(late_s < _HEEDED_IN_S, f"{told} went on for {late_s:.1f} s and ended with 0", run.errors)
        return
    allowed = {0}
    if kill is not None:
        tally.count(kill.kind)
        allowed = _STATUSES[kill.kind] | (set() if kill.at_work else _UNUSUAL_STATUSES.get(kill.kind, set()))
    tally.faults.expect(status in allowed, f"{told} ended with {status}", run.output + run.errors)


def _see_gone(run: Run, kill: _Kill | None, tally: _Tally) -> None:
    """Waits until none of a run's processes is left, and then looks at what they said."""
    gone_s = run.wait_until_gone()
    if gone_s is None:
        tally.faults.add(f"round {tally.rounds}: processes were left", run.errors)
        return
    if TRACEBACK in run.errors:
        if kill is not None and not kill.at_work and kill.kind in _UNUSUAL_STATUSES:
            tally.early_tracebacks += 1
        else:
            killed = f"after {kill.kind.value}" if kill else "without a kill"
            tally.faults.add(f"round {tally.rounds}: a traceback was told {killed}", run.errors)
    tally.longest_gone_s = max(tally.longest_gone_s, gone_s)
    tally.faults.expect(gone_s < _GONE_IN_S, f"round {tally.rounds}: processes were gone after {gone_s:.1f} s only")
