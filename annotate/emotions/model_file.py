"""The file of a model, read without loading it: onnxruntime takes a tenth of a second."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from annotate.errors import ModelError

DEFAULT_MODEL = "model.onnx"
_HASH_DIGITS = 16


def read_model(path: Path | None) -> tuple[object, bytes]:
    """Return the name of a model for messages, and the content of its file; None is the installed model.

    Raises:
        ModelError: the file cannot be read.
    """
    if path is None:
        return "the installed model", (resources.files("annotate.emotions") / DEFAULT_MODEL).read_bytes()
    try:
        return path, path.read_bytes()
    except OSError as error:
        raise ModelError(f"the model cannot be read ({error.strerror})", "check --model", path=path) from None


def hash_model(content: bytes) -> str:
    """Return the hash by which sidecars name a model."""
    return hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
