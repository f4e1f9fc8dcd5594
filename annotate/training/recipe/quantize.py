"""Compute a model's convolutions with 8-bit integers: ``python -m annotate.training.recipe.quantize MODEL --data DIR``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import BLOCK_FRAMES, CROP_SIZE_PX
from annotate.training.models.quantization import quantize
from annotate.training.recipe.evaluate import classify_stills
from annotate.training.recipe.sources import NAMES, Source, load_source
from annotate.training.recipe.still_faces import resize_faces

FACES_PER_SOURCE = 56

_HEADERS = ("stills", "accuracy", "with integers", "same emotion", "difference of probabilities")
_FORMATS = ("", ".3f", ".3f", ".3f", ".4f")


def draw_blocks(sources: list[Source], seed: int = 0) -> NDArray[np.uint8]:
    """Return motionless blocks (N, frames, size, size) of faces that trained, as many of each source, shuffled."""
    random = np.random.default_rng(seed)
    faces = [source.training.pixels for source in sources]
    drawn = [each[random.permutation(len(each))[:FACES_PER_SOURCE]] for each in faces]
    crops = np.concatenate([resize_faces(each, CROP_SIZE_PX) for each in drawn])
    return np.repeat(crops[random.permutation(len(crops)), None], BLOCK_FRAMES, 1)


def compare(before: Classifier, after: Classifier, sources: dict[str, Source]) -> Iterator[tuple[str | float, ...]]:
    """Yield what two models say of the faces of each source that are held back.

    That is the name of the source, the accuracy of each model, how often both name the same emotion, and the mean difference
    of their probabilities.
    """
    for name, source in sources.items():
        stills = source.validation
        first, second = (classify_stills(model, stills.pixels) for model in (before, after))
        right = [float((each.argmax(1) == stills.labels).mean()) for each in (first, second)]
        agreement = float((first.argmax(1) == second.argmax(1)).mean())
        yield (name, *right, agreement, float(np.abs(first - second).mean()))


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("model", type=_FILE)
@click.option("--data", type=_FOLDER, required=True, help="Folder of the sources' files.")
@click.option("--cache", type=_FOLDER, help="Folder to keep framed faces in.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="ONNX file to write.")
def main(model: Path, data: Path, cache: Path | None, output: Path) -> None:
    """Write MODEL with 8-bit integers in its convolutions, and print what that changes on the faces held back."""
    sources = {name: load_source(name, data, cache=cache) for name in NAMES}
    quantize(model, output, draw_blocks(list(sources.values())))
    rows = compare(Classifier(model), Classifier(output), sources)
    click.echo(tabulate(rows, _HEADERS, floatfmt=_FORMATS))
    click.echo(f"{output}: {output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
