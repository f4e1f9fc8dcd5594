"""Join the published tables of FER2013 and FER+ into the file that training and evaluation read.

``python -m annotate.training.recipe.ferplus fer2013.csv fer2013new.csv -o ferplus48.npz``
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from annotate.errors import DatasetError

SIDE_PX = 48
SPLITS = {"Training": 0, "PublicTest": 1, "PrivateTest": 2}
VOTE_NAMES = "neutral happiness surprise sadness anger disgust fear contempt unknown NF".split()
"""Columns of the FER+ table."""

FER2013_TO_OURS = (0, 1, 2, 3, 5, 6, 4)
"""Our class index by FER2013 label; FER2013's order is anger, disgust, fear, happiness, sadness, surprise, neutral."""


def join(faces: pd.DataFrame, votes: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Return the arrays read by `annotate.training.recipe.still_faces`.

    ``faces`` is the table of FER2013 (emotion, pixels, Usage), ``votes`` that of FER+.

    Raises:
        DatasetError: the tables do not have the same rows.
    """
    if len(faces) != len(votes) or not (faces["Usage"].to_numpy() == votes["Usage"].to_numpy()).all():
        raise DatasetError(f"the tables do not match ({len(faces)} and {len(votes)} rows, or a different order)")
    pixels = np.stack([np.array(text.split(), np.uint8).reshape(SIDE_PX, SIDE_PX) for text in faces["pixels"]])
    return {
        "pixels": pixels,
        "split": np.array([SPLITS[usage] for usage in faces["Usage"]], np.uint8),
        "votes": votes[VOTE_NAMES].to_numpy(np.uint8),
        "vote_names": np.array(VOTE_NAMES),
        "fer2013_label": np.array(FER2013_TO_OURS, np.int8)[faces["emotion"].to_numpy()],
    }


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("faces", type=_FILE)
@click.argument("votes", type=_FILE)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (.npz).")
def main(faces: Path, votes: Path, output: Path) -> None:
    """Join fer2013.csv (FACES) and FER+'s fer2013new.csv (VOTES)."""
    arrays = join(pd.read_csv(faces), pd.read_csv(votes))
    np.savez_compressed(output, allow_pickle=False, **arrays)
    click.echo(f"{output}: {len(arrays['pixels'])} faces")


if __name__ == "__main__":
    main()
