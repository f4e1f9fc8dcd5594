"""Export trained weights to ONNX: ``python -m annotate.training.models.export best.pt -o model.onnx``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import onnx
import torch

from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX, INPUT_NAME, OUTPUT_NAME, Contract
from annotate.errors import TrainingError
from annotate.training.models.frame_cnn import NO_OFFSETS, BlockNetwork
from annotate.training.models.weights import load_frames

TOLERANCE = 1e-4
"""Maximum difference of probabilities between torch and the exported model."""
HALF_TOLERANCE = 2e-3
"""The same for weights stored in half precision."""
_MIN_HALVED_VALUES = 1024
"""Smaller tensors keep full precision: they save little, and include shapes and scales."""

_OPSET = 17


def export(network: BlockNetwork, path: Path, *, half: bool = False) -> float:
    """Write ``network`` as ONNX with contract metadata; return its maximum difference from torch on random blocks.

    With ``half``, weights are stored as float16, which halves the file size, and cast to float32 when loaded.

    Raises:
        TrainingError: the difference exceeds ``TOLERANCE`` or ``HALF_TOLERANCE``; no file is left.
    """
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    network.eval()
    example = torch.rand(2, BLOCK_FRAMES, CROP_SIZE_PX, CROP_SIZE_PX)
    batch = {0: "N"}
    temporary = path.with_suffix(".tmp")
    torch.onnx.export(
        network,
        (example,),
        str(temporary),
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_axes={INPUT_NAME: batch, OUTPUT_NAME: batch},
        opset_version=_OPSET,
        dynamo=False,
    )
    model = onnx.load(temporary)
    if half:
        store_as_half(model)
    contract = Contract(frame_stride=getattr(network, "frame_stride", 1))
    onnx.helper.set_model_props(model, contract.to_metadata())
    onnx.save(model, temporary)
    blocks = np.random.default_rng(0).integers(0, 256, (3, BLOCK_FRAMES, CROP_SIZE_PX, CROP_SIZE_PX), np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(blocks).float() / 255).numpy()
    difference = float(np.abs(Classifier(temporary)(blocks) - expected).max())
    if difference > tolerance:
        temporary.unlink()
        problem = f"exported model differs from torch (by {difference:.1e}, more than {tolerance:.0e})"
        raise TrainingError(problem, "report this, or choose another --architecture", path=path)
    temporary.replace(path)
    return difference


def store_as_half(model: onnx.ModelProto) -> None:
    """Store large float32 weights of ``model`` as float16, each with a node that casts it back to float32."""
    casts = []
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _MIN_HALVED_VALUES:
            continue
        name, stored = weight.name, f"{weight.name}.half"
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])


def store_as_single(model: onnx.ModelProto) -> None:
    """Undo `store_as_half`: store all weights of ``model`` as float32."""
    stored = {weight.name: weight for weight in model.graph.initializer}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type == "Cast" and node.input[0] in stored:
            values = onnx.numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            stored[node.input[0]].CopyFrom(onnx.numpy_helper.from_array(values, node.output[0]))
        else:
            model.graph.node.append(node)


def _parse_offsets(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...]:
    try:
        offsets = NO_OFFSETS if value is None else tuple(map(float, value.split(",")))
    except ValueError:
        offsets = ()
    if len(offsets) != len(NO_OFFSETS):
        raise click.BadParameter(f"{value!r} is not a comma-separated list of {len(NO_OFFSETS)} numbers.")
    return offsets


@click.command()
@click.argument("weights", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="ONNX file to write.")
@click.option(
    "--temperature", type=float, default=1.0, show_default=True, help="Temperature of the softmax; above 1 softens."
)
@click.option(
    "--offsets", metavar="LIST", callback=_parse_offsets, help="Comma-separated offsets added to the logits, in class order."
)
@click.option("--half", is_flag=True, help="Store weights in half precision (half the size).")
def main(weights: Path, output: Path, temperature: float, offsets: tuple[float, ...], half: bool) -> None:
    """Export the weights of a training run, or re-export an exported model."""
    network = BlockNetwork(load_frames(weights), temperature=temperature, offsets=offsets)
    difference = export(network, output, half=half)
    click.echo(f"{output}: {output.stat().st_size} bytes, differs from torch by {difference:.1e}")


if __name__ == "__main__":
    main()
