"""Small ONNX models for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from annotate.emotions.contract import Contract

IR_VERSION = 8
OPSET = 17


def write_model(
    path: Path,
    *,
    contract: Contract | None = None,
    metadata: dict[str, str] | None = None,
    input_name: str = "blocks",
    sides: Sequence[int | str] = ("N", 20, 80, 80),
    classes: int | None = None,
    weight: float = 1.0,
    normalized: bool = True,
) -> Path:
    """Write a model whose class 0 grows with the blocks' mean brightness; by default it follows the contract."""
    contract = contract or Contract()
    classes = classes or len(contract.class_names)
    weights = np.zeros((1, classes), np.float32)
    weights[0, 0] = weight
    nodes = [
        helper.make_node("ReduceMean", [input_name], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("MatMul", ["column", "weights"], ["logits"]),
        helper.make_node("Softmax" if normalized else "Identity", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, list(sides))],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, contract.to_metadata() if metadata is None else metadata)
    onnx.save(model, path)
    return path
