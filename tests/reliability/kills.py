"""Runs that are killed at random moments and restarted until the archive is done."""

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
    delete_outputs,
    describe_difference,
    find_temporary_files,
    make_archive,
    read_outputs,
)
from tests.reliability.processes import Run, start
from tests.reliability.result import Failures, Options, PartResult, format_counts

_QUICK_KILLS = 6
_KILLS_PER_ROUND = 3
_RUNS_PER_ROUND = 10
_RUN_TIMEOUT_S = 300.0
_MAX_EXIT_S = 10.0
"""Maximum time until all processes have ended; 3 s suffice on an idle machine."""

_MAX_REACTION_S = 2.0
_IMMEDIATE_RESUME_SHARE = 0.5
"""Share of restarted runs that do not wait until the processes of a killed run have ended."""


class KillKind(enum.Enum):
    """Process that is killed, and the signal."""

    MAIN = "SIGKILL"
    WORKER = "SIGKILL to a worker"
    TERMINATE = "SIGTERM"
    INTERRUPT = "SIGINT"


_SIGNALS = {KillKind.MAIN: signal.SIGKILL, KillKind.TERMINATE: signal.SIGTERM, KillKind.INTERRUPT: signal.SIGINT}
_STATUSES = {KillKind.MAIN: {-9}, KillKind.WORKER: {0}, KillKind.TERMINATE: {143}, KillKind.INTERRUPT: {130}}
"""Exit statuses of a run that is killed while its workers run."""

_UNUSUAL_STATUSES = {KillKind.TERMINATE: {-15, 1}, KillKind.INTERRUPT: {-2, 1}}
"""Further statuses, set by Python itself, before the workers start or after the closing table is printed."""


@dataclass
class _KillStats:
    wanted: int
    failures: Failures
    bar: tqdm[NoReturn]
    kills: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    early_tracebacks: int = 0
    max_exit_s: float = 0.0

    @property
    def is_complete(self) -> bool:
        return self.kills.total() >= self.wanted

    def count(self, kind: KillKind) -> None:
        self.kills[kind.value] += 1
        self.bar.update()


@dataclass(frozen=True)
class _Kill:
    kind: KillKind
    at_s: float
    workers_running: bool
    """Whether workers had started and the closing table was not yet printed."""


@dataclass
class _Target:
    """The archive that is annotated, its expected outputs, and the duration of an undisturbed run."""

    archive: Path
    folder: Path
    expected: dict[str, bytes]
    duration_s: float
    rng: random.Random


def kills(options: Options) -> PartResult:
    """Kill runs at random moments; the outputs must equal those of an undisturbed run."""
    wanted = min(options.kills, _QUICK_KILLS) if options.quick else options.kills
    folder = options.make_folder("kills")
    original = make_archive(folder / "original")
    archive = copy_archive(original, folder / "archive")
    annotate_undisturbed(copy_archive(original, folder / "warmup"), folder)
    expected, duration_s = annotate_undisturbed(copy_archive(original, folder / "undisturbed"), folder)
    target = _Target(archive, folder, expected, duration_s, random.Random(options.seed))
    bar: tqdm[NoReturn] = tqdm(total=wanted, desc="kills", unit="kill")
    with bar:
        stats = _KillStats(wanted, Failures("kills"), bar)
        while not stats.is_complete:
            _run_round(target, stats)
            delete_outputs(archive)
    observed = (
        f"{stats.kills.total()} kills ({format_counts(stats.kills)}) in {stats.rounds} rounds; an undisturbed run takes "
        f"{duration_s:.1f} s; all processes ended {stats.max_exit_s:.1f} s after the run at the latest; "
        f"{stats.early_tracebacks} tracebacks of Python before or after the workers ran"
    )
    return stats.failures.result(
        "outputs equal to those of an undisturbed run, no temporary file, no process left", observed
    )


def _run_round(target: _Target, stats: _KillStats) -> None:
    """Start runs, killing some of the first, until one completes; then check the archive."""
    stats.rounds += 1
    unfinished: list[tuple[Run, _Kill | None]] = []
    for number in range(_RUNS_PER_ROUND):
        run = start([*RUN_OPTIONS, target.archive], target.folder)
        try:
            may_be_killed = number < _KILLS_PER_ROUND and not stats.is_complete
            kill = _kill(run, target) if may_be_killed else None
            status = run.wait(_RUN_TIMEOUT_S)
            _check_exit(run, status, kill, stats)
        except BaseException:
            run.end()
            raise
        if kill is not None and kill.kind is KillKind.MAIN and target.rng.random() < _IMMEDIATE_RESUME_SHARE:
            unfinished.append((run, kill))
        else:
            _check_all_ended(run, kill, stats)
        if status == 0 and LOCKED not in run.errors:
            break
    else:
        stats.failures.add(f"round {stats.rounds} was not complete after {_RUNS_PER_ROUND} runs", run.errors)
    for earlier, kill in unfinished:
        _check_all_ended(earlier, kill, stats)
    differences = describe_difference(read_outputs(target.archive), target.expected)
    stats.failures.expect(not differences, f"round {stats.rounds}: outputs {differences}", run.errors)
    left = find_temporary_files(target.archive)
    stats.failures.expect(not left, f"round {stats.rounds}: temporary files left: {', '.join(left)}", run.errors)


def _kill(run: Run, target: _Target) -> _Kill | None:
    """Kill a run at a random moment; return None if it ended before."""
    kind = target.rng.choice(list(KillKind))
    moment_s = time.monotonic() + target.rng.uniform(0, target.duration_s)
    if not run.wait_until(lambda: time.monotonic() >= moment_s):
        return None
    if kind is KillKind.WORKER and not run.wait_until(lambda: bool(run.workers())):
        return None
    workers = run.workers()
    workers_running = bool(workers) and not run.output
    if kind is not KillKind.WORKER:
        run.process.send_signal(_SIGNALS[kind])
    elif not _kill_one(workers, target.rng):
        return None
    return _Kill(kind, time.monotonic(), workers_running)


def _kill_one(workers: list[int], rng: random.Random) -> bool:
    try:
        os.kill(rng.choice(workers), signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return False
    return True


def _check_exit(run: Run, status: int | None, kill: _Kill | None, stats: _KillStats) -> None:
    """Count a kill; record a failure if the run's exit status or reaction time is wrong."""
    name = f"round {stats.rounds}: a run {f'with {kill.kind.value}' if kill else 'without a kill'}"
    if kill is not None and kill.kind is not KillKind.WORKER and status == 0:
        reaction_s = time.monotonic() - kill.at_s
        stats.failures.expect(
            reaction_s < _MAX_REACTION_S, f"{name} continued for {reaction_s:.1f} s and ended with 0", run.errors
        )
        return
    allowed = {0}
    if kill is not None:
        stats.count(kill.kind)
        allowed = _STATUSES[kill.kind] | (set() if kill.workers_running else _UNUSUAL_STATUSES.get(kill.kind, set()))
    stats.failures.expect(status in allowed, f"{name} ended with {status}", run.output + run.errors)


def _check_all_ended(run: Run, kill: _Kill | None, stats: _KillStats) -> None:
    """Wait until all processes of a run have ended, then check their output."""
    exit_s = run.wait_until_all_ended()
    if exit_s is None:
        stats.failures.add(f"round {stats.rounds}: processes remained", run.errors)
        return
    if TRACEBACK in run.errors:
        if kill is not None and not kill.workers_running and kill.kind in _UNUSUAL_STATUSES:
            stats.early_tracebacks += 1
        else:
            killed = f"after {kill.kind.value}" if kill else "without a kill"
            stats.failures.add(f"round {stats.rounds}: a traceback was printed {killed}", run.errors)
    stats.max_exit_s = max(stats.max_exit_s, exit_s)
    stats.failures.expect(exit_s < _MAX_EXIT_S, f"round {stats.rounds}: processes ended only after {exit_s:.1f} s")
