"""Draw a timeline: one lane per face track, one column of probabilities per block, the most probable emotion lowest.

Where persons were told apart, all face tracks of one person are one lane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.labels import emotion_word
from annotate.emotions.palette import color, text_color
from annotate.plots.figures import SMALL_PT, TEXT_PT, TITLE_PT, WIDTH_IN, new_figure, shorten_to_width, text_width_in
from annotate.plots.highlights import emotion_runs
from annotate.results.intervals import ClippedBlock
from annotate.results.report import Report
from annotate.span import MS_PER_S, Span
from annotate.text import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LANES = 12
"""Default maximum number of lanes in a timeline; the longest are drawn."""

_TEXTS = {
    "en": {
        "face": "face",
        "person": "person",
        "probability": "probability",
        "time": "time",
        "none": "no faces",
        "more": "face tracks not shown: {} ({} of face time)",
        "more people": "persons not shown: {} ({} of face time)",
    },
    "ru": {
        "face": "лицо",
        "person": "человек",
        "probability": "вероятность",
        "time": "время",
        "none": "лиц нет",
        "more": "не показано треков лиц: {} ({} в кадре)",
        "more people": "не показано людей: {} ({} в кадре)",
    },
}

_LEFT_IN, _RIGHT_IN, _BOTTOM_IN, _NOTE_IN = 0.78, 0.2, 0.42, 0.17
_LABEL_PAD_IN = 0.14
"""Room for the numbers of an axis beside the label of its lane."""

_TITLE_IN, _LEGEND_ROW_IN = 0.28, 0.2
_LANE_IN, _GAP_IN = 0.6, 0.14
_MAX_COLUMNS = 1000
"""Maximum number of columns of a face; more blocks are averaged, since print shows no finer detail."""

_OVERLAP_PT = 0.25
"""Overlap of adjacent columns; without it, some viewers show a gap between them."""

_PALE_SHARE = 0.62
"""Share of white in the colors of all emotions but the most probable one."""

_MIN_LABELED = 0.3
"""Minimum confidence in a run that gets a label: its columns are then higher than the letters."""

_MAX_TICKS = 9
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)


def draw_timeline(
    report: Report, title: str, language: str = "en", max_lanes: int = MAX_LANES, shown: Span | None = None
) -> Figure:
    """Return the timeline as a figure; draw and encode it within one `annotate.plots.figures.plot_style` context.

    It shows the whole video, or the span ``shown``.

    A column is a block, or in a long video the mean over several. At most ``max_lanes`` lanes are drawn, the longest;
    a note below counts the others.
    """
    texts = _TEXTS[language]
    time = Span(0, report.end_ms) if shown is None else shown
    report = report if shown is None else report.during(shown)
    lanes = report.blocks_by_lane
    order = list(lanes)
    durations_ms = {lane: sum(block.span.duration_ms for block in blocks) for lane, blocks in lanes.items()}
    longest = sorted(order, key=lambda lane: -durations_ms[lane])
    drawn, hidden = sorted(longest[:max_lanes], key=order.index), longest[max_lanes:]
    classes = list(report.blocks[0].probabilities) if report.blocks else []
    rows = _legend_rows([emotion_word(name, language) for name in classes])
    top_in = _TITLE_IN + len(rows) * _LEGEND_ROW_IN + 0.08
    bottom_in = _BOTTOM_IN + (_NOTE_IN if hidden else 0)
    count = max(1, len(drawn))
    height_in = top_in + count * _LANE_IN + (count - 1) * _GAP_IN + bottom_in
    figure = new_figure(height_in)
    name = shorten_to_width(title, WIDTH_IN - _LEFT_IN - _RIGHT_IN, TITLE_PT)
    figure.text(_LEFT_IN / WIDTH_IN, 1 - 0.09 / height_in, name, size=TITLE_PT, va="top")
    _draw_legend(figure, rows, classes, language)
    lane_width = (WIDTH_IN - _LEFT_IN - _RIGHT_IN) / WIDTH_IN
    for number in range(count):
        y_in = height_in - top_in - (number + 1) * _LANE_IN - number * _GAP_IN
        axes = figure.add_axes((_LEFT_IN / WIDTH_IN, y_in / height_in, lane_width, _LANE_IN / height_in))
        _set_up_axes(axes, time, is_last=number == count - 1)
        if not drawn:
            axes.text(0.5, 0.5, texts["none"], transform=axes.transAxes, ha="center", va="center", color="#666666")
            axes.set_yticks([])
            axes.grid(visible=False)
            continue
        blocks = lanes[drawn[number]]
        label = shorten_to_width(_label(report, blocks[0].face_id, texts), _LEFT_IN - _LABEL_PAD_IN, TEXT_PT)
        axes.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=4)
        _draw_lane(axes, blocks, time, language)
    figure.axes[-1].set_xlabel(texts["time"], labelpad=2)
    if drawn:
        place = ((_LEFT_IN - 0.08) / WIDTH_IN, 1 - (top_in - 0.07) / height_in)
        figure.text(*place, texts["probability"], size=SMALL_PT, color="#555555", ha="right", va="bottom")
    if hidden:
        text = texts["more people" if report.persons else "more"]
        note = text.format(len(hidden), clock(sum(durations_ms[lane] for lane in hidden) / MS_PER_S))
        figure.text(_LEFT_IN / WIDTH_IN, 0.06 / height_in, note, size=SMALL_PT, color="#555555")
    return figure


def _label(report: Report, face_id: int, texts: Mapping[str, str]) -> str:
    """Return the label of the lane of a face: the name or number of its person, or else the number of its track."""
    person = report.persons.get(face_id)
    if person is None:
        return f"{texts['face']} {face_id}"
    return person.name or f"{texts['person']} {person.number}"


def _set_up_axes(axes: Axes, time: Span, *, is_last: bool) -> None:
    """Set up the axes: time as M:SS, probability from 0 to 1."""
    end_s = max(time.end_ms, time.start_ms + 1) / MS_PER_S
    axes.set_xlim(time.start_s, end_s)
    axes.set_ylim(0, 1)
    length_s = end_s - time.start_s
    step_s = next((step_s for step_s in _STEPS_S if length_s / step_s <= _MAX_TICKS), _STEPS_S[-1])
    ticks_s = np.arange(math.ceil(time.start_s / step_s) * step_s, end_s + step_s * 1e-6, step_s)
    axes.set_xticks(ticks_s, [clock(tick_s) if is_last else "" for tick_s in ticks_s])
    axes.set_yticks([0, 0.5, 1], ["0", "", "1"], size=SMALL_PT)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#E4E4E4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#888888")
    axes.tick_params(color="#888888")
    if not is_last:
        axes.tick_params(axis="x", length=0)


def _draw_lane(axes: Axes, blocks: Sequence[ClippedBlock], time: Span, language: str) -> None:
    from matplotlib.collections import PolyCollection

    classes = list(blocks[0].probabilities)
    starts_s, ends_s, probabilities = _columns(blocks, classes, time)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    heights = np.take_along_axis(probabilities, order, axis=1)
    tops = np.cumsum(heights, axis=1)
    bottoms = tops - heights
    full = np.array([_rgb(color(name)) for name in classes])
    pale = full + (1 - full) * _PALE_SHARE
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
            linewidths=_OVERLAP_PT,
            antialiaseds=False,
            zorder=2,
        ),
        autolim=False,
    )
    in_per_s = (WIDTH_IN - _LEFT_IN - _RIGHT_IN) / (max(time.duration_ms, 1) / MS_PER_S)
    for run in emotion_runs(blocks):
        text = emotion_word(run.emotion, language)
        wide_enough = run.span.duration_s * in_per_s > text_width_in(text, TEXT_PT)
        if wide_enough and run.min_confidence >= _MIN_LABELED:
            middle_s = (run.span.start_s + run.span.end_s) / 2
            axes.text(middle_s, 0.06, text, ha="center", va="bottom", color=text_color(run.emotion), size=TEXT_PT, zorder=3)


def _columns(
    blocks: Sequence[ClippedBlock], classes: Sequence[str], time: Span
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the columns (blocks or means): starts (n,) and ends (n,) in seconds, probabilities (n, classes)."""
    starts_ms = np.array([block.span.start_ms for block in blocks], float)
    ends_ms = np.array([block.span.end_ms for block in blocks], float)
    probabilities = np.array([[block.probabilities[name] for name in classes] for block in blocks])
    if len(blocks) > _MAX_COLUMNS:
        edges_ms = np.linspace(time.start_ms, time.end_ms, _MAX_COLUMNS + 1)
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
    """Return the rows of the legend; entries have the class number, its word, and the x position in inches."""
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
