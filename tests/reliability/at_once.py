"""Two concurrent runs over one archive."""

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
    describe_difference,
    find_temporary_files,
    make_archive,
    read_log,
    read_outputs,
)
from tests.reliability.processes import running
from tests.reliability.result import Failures, Options, PartResult

_ROUNDS, _QUICK_ROUNDS = 20, 1
_MAX_DELAY_S = 2.0
_TIMEOUT_S = 300.0
_NOT_ANNOTATED = ("up_to_date", LOCKED)


def at_once(options: Options) -> PartResult:
    """Run twice over one archive: each video is annotated once, with the outputs of a single run."""
    folder = options.make_folder("at_once")
    original = make_archive(folder / "original")
    expected, _ = annotate_undisturbed(copy_archive(original, folder / "undisturbed"), folder)
    rounds = _QUICK_ROUNDS if options.quick else _ROUNDS
    rng = random.Random(options.seed)
    failures = Failures("at_once")
    shared = 0
    for number in range(rounds):
        archive = copy_archive(original, folder / f"round {number}")
        delay_s = 0.0 if number % 2 == 0 else rng.uniform(0, _MAX_DELAY_S)
        shared += _run_two(archive, folder, delay_s, failures) > 0
        differences = describe_difference(read_outputs(archive), expected)
        failures.expect(not differences, f"round {number}: outputs {differences}")
        failures.expect(
            not find_temporary_files(archive), f"round {number}: temporary files left: {find_temporary_files(archive)}"
        )
    expected_result = (
        "two runs started at once or within 2 s over one archive: each video annotated once, outputs as of one run"
    )
    return failures.result(expected_result, f"both runs annotated videos in {shared} of {rounds} rounds")


def _run_two(archive: Path, folder: Path, delay_s: float, failures: Failures) -> int:
    """Start two runs over an archive; return the number of videos that the second one annotated."""
    logs = [folder / f"{archive.name}.{number}.log" for number in (1, 2)]
    commands: list[list[str | Path]] = [[*RUN_OPTIONS, "--log", log, archive] for log in logs]
    with running(commands[0], folder) as first:
        time.sleep(delay_s)
        with running(commands[1], folder) as second:
            for run in (first, second):
                status = run.wait(_TIMEOUT_S)
                failures.expect(status == 0, f"{archive.name}: a run ended with {status}", run.errors)
                failures.expect(TRACEBACK not in run.errors, f"{archive.name}: a run printed a traceback", run.errors)
    done = [[line["path"] for line in read_log(log) if line["status"] not in _NOT_ANNOTATED] for log in logs]
    repeated = [path for path, count in Counter(done[0] + done[1]).items() if count > 1]
    failures.expect(not repeated, f"{archive.name}: annotated twice: {', '.join(repeated)}")
    return len(done[1])
