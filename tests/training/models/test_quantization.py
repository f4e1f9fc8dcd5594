from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from annotate.emotions.classifier import Classifier  # noqa: E402
from annotate.errors import TrainingError  # noqa: E402
from annotate.training.models.export import export, store_as_half, store_as_single  # noqa: E402
from annotate.training.models.frame_cnn import BlockNetwork, FrameNetwork  # noqa: E402
from annotate.training.models.quantization import quantize  # noqa: E402
from annotate.training.models.restore import restore  # noqa: E402
from tests.emotions.models import write_model  # noqa: E402

BLOCKS = np.random.default_rng(0).integers(0, 256, (16, 20, 80, 80), np.uint8)
CROPS = torch.from_numpy(BLOCKS[:, :1]).float() / 255


@pytest.fixture
def network() -> FrameNetwork:
    """A network whose batch normalizations have statistics of real inputs."""
    torch.manual_seed(1)
    network = FrameNetwork(dropout=0.0)
    for part in CROPS.split(4):
        network(part)
    return network.eval()


@pytest.fixture
def models(tmp_path: Path, network: FrameNetwork) -> tuple[Path, Path]:
    """The exported network, and the same with integers."""
    single, integers = tmp_path / "single.onnx", tmp_path / "integers.onnx"
    export(BlockNetwork(network, temperature=0.1), single, half=True)
    quantize(single, integers, BLOCKS)
    return single, integers


def test_integers_change_probabilities_little(models: tuple[Path, Path]) -> None:
    single, integers = (Classifier(path) for path in models)
    expected = single(BLOCKS)
    assert 0 < np.abs(integers(BLOCKS) - expected).max() < 0.1 * np.ptp(expected)
    assert integers.contract == single.contract
    assert models[1].stat().st_size < 0.7 * models[0].stat().st_size


def test_sums_of_two_products_fit_into_16_bits(models: tuple[Path, Path]) -> None:
    """Or processors without instructions for them would saturate."""
    graph = onnx.load(models[1]).graph
    values = {stored.name: onnx.numpy_helper.to_array(stored) for stored in graph.initializer}
    made_by = {node.output[0]: node for node in graph.node}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    weights = [values[made_by[node.input[1]].input[0]] for node in convolutions if node.input[1] in made_by]
    assert {weight.dtype for weight in weights} == {np.dtype(np.int8)}
    assert sum(weight.size for weight in weights) > 0.9 * 1.4e6
    assert all(2 * 255 * np.abs(weight.astype(int)).max() < 2**15 for weight in weights)


def test_a_network_with_integers_is_restored(models: tuple[Path, Path], network: FrameNetwork) -> None:
    with torch.no_grad():
        expected, restored = network(CROPS), restore(models[1], CROPS)(CROPS)
    assert float((restored - expected).abs().max()) < 0.1 * float(expected.max() - expected.min())


def test_half_precision_is_undone(models: tuple[Path, Path]) -> None:
    model = onnx.load(models[0])
    store_as_single(model)
    values = {stored.name: onnx.numpy_helper.to_array(stored) for stored in model.graph.initializer}
    assert all(value.dtype != np.float16 for value in values.values())
    assert not [node for node in model.graph.node if node.op_type == "Cast"]
    store_as_half(model)
    assert model.SerializeToString(deterministic=True) == onnx.load(models[0]).SerializeToString(deterministic=True)


def test_other_models_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    write_model(tmp_path / "other.onnx")
    present = ["other.onnx", "text.onnx"]
    for path in (tmp_path / name for name in present):
        with pytest.raises(TrainingError) as refused:
            quantize(path, tmp_path / "new.onnx", BLOCKS)
        assert refused.value.path == path
        assert sorted(file.name for file in tmp_path.iterdir()) == present
