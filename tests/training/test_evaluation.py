from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import Contract
from annotate.emotions.labels import EMOTIONS
from annotate.errors import DatasetError
from annotate.training.evaluation import compare, evaluate, predict
from annotate.training.metrics import CALIBRATION_BINS
from tests.emotions.models import write_model
from tests.training.conftest import MakeDataset


def make_predictions(count: int, right: float, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return probabilities (count, 7) with the right top class in about a share ``right`` of rows, and labels."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 7, count)
    top = np.where(random.random(count) < right, truth, random.integers(0, 7, count))
    logits = random.random((count, 7))
    logits[np.arange(count), top] += 1 + random.random(count)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return probabilities.astype(np.float32), truth


def names(count: int, videos: int) -> NDArray[np.object_]:
    return np.array([f"{number % videos}.mp4" for number in range(count)], object)


def expected_calibration_error(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Return the mean gap of confidence and accuracy over bins, weighted by size; a plain reference implementation."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == truth
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    inside = [bins == number for number in np.unique(bins)]
    return float(sum(own.mean() * abs(correct[own].mean() - confidence[own].mean()) for own in inside))


def test_metrics_match_their_definitions() -> None:
    probabilities, truth = make_predictions(300, 0.6)
    evaluation = evaluate(probabilities, truth, names(300, 30), EMOTIONS)
    predicted = probabilities.argmax(1)
    values = {name: interval.value for name, interval in evaluation.metrics.items()}
    assert values["accuracy"] == pytest.approx((predicted == truth).mean())
    assert values["balanced accuracy"] == pytest.approx(
        np.mean([(predicted[truth == label] == label).mean() for label in np.unique(truth)])
    )
    assert values["expected calibration error"] == pytest.approx(expected_calibration_error(probabilities, truth))
    assert (evaluation.blocks, evaluation.videos, evaluation.confusion.sum()) == (300, 30, 300)
    for label, emotion in enumerate(EMOTIONS):
        actual, called = truth == label, predicted == label
        precision, recall = (actual & called).sum() / called.sum(), (actual & called).sum() / actual.sum()
        values = {name: interval.value for name, interval in evaluation.class_metrics[emotion].items()}
        assert values["precision"] == pytest.approx(precision)
        assert values["recall"] == pytest.approx(recall)
        assert values["F1"] == pytest.approx(2 * precision * recall / (precision + recall))
    for interval in evaluation.metrics.values():
        assert interval.low <= interval.value <= interval.high or interval.value < 0.1


def test_intervals_resample_videos() -> None:
    """Intervals widen if the same blocks come from fewer videos; a single video has no spread."""
    probabilities, truth = make_predictions(40, 0.5)
    probabilities, truth = np.repeat(probabilities, 10, 0), np.repeat(truth, 10)
    images = evaluate(probabilities, truth, np.arange(400).astype(object), EMOTIONS).metrics["accuracy"]
    videos = evaluate(probabilities, truth, np.repeat(names(40, 40), 10), EMOTIONS).metrics["accuracy"]
    alone = evaluate(probabilities, truth, names(400, 1), EMOTIONS).metrics["accuracy"]
    assert images.value == videos.value == alone.low == alone.high
    assert videos.high - videos.low > 2.5 * (images.high - images.low)
    share, width = images.value, images.high - images.low
    assert width == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 400), rel=0.1)


def test_absent_classes_have_undefined_metrics() -> None:
    probabilities = np.eye(7, dtype=np.float32)[[0, 0, 1]]
    evaluation = evaluate(probabilities, np.array([0, 0, 0]), names(3, 3), EMOTIONS)
    assert evaluation.metrics["balanced accuracy"].value == pytest.approx(2 / 3)
    assert np.isnan(evaluation.class_metrics["fear"]["F1"].value)
    assert np.isnan(evaluation.class_metrics["disgust"]["recall"].value)
    assert evaluation.class_metrics["disgust"]["precision"].value == 0


def test_comparison_is_paired() -> None:
    """A model that fixes some errors of another is significantly better even if their intervals overlap."""
    better, truth = make_predictions(200, 0.7)
    worse = better.copy()
    right = np.flatnonzero(better.argmax(1) == truth)[::8]
    worse[right] = np.roll(worse[right], 1, 1)
    videos = names(200, 40)
    alone = [evaluate(each, truth, videos, EMOTIONS).metrics["accuracy"] for each in (better, worse)]
    assert alone[0].low < alone[1].high
    difference = compare(better, worse, truth, videos).differences["accuracy"]
    assert difference.value == pytest.approx(len(right) / 200)
    assert difference.low > 0
    same = compare(better, better, truth, videos).differences["balanced accuracy"]
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_prediction_runs_in_batches_and_repeats_stills(tmp_path: Path, make_dataset: MakeDataset) -> None:
    """A still is predicted like the block that repeats it; progress counts blocks."""
    classifier = Classifier(write_model(tmp_path / "model.onnx", weight=3.0))
    stills = make_dataset("faces", [0, 3, 5] * 4, frames=1)
    progress: list[tuple[int, int]] = []
    found = predict(classifier, stills, stills.rows("all"), lambda *done: progress.append(done))
    expected = classifier(np.repeat(stills.pixels, 20, 1))
    assert found == pytest.approx(expected, abs=1e-6)
    assert progress == [(8, 12), (12, 12)]


def test_a_model_with_another_contract_is_refused(tmp_path: Path, make_dataset: MakeDataset) -> None:
    dataset = make_dataset("blocks", [0, 1], ["a", "b"], ["train", "train"])
    other = Contract(crop_margin=0.3, frame_rate=25.0)
    classifier = Classifier(write_model(tmp_path / "other.onnx", contract=other))
    with pytest.raises(DatasetError, match=r"crop_margin is 0\.1.* 0\.3; .*frame_rate is 30\.0.* 25\.0") as refused:
        predict(classifier, dataset, dataset.rows("all"))
    assert (refused.value.path, "contract" in refused.value.remedy) == (dataset.path, True)
    matching = Classifier(write_model(tmp_path / "matching.onnx"))
    with pytest.raises(DatasetError) as empty:
        predict(matching, dataset, dataset.rows("test"))
    assert (empty.value.path, "--split" in empty.value.remedy) == (dataset.path, True)
