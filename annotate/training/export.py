"""From trained weights to the ONNX file that annotates: ``python -m annotate.training.export best.pt -o model.onnx``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import onnx
import torch

from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX, INPUT_NAME, OUTPUT_NAME, Contract
from annotate.training.network import BlockNetwork, FrameNetwork

TOLERANCE = 1e-4
_OPSET = 17


def export(network: BlockNetwork, path: Path) -> float:
    """Writes ``network`` with the contract's metadata and returns its largest difference from torch on random blocks.

    Raises:
        ValueError: the difference is above ``TOLERANCE``; nothing is left behind.
    """
    network.eval()
    example = torch.rand(2, BLOCK_FRAMES, CROP_SIZE_PX, CROP_SIZE_PX)
    batch = {0: "N"}
    unfinished = path.with_suffix(".tmp")
    torch.onnx.export(
        network,
        (example,),
        str(unfinished),
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_axes={INPUT_NAME: batch, OUTPUT_NAME: batch},
        opset_version=_OPSET,
        dynamo=False,
    )
    model = onnx.load(unfinished)
    onnx.helper.set_model_props(model, Contract().to_metadata())
    onnx.save(model, unfinished)
    blocks = np.random.default_rng(0).integers(0, 256, (3, BLOCK_FRAMES, CROP_SIZE_PX, CROP_SIZE_PX), np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(blocks).float() / 255).numpy()
    difference = float(np.abs(Classifier(unfinished)(blocks) - expected).max())
    if difference > TOLERANCE:
        unfinished.unlink()
        raise ValueError(f"{path}: differs from torch by {difference:.1e}, more than {TOLERANCE:.0e}")
    unfinished.replace(path)
    return difference


@click.command()
@click.argument("weights", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--temperature", type=float, default=1.0, show_default=True, help="Softens (above 1) or sharpens.")
def main(weights: Path, output: Path, temperature: float) -> None:
    """Exports the weights of a training run."""
    frames = FrameNetwork()
    frames.load_state_dict(torch.load(weights, weights_only=True))
    difference = export(BlockNetwork(frames, temperature=temperature), output)
    click.echo(f"{output}: {output.stat().st_size} bytes, differs from torch by {difference:.1e}")


if __name__ == "__main__":
    main()
