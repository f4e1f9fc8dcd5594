"""Export trained weights as an ONNX file: ``python -m annotate.training.models.export best.pt -o model.onnx``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import onnx
import torch

from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX, INPUT_NAME, OUTPUT_NAME, Contract
from annotate.errors import TrainingError
from annotate.training.models.frame_cnn import INPUT_SIZE_PX, NO_OFFSETS, BlockNetwork, FrameNetwork
from annotate.training.models.restore import restore

TOLERANCE = 1e-4
HALF_TOLERANCE = 2e-3
"""Largest difference from torch that storing the weights in half precision may make."""
_SMALLEST_HALVED = 1024
"""Tensors with fewer values stay as they are: they cost little, and shapes and scales are among them."""

_OPSET = 17


def export(network: BlockNetwork, path: Path, *, half: bool = False) -> float:
    """Write ``network`` with the contract's metadata; return its largest difference from torch on random blocks.

    With ``half`` the weights are stored as float16, for half the size, and cast to float32 when the file is loaded.

    Raises:
        TrainingError: the difference is above ``TOLERANCE`` or ``HALF_TOLERANCE``; nothing is left behind.
    """
    tolerance = HALF_TOLERANCE if half else TOLERANCE
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
    if half:
        store_as_half(model)
    contract = Contract(frame_stride=getattr(network, "frame_stride", 1))
    onnx.helper.set_model_props(model, contract.to_metadata())
    onnx.save(model, unfinished)
    blocks = np.random.default_rng(0).integers(0, 256, (3, BLOCK_FRAMES, CROP_SIZE_PX, CROP_SIZE_PX), np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(blocks).float() / 255).numpy()
    difference = float(np.abs(Classifier(unfinished)(blocks) - expected).max())
    if difference > tolerance:
        unfinished.unlink()
        problem = f"differs from torch by {difference:.1e}, more than {tolerance:.0e}"
        raise TrainingError(problem, "report this, or choose another --architecture", path=path)
    unfinished.replace(path)
    return difference


def store_as_half(model: onnx.ModelProto) -> None:
    """Store every large float32 weight of ``model`` as float16, with a node that casts it back; results stay float32."""
    casts = []
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _SMALLEST_HALVED:
            continue
        name, stored = weight.name, f"{weight.name}.half"
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])


def load_frames(path: Path) -> FrameNetwork:
    """Return the network of a training run's weights (.pt), or that of an exported file (.onnx).

    Raises:
        TrainingError: the file holds another network.
    """
    if path.suffix == ".onnx":
        return restore(path, torch.rand(8, 1, INPUT_SIZE_PX, INPUT_SIZE_PX))
    frames = FrameNetwork()
    frames.load_state_dict(torch.load(path, weights_only=True))
    return frames


def _parse_offsets(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...]:
    try:
        offsets = NO_OFFSETS if value is None else tuple(map(float, value.split(",")))
    except ValueError:
        offsets = ()
    if len(offsets) != len(NO_OFFSETS):
        raise click.BadParameter(f"{value!r} is not a list of {len(NO_OFFSETS)} numbers, separated by commas.")
    return offsets


@click.command()
@click.argument("weights", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--temperature", type=float, default=1.0, show_default=True, help="Softens (above 1) or sharpens.")
@click.option(
    "--offsets", metavar="LIST", callback=_parse_offsets, help="Added to the logits of the classes, in their order."
)
@click.option("--half", is_flag=True, help="Store the weights in half precision: half the size.")
def main(weights: Path, output: Path, temperature: float, offsets: tuple[float, ...], half: bool) -> None:
    """Export the weights of a training run, or those of an exported file anew."""
    network = BlockNetwork(load_frames(weights), temperature=temperature, offsets=offsets)
    difference = export(network, output, half=half)
    click.echo(f"{output}: {output.stat().st_size} bytes, differs from torch by {difference:.1e}")


if __name__ == "__main__":
    main()
