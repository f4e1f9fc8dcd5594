"""Small files of the six sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotate.emotions.labels import EMOTIONS
from annotate.training.recipe.ferplus import VOTE_NAMES
from annotate.training.recipe.sources import FILES
from tests.training.recipe.picture_files import encoded, flat

CLASSES = len(EMOTIONS)
SUBJECTS = [f"subject{number}" for number in range(15)]
"""Of these, three are held back to validate."""


def write_sources(folder: Path, face: NDArray[np.uint8]) -> Path:
    """Write one file per source; the framed ones are of ``face``, and of a picture without one."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    labels = np.arange(len(SUBJECTS)) % CLASSES
    pictures = [*[face] * (len(SUBJECTS) - 1), flat(1, 100)[0]]
    targets = np.eye(CLASSES, dtype=np.float32)[labels]
    targets[1::2] = (targets[1::2] + np.eye(CLASSES, dtype=np.float32)[(labels[1::2] + 1) % CLASSES]) / 2
    noise = random.integers(30, 256, (60, 100, 100), np.uint8)
    web = [np.asarray(Image.fromarray(one).resize((20, 20)).resize((100, 100))) for one in noise]
    votes = np.zeros((28, len(VOTE_NAMES)), np.uint8)
    votes[np.arange(28), [VOTE_NAMES.index(emotion) for emotion in EMOTIONS] * 4] = 10
    arrays: dict[str, dict[str, Any]] = {
        "ferplus": {
            "pixels": random.integers(0, 256, (28, 48, 48), np.uint8),
            "split": np.repeat([0, 1, 2, 2], 7),
            "votes": votes,
            "vote_names": np.array(VOTE_NAMES),
            "fer2013_label": (np.arange(28) + 1) % CLASSES,
        },
        "web": {**encoded(web), "label": np.arange(60) % CLASSES},
        "posed": {**encoded(pictures), "target": targets, "subject": np.array(SUBJECTS)},
        "small": {"pixels": flat(15, 32), "label": labels, "subject": np.repeat(np.arange(5) * 1000 + 3, 3)},
        "news": {**encoded(pictures), "label": labels, "subject": np.array(SUBJECTS)},
        "scans": {**encoded(pictures), "label": labels, "subject": np.array(SUBJECTS)},
    }
    for name, content in arrays.items():
        np.savez(folder / FILES[name], **content)
    return folder
