from __future__ import annotations

import copy

import pytest
import torch

from annotate.training.models.frame_cnn import FrameNetwork
from annotate.training.recipe.blend import blend


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_weights_lie_between_those_of_both_networks(share: float) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        initial, trained = FrameNetwork(width=0.25), FrameNetwork(width=0.25)
        crops = torch.rand(150, 1, 48, 48)
    blended = blend(initial, copy.deepcopy(trained), share, crops)
    for start, end, mixed in zip(initial.parameters(), trained.parameters(), blended.parameters(), strict=True):
        torch.testing.assert_close(mixed, start + share * (end - start))
    stem = crops - crops.mean((2, 3), keepdim=True)
    stem = blended.features[0](stem / (stem.square().mean((2, 3), keepdim=True) + 0.05**2).sqrt())
    statistics = blended.features[1]
    assert isinstance(statistics, torch.nn.BatchNorm2d)
    assert statistics.running_mean is not None
    halves = (stem[:128].mean((0, 2, 3)) + stem[128:].mean((0, 2, 3))) / 2
    torch.testing.assert_close(statistics.running_mean, halves, atol=1e-3, rtol=1e-3)
    assert not blended.training
