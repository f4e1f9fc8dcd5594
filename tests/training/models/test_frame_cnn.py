from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from torch.nn import functional  # noqa: E402

from annotate.training.models.frame_cnn import INPUT_SIZE_PX, VIEWS, BlockNetwork, FrameNetwork, view_matrix  # noqa: E402


def test_view_of_the_whole_crop_equals_antialiased_resizing() -> None:
    crop = torch.rand(1, 1, 80, 80, generator=torch.Generator().manual_seed(0))
    expected = functional.interpolate(crop, (INPUT_SIZE_PX, INPUT_SIZE_PX), mode="bilinear", antialias=True)
    inner = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose((view_matrix(1.0) @ crop @ view_matrix(1.0).T)[inner], expected[inner], atol=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0, 1.1, 1.5])
def test_a_view_is_centered_and_covers_its_share(share: float) -> None:
    positions = torch.arange(80).float()
    sampled = view_matrix(share) @ positions
    assert sampled.mean() == pytest.approx(39.5, abs=1e-3)
    middle = sampled[14:42]
    assert torch.allclose(middle[1:] - middle[:-1], torch.tensor(80 * share / INPUT_SIZE_PX), atol=0.2)
    assert torch.allclose(view_matrix(share) @ torch.ones(80), torch.ones(INPUT_SIZE_PX))


def test_each_used_frame_has_its_own_view() -> None:
    inputs: list[torch.Tensor] = []

    class RecordingNetwork(FrameNetwork):
        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            inputs.append(crops)
            return super().forward(crops)

    blocks = torch.arange(20.0)[None, :, None, None].expand(2, -1, 80, 80) + torch.linspace(0, 0.5, 80)
    probabilities = BlockNetwork(RecordingNetwork()).eval()(blocks)
    assert probabilities.shape == (2, 7)
    assert torch.allclose(probabilities.sum(1), torch.ones(2))
    (crops,) = inputs
    views = crops.reshape(2, 5, INPUT_SIZE_PX, INPUT_SIZE_PX)[0]
    assert torch.allclose(views.mean((1, 2)), torch.tensor([0, 4, 8, 12, 16.0]) + 0.25, atol=1e-3)
    is_mirrored = [bool(view[0, 0] > view[0, -1]) for view in views]
    assert is_mirrored == [mirrored for _, mirrored in VIEWS]
