"""Import labeled stills as a dataset of one-frame blocks, which can be mixed into training.

A still is a gray face crop like those of annotated videos: dlib's box plus a tenth of its side on each side. Training turns
it into a moving block (`annotate.training.still_motion`); evaluation repeats it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.contract import Contract
from annotate.errors import DatasetError, read_error
from annotate.faces.box import Box
from annotate.faces.picture import View
from annotate.training.dataset.storage import PARTS, BlockOrigin, Split, write_dataset


def import_stills(path: Path, output: Path, split: Split) -> tuple[list[BlockOrigin], int]:
    """Write the stills of an ``.npz`` file as a dataset at ``output``; return their origins and the number skipped.

    The file contains ``pixels`` (N, h, w) uint8 gray in full range and ``label`` (N,) in the order of `EMOTIONS`; labels
    outside 0-6 are skipped. ``subject`` (N,) text and ``split`` (N,) of 0, 1, 2 or train, validation, test are optional.
    Without a split, stills are split by subject, or else by a hash of their pixels, which keeps copies together.

    Raises:
        DatasetError: the file's arrays are not as described, or ``output`` already exists.
        UnreadableError: the file cannot be read.
        OutputError: ``output`` cannot be written.
    """
    arrays = _read(path)
    contract = Contract()
    usable = np.flatnonzero((arrays["label"] >= 0) & (arrays["label"] < len(contract.class_names)))
    details = {"stills": path.name, "split": "given" if "split" in arrays else asdict(split)}
    with write_dataset(output, contract, details, frames=1) as writer:
        for pixels, origin in _stills(path.stem, arrays, usable, contract, split):
            writer.add(pixels, origin)
    return writer.origins, len(arrays["label"]) - len(usable)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ("pixels", "label", "subject", "split") if name in archive}
    except OSError as error:
        raise read_error(path, error) from None
    except Exception as error:  # noqa: BLE001  # a damaged archive fails in many ways
        raise DatasetError(f"not an .npz file of arrays ({error})", path=path) from None
    missing = {"pixels", "label"} - set(arrays)
    if missing:
        remedy = "add the arrays pixels (N, h, w) and label (N,)"
        raise DatasetError(f"array {min(missing)!r} is missing", remedy, path=path)
    pixels, labels = arrays["pixels"], arrays["label"]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or not pixels.size or labels.dtype.kind not in "iu":
        found = f"pixels {pixels.dtype} {pixels.shape} and label {labels.dtype}"
        problem = f"expected pixels (N, h, w) uint8 and integer label (N,), found {found}"
        raise DatasetError(problem, path=path)
    for name, array in arrays.items():
        if len(array) != len(pixels) or (name != "pixels" and array.ndim != 1):
            problem = f"expected {name} of shape ({len(pixels)},), found {array.shape}"
            raise DatasetError(problem, path=path)
    if "split" in arrays:
        arrays["split"] = _part_names(path, arrays["split"])
    return arrays


def _part_names(path: Path, values: NDArray[Any]) -> NDArray[Any]:
    names = np.array([PARTS[value] if value in range(len(PARTS)) else str(value) for value in values.tolist()], object)
    unknown = set(names) - set(PARTS)
    if unknown:
        raise DatasetError(f"unknown split {min(unknown)!r} (expected {', '.join(PARTS)} or 0, 1, 2)", path=path)
    return names


def _stills(
    stem: str, arrays: dict[str, NDArray[Any]], usable: NDArray[np.intp], contract: Contract, split: Split
) -> Iterator[tuple[NDArray[np.uint8], BlockOrigin]]:
    height, width = arrays["pixels"].shape[1:]
    whole = Box(0, 0, width, height)
    for number in usable:
        still = arrays["pixels"][number]
        pixels = View.around(whole, 0.0, 1.0, contract.crop_size_px).of(still)
        subject = str(arrays["subject"][number]) if "subject" in arrays else ""
        content = hashlib.sha256(still.tobytes()).hexdigest()
        part = str(arrays["split"][number]) if "split" in arrays else split.part(f"image {content}", subject)
        emotion = contract.class_names[int(arrays["label"][number])]
        yield pixels[None], BlockOrigin(f"{stem}/{number}", stem, subject, 0.0, 0.0, 0, 0, 1, 1, emotion, part)
