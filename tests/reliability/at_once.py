"""Two runs over one archive at the same time."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

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
    read_log,
)
from tests.reliability.processes import running
from tests.reliability.row import Faults, Options, Row

_ROUNDS, _QUICK_ROUNDS = 20, 1
_MAX_DELAY_S = 2.0
_TIMEOUT_S = 300.0
_LEFT_ALONE = ("up_to_date", LOCKED)


def at_once(options: Options) -> Row:
    """Two runs share an archive: every video is annotated by one of them, as if there were only one."""
    folder = options.room("at_once")
    original = make_archive(folder / "original")
    expected, _ = annotate_undisturbed(copy_archive(original, folder / "undisturbed"), folder)
    rounds = _QUICK_ROUNDS if options.quick else _ROUNDS
    chance = random.Random(options.seed)
    faults = Faults("at_once")
    shares: Counter[int] = Counter()
    for number in range(rounds):
        archive = copy_archive(original, folder / f"round {number}")
        delay_s = 0.0 if number % 2 == 0 else chance.uniform(0, _MAX_DELAY_S)
        by_second = _run_two(archive, folder, delay_s, faults)
        shares[by_second] += 1
        told = difference(outputs_of(archive), expected)
        faults.expect(not told, f"round {number}: outputs {told}")
        faults.expect(not leavings(archive), f"round {number}: temporary files left: {leavings(archive)}")
    shared = sum(count for by_second, count in shares.items() if by_second)
    asked = "two runs begun at once or within 2 s over one archive: each video annotated once, outputs as of one run"
    return faults.row(asked, f"both runs annotated videos in {shared} of {rounds} rounds")


def _run_two(archive: Path, folder: Path, delay_s: float, faults: Faults) -> int:
    """Runs twice over an archive; gives how many videos the second run annotated."""
    logs = [folder / f"{archive.name}.{number}.log" for number in (1, 2)]
    commands: list[list[str | Path]] = [[*RUN_OPTIONS, "--log", log, archive] for log in logs]
    with running(commands[0], folder) as first:
        time.sleep(delay_s)
        with running(commands[1], folder) as second:
            for run in (first, second):
                status = run.wait(_TIMEOUT_S)
                faults.expect(status == 0, f"{archive.name}: a run ended with {status}", run.errors)
                faults.expect(TRACEBACK not in run.errors, f"{archive.name}: a run told a traceback", run.errors)
    done = [[line["path"] for line in read_log(log) if line["status"] not in _LEFT_ALONE] for log in logs]
    repeated = [path for path, count in Counter(done[0] + done[1]).items() if count > 1]
    faults.expect(not repeated, f"{archive.name}: annotated twice: {', '.join(repeated)}")
    return len(done[1])
