"""Choosing the temperature of a model on validation stills: ``python -m annotate.training.calibrate best.pt``.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch.nn import functional

from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX
from annotate.training.metrics import calibration_error
from annotate.training.network import BlockNetwork, FrameNetwork
from annotate.training.stills import (
    VALIDATION,
    Stills,
    enlarge,
    load_ferplus_majority,
    load_ferplus_most_frequent,
    load_webfaces,
)

TEMPERATURES = np.round(np.arange(0.4, 2.01, 0.05), 2)
_BATCH_STILLS = 64


def block_logits(frames: FrameNetwork, stills: Stills) -> NDArray[np.float32]:
    """Logarithms of the probabilities (N, 7) of stills at temperature 1, each shown as a block that stands still."""
    network = BlockNetwork(frames).eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(stills), _BATCH_STILLS):
            crops = torch.from_numpy(enlarge(stills.pixels[start : start + _BATCH_STILLS], CROP_SIZE_PX)).float() / 255
            rows.append(network(crops[:, None].expand(-1, BLOCK_FRAMES, -1, -1)).clamp(min=1e-12).log())
    logits: NDArray[np.float32] = torch.cat(rows).numpy()
    return logits


def negative_log_likelihood(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float) -> float:
    """Mean surprise at the labels (N,) of logits (N, 7) divided by the temperature."""
    surprise: float = functional.cross_entropy(torch.from_numpy(logits) / temperature, torch.from_numpy(labels)).item()
    return surprise


def expected_error(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float) -> float:
    """Expected calibration error of logits (N, 7) divided by the temperature."""
    return calibration_error(torch.softmax(torch.from_numpy(logits) / temperature, 1).numpy(), labels)


def choose_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature under which the labels (N,) are the least surprising."""
    temperatures: list[float] = TEMPERATURES.tolist()
    return min(temperatures, key=lambda temperature: negative_log_likelihood(logits, labels, temperature))


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("weights", type=_FILE)
@click.option("--ferplus", type=_FILE, required=True, help="Chosen on the strict majority labels of its public test.")
@click.option("--webfaces", type=_FILE, help="Only reported: how the temperature does on the part kept from training.")
def main(weights: Path, ferplus: Path, webfaces: Path | None) -> None:
    """Prints the temperature to export WEIGHTS with."""
    frames = FrameNetwork()
    frames.load_state_dict(torch.load(weights, weights_only=True))
    strict = load_ferplus_majority(ferplus, VALIDATION)
    sets = {
        "FER+ validation, strict majority": strict,
        "FER+ validation, most frequent vote": load_ferplus_most_frequent(ferplus, VALIDATION),
    }
    if webfaces is not None:
        sets["web faces, validation part"] = load_webfaces(webfaces, VALIDATION)
    logits = {name: block_logits(frames, stills) for name, stills in sets.items()}
    chosen = choose_temperature(logits["FER+ validation, strict majority"], strict.labels)
    rows = [(name, *(expected_error(logits[name], sets[name].labels, at) for at in (1.0, chosen))) for name in sets]
    click.echo(tabulate(rows, ("calibration error", "at 1", f"at {chosen}"), floatfmt=".3f"))
    click.echo(f"temperature {chosen}")


if __name__ == "__main__":
    main()
