"""The installed model on a dataset built from the sample videos."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate.cli.main import main
from annotate.emotions.classifier import load_classifier
from annotate.training.dataset.storage import open_dataset
from annotate.training.evaluation import evaluate, predict
from tests.clips import SAMPLES

MIN_ACCURACY = 0.9
"""The samples are easy; a lower accuracy means that something is broken."""

LABELS = """video,start,end,emotion
portrait.mp4,0,1,happy
portrait.mp4,4.4,5.2,neutral
cut.mp4,1,2.4,happy
cut.mp4,2.4,3.4,surprise
phone.mov,0,1,surprise
"""


@pytest.fixture
def sample_dataset(tmp_path: Path) -> Path:
    (tmp_path / "labels.csv").write_text(LABELS)
    arguments = [
        "dataset",
        "build",
        f"{tmp_path}/labels.csv",
        str(SAMPLES),
        "-o",
        f"{tmp_path}/blocks",
        "--most-blocks",
        "1",
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return tmp_path / "blocks"


def test_model_card_describes_the_installed_model() -> None:
    card = resources.files("annotate.emotions").joinpath("MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"`{load_classifier().model_hash}`" in card


def test_installed_model_recognizes_the_sample_videos(sample_dataset: Path) -> None:
    dataset = open_dataset(sample_dataset)
    assert len(dataset) == len(LABELS.splitlines()) - 1
    probabilities = predict(load_classifier(), dataset, dataset.rows("all"))
    videos = dataset.origins["video"].to_numpy(object)
    evaluation = evaluate(probabilities, dataset.labels, videos, dataset.contract.class_names)
    assert evaluation.videos == 3
    assert evaluation.metrics["accuracy"].value >= MIN_ACCURACY
    result = CliRunner().invoke(main, ["evaluate", str(sample_dataset), "--split", "all"])
    assert result.exit_code == 0
    assert f"accuracy                    {evaluation.metrics['accuracy'].value:.3f} [" in result.output
