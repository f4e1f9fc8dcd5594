"""Fit a temperature and offsets on validation stills: ``python -m annotate.training.recipe.calibrate FILE --data DIR``.

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

from annotate.emotions.confusion import accuracy, balanced_accuracy
from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX
from annotate.emotions.labels import EMOTIONS
from annotate.training.metrics import Counts, calibration_error, count
from annotate.training.models.frame_cnn import BlockNetwork, FrameNetwork
from annotate.training.models.weights import load_frames
from annotate.training.recipe.sources import NAMES, load_source
from annotate.training.recipe.still_faces import Stills, resize_faces

Labeled = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Logits (N, 7) and labels (N,) of a set of stills."""

TEMPERATURES = np.round(np.arange(0.4, 2.01, 0.05), 2)
OFFSET_STRENGTH = 0.5
"""Factor of the offsets for balanced classes: rare emotions are rare in videos too, if less than in labels."""

_BATCH_STILLS = 64
_NEUTRAL = EMOTIONS.index("neutral")


def block_logits(frames: FrameNetwork, stills: Stills) -> NDArray[np.float32]:
    """Return log probabilities (N, 7) of stills at temperature 1; each still is repeated as a block."""
    network = BlockNetwork(frames).eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(stills), _BATCH_STILLS):
            crops = torch.from_numpy(resize_faces(stills.pixels[start : start + _BATCH_STILLS], CROP_SIZE_PX)).float() / 255
            rows.append(network(crops[:, None].expand(-1, BLOCK_FRAMES, -1, -1)).clamp(min=1e-12).log())
    logits: NDArray[np.float32] = torch.cat(rows).numpy()
    return logits


def negative_log_likelihood(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float) -> float:
    """Return the mean negative log-likelihood of labels (N,) under logits (N, 7) divided by ``temperature``."""
    loss: float = functional.cross_entropy(torch.from_numpy(logits) / temperature, torch.from_numpy(labels)).item()
    return loss


def expected_calibration_error(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float) -> float:
    """Return the expected calibration error of logits (N, 7) divided by ``temperature`` against labels (N,)."""
    return float(calibration_error(_count(logits, labels, temperature).bins[0]))


def choose_temperature(sets: Sequence[Labeled]) -> float:
    """Return the temperature that minimizes the negative log-likelihood; sets have equal weight."""
    temperatures: list[float] = TEMPERATURES.tolist()
    return min(temperatures, key=lambda value: sum(negative_log_likelihood(*labeled, value) for labeled in sets))


def choose_offsets(sets: Sequence[Labeled]) -> tuple[float, ...]:
    """Return offsets (7,) to add to logits, to correct for rare classes; the offset of neutral is 0.

    Sets have equal weight, and so do the classes of a set. The offsets minimize the negative log-likelihood, jointly with a
    temperature, and are scaled by ``OFFSET_STRENGTH``.
    """
    offsets = torch.zeros(len(EMOTIONS), requires_grad=True)
    log_sharpness = torch.zeros((), requires_grad=True)
    parts = [(torch.from_numpy(logits), torch.from_numpy(labels)) for logits, labels in sets]
    weights = [1 / torch.bincount(labels, minlength=len(EMOTIONS)).clamp(min=1) for _, labels in parts]
    optimizer = torch.optim.LBFGS([offsets, log_sharpness], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        losses = [
            functional.cross_entropy(logits * log_sharpness.exp() + offsets, labels, weight)
            for (logits, labels), weight in zip(parts, weights, strict=True)
        ]
        total = torch.stack(losses).mean()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    scaled: list[float] = (OFFSET_STRENGTH * (offsets - offsets[_NEUTRAL])).tolist()
    return tuple(round(offset, 2) + 0.0 for offset in scaled)


def _count(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float) -> Counts:
    """Return the counts of all stills as one group."""
    probabilities = torch.softmax(torch.from_numpy(logits) / temperature, 1).numpy()
    return count(probabilities, labels, np.zeros(len(labels), np.int64))


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("weights", type=_FILE)
@click.option("--data", type=_FOLDER, required=True, help="Folder of the sources' files.")
@click.option("--leave-out", type=click.Choice(NAMES), multiple=True, help="Source not to fit on, only to report.")
@click.option("--cache", type=_FOLDER, help="Folder to keep framed faces in.")
def main(weights: Path, data: Path, leave_out: tuple[str, ...], cache: Path | None) -> None:
    """Print the temperature and offsets for the export of WEIGHTS, fitted on the validation parts of the sources."""
    frames = load_frames(weights)
    sets = {name: _labeled(frames, load_source(name, data, cache=cache).validation) for name in NAMES}
    fitted = [labeled for name, labeled in sets.items() if name not in leave_out]
    temperature = choose_temperature(fitted)
    offsets = choose_offsets([(logits / np.float32(temperature), labels) for logits, labels in fitted])
    rows = []
    for name, (logits, labels) in sets.items():
        scaled = logits / np.float32(temperature)
        for variant, values in (("without offsets", scaled), ("with offsets", scaled + np.array(offsets, np.float32))):
            counts = _count(values, labels, 1.0)
            metrics = (accuracy(counts.confusion), balanced_accuracy(counts.confusion), calibration_error(counts.bins))
            rows.append((name, variant, *(float(metric[0]) for metric in metrics)))
    click.echo(tabulate(rows, ("stills", "logits", "accuracy", "balanced accuracy", "calibration error"), floatfmt=".3f"))
    click.echo(f"--temperature {temperature} --offsets {','.join(map(str, offsets))}")


def _labeled(frames: FrameNetwork, stills: Stills) -> Labeled:
    return block_logits(frames, stills), stills.labels


if __name__ == "__main__":
    main()
