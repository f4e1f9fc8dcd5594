"""Texts that the commands print about sets of blocks and evaluations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from tabulate import tabulate

from annotate.training.dataset.build import BuildReport, count_by_kind
from annotate.training.dataset.storage import PARTS, BlockOrigin, Dataset
from annotate.training.evaluation import Comparison, Evaluation
from annotate.training.metrics import Interval


def class_table(origins: pd.DataFrame, class_names: Sequence[str]) -> str:
    """Return a table of the blocks and videos of each class in each part, totals last."""
    rows: list[tuple[object, ...]] = []
    for name in (*class_names, "total"):
        own = origins if name == "total" else origins[origins["emotion"] == name]
        parts = [own[own["split"] == part] for part in PARTS]
        shown = (len(own), *(len(part) for part in parts), *(part["video"].nunique() for part in parts))
        rows.append((name, *shown))
    headers = ("class", "blocks", *PARTS, *(f"{part} videos" for part in PARTS))
    return tabulate(rows, headers, disable_numparse=True, colalign=("left", *("right",) * (len(headers) - 1)))


def dataset_text(dataset: Dataset) -> str:
    """Return a text that describes a set."""
    origins = dataset.origins
    kind = "still" if dataset.holds_stills else "block"
    subjects = origins.loc[origins["subject"] != "", "subject"].nunique()
    sides = " x ".join(str(side) for side in dataset.pixels.shape[1:])
    videos = number_of(origins["video"].nunique(), "image" if dataset.holds_stills else "video")
    head = f"{number_of(len(dataset), kind)} of {sides} pixels, {videos}, {number_of(subjects, 'known subject')}"
    return f"{class_table(origins, dataset.contract.class_names)}\n\n{head}."


def origins_table(origins: Sequence[BlockOrigin], class_names: Sequence[str]) -> str:
    """Return the same table for blocks that have just been written."""
    return class_table(pd.DataFrame([vars(origin) for origin in origins]), class_names)


def build_totals(report: BuildReport) -> str:
    """Return the last line of a build: what was read, what was left out and why."""
    left_out = ", ".join(f"{number} {kind.value}" for kind, number in count_by_kind(report.omissions).items())
    read = f"{number_of(report.pieces, 'labelled piece')}, {number_of(report.videos, 'video')}"
    return f"{read}: {number_of(len(report.origins), 'block')}; left out: {left_out or 'nothing'}."


def evaluation_text(evaluation: Evaluation, *, stills: bool = False) -> str:
    """Return a text of metrics with their intervals, those of each class, and the confusion matrix."""
    block, video = ("still", "image") if stills else ("block", "video")
    overall = [(name, interval_text(interval)) for name, interval in evaluation.metrics.items()]
    rows = [
        (emotion, int(evaluation.confusion[label].sum()), *(interval_text(interval) for interval in own.values()))
        for label, (emotion, own) in enumerate(evaluation.class_metrics.items())
    ]
    names = evaluation.class_names
    called = [(name, *row) for name, row in zip(names, evaluation.confusion.tolist(), strict=True)]
    tables = (
        tabulate(overall, disable_numparse=True),
        tabulate(rows, ("class", f"{block}s", "precision", "recall", "F1"), disable_numparse=True),
        tabulate(called, ("is \\ called", *names)),
    )
    what = f"{number_of(evaluation.blocks, block)} of {number_of(evaluation.videos, video)}"
    head = f"{what}, with 95 % intervals from drawing {video}s again:"
    return "\n\n".join((head, *tables))


def number_of(count: int, noun: str) -> str:
    """Return a number and its noun: ``1 video``, ``2 videos``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def comparison_text(comparison: Comparison) -> str:
    """Return a table of differences with their intervals, and whether these hold 0."""
    rows = [
        (name, interval_text(interval, sign=True), "clear" if interval.low > 0 or interval.high < 0 else "may be chance")
        for name, interval in comparison.differences.items()
    ]
    return tabulate(rows, ("model minus the other", "difference", ""), disable_numparse=True)


def interval_text(interval: Interval, *, sign: bool = False) -> str:
    """Return a metric and its interval, or a dash if it is not defined."""
    if math.isnan(interval.value):
        return "-"
    form = "+.3f" if sign else ".3f"
    return f"{interval.value:{form}} [{interval.low:{form}}, {interval.high:{form}}]"
