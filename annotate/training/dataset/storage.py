"""Datasets on disk: a folder with a memory-mapped array of blocks, a table of their origins, and metadata.

* ``blocks.npy``: (N, frames, size, size) uint8, gray in full range; one frame per block for stills.
* ``origins.csv``: one row per block, with the columns `ORIGIN_COLUMNS`. ``video`` groups blocks of the same video; ``file``
  is the file they were cut from. Times in seconds, frame numbers and ``face_id`` refer to that file, as in the table of an
  annotated video; ``frames`` counts frames before padding.
* ``meta.json``: the contract used for cutting, the version of annotate, the split, and the build settings.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.emotions.contract import Contract
from annotate.errors import DatasetError, SettingsError, read_error, write_error
from annotate.storage.local.files import ensure_dir
from annotate.storage.names import TEMPORARY_PREFIX, TEMPORARY_SUFFIX
from annotate.version import VERSION

BLOCKS_NAME, ORIGINS_NAME, META_NAME = "blocks.npy", "origins.csv", "meta.json"

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)

_HASH_BYTES = 8
_TIME_DECIMALS = 3
_ENCODING_ERRORS = "surrogateescape"
_PANDAS_STRINGS = ("mode.string_storage", "python")
"""File names may be invalid UTF-8, which pandas accepts only without pyarrow strings."""


@dataclass(frozen=True)
class BlockOrigin:
    """Source, label and part of a block; ``emotion`` and ``split`` are names, times are in seconds."""

    video: str
    file: str
    subject: str
    start_time: float
    end_time: float
    start_frame: int
    end_frame: int
    frames: int
    face_id: int
    emotion: str
    split: str


ORIGIN_COLUMNS = ("block", *BlockOrigin.__dataclass_fields__)


@dataclass(frozen=True)
class Split:
    """Split into train, validation and test: by subject if known, else by video, never by block.

    The part depends only on a hash of the subject or video and ``seed``, so adding videos does not move others.

    Raises:
        SettingsError: a share is negative, or the shares add up to more than 1.
    """

    validation: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if self.validation < 0 or self.test < 0 or self.validation + self.test > 1:
            shares = f"--validation {self.validation:g} and --test {self.test:g}"
            raise SettingsError(f"{shares} must not be negative or add up to more than 1")

    def part(self, video: str, subject: str = "") -> str:
        """Return the part of all blocks of a subject, or of a video if the subject is unknown."""
        key = f"subject {subject.casefold()}" if subject else f"video {video.casefold()}"
        digest = hashlib.sha256(f"{self.seed} {key}".encode(errors=_ENCODING_ERRORS)).digest()
        fraction = int.from_bytes(digest[:_HASH_BYTES], "big") / 256**_HASH_BYTES
        if fraction < self.test:
            return TEST
        return VALIDATION if fraction < self.test + self.validation else TRAIN


@dataclass(frozen=True)
class Dataset:
    """A dataset of N labeled blocks; the pixels are memory-mapped, so only blocks in use are read.

    ``pixels`` is (N, frames, size, size) uint8, ``origins`` a table of N rows, ``details`` the rest of ``meta.json``.
    """

    path: Path
    pixels: NDArray[np.uint8]
    origins: pd.DataFrame
    contract: Contract
    details: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def has_stills(self) -> bool:
        """Whether the blocks are stills: one frame each."""
        return bool(self.pixels.shape[1] == 1)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class index of each block (N,)."""
        index = {name: label for label, name in enumerate(self.contract.class_names)}
        return np.array([index[name] for name in self.origins["emotion"]], np.int64)

    def rows(self, part: str) -> NDArray[np.int64]:
        """Return the row numbers of the blocks of one part, or of all parts for ``all``."""
        chosen = np.ones(len(self), bool) if part == "all" else (self.origins["split"] == part).to_numpy(bool)
        return np.flatnonzero(chosen).astype(np.int64)

    def full_blocks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the blocks at ``rows`` (n,) as (n, block frames, size, size) uint8; stills are repeated."""
        blocks: NDArray[np.uint8] = np.asarray(self.pixels[rows])
        return np.repeat(blocks, self.contract.block_frames, 1) if self.has_stills else blocks


def open_dataset(path: Path) -> Dataset:
    """Return the dataset in the folder ``path``.

    Raises:
        DatasetError: it is not a dataset, or its files do not match.
        UnreadableError: one of its files cannot be read.
    """
    try:
        details = json.loads((path / META_NAME).read_text(encoding="utf-8"))
        names = dict.fromkeys(("video", "file", "subject"), str)
        with pd.option_context(*_PANDAS_STRINGS):
            origins = pd.read_csv(path / ORIGINS_NAME, dtype=names, keep_default_na=False, encoding_errors=_ENCODING_ERRORS)
        pixels = np.load(path / BLOCKS_NAME, mmap_mode="r", allow_pickle=False)
        contract = Contract.from_metadata(details.pop("contract"))
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError("not a dataset", "create one with `annotate dataset build`", path=path) from None
    except OSError as error:
        raise read_error(path, error) from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DatasetError(f"invalid dataset ({error})", "rebuild it", path=path) from None
    size_px = (contract.crop_size_px, contract.crop_size_px)
    frames = (1, contract.block_frames)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[2:] != size_px or pixels.shape[1] not in frames:
        problem = f"expected blocks of {frames[1]} x {size_px[0]} x {size_px[1]}, found {pixels.shape}"
        raise DatasetError(problem, path=path)
    if len(origins) != len(pixels) or list(origins.columns) != list(ORIGIN_COLUMNS):
        problem = f"{BLOCKS_NAME} ({len(pixels)} blocks) and {ORIGINS_NAME} ({len(origins)} rows) do not match"
        raise DatasetError(problem, "rebuild it", path=path)
    unknown = set(origins["emotion"]) - set(contract.class_names)
    if unknown:
        problem = f"unknown emotion {min(unknown)!r} (expected {', '.join(contract.class_names)})"
        raise DatasetError(problem, path=path)
    return Dataset(path, pixels, origins, contract, details)


class DatasetWriter:
    """Append blocks to a dataset being written; only the origins and one block are in memory."""

    def __init__(self, file: IO[bytes], contract: Contract, frames: int) -> None:
        self.origins: list[BlockOrigin] = []
        self._file = file
        self._block_shape = (frames, contract.crop_size_px, contract.crop_size_px)
        self._write_header()

    def add(self, pixels: NDArray[np.uint8], origin: BlockOrigin) -> None:
        """Append a block (frames, size, size) uint8."""
        assert pixels.shape == self._block_shape
        assert pixels.dtype == np.uint8
        self._file.write(np.ascontiguousarray(pixels).data)
        self.origins.append(origin)

    def finish(self) -> None:
        """Write the final number of blocks into the array's header, which has room for it."""
        end = self._file.tell()
        self._file.seek(0)
        self._write_header()
        self._file.seek(end)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write_header(self) -> None:
        shape = (len(self.origins), *self._block_shape)
        np.lib.format.write_array_header_1_0(self._file, {"descr": "|u1", "fortran_order": False, "shape": shape})


@contextlib.contextmanager
def write_dataset(
    path: Path, contract: Contract, details: Mapping[str, object], *, frames: int | None = None
) -> Iterator[DatasetWriter]:
    """Yield a writer for a new dataset, which appears complete on exit, or not at all on failure.

    No dataset is written if no block is added. ``frames`` per block defaults to the contract's; it is 1 for stills.

    Raises:
        DatasetError: ``path`` already exists.
        OutputError: ``path`` cannot be written.
    """
    check_absent(path)
    ensure_dir(path.parent)
    folder: Path | None = None
    try:
        folder = Path(tempfile.mkdtemp(TEMPORARY_SUFFIX, TEMPORARY_PREFIX, path.parent))
        with (folder / BLOCKS_NAME).open("wb") as file:
            writer = DatasetWriter(file, contract, frames or contract.block_frames)
            yield writer
            writer.finish()
        if writer.origins:
            _write_tables(folder, writer.origins, contract, details)
            folder.chmod(0o777 & ~_umask())
            os.replace(folder, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def check_absent(path: Path) -> None:
    """Raise DatasetError if ``path`` exists and is not an empty folder."""
    if path.is_symlink() or path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise DatasetError("already exists", "delete it or choose another -o", path=path)


def _write_tables(folder: Path, origins: Sequence[BlockOrigin], contract: Contract, details: Mapping[str, object]) -> None:
    with pd.option_context(*_PANDAS_STRINGS):
        table = pd.DataFrame([asdict(origin) for origin in origins])
        table.insert(0, "block", range(len(table)))
        for name in ("start_time", "end_time"):
            table[name] = table[name].map(f"{{:.{_TIME_DECIMALS}f}}".format)
        text = table.to_csv(index=False, lineterminator="\n")
    (folder / ORIGINS_NAME).write_text(text, encoding="utf-8", errors=_ENCODING_ERRORS)
    meta = {"program_version": VERSION, "contract": contract.to_metadata(), **details}
    (folder / META_NAME).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
