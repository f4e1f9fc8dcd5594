"""Text output of the commands about datasets and evaluations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from tabulate import tabulate

from annotate.emotions.confusion import Interval
from annotate.text import counted
from annotate.training.dataset.build import BuildReport, count_by_kind
from annotate.training.dataset.storage import PARTS, BlockOrigin, Dataset
from annotate.training.evaluation import Comparison, Evaluation


def class_table(origins: pd.DataFrame, class_names: Sequence[str]) -> str:
    """Return a table of blocks and videos per class and part, with one row per class, then totals."""
    rows: list[tuple[object, ...]] = []
    for name in (*class_names, "total"):
        of_class = origins if name == "total" else origins[origins["emotion"] == name]
        parts = [of_class[of_class["split"] == part] for part in PARTS]
        counts = (len(of_class), *(len(part) for part in parts), *(part["video"].nunique() for part in parts))
        rows.append((name, *counts))
    headers = ("class", "blocks", *PARTS, *(f"{part} videos" for part in PARTS))
    return tabulate(rows, headers, disable_numparse=True, colalign=("left", *("right",) * (len(headers) - 1)))


def describe_dataset(dataset: Dataset) -> str:
    """Return the class table and size of a dataset."""
    origins = dataset.origins
    kind = "still" if dataset.has_stills else "block"
    subjects = origins.loc[origins["subject"] != "", "subject"].nunique()
    shape = " x ".join(str(length) for length in dataset.pixels.shape[1:])
    videos = counted(origins["video"].nunique(), "image" if dataset.has_stills else "video")
    totals = f"{counted(len(dataset), kind)} of {shape} pixels, {videos}, {counted(subjects, 'known subject')}"
    return f"{class_table(origins, dataset.contract.class_names)}\n\n{totals}."


def origins_table(origins: Sequence[BlockOrigin], class_names: Sequence[str]) -> str:
    """Return `class_table` of a list of origins."""
    return class_table(pd.DataFrame([vars(origin) for origin in origins]), class_names)


def build_totals(report: BuildReport) -> str:
    """Return the last line of a build: counts of clips, videos and blocks, and of skipped clips by reason."""
    skipped = ", ".join(f"{number} {kind.value}" for kind, number in count_by_kind(report.omissions).items())
    read = f"{counted(report.clips, 'labeled clip')}, {counted(report.videos, 'video')}"
    return f"{read}: {counted(len(report.origins), 'block')}; {f'skipped: {skipped}' if skipped else 'none skipped'}."


def format_evaluation(evaluation: Evaluation, *, stills: bool = False) -> str:
    """Return tables of the overall metrics, the metrics per class and the confusion matrix."""
    block, video = ("still", "image") if stills else ("block", "video")
    overall = [(name, format_interval(interval)) for name, interval in evaluation.metrics.items()]
    rows = [
        (
            emotion,
            int(evaluation.confusion[label].sum()),
            *(format_interval(interval) for interval in class_metrics.values()),
        )
        for label, (emotion, class_metrics) in enumerate(evaluation.class_metrics.items())
    ]
    names = evaluation.class_names
    confusion = [(name, *row) for name, row in zip(names, evaluation.confusion.tolist(), strict=True)]
    tables = (
        tabulate(overall, disable_numparse=True),
        tabulate(rows, ("class", f"{block}s", "precision", "recall", "F1"), disable_numparse=True),
        tabulate(confusion, ("true \\ predicted", *names)),
    )
    counts = f"{counted(evaluation.blocks, block)} of {counted(evaluation.videos, video)}"
    head = f"{counts}, with 95 % bootstrap intervals over {video}s:"
    return "\n\n".join((head, *tables))


def format_comparison(comparison: Comparison) -> str:
    """Return a table of differences with intervals; a difference is significant if its interval excludes 0."""
    rows = [
        (
            name,
            format_interval(interval, sign=True),
            "significant" if interval.low > 0 or interval.high < 0 else "not significant",
        )
        for name, interval in comparison.differences.items()
    ]
    return tabulate(rows, ("metric", "model minus other", ""), disable_numparse=True)


def format_interval(interval: Interval, *, sign: bool = False) -> str:
    """Return a metric and its interval, or a dash if the metric is undefined."""
    if math.isnan(interval.value):
        return "-"
    form = "+.3f" if sign else ".3f"
    return f"{interval.value:{form}} [{interval.low:{form}}, {interval.high:{form}}]"
