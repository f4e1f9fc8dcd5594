"""Choosing a model's temperature and offsets on validation stills: ``python -m annotate.training.recipe.calibrate best.pt``.

Temperature: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. Offsets: Menon et al., "Long-tail learning
via logit adjustment", ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch.nn import functional

from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX
from annotate.emotions.labels import EMOTIONS
from annotate.training.metrics import accuracy, balanced_accuracy, calibration_error
from annotate.training.models.export import load_frames
from annotate.training.models.frame_cnn import BlockNetwork, FrameNetwork
from annotate.training.recipe.still_faces import (
    VALIDATION,
    Stills,
    enlarge,
    load_ferplus_majority,
    load_ferplus_most_frequent,
    load_webfaces,
)

TEMPERATURES = np.round(np.arange(0.4, 2.01, 0.05), 2)
OFFSETS_TAKEN = 0.5
"""The share of what would suit classes drawn evenly: in footage rare emotions are rare, if less so than among labels."""

_BATCH_STILLS = 64
_NEUTRAL = EMOTIONS.index("neutral")


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


def choose_offsets(sets: Sequence[tuple[NDArray[np.float32], NDArray[np.int64]]]) -> tuple[float, ...]:
    """What to add to logits (N, 7) so that rare classes get more of their due, neutral nothing.

    Of each set, logits and labels (N,), the classes count evenly, and the sets do among each other. The offsets under which
    the labels are the least surprising, at whatever temperature, are taken in part (``OFFSETS_TAKEN``).
    """
    offsets = torch.zeros(len(EMOTIONS), requires_grad=True)
    sharpness = torch.zeros((), requires_grad=True)
    parts = [(torch.from_numpy(logits), torch.from_numpy(labels)) for logits, labels in sets]
    weights = [1 / torch.bincount(labels, minlength=len(EMOTIONS)).clamp(min=1) for _, labels in parts]
    optimizer = torch.optim.LBFGS([offsets, sharpness], max_iter=300, line_search_fn="strong_wolfe")

    def surprise() -> torch.Tensor:
        optimizer.zero_grad()
        losses = [
            functional.cross_entropy(logits * sharpness.exp() + offsets, labels, weight)
            for (logits, labels), weight in zip(parts, weights, strict=True)
        ]
        total = torch.stack(losses).mean()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(surprise)  # type: ignore[no-untyped-call]
    found: list[float] = (OFFSETS_TAKEN * (offsets - offsets[_NEUTRAL])).tolist()
    return tuple(round(offset, 2) + 0.0 for offset in found)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("weights", type=_FILE)
@click.option("--ferplus", type=_FILE, required=True, help="Chosen on the strict majority labels of its public test.")
@click.option("--webfaces", type=_FILE, help="The part kept from training has its say in the offsets.")
def main(weights: Path, ferplus: Path, webfaces: Path | None) -> None:
    """Prints the temperature and the offsets to export WEIGHTS with."""
    frames = load_frames(weights)
    strict = load_ferplus_majority(ferplus, VALIDATION)
    chosen_on = {"FER+ validation, strict majority": strict}
    if webfaces is not None:
        chosen_on["web faces, validation part"] = load_webfaces(webfaces, VALIDATION)
    sets = chosen_on | {"FER+ validation, most frequent vote": load_ferplus_most_frequent(ferplus, VALIDATION)}
    logits = {name: block_logits(frames, stills) for name, stills in sets.items()}
    temperature = choose_temperature(logits["FER+ validation, strict majority"], strict.labels)
    offsets = choose_offsets([(logits[name] / np.float32(temperature), stills.labels) for name, stills in chosen_on.items()])
    rows = []
    for name, stills in sets.items():
        before = logits[name] / np.float32(temperature)
        for what, shown in (("as it is", before), ("with offsets", before + np.array(offsets, np.float32))):
            predicted = shown.argmax(1)
            rows.append(
                (
                    name,
                    what,
                    accuracy(predicted, stills.labels),
                    balanced_accuracy(predicted, stills.labels),
                    expected_error(shown, stills.labels, 1.0),
                )
            )
    click.echo(tabulate(rows, ("", "", "accuracy", "balanced", "calibration error"), floatfmt=".3f"))
    click.echo(f"--temperature {temperature} --offsets {','.join(map(str, offsets))}")


if __name__ == "__main__":
    main()
