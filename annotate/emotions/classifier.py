"""The ONNX model as a small callable."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from annotate.emotions.contract import INPUT_NAME, OUTPUT_NAME, Contract
from annotate.errors import ModelError, SettingsError
from annotate.settings import CPU, PROVIDERS

DEFAULT_MODEL = "model.onnx"
_WHITE = np.float32(255)
_HASH_DIGITS = 16
_SUM_TOLERANCE = 1e-3

logger = logging.getLogger(__name__)


class Classifier:
    """Blocks in, probabilities out.

    One thread, so that results do not depend on the number of cores. ``provider`` is a key of
    `annotate.settings.PROVIDERS`; another one is never taken in its place.

    Raises:
        ModelError: the file is missing, is no ONNX model, or does not keep the contract.
        SettingsError: the provider cannot be had here.
    """

    def __init__(self, path: Path | None = None, provider: str = CPU) -> None:
        _check_offered(provider)
        name, content = _read(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=[PROVIDERS[provider]])
        except Exception as error:  # onnxruntime's errors share no base of their own
            first_line = str(error).splitlines()[0]
            problem = f"expected an ONNX model, but onnxruntime cannot load it ({first_line})"
            raise ModelError(problem, path=name) from error
        used = self._session.get_providers()[0]
        if used != PROVIDERS[provider]:
            raise SettingsError(f"--provider {provider}: onnxruntime cannot use it here and took {used}", "choose cpu")
        self.contract = _contract(name, self._session)
        self.model_hash = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
        self._name = name
        logger.info("model %s, %s, on %s", name, self.model_hash, used)

    def __call__(self, blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities (N, classes) of blocks (N, frames, size, size) uint8.

        Raises:
            ModelError: the model's output is not a distribution over its classes.
        """
        (output,) = self._session.run([OUTPUT_NAME], {INPUT_NAME: blocks.astype(np.float32) / _WHITE})
        probabilities: NDArray[np.float32] = output
        expected = (len(blocks), len(self.contract.class_names))
        if probabilities.shape != expected:
            raise ModelError(f"expected output of shape {expected}, found {probabilities.shape}", path=self._name)
        if not np.all(np.abs(probabilities.sum(1) - 1) < _SUM_TOLERANCE) or probabilities.min(initial=0) < 0:
            problem = f"expected probabilities that sum to 1, found {probabilities[0].tolist()}"
            raise ModelError(problem, path=self._name)
        return probabilities


def load_classifier(path: Path | None = None, provider: str = CPU) -> Classifier:
    """Load a model, which takes a moment: `annotate.analysis.tools.Tools` keeps it. Errors as for `Classifier`."""
    return Classifier(path, provider)


def _check_offered(provider: str) -> None:
    offered = onnxruntime.get_available_providers()
    if PROVIDERS[provider] not in offered:
        raise SettingsError(
            f"--provider {provider}: this onnxruntime has no {PROVIDERS[provider]} (only {', '.join(offered)})",
            "install onnxruntime-gpu in its place, or choose cpu",
        )


def _read(path: Path | None) -> tuple[object, bytes]:
    """Return the name of a model and the content of its file."""
    if path is None:
        return "the installed model", (resources.files("annotate.emotions") / DEFAULT_MODEL).read_bytes()
    try:
        return path, path.read_bytes()
    except OSError as error:
        raise ModelError(f"the model cannot be read ({error.strerror})", "check --model", path=path) from None


def _contract(name: object, session: onnxruntime.InferenceSession) -> Contract:
    try:
        contract = Contract.from_metadata(session.get_modelmeta().custom_metadata_map)
    except KeyError as error:
        problem = f"expected the metadata property {error}, found none"
        raise ModelError(problem, "export it with the model", path=name) from None
    except ValueError as error:
        raise ModelError(f"expected usable metadata, found that {error}", path=name) from None
    sides = (contract.block_frames, contract.crop_size_px, contract.crop_size_px)
    for nodes, wanted_name, wanted_sides in (
        (session.get_inputs(), INPUT_NAME, sides),
        (session.get_outputs(), OUTPUT_NAME, (len(contract.class_names),)),
    ):
        found = [f"{node.name} {node.type} {node.shape}" for node in nodes]
        if len(nodes) != 1 or not _fits(nodes[0], wanted_name, wanted_sides):
            wanted = f"{wanted_name} tensor(float) {['N', *wanted_sides]}"
            raise ModelError(f"expected {wanted}, found {', '.join(found)}", path=name)
    return contract


def _fits(node: onnxruntime.NodeArg, name: str, sides: Sequence[int]) -> bool:
    if node.name != name or node.type != "tensor(float)" or len(node.shape) != len(sides) + 1:
        return False
    batch, *others = node.shape
    return not isinstance(batch, int) and all(
        side == wanted or not isinstance(side, int) for side, wanted in zip(others, sides, strict=True)
    )
