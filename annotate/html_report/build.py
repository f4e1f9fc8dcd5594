"""Write the HTML report: charts, a table and a player per video, in files that need no network."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotate.analytics.face_filter import NO_FILTER, FaceFilter, remark_on_lacking
from annotate.analytics.selected import count_lacking
from annotate.archive.stored_report import ANNOTATE_AGAIN
from annotate.errors import format_error
from annotate.extras import check_extra
from annotate.html_report.charts import Chart, make_charts, make_legend
from annotate.html_report.contents import Contents, Problem, ProgressWrapper, collect
from annotate.html_report.details import read_details
from annotate.html_report.files import PartsFolder, to_json
from annotate.html_report.rows import NOTABLE_SHARE, Row, make_rows
from annotate.html_report.trial_tables import TrialTable, make_trial_tables
from annotate.player.player import player_script, player_style, read_asset
from annotate.settings import available_cores
from annotate.storage.local.files import check_writable, write_atomic
from annotate.storage.values import PathOrUrl
from annotate.text import clock, printable
from annotate.version import VERSION

MAX_INLINE = 200
"""Maximum number of videos whose data is in the page itself; with more, each has its own file."""

_OLDER_NOTE = format_error("older: made by an older analysis version", ANNOTATE_AGAIN)

_PACKAGES = {"jinja2": "jinja2", "PIL": "pillow"}
_SCRIPTS = ("charts.js", "report.js")
_CHART_LIBRARY, _SOURCE_MAP = "chart.umd.min.js", "//# sourceMappingURL"


@dataclass(frozen=True)
class PageOptions:
    """Options of a page.

    ``videos``, ``faces``, ``trials``, ``baseline_trial`` and ``is_corrected`` are as for `collect`; ``jobs`` is the number
    of videos read at a time; a page with more than ``max_inline`` videos has their data in separate files.
    """

    videos: PathOrUrl | None = None
    thumbnails: bool = True
    jobs: int = field(default_factory=available_cores)
    max_inline: int = MAX_INLINE
    faces: FaceFilter = NO_FILTER
    trials: PathOrUrl | None = None
    baseline_trial: str | None = None
    is_corrected: bool = True


@dataclass(frozen=True)
class WrittenPage:
    """Contents and problems of a page, which is not written if there are no reports; ``unplayable`` counts videos.

    A video is unplayable if the page cannot play it: it was not found, or is in S3.
    """

    contents: Contents
    problems: list[Problem]
    unplayable: int = 0


def write_page(
    paths: Sequence[PathOrUrl], output: Path, options: PageOptions | None = None, progress: ProgressWrapper = iter
) -> WrittenPage:
    """Write a page about the reports below ``paths``, and a folder of parts beside it if there are many videos.

    The page depends neither on the order of ``paths`` nor on the number of jobs.

    Raises:
        SettingsError: a package of the extra is missing, or ``options.videos`` does not match the paths.
        OutputError: the page or a part cannot be written; the previous page then remains as it was.
    """
    options = options or PageOptions()
    check_extra("an HTML report", "report", _PACKAGES)
    check_writable(output)
    contents = collect(
        paths,
        progress,
        options.videos,
        options.faces,
        options.trials,
        options.baseline_trial,
        is_corrected=options.is_corrected,
    )
    problems = [*contents.skipped_problems, *contents.missing]
    if not contents.reports:
        return WrittenPage(contents, sorted(problems))
    rows, parts = make_rows(contents, output.parent), PartsFolder(output)
    is_large = len(rows) > options.max_inline
    inline: dict[str, Any] = {}
    part_urls: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    unplayable = 0
    reports = [row.report for row in rows]
    details = read_details(
        reports,
        contents.root,
        thumbnails=options.thumbnails,
        jobs=options.jobs,
        progress=progress,
        faces=options.faces,
        is_corrected=options.is_corrected,
    )
    with contextlib.closing(details):
        for row, detail in zip(rows, details, strict=True):
            problems += detail.problems
            notes[row.key] = [*([_OLDER_NOTE] if row.is_older else []), *(one.statement for one in detail.problems)]
            unplayable += not detail.is_playable
            if detail.data is None:
                continue
            if is_large:
                part_urls[row.key] = parts.add(f"AnnotateReport.receive({to_json(row.key)}, {to_json(detail.data)});\n")
            else:
                inline[row.key] = detail.data
    charts = make_charts(contents)
    page = _render(
        contents=contents,
        charts=charts,
        rows=rows,
        problems=sorted(problems),
        inline=inline,
        part_urls=part_urls,
        notes=notes,
        filtered=_filtered(contents, options.faces),
        trials=make_trial_tables(contents),
        baseline_trial=options.baseline_trial or "",
    )
    write_atomic(output, page)
    parts.sweep()
    return WrittenPage(contents, sorted(problems), unplayable)


def _render(
    *,
    contents: Contents,
    charts: Sequence[Chart],
    rows: Sequence[Row],
    problems: Sequence[Problem],
    inline: dict[str, Any],
    part_urls: dict[str, str],
    notes: dict[str, list[str]],
    filtered: Sequence[str],
    trials: Sequence[TrialTable],
    baseline_trial: str,
) -> str:
    """Return the HTML of the page; all text but the markup, style and scripts of this package is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("annotate.html_report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": clock, "sentence": _capitalize}
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    with_data = inline.keys() | part_urls.keys()
    return environment.get_template("report.html").render(
        title=contents.root.name or "archive",
        totals=_totals(contents),
        charts=charts,
        legend=make_legend(contents),
        figures=[_figure(chart) for chart in charts if chart.series],
        rows=rows,
        filtered=filtered,
        trials=trials,
        trial_remarks=[printable(remark) for remark in contents.trial_remarks],
        baseline_trial=printable(baseline_trial),
        older=sum(row.is_older for row in rows),
        notable=f"An emotion is found where it is the main one or has at least {NOTABLE_SHARE:.0%} of the face time.",
        with_data=with_data,
        table=[_row_data(row, part_urls.get(row.key, ""), notes[row.key]) for row in rows],
        inline=inline,
        problems=problems,
        styles=player_style() + read_asset("report.css", __package__),
        script=player_script() + "".join(read_asset(name, __package__) for name in _SCRIPTS),
        library=read_asset(_CHART_LIBRARY, __package__).partition(_SOURCE_MAP)[0] if charts else "",
        generator=f"annotate {VERSION}",
    )


def _figure(chart: Chart) -> dict[str, Any]:
    """Return the bars of a chart for the script; without JavaScript its table has the same numbers."""
    series = [{"emotion": each.emotion, "colour": each.color, "values": each.values} for each in chart.series]
    return {"key": chart.key, "series": series}


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _totals(contents: Contents) -> dict[str, Any]:
    return {str(name): value for name, value in contents.videos.totals.iloc[0].items()}


def _filtered(contents: Contents, faces: FaceFilter) -> list[str]:
    """Return sentences on which faces count; none if all do."""
    lacking = count_lacking(contents.reports, faces)
    which = [f"Only faces count that are: {faces.statement}."] if faces.columns else []
    return [*which, *([f"{remark_on_lacking(lacking)}."] if lacking else [])]


def _row_data(row: Row, part_url: str, notes: Sequence[str]) -> dict[str, Any]:
    """Return the data of a row for the script: sort keys by column, URLs of video and part, shares, notes."""
    numbers = row.numbers
    return {
        "key": row.key,
        "name": row.name,
        "url": row.url,
        "part": part_url,
        "shares": {emotion: round(share, 4) for emotion, share in row.notable_shares.items()},
        "notes": [_capitalize(note) for note in notes],
        "sort": [
            row.name,
            row.folder,
            numbers["duration_s"],
            numbers["face_s"],
            numbers["faces"],
            row.dominant,
            numbers["confidence"],
            numbers["changes_per_minute"],
        ],
    }
