"""Shared by `summarize` and `find`: read tables with a progress bar; the option of files to write."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import Decorator, PathOrUrlType, full_stop, say_lacking, say_no_reports, say_older
from annotate.errors import SettingsError
from annotate.extras import check_extra
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import suggest

if TYPE_CHECKING:
    from annotate.analytics.face_filter import FaceFilter
    from annotate.analytics.read import ReportBatch

TABLES = {".csv": "", ".json": "", ".xlsx": "openpyxl", ".parquet": "pyarrow"}
LISTS = {".edl": "", ".otio": "opentimelineio", ".m3u": ""}
"""Endings of files -> the extra package that writing them needs."""

_EXTRAS = {"openpyxl": "tables", "pyarrow": "tables", "opentimelineio": "otio"}


def output_file(endings: Mapping[str, str], help_text: str) -> Decorator:
    """Declare ``-o``, a file whose ending gives the format; missing packages are reported before work begins."""

    def check(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
        if path is None:
            return None
        ending = path.suffix.lower()
        if ending not in endings:
            guess = suggest(ending, endings)
            raise click.BadParameter(f"{path}: unknown format {ending!r}{guess}. Choose from {', '.join(endings)}.")
        package = endings[ending]
        if package:
            try:
                check_extra(f"{path}: {ending}", _EXTRAS[package], {package: package})
            except SettingsError as error:
                raise click.BadParameter(full_stop(error)) from None
        return path

    kind = PathOrUrlType(remote=False, dir_okay=False)
    return click.option("-o", "--output", metavar="FILE", type=kind, callback=check, help=help_text)


def read_batches(
    paths: Sequence[PathOrUrl], faces: FaceFilter, skipped: list[SkippedPath], *, quiet: bool, relative: bool = False
) -> Iterator[ReportBatch]:
    """Yield the results below paths, with a progress bar; print what is skipped, and append it to ``skipped``.

    Blocks that do not pass the filter ``faces`` are left out; with ``relative``, emotions are relative to baselines. The
    tables of older analysis versions are counted in one line at the end, and those that the filter leaves out for lack of
    columns in another.
    """
    from annotate.analytics.read import read_reports
    from annotate.analytics.summary import count_lacking
    from annotate.archive.find_reports import find_reports

    found = find_reports(paths)
    for path in found.empty:
        say_no_reports([path], quiet=quiet)
    older = lacking = 0
    reading = read_reports(console.progress(found.reports, "reports", quiet=quiet), faces, relative=relative)
    for read in itertools.chain(found.skipped, reading):
        if isinstance(read, SkippedPath):
            skipped.append(read)
            console.say(f"skipped: {read}")
        else:
            older += sum(report.is_older for report in read.reports.values())
            lacking += count_lacking(read.reports.values(), faces)
            yield read
    say_older(older, quiet=quiet)
    say_lacking(lacking, quiet=quiet)
