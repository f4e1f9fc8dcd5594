"""Fixtures for training tests; those that need torch are skipped without it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.emotions.contract import Contract
from annotate.emotions.labels import EMOTIONS
from annotate.training.dataset.storage import BlockOrigin, Dataset, Split, open_dataset, write_dataset

_NEED_TORCH = (
    *(
        "models",
        "test_plots.py",
        "test_still_motion.py",
        "test_trainer.py",
        "test_block_training.py",
        "test_correction_loop.py",
    ),
    "recipe/source_files.py",
    *(f"recipe/test_{name}.py" for name in ("blend", "sources", "stability", "still_faces", "talking", "train", "transfer")),
)

if not all(find_spec(name) for name in ("torch", "PIL", "matplotlib")):
    collect_ignore = list(_NEED_TORCH)
if not find_spec("PIL"):
    collect_ignore = [*_NEED_TORCH, "recipe/picture_files.py", "recipe/test_known_faces.py", "recipe/test_landmarks.py"]

MakeDataset = Callable[..., Dataset]


def marked_blocks(labels: NDArray[np.int64], frames: int = 20, seed: int = 0) -> NDArray[np.uint8]:
    """Return noisy blocks (N, frames, 80, 80); the height of a bright bar depends on the class."""
    random = np.random.default_rng(seed)
    pixels = random.integers(60, 120, (len(labels), frames, 80, 80)).astype(np.uint8)
    for number, label in enumerate(labels):
        pixels[number, :, 10 * label + 5 : 10 * label + 15] += 120
    return pixels


@pytest.fixture(scope="package", autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """Limit torch to one thread: its threads busy-wait for each other, which takes minutes on a loaded machine."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Return a function that writes a dataset from labels, and optionally the video and part of each block."""

    def make(
        name: str,
        labels: list[int],
        videos: list[str] | None = None,
        parts: list[str] | None = None,
        *,
        frames: int = 20,
        seed: int = 0,
        contract: Contract | None = None,
    ) -> Dataset:
        videos = videos or [f"{number}.mp4" for number in range(len(labels))]
        parts = parts or [Split().part(video) for video in videos]
        with write_dataset(tmp_path / name, contract or Contract(), {}, frames=frames) as writer:
            pixels = marked_blocks(np.array(labels), frames, seed)
            for block, label, video, part in zip(pixels, labels, videos, parts, strict=True):
                writer.add(block, BlockOrigin(video, video, "", 0.0, 0.8, 0, 19, frames, 1, EMOTIONS[label], part))
        return open_dataset(tmp_path / name)

    return make
