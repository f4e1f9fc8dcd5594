from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from annotate.errors import TrainingError  # noqa: E402
from annotate.training.models.export import export  # noqa: E402
from annotate.training.models.frame_cnn import BlockNetwork, FrameNetwork  # noqa: E402
from annotate.training.models.restore import restore  # noqa: E402
from tests.emotions.models import write_model  # noqa: E402


@pytest.fixture
def crops() -> torch.Tensor:
    return torch.rand(16, 1, 48, 48, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network(crops: torch.Tensor) -> FrameNetwork:
    """A network whose batch normalizations have statistics of real inputs."""
    torch.manual_seed(1)
    network = FrameNetwork(dropout=0.0, width=0.5)
    for part in crops.split(4):
        network(part)
    return network.eval()


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-4), (True, 1e-2)])
def test_an_exported_network_is_restored(
    tmp_path: Path, network: FrameNetwork, crops: torch.Tensor, half: bool, tolerance: float
) -> None:
    export(BlockNetwork(network), tmp_path / "model.onnx", half=half)
    restored = restore(tmp_path / "model.onnx", crops)
    with torch.no_grad():
        assert torch.allclose(restored(crops), network(crops), atol=tolerance)


def test_restored_normalizations_fit_the_training_crops(tmp_path: Path, network: FrameNetwork, crops: torch.Tensor) -> None:
    export(BlockNetwork(network), tmp_path / "model.onnx")
    restored = restore(tmp_path / "model.onnx", crops)
    for part in restored.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    with torch.no_grad():
        expected = restored(crops)
        assert torch.allclose(restored.train()(crops), expected, atol=1e-3)


def test_other_models_are_refused(tmp_path: Path, crops: torch.Tensor) -> None:
    with pytest.raises(TrainingError) as other:
        restore(write_model(tmp_path / "other.onnx"), crops)
    assert other.value.path == tmp_path / "other.onnx"
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(TrainingError) as text:
        restore(tmp_path / "text.onnx", crops)
    assert (text.value.path, "ONNX" in text.value.problem) == (tmp_path / "text.onnx", True)
