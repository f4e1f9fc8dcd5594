"""Read reports with a bar, and write tables and lists of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import Decorator, PathOrUrlType, say_no_reports
from annotate.errors import SettingsError
from annotate.extras import check_extra
from annotate.storage.values import PathOrUrl, SkippedPath

if TYPE_CHECKING:
    from annotate.analytics.read import Batch

TABLES = {".csv": "", ".json": "", ".xlsx": "openpyxl", ".parquet": "pyarrow"}
LISTS = {".edl": "", ".otio": "opentimelineio", ".m3u": ""}
"""Endings of files, and the package that writing them needs besides the usual ones."""

_EXTRAS = {"openpyxl": "tables", "pyarrow": "tables", "opentimelineio": "otio"}


def output_file(endings: Mapping[str, str], help_text: str) -> Decorator:
    """``-o`` for a file whose ending says what is written; what that needs is looked for before work begins."""

    def check(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
        if path is None:
            return None
        ending = path.suffix.lower()
        if ending not in endings:
            known = ", ".join(endings)
            raise click.BadParameter(f"{path}: the ending says what is written; choose one of {known}.")
        package = endings[ending]
        if package:
            try:
                check_extra(f"{path}: {ending}", _EXTRAS[package], {package: package})
            except SettingsError as error:
                raise click.BadParameter(f"{error}.") from None
        return path

    kind = PathOrUrlType(remote=False, dir_okay=False)
    return click.option("-o", "--output", metavar="FILE", type=kind, callback=check, help=help_text)


def read_batches(paths: Sequence[PathOrUrl], skipped: list[SkippedPath], *, quiet: bool) -> Iterator[Batch]:
    """Read the reports below paths with a bar; print what is left out, and append it to ``skipped``."""
    from annotate.analytics.read import read_reports
    from annotate.archive.find_reports import find_reports

    found = find_reports(paths)
    for path in found.empty:
        say_no_reports([path], quiet=quiet)
    reading = read_reports(console.progress(found.reports, "reports", quiet=quiet))
    for read in itertools.chain(found.skipped, reading):
        if isinstance(read, SkippedPath):
            skipped.append(read)
            console.say(f"left out: {read}")
        else:
            yield read
