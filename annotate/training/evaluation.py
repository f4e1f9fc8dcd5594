"""Judging a model on a set of blocks: figures with bootstrap intervals over videos. Needs no torch.

Blocks of one video are alike, so a video is what is drawn again (cluster bootstrap; Davison and Hinkley, "Bootstrap
Methods and their Application", 1997); of stills every image is its own. Everything that is reported follows from two
tables of counts that add up over videos, so that a thousand draws cost one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.emotions.classifier import Classifier
from annotate.errors import DatasetError
from annotate.training.dataset.storage import Dataset
from annotate.training.metrics import CALIBRATION_BINS, RESAMPLES, Interval

BATCH_BLOCKS = 8
INTERVAL_PERCENT = (2.5, 97.5)
DRAWN_TOGETHER = 50
"""Draws whose weights are in memory at a time."""

Values = NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Called with the blocks done and the blocks there are."""

_COUNT, _CORRECT, _CONFIDENCE = range(3)


@dataclass(frozen=True)
class Tally:
    """What is counted of each video (V): everything else follows from its sums.

    ``confusion`` (V, classes, classes) counts blocks by true and by predicted class; ``bins`` (V, bins, 3) holds for each
    bin of confidence the blocks, those predicted rightly, and the sum of confidences.
    """

    confusion: Values
    bins: Values

    def summed(self, weights: Values) -> Tally:
        """The sums over videos for each row of ``weights`` (R, V)."""
        return Tally(np.tensordot(weights, self.confusion, 1), np.tensordot(weights, self.bins, 1))


@dataclass(frozen=True)
class Judgement:
    """How a model does on blocks.

    ``figures`` are accuracy, balanced accuracy and expected calibration error; ``classes`` precision, recall and F1 by
    emotion; ``confusion`` (classes, classes) counts blocks by true and by predicted class.
    """

    class_names: tuple[str, ...]
    blocks: int
    videos: int
    figures: dict[str, Interval]
    classes: dict[str, dict[str, Interval]]
    confusion: NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Two models on the same blocks: each figure of the first minus that of the second."""

    differences: dict[str, Interval]


def predict(
    classifier: Classifier, dataset: Dataset, rows: NDArray[np.int64], progress: Progress | None = None
) -> NDArray[np.float32]:
    """Probabilities (n, classes) of the blocks at ``rows``; a few are in memory at a time.

    Raises:
        DatasetError: the model was made for other blocks than these, or there are none.
        ModelError: its output is no distribution.
    """
    if disagreement := "; ".join(_differences(classifier, dataset)):
        raise DatasetError(f"{dataset.path}: {disagreement}; build the set for the model's contract")
    if not len(rows):
        raise DatasetError(f"{dataset.path}: no block is in this part; see `annotate dataset show`, or give --split all")
    outputs = []
    for start in range(0, len(rows), BATCH_BLOCKS):
        outputs.append(classifier(dataset.whole_blocks(rows[start : start + BATCH_BLOCKS])))
        if progress is not None:
            progress(min(start + BATCH_BLOCKS, len(rows)), len(rows))
    return np.concatenate(outputs)


def judge(
    probabilities: NDArray[np.float32],
    truth: NDArray[np.int64],
    videos: NDArray[np.object_],
    class_names: tuple[str, ...],
    *,
    seed: int = 0,
) -> Judgement:
    """Figures of predictions (n, classes) against labels (n,), with intervals from drawing ``videos`` (n,) again."""
    tallied = tally(probabilities, truth, videos)
    value, drawn = _whole_and_drawn(tallied, seed)
    figures = {name: _interval(figure(value), figure(drawn)) for name, figure in FIGURES.items()}
    classes = {
        emotion: {
            name: _interval(figure(value)[..., label], figure(drawn)[..., label]) for name, figure in CLASS_FIGURES.items()
        }
        for label, emotion in enumerate(class_names)
    }
    confusion = value.confusion[0].astype(np.int64)
    return Judgement(class_names, len(truth), len(tallied.confusion), figures, classes, confusion)


def compare(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    truth: NDArray[np.int64],
    videos: NDArray[np.object_],
    *,
    seed: int = 0,
) -> Comparison:
    """Differences of two models' figures on the same blocks: in every draw both see the same videos (paired bootstrap)."""
    (one, one_drawn), (other, other_drawn) = (
        _whole_and_drawn(tally(probabilities, truth, videos), seed) for probabilities in (first, second)
    )
    return Comparison(
        {
            name: _interval(figure(one) - figure(other), figure(one_drawn) - figure(other_drawn))
            for name, figure in FIGURES.items()
        }
    )


def tally(probabilities: NDArray[np.float32], truth: NDArray[np.int64], videos: NDArray[np.object_]) -> Tally:
    """Counts by video, the videos in order of their names."""
    number, names = pd.factorize(videos, sort=True)
    classes = probabilities.shape[1]
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    confusion = np.zeros((len(names), classes, classes))
    np.add.at(confusion, (number, truth, predicted), 1)
    bins = np.zeros((len(names), CALIBRATION_BINS, 3))
    own = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    np.add.at(bins, (number, own), np.stack([np.ones_like(confidence), predicted == truth, confidence], 1))
    return Tally(confusion, bins)


def accuracy(tallied: Tally) -> Values:
    """Share of blocks that are predicted rightly."""
    return _sum_ratio(_right(tallied).sum(-1), tallied.confusion.sum((-2, -1)))


def balanced_accuracy(tallied: Tally) -> Values:
    """Mean recall of the classes that are there."""
    known = tallied.confusion.sum(-1) > 0
    return _sum_ratio(np.where(known, recall(tallied), 0).sum(-1), known.sum(-1))


def calibration_error(tallied: Tally) -> Values:
    """Expected calibration error of the top class in equal bins of confidence (Guo et al., ICML 2017)."""
    gaps = np.abs(tallied.bins[..., _CORRECT] - tallied.bins[..., _CONFIDENCE])
    return _sum_ratio(gaps.sum(-1), tallied.bins[..., _COUNT].sum(-1))


def precision(tallied: Tally) -> Values:
    """Of the blocks called so, the share that is so, by class; nan where none is called so."""
    return _sum_ratio(_right(tallied), tallied.confusion.sum(-2))


def recall(tallied: Tally) -> Values:
    """Of the blocks that are so, the share that is called so, by class; nan where none is so."""
    return _sum_ratio(_right(tallied), tallied.confusion.sum(-1))


def f1(tallied: Tally) -> Values:
    """Harmonic mean of precision and recall, by class; nan where none is so nor called so."""
    return _sum_ratio(2 * _right(tallied), tallied.confusion.sum(-1) + tallied.confusion.sum(-2))


FIGURES = {
    "accuracy": accuracy,
    "balanced accuracy": balanced_accuracy,
    "expected calibration error": calibration_error,
}
CLASS_FIGURES = {"precision": precision, "recall": recall, "F1": f1}


def _whole_and_drawn(tallied: Tally, seed: int) -> tuple[Tally, Tally]:
    """The sums over all videos, and over videos drawn with replacement ``RESAMPLES`` times."""
    videos = len(tallied.confusion)
    random, shares = np.random.default_rng(seed), np.full(videos, 1 / videos)
    drawn = [
        tallied.summed(random.multinomial(videos, shares, DRAWN_TOGETHER).astype(float))
        for _ in range(RESAMPLES // DRAWN_TOGETHER)
    ]
    together = Tally(np.concatenate([each.confusion for each in drawn]), np.concatenate([each.bins for each in drawn]))
    return tallied.summed(np.ones((1, videos))), together


def _interval(value: Values, drawn: Values) -> Interval:
    """Percentiles of the draws in which the figure exists."""
    existing = drawn[np.isfinite(drawn)]
    low, high = np.percentile(existing, INTERVAL_PERCENT) if len(existing) else (np.nan, np.nan)
    return Interval(float(value[0]), float(low), float(high))


def _right(tallied: Tally) -> Values:
    right: Values = np.diagonal(tallied.confusion, axis1=-2, axis2=-1)
    return right


def _sum_ratio(above: Values, below: Values) -> Values:
    ratio: Values = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return ratio


def _differences(classifier: Classifier, dataset: Dataset) -> Iterator[str]:
    """What the model and the set disagree on; a set has all frames, whichever of them the model looks at."""
    given = dataset.contract.to_metadata()
    for name, wanted in replace(classifier.contract, frame_stride=dataset.contract.frame_stride).to_metadata().items():
        found = given[name]
        if found != wanted:
            yield f"its {name} is {found}, the model's {wanted}"
