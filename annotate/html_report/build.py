"""The HTML report: an archive in charts and a table, and a player for every video, in files that need no network."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from annotate.extras import check_extra
from annotate.html_report.charts import Chart, legend_of, make_charts
from annotate.html_report.contents import Contents, Problem, Progress, collect
from annotate.html_report.details import look_into
from annotate.html_report.files import Parts, to_json
from annotate.html_report.rows import Row, make_rows
from annotate.player.player import player_script, player_style, read_asset
from annotate.settings import available_cores
from annotate.storage.local.files import check_writable, write_atomic
from annotate.storage.values import PathOrUrl
from annotate.text import clock
from annotate.version import VERSION

MAX_INSIDE = 200
"""A page of more videos has the data of each in a file of its own."""

_PACKAGES = {"jinja2": "jinja2", "plotly": "plotly", "PIL": "pillow"}


@dataclass(frozen=True)
class Options:
    """Options of a page.

    ``videos`` is as for `collect`; ``jobs`` videos are read at a time; a page of more than ``max_inside`` videos has the
    data of each in a file of its own.
    """

    videos: PathOrUrl | None = None
    thumbnails: bool = True
    jobs: int = field(default_factory=available_cores)
    max_inside: int = MAX_INSIDE


@dataclass(frozen=True)
class Written:
    """The contents of a page; without a whole report none is written. ``unreachable`` counts videos that were not found."""

    contents: Contents
    problems: list[Problem]
    unreachable: int = 0


def write_page(
    paths: Sequence[PathOrUrl], output: Path, options: Options | None = None, progress: Progress = iter
) -> Written:
    """Write a page about the reports below ``paths``, and a folder of its parts if there are many videos.

    Neither the order of ``paths`` nor the number of jobs changes anything in it.

    Raises:
        SettingsError: a package of the extra is missing, or the options do not fit the paths.
        OutputError: the page or a part cannot be written; an earlier page still stands then.
    """
    options = options or Options()
    check_extra("a report page", "report", _PACKAGES)
    check_writable(output)
    contents = collect(paths, progress, options.videos)
    problems = [*contents.left_out, *contents.missing]
    if not contents.reports:
        return Written(contents, sorted(problems))
    rows, parts = make_rows(contents, output.parent), Parts(output)
    is_large = len(rows) > options.max_inside
    inside: dict[str, Any] = {}
    urls: dict[str, str] = {}
    noted: dict[str, list[str]] = {}
    unreachable = 0
    reports = [row.report for row in rows]
    details = look_into(reports, contents.root, thumbnails=options.thumbnails, jobs=options.jobs, progress=progress)
    with contextlib.closing(details):
        for row, detail in zip(rows, details, strict=True):
            problems += detail.problems
            noted[row.key] = [problem.reason for problem in detail.problems]
            unreachable += not detail.is_there
            if detail.data is None:
                continue
            if is_large:
                urls[row.key] = parts.add(f"AnnotateReport.receive({to_json(row.key)}, {to_json(detail.data)});\n")
            else:
                inside[row.key] = detail.data
    charts = make_charts(contents)
    plotly = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8") if charts else ""
    page = _render(
        contents=contents,
        charts=charts,
        rows=rows,
        problems=sorted(problems),
        inside=inside,
        urls=urls,
        noted=noted,
        plotly="" if is_large else plotly,
        plotly_url=parts.add(plotly) if is_large and plotly else "",
    )
    write_atomic(output, page)
    parts.sweep()
    return Written(contents, sorted(problems), unreachable)


def _render(
    *,
    contents: Contents,
    charts: Sequence[Chart],
    rows: Sequence[Row],
    problems: Sequence[Problem],
    inside: dict[str, Any],
    urls: dict[str, str],
    noted: dict[str, list[str]],
    plotly: str,
    plotly_url: str,
) -> str:
    """Return the page's text; everything but this package's own markup is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("annotate.html_report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    known = inside.keys() | urls.keys()
    return environment.get_template("report.html").render(
        title=contents.root.name or "archive",
        whole=_whole(contents),
        charts=charts,
        legend=legend_of(contents),
        figures=[{"key": chart.key, "figure": chart.figure} for chart in charts],
        rows=rows,
        known=known,
        table=[_values(row, urls.get(row.key, ""), noted[row.key]) for row in rows],
        inside=inside,
        problems=problems,
        plotly=plotly,
        plotly_url=plotly_url,
        styles=player_style() + read_asset("report.css", __package__),
        script=player_script() + read_asset("report.js", __package__),
        program=f"annotate {VERSION}",
    )


def _whole(contents: Contents) -> dict[str, Any]:
    return {str(name): value for name, value in contents.videos.whole.iloc[0].items()}


def _values(row: Row, part: str, noted: Sequence[str]) -> dict[str, Any]:
    """Return the data of a row for the page's script: its sort keys, the addresses of its video and part, its problems."""
    numbers = row.numbers
    lengths, rest = ("duration_s", "face_s", "faces"), ("confidence", "changes_per_minute")
    return {
        "key": row.key,
        "name": row.name,
        "url": row.url,
        "part": part,
        "noted": noted,
        "sort": [
            row.name,
            row.folder,
            *(numbers[name] for name in lengths),
            row.dominant,
            *(numbers[name] for name in rest),
        ],
    }
