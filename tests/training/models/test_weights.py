from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from annotate.errors import TrainingError
from annotate.training.models.descriptor_cnn import DescriptorNetwork
from annotate.training.models.export import export
from annotate.training.models.frame_cnn import BlockNetwork, FrameNetwork
from annotate.training.models.recognizer_cnn import RecognizerNetwork
from annotate.training.models.weights import StillNetwork, load_frames, load_network
from tests.emotions.models import write_model


@pytest.mark.parametrize("input_px", [48, 56])
@pytest.mark.parametrize("name", ["model.onnx", "weights.pt"])
def test_a_network_is_loaded_with_its_width_and_side(tmp_path: Path, input_px: int, name: str) -> None:
    torch.manual_seed(0)
    network = FrameNetwork(width=0.5, input_px=input_px)
    faces = torch.rand(4, 1, 80, 80)
    for _ in range(3):
        network(faces)
    path = tmp_path / name
    if path.suffix == ".onnx":
        export(BlockNetwork(network), path)
    else:
        torch.save(network.state_dict(), path)
    loaded = load_frames(path)
    assert loaded.input_px == input_px
    with torch.inference_mode():
        assert torch.allclose(loaded.eval()(faces), network.eval()(faces), atol=1e-3)


@pytest.mark.parametrize(
    "make", [DescriptorNetwork, partial(RecognizerNetwork, is_whole=False), partial(RecognizerNetwork, is_whole=True)]
)
def test_a_larger_network_teaches_but_is_not_exported(tmp_path: Path, make: Callable[[], StillNetwork]) -> None:
    network = make()
    path = tmp_path / "teacher.pt"
    torch.save(network.state_dict(), path)
    faces = torch.rand(2, 1, 80, 80)
    with torch.inference_mode():
        assert torch.equal(load_network(path).eval()(faces), network.eval()(faces))
    with pytest.raises(TrainingError) as refused:
        load_frames(path)
    assert refused.value.path == path


def test_other_files_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "other.onnx")
    torch.save({"shrink": torch.rand(56, 80)}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no weights")
    for name in ("other.onnx", "other.pt", "text.pt"):
        with pytest.raises(TrainingError) as refused:
            load_network(tmp_path / name)
        assert refused.value.path == tmp_path / name
