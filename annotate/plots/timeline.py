"""A video's timeline: one lane per face, one column of probabilities per block, the most probable emotion at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.labels import word
from annotate.emotions.palette import color, ink
from annotate.plots.figures import SMALL_PT, TEXT_PT, TITLE_PT, WIDTH_IN, new_figure, shortened, text_width_in
from annotate.plots.highlights import runs
from annotate.results.intervals import Piece
from annotate.results.report import Report
from annotate.span import MS_PER_S
from annotate.text import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LANES = 12
"""Number of faces that are drawn by default: those that are seen for longest."""

_WORDS = {
    "en": {"face": "face", "time": "time", "none": "no faces", "more": "faces not shown: {}, seen for {} in all"},
    "ru": {"face": "лицо", "time": "время", "none": "лиц нет", "more": "лиц не показано: {}, всего видны {}"},
}

_LEFT_IN, _RIGHT_IN, _BOTTOM_IN, _NOTE_IN = 0.78, 0.2, 0.42, 0.17
_TITLE_IN, _LEGEND_ROW_IN = 0.28, 0.2
_LANE_IN, _GAP_IN = 0.6, 0.14
_MAX_COLUMNS = 1000
"""More blocks of a face are put together to so many columns: printing shows no finer ones."""

_SEAM_PT = 0.25
"""Neighboring columns overlap by so much, as some programs would show the paper between them."""

_PALE = 0.62
"""Emotions other than the most probable one are lightened so far towards white."""

_MIN_NAMED = 0.3
"""A run is named where its column is everywhere higher than the letters."""

_MAX_TICKS = 9
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)


def draw_timeline(report: Report, title: str, language: str = "en", max_lanes: int = MAX_LANES) -> Figure:
    """Return the timeline of a report as a figure, to be encoded under the same `annotate.plots.figures.style`.

    Columns are as wide as blocks, or means over several where there are more than can be seen. At most ``max_lanes`` faces
    are drawn; that there are more is written below.
    """
    words = _WORDS[language]
    lanes = report.pieces_by_face
    longest = list(report.lengths_ms)
    shown, hidden = sorted(longest[:max_lanes]), longest[max_lanes:]
    classes = list(report.pieces[0].probabilities) if report.pieces else []
    rows = _legend_rows([word(name, language) for name in classes])
    top_in = _TITLE_IN + len(rows) * _LEGEND_ROW_IN + 0.08
    bottom_in = _BOTTOM_IN + (_NOTE_IN if hidden else 0)
    count = max(1, len(shown))
    height_in = top_in + count * _LANE_IN + (count - 1) * _GAP_IN + bottom_in
    figure = new_figure(height_in)
    name = shortened(title, WIDTH_IN - _LEFT_IN - _RIGHT_IN, TITLE_PT)
    figure.text(_LEFT_IN / WIDTH_IN, 1 - 0.09 / height_in, name, size=TITLE_PT, va="top")
    _draw_legend(figure, rows, classes, language)
    lane_width = (WIDTH_IN - _LEFT_IN - _RIGHT_IN) / WIDTH_IN
    for number in range(count):
        y_in = height_in - top_in - (number + 1) * _LANE_IN - number * _GAP_IN
        axes = figure.add_axes((_LEFT_IN / WIDTH_IN, y_in / height_in, lane_width, _LANE_IN / height_in))
        _prepare(axes, report.end_ms, is_last=number == count - 1)
        if not shown:
            axes.text(0.5, 0.5, words["none"], transform=axes.transAxes, ha="center", va="center", color="#666666")
            axes.set_yticks([])
            axes.grid(visible=False)
            continue
        face_id = shown[number]
        axes.set_ylabel(f"{words['face']} {face_id}", rotation=0, ha="right", va="center", labelpad=4)
        _draw_lane(axes, lanes[face_id], report.end_ms, language)
    figure.axes[-1].set_xlabel(words["time"], labelpad=2)
    if hidden:
        note = words["more"].format(len(hidden), clock(sum(report.lengths_ms[face_id] for face_id in hidden) / MS_PER_S))
        figure.text(_LEFT_IN / WIDTH_IN, 0.06 / height_in, note, size=SMALL_PT, color="#555555")
    return figure


def _prepare(axes: Axes, end_ms: int, *, is_last: bool) -> None:
    """Set up both axes: time in minutes, probability from 0 to 1."""
    end_s = max(end_ms, 1) / MS_PER_S
    axes.set_xlim(0, end_s)
    axes.set_ylim(0, 1)
    step_s = next((step_s for step_s in _STEPS_S if end_s / step_s <= _MAX_TICKS), _STEPS_S[-1])
    ticks_s = np.arange(0, end_s + step_s * 1e-6, step_s)
    axes.set_xticks(ticks_s, [clock(tick_s) if is_last else "" for tick_s in ticks_s])
    axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"], size=SMALL_PT)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#E4E4E4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#888888")
    axes.tick_params(color="#888888")
    if not is_last:
        axes.tick_params(axis="x", length=0)


def _draw_lane(axes: Axes, pieces: Sequence[Piece], end_ms: int, language: str) -> None:
    from matplotlib.collections import PolyCollection

    classes = list(pieces[0].probabilities)
    starts_s, ends_s, probabilities = _columns(pieces, classes, end_ms)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    heights = np.take_along_axis(probabilities, order, axis=1)
    tops = np.cumsum(heights, axis=1)
    bottoms = tops - heights
    full = np.array([_rgb(color(name)) for name in classes])
    pale = full + (1 - full) * _PALE
    ranks = len(classes)
    colors = np.where((np.arange(ranks) == 0)[None, :, None], full[order], pale[order])
    left, right = (np.repeat(side_s[:, None], ranks, axis=1) for side_s in (starts_s, ends_s))
    corners = [(left, bottoms), (right, bottoms), (right, tops), (left, tops)]
    polygons = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=2).reshape(-1, 4, 2)
    visible = (heights > 0.002).reshape(-1)
    axes.add_collection(
        PolyCollection(
            list(polygons[visible]),
            facecolors=colors.reshape(-1, 3)[visible],
            edgecolors="face",
            linewidths=_SEAM_PT,
            antialiaseds=False,
            zorder=2,
        ),
        autolim=False,
    )
    in_per_s = (WIDTH_IN - _LEFT_IN - _RIGHT_IN) / (max(end_ms, 1) / MS_PER_S)
    for run in runs(pieces):
        text = word(run.emotion, language)
        wide_enough = run.span.duration_s * in_per_s > text_width_in(text, TEXT_PT)
        if wide_enough and run.min_confidence >= _MIN_NAMED:
            middle_s = (run.span.start_s + run.span.end_s) / 2
            axes.text(middle_s, 0.06, text, ha="center", va="bottom", color=ink(run.emotion), size=TEXT_PT, zorder=3)


def _columns(
    pieces: Sequence[Piece], classes: Sequence[str], end_ms: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return starts and ends in seconds and probabilities (n, classes) of columns: pieces, or means over equal times."""
    starts_ms = np.array([piece.span.start_ms for piece in pieces], float)
    ends_ms = np.array([piece.span.end_ms for piece in pieces], float)
    probabilities = np.array([[piece.probabilities[name] for name in classes] for piece in pieces])
    if len(pieces) > _MAX_COLUMNS:
        edges_ms = np.linspace(0, end_ms, _MAX_COLUMNS + 1)
        sums, weights_ms = np.zeros((_MAX_COLUMNS, len(classes))), np.zeros(_MAX_COLUMNS)
        for start_ms, end, row in zip(starts_ms, ends_ms, probabilities, strict=True):
            first, last = np.searchsorted(edges_ms, start_ms, "right") - 1, np.searchsorted(edges_ms, end, "left")
            covered_ms = np.minimum(edges_ms[first + 1 : last + 1], end) - np.maximum(edges_ms[first:last], start_ms)
            weights_ms[first:last] += covered_ms
            sums[first:last] += covered_ms[:, None] * row
        kept = weights_ms > 0
        starts_ms, ends_ms = edges_ms[:-1][kept], edges_ms[1:][kept]
        probabilities = sums[kept] / weights_ms[kept][:, None]
    return starts_ms / MS_PER_S, ends_ms / MS_PER_S, probabilities


def _legend_rows(words: Sequence[str]) -> list[list[tuple[int, str, float]]]:
    """Return number, word and place in inches of every class, in as many rows as it takes."""
    rows: list[list[tuple[int, str, float]]] = []
    x_in = WIDTH_IN
    for number, text in enumerate(words):
        needed_in = text_width_in(text, TEXT_PT) + 0.3
        if x_in + needed_in > WIDTH_IN - _RIGHT_IN + 0.15:
            rows.append([])
            x_in = _LEFT_IN
        rows[-1].append((number, text, x_in))
        x_in += needed_in
    return rows


def _draw_legend(
    figure: Figure, rows: Sequence[Sequence[tuple[int, str, float]]], classes: Sequence[str], language: str
) -> None:
    from matplotlib.patches import Rectangle

    height_in = figure.get_figheight()
    for row, entries in enumerate(rows):
        y_in = height_in - _TITLE_IN - row * _LEGEND_ROW_IN - 0.1
        for number, text, x_in in entries:
            corner = (x_in / WIDTH_IN, (y_in - 0.05) / height_in)
            size = (0.1 / WIDTH_IN, 0.1 / height_in)
            figure.add_artist(Rectangle(corner, *size, facecolor=color(classes[number]), edgecolor="none"))
            figure.text((x_in + 0.14) / WIDTH_IN, y_in / height_in, text, size=TEXT_PT, va="center_baseline")


def _rgb(text: str) -> tuple[float, ...]:
    return tuple(value / 255 for value in bytes.fromhex(text[1:]))
