"""Measure a recipe on sources it never saw: ``python -m annotate.training.recipe.leave_out --data DIR -o FOLDER``.

Trains once without each source and tests on all of it, since faces that the program will meet are of another origin than any
training set. A repeated command continues where it stopped.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from tabulate import tabulate

from annotate.storage.local.files import write_atomic
from annotate.training.recipe import train
from annotate.training.recipe.sources import NAMES
from annotate.training.trainer import LogRow

TABLE_NAME = "left_out.txt"
METRICS = ("accuracy", "balanced", "worst")


def tabulate_left_out(rows: dict[str, LogRow]) -> str:
    """Return a table of the metrics of each source left out, from its run's row of the log, and their means."""
    values = {name: [float(row[f"{name}_{metric}"]) for metric in METRICS] for name, row in rows.items()}
    lines = [*((name, *metrics) for name, metrics in values.items()), ("mean", *np.mean(list(values.values()), 0))]
    return tabulate(lines, ("left out", "accuracy", "balanced accuracy", "recall of the worst class"), floatfmt=".3f")


_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", type=_FOLDER, required=True, help="Folder of the sources' files.")
@click.option("--only", type=click.Choice(NAMES), multiple=True, default=NAMES, help="Source to leave out.  [default: each]")
@click.option("-o", "--output", "folder", type=_FOLDER, required=True, help="Folder of the runs and of the table.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def main(data: Path, only: tuple[str, ...], folder: Path, options: tuple[str, ...]) -> None:
    """Train without each source in turn, with the OPTIONS of train, and print what the results score on it."""
    rows: dict[str, LogRow] = {}
    for name in only:
        arguments = ["--cache", str(folder), *options, "--data", str(data), "--leave-out", name, "-o", str(folder / name)]
        rows[name] = train.main.main(arguments, standalone_mode=False)
        write_atomic(folder / TABLE_NAME, tabulate_left_out(rows) + "\n")
    click.echo(tabulate_left_out(rows))


if __name__ == "__main__":
    main()
