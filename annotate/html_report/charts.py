"""Charts of the overview as Plotly figures, each with its numbers as a table."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from annotate.analytics.summary import STAT_COLUMNS
from annotate.emotions.palette import color, text_color
from annotate.html_report.contents import BINS, Contents
from annotate.span import MS_PER_S
from annotate.text import printable, shorten

MAX_ROWS = 40
"""Maximum number of rows in the heat map: the folders or videos with the most face time."""

_ROW_PX, _HEAD_PX = 26, 26
_NAME_COLUMNS = 28
_S_PER_MINUTE = 60


@dataclass(frozen=True)
class Chart:
    """A chart: heading, explanatory note, figure as JSON for Plotly, and its numbers as a table (``heads``, ``rows``)."""

    key: str
    title: str
    note: str
    figure: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    height_px: int


def emotion_columns(rows: pd.DataFrame) -> dict[str, str]:
    """Return the share columns of a summary -> their emotions."""
    columns = list(rows.columns)
    shares = columns[columns.index(STAT_COLUMNS[-1]) + 1 :]
    others = set(columns) - set(shares)
    return {name: base if (base := name.removesuffix("_share")) in others else name for name in map(str, shares)}


def make_legend(contents: Contents) -> list[tuple[str, str]]:
    """Return the emotions of all reports with their colors."""
    return [(printable(emotion), color(emotion)) for emotion in emotion_columns(contents.videos.totals).values()]


def make_charts(contents: Contents) -> list[Chart]:
    """Return the charts of an archive; none if it has no faces."""
    if not contents.videos.totals["face_time_s"].sum() > 0:
        return []
    return [_shares(contents), _heat_map(contents), *_heat_maps_of_trials(contents), _confidence(contents)]


def _shares(contents: Contents) -> Chart:
    totals = contents.videos.totals.iloc[0]
    rows, bars = [], []
    for column, emotion in emotion_columns(contents.videos.totals).items():
        share, name = float(totals[column]), printable(emotion)
        seconds = share * float(totals["face_time_s"])
        rows.append((name, f"{share:.1%}", f"{seconds / _S_PER_MINUTE:.2f}"))
        bars.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": _escape(name),
                "x": [share],
                "y": [""],
                "text": [f"{share:.0%}" if share >= 0.04 else ""],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "insidetextfont": {"color": text_color(emotion)},
                "marker": {"color": color(emotion)},
                "hovertemplate": f"{_escape(name)}: %{{x:.1%}}<extra></extra>",
            }
        )
    layout = {
        "barmode": "stack",
        "xaxis": {"range": [0, 1], "visible": False, "fixedrange": True},
        "yaxis": {"visible": False, "fixedrange": True},
        "showlegend": False,
    }
    note = "Share of face time (2 faces for 1 s = 2 s)."
    heads = ("emotion", "share", "minutes of face time")
    return Chart("shares", "Emotion shares", note, _figure(bars, layout), heads, rows, 64)


def _heat_map(contents: Contents) -> Chart:
    folders = contents.folders.rows
    by_folder = len(folders) > 1
    table, group = (folders, "folder") if by_folder else (contents.videos.rows, "video")
    names = [contents.folder_names[folder] for folder in table[group]] if by_folder else contents.names
    return _heat_map_of(table, names, "heatmap", group, f"Share of each emotion in the face time of a {group}.")


def _heat_maps_of_trials(contents: Contents) -> list[Chart]:
    """Return a heat map by condition and one by participant; by trial if there are neither."""
    groups = [by for by in contents.trials if by != "trial"] or list(contents.trials)
    charts = []
    for by in groups:
        if contents.trials[by].rows["face_time_s"].sum() > 0:
            rows = contents.trials[by].rows
            note = f"Share of each emotion in the face time of a {by}, in trials only, as in the tables of trials."
            charts.append(_heat_map_of(rows, list(map(printable, rows[by])), f"heatmap-{by}", by, note))
    return charts


def _heat_map_of(table: pd.DataFrame, names: Sequence[str], key: str, group: str, note: str) -> Chart:
    columns = emotion_columns(table)
    with_faces = table.assign(name=names)[table["face_time_s"] > 0]
    shown = with_faces.sort_values(["face_time_s", "name"], ascending=[False, True]).head(MAX_ROWS).sort_values("name")
    shares = shown[list(columns)].astype(float)
    labels = [printable(emotion) for emotion in columns.values()]
    short = _distinct([shorten(name, _NAME_COLUMNS) for name in shown["name"]])
    trace = {
        "type": "heatmap",
        "x": [_escape(label) for label in labels],
        "y": [_escape(name) for name in short],
        "z": shares.to_numpy().tolist(),
        "zmin": 0,
        "zmax": 1,
        "xgap": 2,
        "ygap": 2,
        "texttemplate": "%{z:.0%}",
        "showscale": False,
        "hovertemplate": "%{y}<br>%{x}: %{z:.1%}<extra></extra>",
    }
    layout = {
        "xaxis": {"side": "top", "fixedrange": True, "type": "category", "showgrid": False, "showline": False, "ticks": ""},
        "yaxis": {
            "autorange": "reversed",
            "fixedrange": True,
            "type": "category",
            "automargin": True,
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
    }
    layout["yaxis"] |= {"ticks": "outside", "ticklen": 6, "tickcolor": "rgba(0,0,0,0)"}
    if len(shown) < len(with_faces):
        note += f" Shows the {MAX_ROWS} {group}s with the most face time, of {len(with_faces):,}."
    rows = [
        (name, *(f"{share:.1%}" for share in values))
        for name, values in zip(shown["name"], shares.to_numpy().tolist(), strict=True)
    ]
    height_px = _HEAD_PX + _ROW_PX * len(shown) + 4
    figure = _figure([trace], layout, _HEAD_PX)
    return Chart(key, f"Emotions by {group}", note, figure, (group, *labels), rows, height_px)


def _confidence(contents: Contents) -> Chart:
    table = contents.confidence
    emotions = [name for name in emotion_columns(contents.videos.totals).values() if name in table.index]
    starts = [number / BINS for number in range(BINS)]
    sums = dict(zip(table.index, table.to_numpy().tolist(), strict=True))
    minutes = {emotion: [ms / MS_PER_S / _S_PER_MINUTE for ms in sums[emotion]] for emotion in emotions}
    bars = [
        {
            "type": "bar",
            "name": _escape(printable(emotion)),
            "x": [start + 0.5 / BINS for start in starts],
            "y": [round(value, 4) for value in minutes[emotion]],
            "marker": {"color": color(emotion)},
            "hovertemplate": f"{_escape(printable(emotion))}, %{{x:.0%}}: %{{y:.2f}} min<extra></extra>",
        }
        for emotion in emotions
    ]
    layout = {
        "barmode": "stack",
        "bargap": 0.08,
        "showlegend": False,
        "xaxis": {
            "range": [0, 1],
            "title": {"text": "confidence", "font": {"size": 13}},
            "tickvals": [step / 5 for step in range(6)],
            "tickformat": ".0%",
            "fixedrange": True,
            "automargin": True,
        },
        "yaxis": {
            "title": {"text": "minutes of face time", "font": {"size": 13}},
            "fixedrange": True,
            "automargin": True,
            "rangemode": "tozero",
        },
    }
    heads = ("confidence", *(printable(emotion) for emotion in emotions))
    rows = [
        (
            f"{number / BINS:.0%} to {(number + 1) / BINS:.0%}",
            *(f"{minutes[emotion][number]:.2f}" for emotion in emotions),
        )
        for number in range(BINS)
        if any(minutes[emotion][number] for emotion in emotions)
    ]
    note = "Face time by the probability that the model gave to the emotion."
    return Chart("confidence", "Model confidence", note, _figure(bars, layout, right_px=20), heads, rows, 260)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names with a number added to duplicates, which would share a row."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def _escape(text: str) -> str:
    """Escape text for Plotly, which renders some HTML tags."""
    return html.escape(text, quote=False)


def _figure(data: list[dict[str, Any]], layout: dict[str, Any], top_px: int = 4, right_px: int = 4) -> str:
    """Return a figure as JSON, validated by the Plotly library."""
    from plotly import graph_objects

    common = {
        "margin": {"l": 4, "r": right_px, "t": top_px, "b": 4},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
    }
    figure = graph_objects.Figure(data=data, layout={**common, **layout, "template": "none"})
    return str(figure.to_json())
