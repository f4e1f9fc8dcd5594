"""Compute the convolutions of an exported model with 8-bit integers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from annotate.emotions.classifier import model_input
from annotate.errors import TrainingError
from annotate.training.models.export import store_as_single

_FLOAT_LAYERS = {"squeeze", "excite"}
"""Layers that are computed with floats: few of the multiply-adds. So is the first, whose input has a single channel."""

_IS_PREPARED = "onnx.quant.pre_process"
"""Property without which the library advises to fold normalizations, as exporting has done."""

_BATCH_BLOCKS = 8


class _Blocks(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    def __init__(self, blocks: NDArray[np.uint8]) -> None:
        self._batches = (blocks[start : start + _BATCH_BLOCKS] for start in range(0, len(blocks), _BATCH_BLOCKS))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else model_input(batch)


def quantize(path: Path, output: Path, blocks: NDArray[np.uint8]) -> None:
    """Write the model at ``path`` to ``output``, with its convolutions computed from 8-bit integers.

    Each channel of a weight has a scale. The features before each convolution have a range: from the least to the greatest
    value in a batch of ``blocks`` (N, frames, size, size), in the mean over batches. See Jacob et al., "Quantization
    and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018.

    Weights have 7 bits: products are summed in pairs by processors without instructions for it, and would not fit into 16
    bits. So the sums are exact, and the same, on all processors.

    Raises:
        TrainingError: the file is not an ONNX model, or has no convolutions.
    """
    try:
        model = onnx.load(path)
    except Exception as error:
        raise TrainingError(f"not an ONNX model ({error})", "use an exported model", path=path) from error
    store_as_single(model)
    order = [node.name for node in model.graph.node]
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    if not convolutions:
        raise TrainingError("a model without convolutions", "use a model exported by the recipe", path=path)
    properties = {prop.key: prop.value for prop in model.metadata_props}
    onnx.helper.set_model_props(model, {_IS_PREPARED: "onnxruntime.quant"})
    temporary = output.with_suffix(".tmp")
    quantize_static(
        model,
        temporary,
        _Blocks(blocks),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=[convolutions[0], *(name for name in convolutions if _FLOAT_LAYERS & set(name.split("/")))],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        extra_options={"CalibMovingAverage": True},
    )
    quantized = onnx.load(temporary)
    _sort_nodes(quantized.graph, order)
    onnx.helper.set_model_props(quantized, properties)
    onnx.save(quantized, temporary)
    temporary.replace(output)


def _sort_nodes(graph: onnx.GraphProto, order: Sequence[str]) -> None:
    """Put the nodes into the ``order`` of their names, each behind those that are new and that it needs."""
    by_name = {node.name: node for node in graph.node}
    by_output = {name: node for node in graph.node for name in node.output}
    placed = dict[str, onnx.NodeProto]()

    def place(node: onnx.NodeProto) -> None:
        for name in node.input:
            if name in by_output:
                place(by_output[name])
        placed.setdefault(node.output[0], node)

    for name in order:
        place(by_name[name])
    del graph.node[:]
    graph.node.extend(placed.values())
