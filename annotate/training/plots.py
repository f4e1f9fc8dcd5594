"""Plots of the training commands: confusion matrix, training curves and a contact sheet of faces, with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotate.errors import write_error
from annotate.extras import check_extra
from annotate.storage.names import TEMPORARY_PREFIX
from annotate.training.dataset.storage import Dataset
from annotate.training.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHEET_COLUMNS = 10
DOTS_PER_INCH = 120
_DARK_SHARE = 0.5
"""Share of a row above which a cell is dark and its number white."""


def draw_confusion(evaluation: Evaluation, path: Path) -> None:
    """Write a confusion matrix as PNG: one row per true class; shades are shares of the row, numbers count blocks.

    Raises:
        SettingsError: matplotlib is not installed.
        OutputError: the image cannot be written.
    """
    figure = _make_figure(7, 6)
    axes = figure.subplots()
    names, confusion = evaluation.class_names, evaluation.confusion
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for (row, column), blocks in np.ndenumerate(confusion):
        color = "white" if shares[row, column] > _DARK_SHARE else "black"
        axes.text(column, row, str(blocks), ha="center", va="center", color=color)
    value = evaluation.metrics["balanced accuracy"]
    axes.set_title(f"{evaluation.blocks} blocks of {evaluation.videos} videos; balanced accuracy {value.value:.3f}")
    _save(figure, path)


def draw_curve(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write the losses and validation scores of a run by epoch as PNG; raise the errors of `draw_confusion`."""
    figure = _make_figure(8, 4)
    losses, scores = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for axes, names in ((losses, ("loss", "validation_loss")), (scores, ("accuracy", "balanced_accuracy"))):
        for name in names:
            axes.plot(epochs, [row[name] for row in history], marker=".", label=name.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.legend()
    scores.set_ylim(0, 1)
    _save(figure, path)


def draw_sheet(dataset: Dataset, path: Path) -> None:
    """Write a PNG of middle frames of sampled blocks, one row per class; raise the errors of `draw_confusion`."""
    names = dataset.contract.class_names
    figure = _make_figure(SHEET_COLUMNS, len(names) * 1.1)
    grid = figure.subplots(len(names), SHEET_COLUMNS)
    for label, (emotion, row) in enumerate(zip(names, grid, strict=True)):
        own = np.flatnonzero(dataset.labels == label)
        chosen = own[np.unique(np.linspace(0, max(0, len(own) - 1), SHEET_COLUMNS).astype(int))] if len(own) else own
        for axes, number in zip(row, chosen, strict=False):
            axes.imshow(_middle_frame(dataset, int(number)), cmap="gray", vmin=0, vmax=255)
        for axes in row:
            axes.axis("off")
        row[0].set_title(f"{emotion} ({len(own)})", loc="left", fontsize=8)
    _save(figure, path)


def _middle_frame(dataset: Dataset, number: int) -> NDArray[np.uint8]:
    frames = max(1, int(dataset.origins["frames"].iloc[number]))
    frame: NDArray[np.uint8] = dataset.pixels[number, frames // 2 if frames > 1 else 0]
    return frame


def _make_figure(width_inches: float, height_inches: float) -> Figure:
    check_extra("drawing", "training", {"matplotlib": "matplotlib"})
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inches, height_inches), dpi=DOTS_PER_INCH, layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    try:
        figure.savefig(temporary, format="png")
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)
