"""The sources of labeled faces that train the installed model, by name, and how they are split.

A folder holds one ``.npz`` file per source (`FILES`), made from research datasets that are not part of this project.
`annotate.training.recipe.still_faces` describes those of FER+ and of web faces. The others have a ``subject`` (N,), and

* ``posed``: photographs of heads, ``jpeg`` (all files concatenated), ``offset`` (N + 1,), ``target`` (N, 7): a row has one
  class, or two in equal parts; ``points78`` (N, 78, 2), their landmarks in pixels;
* ``news`` and ``scans``: photographs and renders of faces, ``jpeg``, ``offset``, ``label`` (N,);
* ``small``: tight crops, ``pixels`` (N, 32, 32) uint8, ``label``; a negative subject is unknown.

One subject in five is held back to validate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.training.recipe.framing import Arrays, frame_faces, keep
from annotate.training.recipe.pictures import decode_pictures
from annotate.training.recipe.still_faces import (
    CANVAS_PX,
    TRAIN,
    VALIDATION,
    Stills,
    fill_background,
    load_ferplus,
    load_ferplus_majority,
    load_webfaces,
    one_hot,
)

FERPLUS, WEB, POSED, SMALL, NEWS, SCANS = NAMES = ("ferplus", "web", "posed", "small", "news", "scans")

FILES = {
    FERPLUS: "ferplus48.npz",
    WEB: "webfaces100.npz",
    POSED: "posed200.npz",
    SMALL: "small32.npz",
    NEWS: "news96.npz",
    SCANS: "scans.npz",
}

LABEL_SHARE = 0.6
"""Weight of the FER2013 labels in the targets of FER+: raters call much of subtle anger, disgust and fear neutral."""

SMALL_TO_CROP = 1.42
"""Ratio of the sides of a crop and a picture of ``small``, which shows less than dlib's box."""

_HELD_BACK_IN = 5
_CERTAIN = 0.5


@dataclass(frozen=True)
class Source:
    """The stills of a source: to train on, held back, and those of the latter that validate."""

    training: Stills
    held_back: Stills
    validation: Stills
    persons: NDArray[np.str_]
    """Who is on each still of `whole`; of FER+ and web faces, where nobody knows, each is a person."""

    @property
    def whole(self) -> Stills:
        """All stills: those to train on, then those held back."""
        return self.training + self.held_back


def load_source(name: str, folder: Path, *, label_share: float = LABEL_SHARE, cache: Path | None = None) -> Source:
    """Return the source of a name in `NAMES`; framed faces are kept in ``cache``, if given, for the next run."""
    path = folder / FILES[name]
    if name == FERPLUS:
        training, held_back = (load_ferplus(path, split, original_label_weight=label_share) for split in (TRAIN, VALIDATION))
        return Source(training, held_back, load_ferplus_majority(path, VALIDATION), _unknown(training, held_back))
    if name == WEB:
        training, held_back = (_load_web(path, part, cache) for part in (TRAIN, VALIDATION))
        return Source(training, held_back, held_back, _unknown(training, held_back))
    stills, subjects = load_small(path) if name == SMALL else load_framed(path, cache, is_masked=name == SCANS)
    held, persons = np.array([is_held_back(subject) for subject in subjects]), np.array(subjects)
    held_back = stills.take(held)
    return Source(stills.take(~held), held_back, certain(held_back), np.concatenate([persons[~held], persons[held]]))


def certain(stills: Stills) -> Stills:
    """Return the stills that have one most likely class, with a probability of more than a half."""
    return stills.take(is_certain(stills))


def is_certain(stills: Stills) -> NDArray[np.bool_]:
    """Return which stills (N,) have one most likely class."""
    sure: NDArray[np.bool_] = stills.targets.max(1) > _CERTAIN
    return sure


def load_framed(path: Path, cache: Path | None = None, *, is_masked: bool = False) -> tuple[Stills, list[str]]:
    """Return the faces found in pictures, framed as in a video, and their subjects.

    Pictures in which no face is found are left out. The black background of pictures that are masked is filled.
    """

    def frame() -> Arrays:
        with np.load(path) as archive:
            pixels, found = frame_faces(decode_pictures(archive["jpeg"].tobytes(), archive["offset"]))
        return {"pixels": pixels, "found": found}

    framed = keep(cache, path.stem, [path], frame)
    pixels, found = framed["pixels"].astype(np.uint8, copy=False), framed["found"].astype(bool)
    with np.load(path) as archive:
        subjects = [str(subject) for subject in archive["subject"][found]]
        labels = archive["target" if "target" in archive else "label"][found]
    if is_masked:
        pixels = fill_background(pixels)
    return Stills(pixels, labels) if labels.ndim == 2 else one_hot(pixels, labels), subjects


def load_small(path: Path) -> tuple[Stills, list[str]]:
    """Return tight crops, with a border of repeated and blurred edges in place of what a crop shows more, and subjects."""
    with np.load(path) as archive:
        pictures, labels, subjects = archive["pixels"], archive["label"], small_subjects(archive)
    return one_hot(np.stack([_with_surroundings(picture) for picture in pictures]), labels), subjects


def small_subjects(archive: Mapping[str, NDArray[Any]]) -> list[str]:
    """Return who is on each of the tight crops; an unknown person is the crop itself."""
    return [
        str(number) if number >= 0 else hashlib.sha256(picture.tobytes()).hexdigest()
        for number, picture in zip(archive["subject"].tolist(), archive["pixels"], strict=True)
    ]


def is_held_back(subject: str) -> bool:
    """Return whether the pictures of a person validate."""
    return int(hashlib.sha256(subject.encode()).hexdigest(), 16) % _HELD_BACK_IN == 0


def _load_web(path: Path, part: int, cache: Path | None) -> Stills:
    def load() -> Arrays:
        stills = load_webfaces(path, part)
        return {"pixels": stills.pixels, "targets": stills.targets}

    loaded = keep(cache, f"{path.stem}-{part}", [path], load)
    return Stills(loaded["pixels"].astype(np.uint8, copy=False), loaded["targets"].astype(np.float32, copy=False))


def _unknown(training: Stills, held_back: Stills) -> NDArray[np.str_]:
    return np.arange(len(training) + len(held_back)).astype(str)


def _with_surroundings(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    inner_px = round(CANVAS_PX / SMALL_TO_CROP)
    before = (CANVAS_PX - inner_px) // 2
    after = CANVAS_PX - inner_px - before
    face = cv2.resize(picture, (inner_px, inner_px), interpolation=cv2.INTER_CUBIC)
    canvas = cv2.copyMakeBorder(face, before, after, before, after, cv2.BORDER_REPLICATE)
    surroundings: NDArray[np.uint8] = cv2.GaussianBlur(canvas, (0, 0), before / 3)  # type: ignore[assignment]
    surroundings[before:-after, before:-after] = face
    return surroundings
