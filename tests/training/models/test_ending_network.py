from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from annotate.persons.descriptor import INPUT, NETWORK, OUTPUT, PACKAGE, PART, WEIGHTS, find_file  # noqa: E402
from annotate.persons.network import INPUT_PX, MAPS, load_network, read_layers  # noqa: E402
from annotate.training.models.ending_network import EndingNetwork  # noqa: E402


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_training_begins_with_what_dlib_says_and_its_result_runs_in_the_program() -> None:
    layers, random = read_layers(find_file(NETWORK).read_bytes()), np.random.default_rng(0)
    faces = random.integers(0, 256, (2, 1, INPUT_PX, INPUT_PX)).astype(np.float32)
    expected, maps = load_network(layers, has_maps=True).run([OUTPUT, MAPS], {INPUT: faces})
    network = EndingNetwork(layers.ending, random)
    assert np.abs(network.numbers(maps)[:, :PART] - expected).max() < 1e-5
    for parameter in network.parameters():
        parameter.data += 1e-3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    (all_numbers,) = load_network(layers, network.ending()).run([OUTPUT], {INPUT: faces})
    dlibs, apart, _ = np.split(all_numbers, len(WEIGHTS), axis=1)
    assert np.abs(dlibs - expected).max() < 1e-5
    assert np.abs(network.numbers(maps) - all_numbers[:, PART:]).max() < 1e-4
    assert np.abs(expected - apart).max() > 1e-2
