from __future__ import annotations

import numpy as np
import pytest
import torch

from annotate.persons.descriptor import INPUT, NETWORK, OUTPUT, find_file
from annotate.persons.network import INPUT_PX, load_network, read_layers
from annotate.training.models.descriptor_cnn import load_descriptor_network


def test_features_are_those_that_descriptors_are_made_of() -> None:
    content = find_file(NETWORK).read_bytes()
    layers = read_layers(content)
    faces = torch.rand(3, 1, INPUT_PX, INPUT_PX, generator=torch.Generator().manual_seed(0))
    network = load_descriptor_network(content, faces)
    with torch.inference_mode():
        described = network.features(faces).numpy() @ layers.matrix
        logits = network(faces)
    expected = load_network(layers).run([OUTPUT], {INPUT: 255 * faces.numpy()})[0]
    assert np.abs(expected).max() > 0.1
    assert described == pytest.approx(expected, abs=1e-5)
    assert logits.shape == (3, 7)


def test_another_file_is_refused() -> None:
    with pytest.raises(ValueError, match="another network"):
        load_descriptor_network(b"no network", torch.rand(2, 1, 80, 80))
