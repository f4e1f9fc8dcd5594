"""Data of the page for its script: videos, groups to compare, persons, trials, and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from annotate.analytics.trials import GROUPS
from annotate.emotions.palette import color, text_color
from annotate.html_report.charts import Chart, emotion_columns
from annotate.html_report.contents import Contents
from annotate.html_report.details import VideoDetails
from annotate.html_report.rows import Row
from annotate.html_report.strings import REPORT_WORDS
from annotate.text import printable

NOTABLE_SHARE = 0.1
"""Share of face time from which the search finds a video by an emotion that is not its dominant one."""

_NUMBERS = ("duration_s", "face_s", "face_time_s", "faces", "confidence", "changes_per_minute")
_DECIMALS = 4


def page_data(contents: Contents, rows: Sequence[Row], moment_urls: Sequence[str]) -> dict[str, Any]:
    """Return what is said once: texts by language, emotions, folders, persons, trials, and the URLs of moments."""
    video_index = {row.report.path: index for index, row in enumerate(rows)}
    trials = [
        [trial.name, trial.condition, trial.participant, video_index[path], trial.span.start_ms, trial.span.end_ms]
        for path, own in contents.trial_spans.items()
        if path in video_index
        for trial in own
    ]
    return {
        "words": {language: dict(words) for language, words in REPORT_WORDS.items()},
        "notable": NOTABLE_SHARE,
        "emotions": [
            {"name": printable(name), "colour": color(name), "ink": text_color(name)} for name in emotions_of(contents)
        ],
        "folders": sorted({row.folder for row in rows}),
        "persons": [_person(row) for row in _person_rows(contents)],
        "trials": sorted(trials, key=lambda trial: trial[3:]),
        "moments": list(moment_urls),
    }


def emotions_of(contents: Contents) -> list[str]:
    """Return the names of the emotions of all reports."""
    return list(emotion_columns(contents.videos.totals).values())


def group_data(contents: Contents) -> dict[str, list[dict[str, Any]]]:
    """Return what can be compared, besides videos: name, statistics and shares by folder, person, and group of trials."""
    folders = contents.folder_names
    groups = {"folder": [_group(row, contents.folders.rows, folders[row["folder"]]) for row in _records(contents.folders)]}
    if contents.persons is not None:
        groups["person"] = [_group(row, contents.persons.rows, "") for row in _records(contents.persons)]
    for by in GROUPS:
        if by in contents.trials:
            summary = contents.trials[by]
            groups[by] = [_group(row, summary.rows, printable(row[by])) for row in _records(summary)]
    return {by: own for by, own in groups.items() if len(own) > 1}


def row_data(row: Row, detail: VideoDetails, part_url: str, notes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the data of a video in the table; ``notes`` are sentences on it by language.

    ``numbers`` are `_NUMBERS`, ``shares`` are by emotion, ``faces`` the rows of persons by ``face_id``, ``states`` keys of
    texts; what is empty is left out.
    """
    data = {
        "key": row.key,
        "name": row.name,
        "folder": row.folder,
        "url": row.url,
        "part": part_url,
        "numbers": [row.numbers[name] for name in _NUMBERS],
        "main": row.dominant,
        "shares": {printable(emotion): round(share, _DECIMALS) for emotion, share in row.shares.items()},
        "faces": row.persons,
        "states": _states(row, detail),
        "notes": notes["en"] if notes["en"] == notes["ru"] else notes,
        "opens": detail.data is not None,
    }
    return {name: value for name, value in data.items() if value not in ("", [], {}, False)}


def figure_data(chart: Chart) -> dict[str, Any]:
    """Return the bars of a chart."""
    series = [{"emotion": each.emotion, "colour": each.color, "values": each.values} for each in chart.series]
    return {"key": chart.key, "series": series}


def _states(row: Row, detail: VideoDetails) -> list[str]:
    damage = "truncated" if detail.damage.missing_s > 0 else "damaged"
    flags = {"older": row.is_older, damage: bool(detail.damage), "outdated": detail.is_outdated}
    return [name for name, holds in flags.items() if holds]


def _records(summary: Any) -> list[dict[Any, Any]]:
    records: list[dict[Any, Any]] = summary.rows.to_dict("records")
    return records


def _person_rows(contents: Contents) -> list[dict[Any, Any]]:
    return [] if contents.persons is None else _records(contents.persons)


def _person(row: Mapping[Any, Any]) -> dict[str, Any]:
    video = PurePath(row["video"]).name if row["video"] else ""
    return {"name": printable(row["name"]), "number": int(row["person"]), "video": printable(video)}


def _group(row: Mapping[Any, Any], rows: Any, name: str) -> dict[str, Any]:
    shares = {printable(emotion): row[column] for column, emotion in emotion_columns(rows).items()}
    numbers = [None if row[key] != row[key] else round(float(row[key]), _DECIMALS) for key in _NUMBERS]
    return {"name": name, "numbers": numbers, "shares": {key: share for key, share in shares.items() if share > 0}}
