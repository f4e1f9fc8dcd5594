"""The second ending of the network, which is part of this project: what its weights differ by from dlib's, in bytes.

Kernels are as dlib's file has them plus whole multiples, -127 to 127, of a step of each filter: the file is a quarter as
large, and the differences are so small that rounding them does not matter.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.persons.network import Convolution, Ending

FILE_NAME = "ending.npz"
_LARGEST = 127


def pack(ending: Ending, dlibs: Ending) -> bytes:
    """Return the content of a file that holds what an ending differs by from dlib's."""
    arrays: dict[str, NDArray[Any]] = {"matrix": ending.matrix.astype(np.float16)}
    for number, (own, base) in enumerate(zip(_convolutions(ending), _convolutions(dlibs), strict=True)):
        difference = own.kernel - base.kernel
        largest = np.abs(difference).max((1, 2, 3))
        step = np.where(largest > 0, largest / _LARGEST, 1).astype(np.float32)
        arrays[f"kernel{number}"] = np.rint(difference / step[:, None, None, None]).astype(np.int8)
        arrays[f"step{number}"] = step
        arrays[f"bias{number}"] = (own.bias - base.bias).astype(np.float32)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def unpack(content: bytes, dlibs: Ending) -> Ending:
    """Return the ending in the content of a file.

    Raises:
        KeyError, ValueError: it holds none.
    """
    with np.load(io.BytesIO(content)) as arrays:
        convolutions = [
            Convolution(
                base.kernel + arrays[f"kernel{number}"] * arrays[f"step{number}"][:, None, None, None],
                base.bias + arrays[f"bias{number}"],
            )
            for number, base in enumerate(_convolutions(dlibs))
        ]
        matrix = arrays["matrix"].astype(np.float32)
    return Ending(tuple(zip(convolutions[::2], convolutions[1::2], strict=True)), matrix)


def read_installed() -> bytes:
    """Return the content of the file that is part of this project."""
    return (resources.files("annotate.persons") / FILE_NAME).read_bytes()


def _convolutions(ending: Ending) -> Iterator[Convolution]:
    for step in ending.steps:
        yield from step
