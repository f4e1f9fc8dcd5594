"""Runs the parts and prints their table.

::

    python -m tests.reliability                      everything; takes about an hour
    python -m tests.reliability --quick              everything with tiny counts, for trying the programme itself
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
from tests.reliability.row import Options, Row, say
from tests.reliability.volume import long, many

PARTS: dict[str, Callable[[Options], Row]] = {
    "kills": kills,
    "damaged": damaged,
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
@click.option("--quick", is_flag=True, help="Tiny counts, for trying the programme itself.")
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Where the temporary folder is made.",
)
@click.option("--keep", is_flag=True, help="Leave the temporary folder.")
@click.option("--seed", metavar="N", default=1, show_default=True, help="What chance begins with.")
@click.option("--kills", metavar="N", default=200, show_default=True, type=click.IntRange(1), help="How many kills.")
def main(only: list[str], quick: bool, folder: Path | None, keep: bool, seed: int, kills: int) -> None:
    """Try what an unattended archive run meets, and print a table of what was seen."""
    if not Path("/proc").exists():
        raise click.ClickException("this looks at Linux's process table, which is not there.")
    # Programs started in the background of a script ignore Ctrl-C, and so would the runs that are to be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    made = Path(tempfile.mkdtemp(prefix="reliability-", dir=folder))
    try:
        rows = [_run_part(name, Options(made, seed, quick, kills)) for name in only]
    finally:
        if not keep:
            shutil.rmtree(made)
    print(_table(rows))
    sys.exit(0 if all(row.passed for row in rows) else 1)


def _run_part(name: str, options: Options) -> Row:
    begun_s = time.monotonic()
    say(f"{name}: begun")
    try:
        row = PARTS[name](options)
    except Exception as error:  # noqa: BLE001  (one part that cannot be run must not cost the others)
        say(traceback.format_exc())
        reason = " ".join(str(error).split())[:_REASON_COLUMNS]
        row = Row(name, "", f"could not be run: {type(error).__name__}: {reason}", passed=False)
    row = replace(row, seconds=time.monotonic() - begun_s)
    say(_table([row]))
    return row


def _table(rows: list[Row]) -> str:
    cells = [(row.part, row.asked, row.seen, "yes" if row.passed else "NO", f"{row.seconds:.0f} s") for row in rows]
    return tabulate(cells, ("part", "asked", "seen", "passed", "took"), tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    main()
