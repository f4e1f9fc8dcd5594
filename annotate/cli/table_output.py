"""Reading reports with a bar, and writing tables and lists of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import Obstacle
from annotate.cli import console
from annotate.cli.options import QUIET, Command, Place

if TYPE_CHECKING:
    from annotate.analytics.read import Batch

TABLES = {".csv": "", ".json": "", ".xlsx": "openpyxl", ".parquet": "pyarrow"}


LISTS = {".edl": "", ".otio": "opentimelineio", ".m3u": ""}
"""Endings of files, and the package that writing them needs besides the usual ones."""


_EXTRAS = {"openpyxl": "tables", "pyarrow": "tables", "opentimelineio": "otio"}


def output_file(endings: Mapping[str, str], help_text: str) -> Callable[[Command], Command]:
    """``-o`` for a file whose ending says what is written; what that needs is looked for before work begins."""

    def check(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
        if path is None:
            return None
        ending = path.suffix.lower()
        if ending not in endings:
            known = ", ".join(endings)
            raise click.BadParameter(f"{path}: the ending says what is written; choose one of {known}.")
        package = endings[ending]
        if package and find_spec(package) is None:
            extra = _EXTRAS[package]
            raise click.BadParameter(f"{path}: {ending} needs {package}; pip install 'annotate[{extra}]' brings it.")
        return path

    kind = Place(remote=False, dir_okay=False)
    return click.option("-o", "--output", metavar="FILE", type=kind, callback=check, help=help_text)


def read_batches(ctx: click.Context, paths: tuple[Path, ...], failures: list[Obstacle]) -> Iterator[Batch]:
    """Reads reports with a bar, and says what is left out; that is kept in ``failures`` too."""
    from annotate.analytics.read import read_reports
    from annotate.archive.find_reports import find_reports

    quiet = bool(ctx.meta.get(QUIET))
    found = find_reports(paths)
    for path in found.empty:
        if not quiet:
            console.say(f"no reports below {path}; `annotate {path}` makes them")
    reading = read_reports(console.progress(found.reports, "reports", quiet=quiet))
    for read in itertools.chain(found.obstacles, reading):
        if isinstance(read, Obstacle):
            failures.append(read)
            console.say(f"left out: {read.reason}")
        else:
            yield read
