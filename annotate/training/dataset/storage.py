"""Labeled blocks on disk: a folder with an array to map into memory, a table of origins, and their metadata.

* ``blocks.npy``: (N, frames, size, size) uint8, gray in full range; one frame a block for stills.
* ``origins.csv``: a row a block, with the columns `ORIGIN_COLUMNS`. ``video`` names blocks that belong together, ``file``
  the file from which they were cut; times in seconds, frame numbers and ``face_id`` are those of that file, as in the
  report of an annotated video; ``frames`` counts frames before padding.
* ``meta.json``: the contract under which the faces were cut, the program's version, the split, and what was asked for.
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
from annotate.errors import DatasetError, SettingsError, unreadable, unwritable
from annotate.storage.local.files import ensure_dir
from annotate.storage.names import TEMPORARY_PREFIX, TEMPORARY_SUFFIX
from annotate.version import VERSION

BLOCKS_NAME, ORIGINS_NAME, META_NAME = "blocks.npy", "origins.csv", "meta.json"

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)

_HASH_BYTES = 8
_TIME_DECIMALS = 3
_ODD_NAMES = "surrogateescape"
_ODD_STRINGS = ("mode.string_storage", "python")
"""Names of files need not be valid text, which pandas with pyarrow would require."""


@dataclass(frozen=True)
class BlockOrigin:
    """Source, label and part of a block; ``emotion`` and ``split`` are names, times seconds."""

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
    """How blocks are split into train, validation and test: by subject if it is known, else by video, never by block.

    A key's part follows from its hash and ``seed`` alone, so that further videos leave the others where they are.

    Raises:
        SettingsError: a share is negative, or together they exceed 1.
    """

    validation: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if self.validation < 0 or self.test < 0 or self.validation + self.test > 1:
            raise SettingsError(f"--validation {self.validation:g} and --test {self.test:g} must be shares of one whole")

    def part(self, video: str, subject: str = "") -> str:
        """Return the part of all blocks of a subject, or of a video where the subject is not known."""
        key = f"subject {subject.casefold()}" if subject else f"video {video.casefold()}"
        digest = hashlib.sha256(f"{self.seed} {key}".encode(errors=_ODD_NAMES)).digest()
        position = int.from_bytes(digest[:_HASH_BYTES], "big") / 256**_HASH_BYTES
        if position < self.test:
            return TEST
        return VALIDATION if position < self.test + self.validation else TRAIN


@dataclass(frozen=True)
class Dataset:
    """A set of labeled blocks, its pixels mapped into memory: only what is used is read.

    ``pixels`` is (N, frames, size, size) uint8, ``origins`` a table of N rows, ``details`` the rest of the meta file.
    """

    path: Path
    pixels: NDArray[np.uint8]
    origins: pd.DataFrame
    contract: Contract
    details: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def holds_stills(self) -> bool:
        """Whether its blocks are stills."""
        return bool(self.pixels.shape[1] == 1)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class index of each block (N,)."""
        index = {name: label for label, name in enumerate(self.contract.class_names)}
        return np.array([index[name] for name in self.origins["emotion"]], np.int64)

    def rows(self, part: str) -> NDArray[np.int64]:
        """Return the row numbers of the blocks of one part, or of all for ``all``."""
        chosen = np.ones(len(self), bool) if part == "all" else (self.origins["split"] == part).to_numpy(bool)
        return np.flatnonzero(chosen).astype(np.int64)

    def whole_blocks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return blocks (n, block frames, size, size) uint8 at ``rows``; stills are repeated."""
        blocks: NDArray[np.uint8] = np.asarray(self.pixels[rows])
        return np.repeat(blocks, self.contract.block_frames, 1) if self.holds_stills else blocks


def open_dataset(path: Path) -> Dataset:
    """Open a set of blocks.

    Raises:
        DatasetError: it is not a set, or its parts do not belong together.
        UnreadableError: one of its files cannot be read.
    """
    try:
        details = json.loads((path / META_NAME).read_text(encoding="utf-8"))
        names = dict.fromkeys(("video", "file", "subject"), str)
        with pd.option_context(*_ODD_STRINGS):
            origins = pd.read_csv(path / ORIGINS_NAME, dtype=names, keep_default_na=False, encoding_errors=_ODD_NAMES)
        pixels = np.load(path / BLOCKS_NAME, mmap_mode="r", allow_pickle=False)
        contract = Contract.from_metadata(details.pop("contract"))
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError("no set of blocks", "make one with `annotate dataset build`", path=path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DatasetError(f"the set of blocks cannot be read ({error})", "build it again", path=path) from None
    sides = (contract.crop_size_px, contract.crop_size_px)
    frames = (1, contract.block_frames)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[2:] != sides or pixels.shape[1] not in frames:
        problem = f"expected blocks of {frames[1]} x {sides[0]} x {sides[1]}, found {pixels.shape}"
        raise DatasetError(problem, path=path)
    if len(origins) != len(pixels) or list(origins.columns) != list(ORIGIN_COLUMNS):
        problem = f"{len(pixels)} blocks and {len(origins)} origins do not go together"
        raise DatasetError(problem, "build it again", path=path)
    unknown = set(origins["emotion"]) - set(contract.class_names)
    if unknown:
        problem = f"the emotion {min(unknown)!r} is none of {', '.join(contract.class_names)}"
        raise DatasetError(problem, path=path)
    return Dataset(path, pixels, origins, contract, details)


class DatasetWriter:
    """Append blocks to a set that is being written; memory holds one block, and the origins of all."""

    def __init__(self, file: IO[bytes], contract: Contract, frames: int) -> None:
        self.origins: list[BlockOrigin] = []
        self._file = file
        self._sides = (frames, contract.crop_size_px, contract.crop_size_px)
        self._write_header()

    def add(self, pixels: NDArray[np.uint8], origin: BlockOrigin) -> None:
        """Append a block (frames, size, size) uint8."""
        assert pixels.shape == self._sides
        assert pixels.dtype == np.uint8
        self._file.write(np.ascontiguousarray(pixels).data)
        self.origins.append(origin)

    def finish(self) -> None:
        """Write the number of blocks into the array's header; the format leaves room for that number to grow."""
        end = self._file.tell()
        self._file.seek(0)
        self._write_header()
        self._file.seek(end)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write_header(self) -> None:
        shape = (len(self.origins), *self._sides)
        np.lib.format.write_array_header_1_0(self._file, {"descr": "|u1", "fortran_order": False, "shape": shape})


@contextlib.contextmanager
def write_dataset(
    path: Path, contract: Contract, details: Mapping[str, object], *, frames: int | None = None
) -> Iterator[DatasetWriter]:
    """Yield a writer for a new set of blocks, which is there whole when the context ends, and not at all if it fails.

    A set to which nothing was added is not kept. ``frames`` is 1 for stills.

    Raises:
        DatasetError: ``path`` exists.
        OutputError: it cannot be written.
    """
    check_new(path)
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
            folder.chmod(0o777 & ~_mask())
            os.replace(folder, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def check_new(path: Path) -> None:
    """Raise DatasetError if something is at ``path``, before hours are spent."""
    if path.is_symlink() or path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise DatasetError("is there already", "remove it or give another name with -o", path=path)


def _write_tables(folder: Path, origins: Sequence[BlockOrigin], contract: Contract, details: Mapping[str, object]) -> None:
    with pd.option_context(*_ODD_STRINGS):
        table = pd.DataFrame([asdict(origin) for origin in origins])
        table.insert(0, "block", range(len(table)))
        for name in ("start_time", "end_time"):
            table[name] = table[name].map(f"{{:.{_TIME_DECIMALS}f}}".format)
        text = table.to_csv(index=False, lineterminator="\n")
    (folder / ORIGINS_NAME).write_text(text, encoding="utf-8", errors=_ODD_NAMES)
    meta = {"program_version": VERSION, "contract": contract.to_metadata(), **details}
    (folder / META_NAME).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
