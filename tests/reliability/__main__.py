"""Run the parts of the reliability tests and print a table of results.

::

    python -m tests.reliability                      everything; takes about an hour
    python -m tests.reliability --quick              everything with tiny counts, to test the suite itself
    python -m tests.reliability --only kills,damaged
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from tabulate import tabulate

from tests.reliability.at_once import at_once
from tests.reliability.crowd import crowd
from tests.reliability.damage import damaged
from tests.reliability.kills import kills
from tests.reliability.result import Options, PartResult, print_line
from tests.reliability.structure import structure
from tests.reliability.volume import long, many

PARTS: dict[str, Callable[[Options], PartResult]] = {
    "kills": kills,
    "damaged": damaged,
    "structure": structure,
    "many": many,
    "long": long,
    "crowd": crowd,
    "at_once": at_once,
}

_REASON_COLUMNS = 200


def _parse_parts(ctx: click.Context, parameter: click.Parameter, value: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        raise click.BadParameter(f"{value!r} is not a list of parts; choose from {', '.join(PARTS)}, separated by commas.")
    return names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only", metavar="LIST", default=",".join(PARTS), show_default=True, callback=_parse_parts, help="Parts to run."
)
@click.option("--quick", is_flag=True, help="Tiny counts, to test the suite itself.")
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Parent of the temporary folder.  [default: the system's]",
)
@click.option("--keep", is_flag=True, help="Keep the temporary folder.")
@click.option("--seed", metavar="N", default=1, show_default=True, help="Random seed.")
@click.option("--kills", metavar="N", default=200, show_default=True, type=click.IntRange(1), help="Number of kills.")
def main(only: list[str], quick: bool, folder: Path | None, keep: bool, seed: int, kills: int) -> None:
    """Test archive runs under kills, damage and load; print a table of results."""
    if not Path("/proc").exists():
        raise click.ClickException("needs Linux (/proc not found)")
    # A background process of a script ignores SIGINT, and its children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    temporary = Path(tempfile.mkdtemp(prefix="reliability-", dir=folder))
    try:
        results = [_run_part(name, Options(temporary, seed, quick, kills)) for name in only]
    finally:
        if not keep:
            shutil.rmtree(temporary)
    print(_table(results))
    sys.exit(0 if all(result.passed for result in results) else 1)


def _run_part(name: str, options: Options) -> PartResult:
    start_s = time.monotonic()
    print_line(f"{name}: started")
    try:
        result = PARTS[name](options)
    except Exception as error:  # noqa: BLE001  (a part that fails to run must not stop the others)
        print_line(traceback.format_exc())
        reason = " ".join(str(error).split())[:_REASON_COLUMNS]
        result = PartResult(name, "", f"error: {type(error).__name__}: {reason}", passed=False)
    result = replace(result, duration_s=time.monotonic() - start_s)
    print_line(_table([result]))
    return result


def _table(results: list[PartResult]) -> str:
    rows = [
        (each.part, each.expected, each.observed, "yes" if each.passed else "NO", f"{each.duration_s:.0f} s")
        for each in results
    ]
    return tabulate(rows, ("part", "expected", "result", "passed", "took"), tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    main()
