"""Draw a confusion matrix of codes and emotions of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from annotate.plots.figures import SMALL_PT, TEXT_PT, TITLE_PT, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE_IN = 0.62
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN = 1.05, 0.2, 0.5, 1.0
_DARK_SHARE = 0.5
"""Share of a row above which a cell is dark and its number white."""


def draw_confusion(seconds: pd.DataFrame, title: str) -> Figure:
    """Return a figure: one row per code, one column per emotion of the model; shades are shares of the row, numbers seconds.

    Draw and encode it within one `annotate.plots.figures.plot_style` context.
    """
    names = list(map(str, seconds.columns))
    values = seconds.to_numpy(float)
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1e-9)
    side_in = _SIDE_IN * max(1, len(names))
    width_in, height_in = _LEFT_IN + side_in + _RIGHT_IN, _TOP_IN + side_in + _BOTTOM_IN
    figure = new_figure(height_in, width_in)
    axes = figure.add_axes((_LEFT_IN / width_in, _BOTTOM_IN / height_in, side_in / width_in, side_in / height_in))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", size=TEXT_PT)
    axes.set_yticks(range(len(names)), names, size=TEXT_PT)
    axes.set_xlabel("model")
    axes.set_ylabel("coded")
    for (row, column), value in np.ndenumerate(values):
        color = "white" if shares[row, column] > _DARK_SHARE else "black"
        axes.text(column, row, f"{value:.1f}" if value else "", ha="center", va="center", color=color, size=SMALL_PT)
    figure.text(0.5, 1 - 0.12 / height_in, title, size=TITLE_PT, ha="center", va="top")
    return figure
