from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from torch.nn import functional  # noqa: E402

from annotate.training.models.frame_cnn import VIEWS, BlockNetwork, FrameNetwork, view_matrix  # noqa: E402


def test_the_whole_crop_is_seen_as_antialiased_scaling_shrinks_it() -> None:
    crop = torch.rand(1, 1, 80, 80, generator=torch.Generator().manual_seed(0))
    expected = functional.interpolate(crop, (48, 48), mode="bilinear", antialias=True)
    inner = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose((view_matrix(1.0) @ crop @ view_matrix(1.0).T)[inner], expected[inner], atol=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0, 1.1, 1.5])
def test_a_view_is_centred_and_covers_its_share(share: float) -> None:
    places = torch.arange(80).float()
    seen = view_matrix(share) @ places
    assert seen.mean() == pytest.approx(39.5, abs=1e-3)
    middle = seen[12:36]
    assert torch.allclose(middle[1:] - middle[:-1], torch.tensor(80 * share / 48), atol=0.2)
    assert torch.allclose(view_matrix(share) @ torch.ones(80), torch.ones(48))


def test_each_look_has_its_own_frame_and_view() -> None:
    looks: list[torch.Tensor] = []

    class Watching(FrameNetwork):
        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            looks.append(crops)
            return super().forward(crops)

    blocks = torch.arange(20.0)[None, :, None, None].expand(2, -1, 80, 80) + torch.linspace(0, 0.5, 80)
    probabilities = BlockNetwork(Watching()).eval()(blocks)
    assert probabilities.shape == (2, 7)
    assert torch.allclose(probabilities.sum(1), torch.ones(2))
    (seen,) = looks
    assert torch.allclose(seen.reshape(2, 5, 48, 48)[0].mean((1, 2)), torch.tensor([0, 4, 8, 12, 16.0]) + 0.25, atol=1e-3)
    is_mirrored = [bool(look[0, 0] > look[0, -1]) for look in seen.reshape(2, 5, 48, 48)[0]]
    assert is_mirrored == [mirrored for _, mirrored in VIEWS]
