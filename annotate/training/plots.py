"""Pictures for people: a confusion matrix, the curve of a run, a sheet of faces. Drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotate.errors import OutputError, TrainingError
from annotate.storage.local.files import TEMPORARY_PREFIX, sentence
from annotate.training.dataset.storage import Dataset
from annotate.training.evaluation import Judgement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHEET_COLUMNS = 10
DOTS_PER_INCH = 120
_DARK_SHARE = 0.5


def draw_confusion(judgement: Judgement, path: Path) -> None:
    """A confusion matrix: rows are true classes, shades shares of a row, numbers blocks.

    Raises:
        TrainingError: matplotlib is not installed.
        OutputError: the picture cannot be written.
    """
    figure = _figure(7, 6)
    axes = figure.subplots()
    names, confusion = judgement.class_names, judgement.confusion
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    for (row, column), blocks in np.ndenumerate(confusion):
        colour = "white" if shares[row, column] > _DARK_SHARE else "black"
        axes.text(column, row, str(blocks), ha="center", va="center", color=colour)
    value = judgement.figures["balanced accuracy"]
    axes.set_title(f"{judgement.blocks} blocks of {judgement.videos} videos; balanced accuracy {value.value:.3f}")
    _save(figure, path)


def draw_curve(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """The loss of a run by epoch, and what validation said; errors as for `draw_confusion`."""
    figure = _figure(8, 4)
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
    """The middle frames of blocks spread over each class, a row a class; errors as for `draw_confusion`."""
    names = dataset.contract.class_names
    figure = _figure(SHEET_COLUMNS, len(names) * 1.1)
    grid = figure.subplots(len(names), SHEET_COLUMNS)
    for label, (emotion, row) in enumerate(zip(names, grid, strict=True)):
        own = np.flatnonzero(dataset.labels == label)
        chosen = own[np.unique(np.linspace(0, max(0, len(own) - 1), SHEET_COLUMNS).astype(int))] if len(own) else own
        for axes, number in zip(row, chosen, strict=False):
            axes.imshow(_middle(dataset, int(number)), cmap="gray", vmin=0, vmax=255)
        for axes in row:
            axes.axis("off")
        row[0].set_title(f"{emotion} ({len(own)})", loc="left", fontsize=8)
    _save(figure, path)


def _middle(dataset: Dataset, number: int) -> NDArray[np.uint8]:
    frames = max(1, int(dataset.origins["frames"].iloc[number]))
    picture: NDArray[np.uint8] = dataset.pixels[number, frames // 2 if frames > 1 else 0]
    return picture


def _figure(width_inches: float, height_inches: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise TrainingError("a picture needs matplotlib: install 'annotate[training]'") from None
    return Figure(figsize=(width_inches, height_inches), dpi=DOTS_PER_INCH, layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    unfinished = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    try:
        figure.savefig(unfinished, format="png")
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(sentence(path, error)) from None
    finally:
        unfinished.unlink(missing_ok=True)
