"""Run the ONNX model: blocks in, probabilities out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from annotate.emotions.contract import INPUT_NAME, OUTPUT_NAME, Contract
from annotate.emotions.model_file import hash_model, read_model
from annotate.errors import ModelError, SettingsError
from annotate.settings import CPU, PROVIDERS

_WHITE = np.float32(255)
_SUM_TOLERANCE = 1e-3
_FIX_MODEL = "export it as the model contract requires"

logger = logging.getLogger(__name__)


class Classifier:
    """Classifies blocks with the model in ``path``, by default the installed one.

    It uses one thread, so that results do not depend on the number of cores. ``provider`` is a key of
    `annotate.settings.PROVIDERS`; there is no fallback to another one.

    Raises:
        ModelError: the file is missing, is not an ONNX model, or does not follow the contract.
        SettingsError: the provider is not available.
    """

    def __init__(self, path: Path | None = None, provider: str = CPU) -> None:
        _check_available(provider)
        name, content = read_model(path)
        try:
            self._session = onnxruntime.InferenceSession(content, session_options(provider), providers=[PROVIDERS[provider]])
        except Exception as error:  # onnxruntime's exceptions have no common base class
            first_line = str(error).splitlines()[0]
            problem = f"onnxruntime cannot load the model ({first_line})"
            raise ModelError(problem, "check that the file is an ONNX model", path=name) from error
        used = self._session.get_providers()[0]
        if used != PROVIDERS[provider]:
            problem = f"--provider {provider} cannot be used on this machine (onnxruntime chose {used})"
            raise SettingsError(problem, "use --provider cpu")
        self.contract = _read_contract(name, self._session)
        self.model_hash = hash_model(content)
        self._name = name
        logger.info("model %s, %s, on %s", name, self.model_hash, used)

    def __call__(self, blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities (N, classes) float32 of blocks (N, frames, size, size) uint8.

        Raises:
            ModelError: the model's output is not a probability distribution over its classes.
        """
        (output,) = self._session.run([OUTPUT_NAME], model_input(blocks))
        probabilities: NDArray[np.float32] = output
        expected = (len(blocks), len(self.contract.class_names))
        if probabilities.shape != expected:
            problem = f"wrong output of the model (expected shape {expected}, found {probabilities.shape})"
            raise ModelError(problem, _FIX_MODEL, path=self._name)
        if not np.all(np.abs(probabilities.sum(1) - 1) < _SUM_TOLERANCE) or probabilities.min(initial=0) < 0:
            found = probabilities[0].tolist()
            problem = f"wrong output of the model (expected probabilities that sum to 1, found {found})"
            raise ModelError(problem, _FIX_MODEL, path=self._name)
        return probabilities


def model_input(blocks: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return the model's input, by name, for blocks (N, frames, size, size) uint8: float32 of that shape, from 0 to 1."""
    return {INPUT_NAME: blocks.astype(np.float32) / _WHITE}


def one_thread() -> onnxruntime.SessionOptions:
    """Return options for a network that runs in the calling thread and logs nothing."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # it keeps twice the memory, and is no faster
    options.log_severity_level = 4
    return options


def session_options(provider: str) -> onnxruntime.SessionOptions:
    """Return options for a model on a provider: all but the CPU convert weights that are stored as integers to floats."""
    options = one_thread()
    if provider != CPU:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


def load_classifier(path: Path | None = None, provider: str = CPU) -> Classifier:
    """Load a model (slow; `annotate.analysis.tools.Tools` caches it). Raises the errors of `Classifier`."""
    return Classifier(path, provider)


def _check_available(provider: str) -> None:
    available = onnxruntime.get_available_providers()
    if PROVIDERS[provider] not in available:
        raise SettingsError(
            f"--provider {provider} is not available (onnxruntime provides {', '.join(available)})",
            "replace onnxruntime by onnxruntime-gpu, or use --provider cpu",
        )


def _read_contract(name: object, session: onnxruntime.InferenceSession) -> Contract:
    try:
        contract = Contract.from_metadata(session.get_modelmeta().custom_metadata_map)
    except KeyError as error:
        problem = f"the model has no metadata property {error}"
        raise ModelError(problem, "add it when exporting the model", path=name) from None
    except ValueError as error:
        raise ModelError(f"the model's metadata is invalid ({error})", _FIX_MODEL, path=name) from None
    sides = (contract.block_frames, contract.crop_size_px, contract.crop_size_px)
    for kind, nodes, expected_name, expected_sides in (
        ("input", session.get_inputs(), INPUT_NAME, sides),
        ("output", session.get_outputs(), OUTPUT_NAME, (len(contract.class_names),)),
    ):
        if len(nodes) != 1 or not _is_as_expected(nodes[0], expected_name, expected_sides):
            expected = f"{expected_name} tensor(float) {['N', *expected_sides]}"
            found = ", ".join(f"{node.name} {node.type} {node.shape}" for node in nodes)
            problem = f"wrong {kind} of the model (expected {expected}, found {found})"
            raise ModelError(problem, _FIX_MODEL, path=name)
    return contract


def _is_as_expected(node: onnxruntime.NodeArg, name: str, sides: Sequence[int]) -> bool:
    if node.name != name or node.type != "tensor(float)" or len(node.shape) != len(sides) + 1:
        return False
    batch, *others = node.shape
    return not isinstance(batch, int) and all(
        side == expected or not isinstance(side, int) for side, expected in zip(others, sides, strict=True)
    )
