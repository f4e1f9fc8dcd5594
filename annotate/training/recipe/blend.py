"""Blend a trained network with the one it started from: ``python -m annotate.training.recipe.blend run/final.pt ...``.

Between the weights of a network and those it was trained on from, there are networks that keep more of what the first one
could and have most of what the second one learned (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from torch import Tensor, nn

from annotate.training.models.frame_cnn import FrameNetwork
from annotate.training.models.restore import restore
from annotate.training.models.weights import load_frames
from annotate.training.recipe.mixture import load_mixture
from annotate.training.recipe.train import StillTask, TrainingSettings

SHARE = 0.8
"""Share of the trained network in the blend."""

_BATCH = 128


def blend(initial: FrameNetwork, trained: FrameNetwork, share: float, crops: Tensor) -> FrameNetwork:
    """Return the network whose weights are those of ``trained`` by ``share`` (0..1), else those of ``initial``.

    The statistics of its batch normalizations are computed from ``crops`` (N, 1, h, w) in 0..1. Changes ``trained``.
    """
    with torch.no_grad():
        for end, start in zip(trained.parameters(), initial.parameters(), strict=True):
            end.lerp_(start, 1 - share)
        for layer in trained.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
                layer.momentum = None  # the statistics of all batches count alike
        trained.train()
        for batch in torch.split(crops, _BATCH):
            trained(batch)
    return trained.eval()


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("weights", type=_FILE)
@click.option("--initial", type=_FILE, required=True, help="Exported model that the run started from.")
@click.option("--share", type=click.FloatRange(0, 1), default=SHARE, show_default=True, help="Share of WEIGHTS.")
@click.option("--data", type=_FOLDER, required=True, help="Folder of the sources' files.")
@click.option("--cache", type=_FOLDER, help="Folder to keep framed faces in.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
def main(weights: Path, initial: Path, share: float, data: Path, cache: Path | None, output: Path) -> None:
    """Blend WEIGHTS with the model that they were trained from."""
    crops = StillTask(load_mixture(data, cache=cache), TrainingSettings()).sample()
    torch.save(blend(restore(initial, crops), load_frames(weights), share, crops).state_dict(), output)


if __name__ == "__main__":
    main()
