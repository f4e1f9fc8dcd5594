"""A file like SFace's, with random weights."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import nn

from annotate.training.models.recognizer_cnn import INPUT_PX, RecognizerNetwork

OUTPUTS = {23: "middle", 27: "end"}
"""Names of outputs by the number of convolutions so far, one of the stem and two of each step."""


def recognizer_file() -> bytes:
    """Return an ONNX model with the outputs ``middle`` and ``end``; it takes the three planes of a color picture."""
    return _file_of(_whole_network())


def _whole_network() -> RecognizerNetwork:
    torch.manual_seed(0)
    network = RecognizerNetwork(is_whole=True).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, 0.25)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.bias, std=0.1)
        elif isinstance(layer, nn.PReLU):
            nn.init.uniform_(layer.weight, 0.1, 0.4)
    return network


def _file_of(network: RecognizerNetwork) -> bytes:
    nodes, stored, seen, convolutions = [], [], "scaled", 0

    def keep(values: np.ndarray) -> str:
        stored.append(onnx.numpy_helper.from_array(values.astype(np.float32), f"value {len(stored)}"))
        return str(stored[-1].name)

    nodes.append(onnx.helper.make_node("Sub", ["data", keep(np.array([127.5]))], ["centered"]))
    nodes.append(onnx.helper.make_node("Mul", ["centered", keep(np.array([1 / 128]))], ["scaled"]))
    for layer in [*network.stem.modules(), *network.steps.modules(), network.pool[0]]:
        name = f"layer {len(nodes)}"
        if isinstance(layer, nn.Conv2d):
            convolutions += 1
            kernel = layer.weight.detach().numpy()
            kernel = np.repeat(kernel / 3, 3, axis=1) if convolutions == 1 else kernel
            padding, stride = [layer.padding[0]] * 4, list(layer.stride)
            made = onnx.helper.make_node(
                "Conv", [seen, keep(kernel)], [name], group=layer.groups, pads=padding, strides=stride
            )
        elif isinstance(layer, nn.BatchNorm2d):
            parts = [layer.weight, layer.bias, layer.running_mean, layer.running_var]
            made = onnx.helper.make_node(
                "BatchNormalization", [seen, *(keep(part.detach().numpy()) for part in parts)], [name], epsilon=layer.eps
            )
        elif isinstance(layer, nn.PReLU):
            name = OUTPUTS.get(convolutions, name)
            made = onnx.helper.make_node("PRelu", [seen, keep(layer.weight.detach().numpy()[:, None, None])], [name])
        else:
            continue
        nodes.append(made)
        seen = name
    kind = onnx.TensorProto.FLOAT
    inputs = [onnx.helper.make_tensor_value_info("data", kind, [1, 3, INPUT_PX, INPUT_PX])]
    outputs = [onnx.helper.make_tensor_value_info(name, kind, None) for name in OUTPUTS.values()]
    graph = onnx.helper.make_graph(nodes, "network", inputs, outputs, stored)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content
