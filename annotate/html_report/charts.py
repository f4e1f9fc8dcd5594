"""Charts of the overview, each with its numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from annotate.analytics.summary import STAT_COLUMNS
from annotate.emotions.palette import color
from annotate.html_report.contents import BINS, Contents
from annotate.span import MS_PER_S
from annotate.text import printable

MAX_ROWS = 40
"""Maximum number of rows in the heat map: the folders or videos with the most face time."""

_S_PER_MINUTE = 60


@dataclass(frozen=True)
class Series:
    """The bars of an emotion in a chart, with their color."""

    emotion: str
    color: str
    values: Sequence[float]


@dataclass(frozen=True)
class Chart:
    """A chart: stacked bars, and its numbers as a table (``heads``, ``rows``).

    Its ``key`` is that of its texts, and heads are keys of texts or emotions. A heat map has no bars: it is the table, with
    ``shares`` (0..1) of its cells but those of the first column, and the number of rows of ``all`` that it does not show.
    """

    key: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    series: Sequence[Series] = ()
    height_px: int = 0
    shares: Sequence[Sequence[float]] = ()
    all: int = 0


def emotion_columns(rows: pd.DataFrame) -> dict[str, str]:
    """Return the share columns of a summary -> their emotions."""
    columns = list(rows.columns)
    shares = columns[columns.index(STAT_COLUMNS[-1]) + 1 :]
    others = set(columns) - set(shares)
    return {name: base if (base := name.removesuffix("_share")) in others else name for name in map(str, shares)}


def make_legend(contents: Contents) -> list[tuple[str, str, str]]:
    """Return the emotions of all reports with their colors and shares."""
    totals = contents.videos.totals
    emotions = emotion_columns(totals).items()
    return [(printable(emotion), color(emotion), f"{float(totals[column].iloc[0]):.0%}") for column, emotion in emotions]


def make_charts(contents: Contents) -> list[Chart]:
    """Return the charts of an archive; none if it has no faces."""
    if not contents.videos.totals["face_time_s"].sum() > 0:
        return []
    return [_shares(contents), _heat_map(contents), *_heat_maps_of_trials(contents), _confidence(contents)]


def _shares(contents: Contents) -> Chart:
    totals = contents.videos.totals.iloc[0]
    rows, series = [], []
    for column, emotion in emotion_columns(contents.videos.totals).items():
        share, name = float(totals[column]), printable(emotion)
        seconds = share * float(totals["face_time_s"])
        rows.append((name, f"{share:.1%}", f"{seconds / _S_PER_MINUTE:.2f}"))
        series.append(Series(name, color(emotion), [share]))
    return Chart("shares", ("emotion", "share", "minutes"), rows, series, height_px=48)


def _heat_map(contents: Contents) -> Chart:
    folders = contents.folders.rows
    by_folder = len(folders) > 1
    table, group = (folders, "folder") if by_folder else (contents.videos.rows, "video")
    names = [contents.folder_names[folder] for folder in table[group]] if by_folder else contents.names
    return _heat_map_of(table, names, group, "folder" if by_folder else "name")


def _heat_maps_of_trials(contents: Contents) -> list[Chart]:
    """Return a heat map by condition and one by participant; by trial if there are neither."""
    groups = [by for by in contents.trials if by != "trial"] or list(contents.trials)
    charts = []
    for by in groups:
        if contents.trials[by].rows["face_time_s"].sum() > 0:
            rows = contents.trials[by].rows
            charts.append(_heat_map_of(rows, list(map(printable, rows[by])), by, f"by.{by}"))
    return charts


def _heat_map_of(table: pd.DataFrame, names: Sequence[str], group: str, head: str) -> Chart:
    columns = emotion_columns(table)
    with_faces = table.assign(name=names)[table["face_time_s"] > 0]
    shown = with_faces.sort_values(["face_time_s", "name"], ascending=[False, True]).head(MAX_ROWS).sort_values("name")
    shares = shown[list(columns)].astype(float).to_numpy().tolist()
    rows = [(name, *(f"{share:.1%}" for share in values)) for name, values in zip(shown["name"], shares, strict=True)]
    heads = (head, *(printable(emotion) for emotion in columns.values()))
    return Chart(f"heat{group.capitalize()}", heads, rows, shares=shares, all=len(with_faces))


def _confidence(contents: Contents) -> Chart:
    table = contents.confidence
    emotions = [name for name in emotion_columns(contents.videos.totals).values() if name in table.index]
    sums = dict(zip(table.index, table.to_numpy().tolist(), strict=True))
    minutes = {emotion: [ms / MS_PER_S / _S_PER_MINUTE for ms in sums[emotion]] for emotion in emotions}
    series = [
        Series(printable(emotion), color(emotion), [round(value, 4) for value in minutes[emotion]]) for emotion in emotions
    ]
    heads = ("confidence", *(printable(emotion) for emotion in emotions))
    rows = [
        (
            f"{number / BINS:.0%}\N{EN DASH}{(number + 1) / BINS:.0%}",
            *(f"{minutes[emotion][number]:.2f}" for emotion in emotions),
        )
        for number in range(BINS)
        if any(minutes[emotion][number] for emotion in emotions)
    ]
    return Chart("confidence", heads, rows, series, height_px=260)
