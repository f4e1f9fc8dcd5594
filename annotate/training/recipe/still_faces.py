"""Load, clean and split labeled still faces.

A still is a square gray face crop: dlib's box plus the crop margin, as when annotating, or close to it. Two kinds of
``.npz`` files are read here, made from research datasets that are not part of this project (`sources` reads others):

* FER2013 pixels with FER+ votes: ``pixels`` (N, 48, 48) uint8, ``split`` (0 train, 1 public test, 2 private test),
  ``votes`` (N, V) by the raters, ``vote_names`` (V,), ``fer2013_label`` (N,) in our class order, -1 unknown.
  Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
  ICMI 2016. FER2013 faces were cropped by a Haar detector; dlib's box is on average 0.845 of the image's side.
* Web faces, cropped to the convex hull of the face on black: ``jpeg`` (all files concatenated), ``offset`` (N + 1,),
  ``label`` (N,).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from annotate.emotions.labels import EMOTIONS
from annotate.training.recipe.pictures import decode_pictures

CANVAS_PX = 96
"""Side of a stored still; larger than a crop, as a source for augmentation."""

HULL_TO_CROP = 1.2
"""Ratio of the sides of a crop and the face's hull: dlib's box is about the hull, the margin 0.1 on each side."""

TRAIN, VALIDATION, TEST = 0, 1, 2

_MIN_VOTE_SHARE = 0.11
"""Votes for a class below this share are ignored as mistakes: one rater of ten."""

_DARK = 14
_FLOOD_STEPS = 32


@dataclass(frozen=True)
class Stills:
    """N faces with target distributions: ``pixels`` (N, h, w) uint8; ``targets`` (N, 7) float32, rows sum to 1."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Most likely class of each still (N,)."""
        labels: NDArray[np.int64] = self.targets.argmax(1).astype(np.int64)
        return labels

    def __add__(self, other: Stills) -> Stills:
        return Stills(np.concatenate([self.pixels, other.pixels]), np.concatenate([self.targets, other.targets]))

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Stills:
        """Return the stills at ``index``."""
        return Stills(self.pixels[index], self.targets[index])


def load_ferplus(path: Path, split: int, *, original_label_weight: float = 0.0, keep_copies: bool = False) -> Stills:
    """Return FER+ faces of one split with soft targets.

    A target is the distribution of votes over our seven classes, ignoring classes with a single vote in ten, blended with
    the original FER2013 label by ``original_label_weight``. Faces without a majority for our classes (contempt, unknown, no
    face) are skipped. Unless ``keep_copies``, duplicates within the split and images that also occur in a later split are
    removed, so that no test image is used for training.
    """
    with np.load(path) as archive:
        pixels, splits = archive["pixels"], archive["split"]
        votes, names = archive["votes"].astype(np.float32), [str(name) for name in archive["vote_names"]]
        original = archive["fer2013_label"]
    ours = votes[:, [names.index(emotion) for emotion in EMOTIONS]]
    usable = (ours.sum(1) > 0.5 * np.maximum(votes.sum(1), 1)) & (splits == split)
    if not keep_copies:
        usable &= _first_copies(pixels, splits, split)
    targets = ours[usable] / ours[usable].sum(1, keepdims=True)
    targets[targets < _MIN_VOTE_SHARE] = 0
    targets /= targets.sum(1, keepdims=True)
    known = original[usable] >= 0
    blend = targets[known] * (1 - original_label_weight)
    blend[np.arange(len(blend)), original[usable][known]] += original_label_weight
    targets[known] = blend
    return Stills(pixels[usable], targets)


def load_ferplus_majority(path: Path, split: int) -> Stills:
    """Return FER+ faces of one split with a strict majority label, as one-hot targets, without duplicates.

    Duplicates of images in earlier splits are removed too, so no training image is evaluated.
    """
    return _load_ferplus_hard(path, split, strict=True)


def load_ferplus_most_frequent(path: Path, split: int) -> Stills:
    """Return the faces of `load_ferplus_majority`, labeled by the most frequent vote, if it is one of our classes."""
    return _load_ferplus_hard(path, split, strict=False)


def _load_ferplus_hard(path: Path, split: int, *, strict: bool) -> Stills:
    with np.load(path) as archive:
        pixels, splits = archive["pixels"], archive["split"]
        votes, names = archive["votes"].astype(np.float32), [str(name) for name in archive["vote_names"]]
    ours = votes[:, [names.index(emotion) for emotion in EMOTIONS]]
    needed = 0.5 * votes.sum(1) if strict else votes.max(1) - 0.5
    earlier = {_digest(face) for face in pixels[splits < split]}
    usable = (splits == split) & (ours.max(1) > needed) & _first_occurrences(pixels, splits == split)
    usable &= np.array([_digest(face) not in earlier for face in pixels])
    return one_hot(pixels[usable], ours[usable].argmax(1))


def load_ckplus(path: Path) -> Stills:
    """Return CK+ faces from ``pixels`` (N, 48, 48) and ``label`` (N,) in our class order; contempt (7) is skipped."""
    with np.load(path) as archive:
        pixels, labels = archive["pixels"], archive["label"]
    ours = labels < len(EMOTIONS)
    return one_hot(pixels[ours], labels[ours])


def load_webfaces(path: Path, part: int, *, label_smoothing: float = 0.1, seed: int = 0) -> Stills:
    """Return web faces as crops, their black background filled with another, blurred face.

    One in twenty goes to ``VALIDATION``, the rest to ``TRAIN``, by a difference hash, which keeps near-duplicates together.
    ``label_smoothing`` accounts for noisy labels.
    """
    with np.load(path) as archive:
        stream, offset, labels = archive["jpeg"].tobytes(), archive["offset"], archive["label"]
    faces = [Image.fromarray(face) for face in decode_pictures(stream, offset)]
    chosen = np.array([validates(face) == (part == VALIDATION) for face in faces])
    pixels = np.stack([_on_canvas(face) for face, is_chosen in zip(faces, chosen, strict=True) if is_chosen])
    classes = len(EMOTIONS)
    targets = np.full((len(pixels), classes), label_smoothing / classes, np.float32)
    targets[np.arange(len(pixels)), labels[chosen]] += 1 - label_smoothing
    return Stills(fill_background(pixels, seed=seed), targets)


def one_hot(pixels: NDArray[np.uint8], labels: NDArray[np.integer]) -> Stills:
    """Return stills of one class each."""
    return Stills(pixels, np.eye(len(EMOTIONS), dtype=np.float32)[labels])


def resize_faces(faces: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Return faces (N, h, w) uint8 resized to (N, size_px, size_px) uint8, bicubically, antialiased."""
    parts = [
        functional.interpolate(torch.from_numpy(part)[:, None].float(), (size_px, size_px), mode="bicubic", antialias=True)
        for part in np.array_split(faces, max(1, len(faces) // 1024))
    ]
    return torch.cat(parts)[:, 0].round().clamp(0, 255).to(torch.uint8).numpy()


def fill_background(faces: NDArray[np.uint8], *, seed: int = 0, black_share: float = 0.1) -> NDArray[np.uint8]:
    """Return faces (N, h, w) uint8 with black borders filled with another, blurred face, except ``black_share``."""
    random = np.random.default_rng(seed)
    filled = faces.copy()
    for part in np.array_split(np.arange(len(faces)), max(1, len(faces) // 512)):
        face = torch.from_numpy(faces[part])[:, None].float()
        dark = (face < _DARK).float()
        coarse_dark = functional.avg_pool2d(dark, 2).round()
        coarse = coarse_dark.clone()
        coarse[:, :, 1:-1, 1:-1] = 0
        for _ in range(_FLOOD_STEPS):
            coarse = functional.max_pool2d(coarse, 3, 1, 1) * coarse_dark
        near = functional.interpolate(functional.max_pool2d(coarse, 3, 1, 1), scale_factor=2.0)
        background = functional.max_pool2d(dark * near, 3, 1, 1)
        donor = torch.from_numpy(faces[random.permutation(len(faces))[: len(part)]])[:, None].float()
        blurred = _blur(donor) / _blur((donor >= _DARK).float()).clamp(min=0.05)
        stays = torch.from_numpy(random.random(len(part)) < black_share).float()[:, None, None, None]
        background = background * (1 - stays)
        mixed = face * (1 - background) + blurred.clamp(0, 255) * background
        filled[part] = mixed.round().to(torch.uint8)[:, 0].numpy()
    return filled


def _blur(faces: torch.Tensor) -> torch.Tensor:
    coarse = functional.avg_pool2d(faces, 16)
    return functional.interpolate(coarse, faces.shape[2:], mode="bilinear")


def _on_canvas(face: Image.Image) -> NDArray[np.uint8]:
    inner = round(CANVAS_PX / HULL_TO_CROP)
    canvas = np.zeros((CANVAS_PX, CANVAS_PX), np.uint8)
    start = (CANVAS_PX - inner) // 2
    canvas[start : start + inner, start : start + inner] = np.asarray(face.resize((inner, inner), Image.Resampling.BOX))
    return canvas


def validates(face: Image.Image) -> bool:
    """Return whether a web face is one of those held back to validate."""
    return _difference_hash(face) % 20 == 0


def _difference_hash(face: Image.Image) -> int:
    small = np.asarray(face.resize((7, 6), Image.Resampling.BOX), np.int16)
    bits = (small[:, 1:] > small[:, :-1]).tobytes()
    return int.from_bytes(hashlib.sha256(bits).digest()[:4], "big")


def _digest(face: NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(face.tobytes()).digest()


def _first_occurrences(pixels: NDArray[np.uint8], among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    seen: set[bytes] = set()
    first = np.zeros(len(pixels), bool)
    for index in np.flatnonzero(among):
        digest = _digest(pixels[index])
        first[index] = digest not in seen
        seen.add(digest)
    return first


def _first_copies(pixels: NDArray[np.uint8], splits: NDArray[np.integer], split: int) -> NDArray[np.bool_]:
    later = {_digest(face) for face in pixels[splits > split]}
    first = _first_occurrences(pixels, splits == split)
    first &= np.array([_digest(face) not in later for face in pixels])
    return first
