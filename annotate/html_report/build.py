"""Write the HTML report: charts, a table and a player per video, in files that need no network."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotate.analytics.face_filter import NO_FILTER, FaceFilter, remark_on_lacking
from annotate.analytics.selected import count_lacking
from annotate.extras import check_extra
from annotate.html_report.charts import Chart, make_charts, make_legend
from annotate.html_report.contents import DAMAGED_KIND, Contents, Problem, ProgressWrapper, collect
from annotate.html_report.details import VideoDetails, read_details
from annotate.html_report.files import PartsFolder, to_json
from annotate.html_report.moment_data import MomentParts
from annotate.html_report.page_data import emotions_of, figure_data, group_data, page_data, row_data
from annotate.html_report.rows import Row, make_rows
from annotate.html_report.strings import DEFAULT_LANGUAGE, REPORT_WORDS
from annotate.html_report.trial_tables import make_trial_tables
from annotate.player.player import player_script, player_style, read_asset
from annotate.settings import available_cores
from annotate.storage.local.files import check_writable, write_atomic
from annotate.storage.values import PathOrUrl
from annotate.text import clock, printable
from annotate.version import VERSION

MAX_INLINE = 200
"""Maximum number of videos whose data is in the page itself; with more, each has its own file."""

_PACKAGES = {"jinja2": "jinja2", "PIL": "pillow"}
_SCRIPTS = ("charts.js", "words.js", "table.js", "videos.js", "moments.js", "compare.js", "views.js", "report.js")
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
    emotions = emotions_of(contents)
    moments = MomentParts()
    inline: dict[str, Any] = {}
    table = []
    unplayable = 0
    with contextlib.closing(details):
        for row, detail in zip(rows, details, strict=True):
            problems += detail.problems
            unplayable += not detail.is_playable
            part_url = ""
            if detail.data is not None:
                index = [emotions.index(each["name"]) for each in detail.data["emotions"]]
                runs = [[face_id, index[emotion], *blocks] for face_id, emotion, *blocks in detail.runs]
                moments.add(f"{to_json(row.key)}:{to_json(runs)}")
            if detail.data is not None and is_large:
                part_url = parts.add(f"AnnotateReport.receive({to_json(row.key)}, {to_json(detail.data)});\n")
            elif detail.data is not None:
                inline[row.key] = detail.data
            table.append(row_data(row, detail, part_url, _notes(row, detail)))
    moments.flush()
    moment_urls = []
    if is_large:
        moment_urls = [parts.add(f'AnnotateReport.receive("moments", {text});\n') for text in moments.texts]
    charts = make_charts(contents)
    page = _render(
        contents=contents,
        charts=charts,
        legend=make_legend(contents),
        problems=sorted(problems),
        videos=len(rows),
        older=sum(row.is_older for row in rows),
        filtered=_filtered(contents, options.faces),
        trials=make_trial_tables(contents),
        baseline_trial=printable(options.baseline_trial or ""),
        data={
            "page": page_data(contents, rows, moment_urls),
            "table": table,
            "groups": group_data(contents),
            "figures": [figure_data(chart) for chart in charts if chart.series],
            **inline,
        },
        moments=[] if is_large else moments.texts,
    )
    write_atomic(output, page)
    parts.sweep()
    return WrittenPage(contents, sorted(problems), unplayable)


def _render(*, contents: Contents, charts: Sequence[Chart], **values: Any) -> str:
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
    return environment.get_template("report.html").render(
        title=contents.root.name or "archive",
        totals=_totals(contents),
        charts=charts,
        trial_remarks=[printable(remark) for remark in contents.trial_remarks],
        words=REPORT_WORDS[DEFAULT_LANGUAGE],
        emotions=set(map(printable, emotions_of(contents))),
        styles=player_style() + read_asset("report.css", __package__),
        script=player_script() + "".join(read_asset(name, __package__) for name in _SCRIPTS),
        library=read_asset(_CHART_LIBRARY, __package__).partition(_SOURCE_MAP)[0] if charts else "",
        generator=f"annotate {VERSION}",
        **values,
    )


def _notes(row: Row, detail: VideoDetails) -> dict[str, list[str]]:
    """Return remarks on a video by language; reasons other than damage and age are in English."""
    notes = {}
    for language, words in REPORT_WORDS.items():
        others = [one.statement for one in detail.problems if one.kind != DAMAGED_KIND]
        own = [words["olderVideo"] if row.is_older else "", detail.damage.statement(language), *others]
        notes[language] = [_capitalize(note) for note in own if note]
    return notes


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _totals(contents: Contents) -> dict[str, Any]:
    return {str(name): value for name, value in contents.videos.totals.iloc[0].items()}


def _filtered(contents: Contents, faces: FaceFilter) -> list[str]:
    """Return sentences on which faces count; none if all do."""
    lacking = count_lacking(contents.reports, faces)
    which = [f"Only faces count that are: {faces.statement}."] if faces.columns else []
    return [*which, *([f"{remark_on_lacking(lacking)}."] if lacking else [])]
