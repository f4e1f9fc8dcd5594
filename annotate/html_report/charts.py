"""The charts of the overview, for Plotly, each with its numbers as a table."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from annotate.analytics.summary import FIGURES
from annotate.emotions.palette import color, ink
from annotate.html_report.contents import BINS, Contents
from annotate.span import MS_PER_S
from annotate.text import printable, shorten

MAX_ROWS = 40
"""Rows of the heat map: folders or videos with most time of faces."""

_ROW_PX, _HEAD_PX = 26, 26
_NAME_COLUMNS = 28
_S_PER_MINUTE = 60


@dataclass(frozen=True)
class Chart:
    """A chart: its heading, a sentence about it, the figure as JSON for Plotly, and its numbers as a table."""

    key: str
    title: str
    note: str
    figure: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    height_px: int


def emotion_columns(rows: pd.DataFrame) -> dict[str, str]:
    """Return the columns of a summary that hold shares, with their emotions."""
    columns = list(rows.columns)
    shares = columns[columns.index(FIGURES[-1]) + 1 :]
    taken = set(columns) - set(shares)
    return {name: own if (own := name.removesuffix("_share")) in taken else name for name in map(str, shares)}


def legend_of(contents: Contents) -> list[tuple[str, str]]:
    """Return the emotions that the reports tell apart, with their colors."""
    return [(printable(emotion), color(emotion)) for emotion in emotion_columns(contents.videos.whole).values()]


def make_charts(contents: Contents) -> list[Chart]:
    """Return the charts of an archive with faces; none without."""
    if not contents.videos.whole["face_time_s"].sum() > 0:
        return []
    return [_shares(contents), _heat_map(contents), _confidence(contents)]


def _shares(contents: Contents) -> Chart:
    whole = contents.videos.whole.iloc[0]
    rows, bars = [], []
    for column, emotion in emotion_columns(contents.videos.whole).items():
        share, name = float(whole[column]), printable(emotion)
        seconds = share * float(whole["face_time_s"])
        rows.append((name, f"{share:.1%}", f"{seconds / _S_PER_MINUTE:.2f}"))
        bars.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": _plain(name),
                "x": [share],
                "y": [""],
                "text": [f"{share:.0%}" if share >= 0.04 else ""],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "insidetextfont": {"color": ink(emotion)},
                "marker": {"color": color(emotion)},
                "hovertemplate": f"{_plain(name)}: %{{x:.1%}}<extra></extra>",
            }
        )
    layout = {
        "barmode": "stack",
        "xaxis": {"range": [0, 1], "visible": False, "fixedrange": True},
        "yaxis": {"visible": False, "fixedrange": True},
        "showlegend": False,
    }
    note = "Shares of the time of all faces: two faces for a second count as two seconds."
    heads = ("emotion", "share", "minutes of faces")
    return Chart("shares", "Shares of emotion", note, _figure(bars, layout), heads, rows, 64)


def _heat_map(contents: Contents) -> Chart:
    folders = contents.folders.rows
    by_folder = len(folders) > 1
    table, key, what = (folders, "folder", "folder") if by_folder else (contents.videos.rows, "video", "video")
    names = [contents.folder_names[folder] for folder in table[key]] if by_folder else contents.names
    columns = emotion_columns(table)
    with_faces = table.assign(name=names)[table["face_time_s"] > 0]
    most = with_faces.sort_values(["face_time_s", "name"], ascending=[False, True]).head(MAX_ROWS).sort_values("name")
    shares = most[list(columns)].astype(float)
    labels = [printable(emotion) for emotion in columns.values()]
    short = _distinct([shorten(name, _NAME_COLUMNS) for name in most["name"]])
    trace = {
        "type": "heatmap",
        "x": [_plain(label) for label in labels],
        "y": [_plain(name) for name in short],
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
    note = f"The share of each emotion in the time of a {what}'s faces."
    if len(most) < len(with_faces):
        note += f" Shown are the {MAX_ROWS} with most time of faces, of {len(with_faces):,}."
    rows = [
        (name, *(f"{share:.1%}" for share in values))
        for name, values in zip(most["name"], shares.to_numpy().tolist(), strict=True)
    ]
    height_px = _HEAD_PX + _ROW_PX * len(most) + 4
    return Chart("places", f"Emotion by {what}", note, _figure([trace], layout, _HEAD_PX), (what, *labels), rows, height_px)


def _confidence(contents: Contents) -> Chart:
    table = contents.confidence
    emotions = [name for name in emotion_columns(contents.videos.whole).values() if name in table.index]
    starts = [number / BINS for number in range(BINS)]
    sums = dict(zip(table.index, table.to_numpy().tolist(), strict=True))
    minutes = {emotion: [ms / MS_PER_S / _S_PER_MINUTE for ms in sums[emotion]] for emotion in emotions}
    bars = [
        {
            "type": "bar",
            "name": _plain(printable(emotion)),
            "x": [start + 0.5 / BINS for start in starts],
            "y": [round(value, 4) for value in minutes[emotion]],
            "marker": {"color": color(emotion)},
            "hovertemplate": f"{_plain(printable(emotion))}, %{{x:.2f}}: %{{y:.2f}} min<extra></extra>",
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
            "dtick": 0.1,
            "fixedrange": True,
            "automargin": True,
        },
        "yaxis": {
            "title": {"text": "minutes of faces", "font": {"size": 13}},
            "fixedrange": True,
            "automargin": True,
            "rangemode": "tozero",
        },
    }
    heads = ("confidence", *(printable(emotion) for emotion in emotions))
    rows = [
        (
            f"{number / BINS:.2f} to {(number + 1) / BINS:.2f}",
            *(f"{minutes[emotion][number]:.2f}" for emotion in emotions),
        )
        for number in range(BINS)
        if any(minutes[emotion][number] for emotion in emotions)
    ]
    note = "How probable the model held the emotion it gave, in minutes of faces."
    return Chart("confidence", "Confidence", note, _figure(bars, layout, right_px=14), heads, rows, 260)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names that differ, since equal ones would share a row."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def _plain(text: str) -> str:
    """Return text that Plotly, which renders some tags, shows as it is."""
    return html.escape(text, quote=False)


def _figure(data: list[dict[str, Any]], layout: dict[str, Any], top_px: int = 4, right_px: int = 4) -> str:
    """Return a figure as JSON, validated by Plotly's own library."""
    from plotly import graph_objects

    common = {
        "margin": {"l": 4, "r": right_px, "t": top_px, "b": 4},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
    }
    figure = graph_objects.Figure(data=data, layout={**common, **layout, "template": "none"})
    return str(figure.to_json())
