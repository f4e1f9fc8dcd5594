"""Faces as dlib's network sees them, to train what `annotate.training.recipe.ending` does.

Faces are found, cut out and turned as those of a video are. Each face is also degraded, since a person must be the same
in a sharp and in a blurred, dark picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.emotions.contract import CROP_SIZE_PX, Contract
from annotate.faces.box import Box
from annotate.faces.crop import to_limited_range
from annotate.faces.portraits import Portrait, cut_portrait
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame
from annotate.persons.descriptor import INPUT, NETWORK, OUTPUT, Cropper, Vectors, both_sides, find_file, joined, unit
from annotate.persons.network import MAPS, load_network, read_layers
from annotate.span import Span
from annotate.training.recipe.pictures import decode_pictures

BORDER_PX = 60
"""Width of the border that is added to photographs: they are close crops, and the detector needs some surroundings."""

MIN_SIDE_PX = 150
"""Smaller photographs are enlarged to a height of `ENLARGED_PX`."""

ENLARGED_PX = 200

_MIN_FACE = 0.15
_FULL = 255

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class KnownFaces:
    """What the network's last steps begin with, of faces and mirror images, and the name of the person of each face (n,).

    ``maps`` are (n, 2, `MAP_CHANNELS`, `MAP_PX`, `MAP_PX`) float16, ``dlib`` the numbers of dlib's ending, (n, 2, 128), and
    ``taught`` what the teacher says of the faces before they are degraded, (n, 128).
    """

    maps: NDArray[np.float16]
    dlib: Vectors
    taught: Vectors
    persons: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.persons)

    def take(self, rows: NDArray[np.bool_]) -> KnownFaces:
        """Return the faces that ``rows`` (n,) are true for."""
        return KnownFaces(self.maps[rows], self.dlib[rows], self.taught[rows], self.persons[rows])

    def taught_by_person(self) -> KnownFaces:
        """Return the faces with the mean of what the teacher says of those of a person."""
        taught = unit(self.taught)
        for person in np.unique(self.persons):
            own = self.persons == person
            taught[own] = unit(taught[own].mean(0))
        return KnownFaces(self.maps, self.dlib, taught, self.persons)

    def descriptors(self, ending: Callable[[NDArray[np.float16]], Vectors]) -> Vectors:
        """Return the descriptors of `Describer` (n, `DIMENSIONS`) with an ``ending`` that makes 256 numbers of each map."""
        numbers = ending(self.maps.reshape(-1, *self.maps.shape[2:])).reshape(*self.dlib.shape[:2], -1)
        return joined(np.concatenate([self.dlib, numbers], -1))


def find_portraits(path: Path) -> Iterator[tuple[Portrait, str]]:
    """Yield the largest face of each photograph in which one is found, with the name of its person.

    The file has arrays ``jpeg`` (all pictures end to end), ``offset`` (where each begins) and ``subject``.

    Raises:
        OSError: the file cannot be read.
        KeyError: an array is missing.
    """
    detector = YuNetDetector(_MIN_FACE)
    with np.load(path) as arrays:
        pictures = decode_pictures(arrays["jpeg"].tobytes(), arrays["offset"])
        subjects = [str(subject) for subject in arrays["subject"].tolist()]
    for picture, subject in zip(pictures, subjects, strict=True):
        factor = ENLARGED_PX / len(picture) if len(picture) < MIN_SIDE_PX else 1
        image = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        luma = to_limited_range(np.pad(np.asarray(image, np.uint8), BORDER_PX, "edge"))
        if faces := detector.search(Frame(0, 0, Span(0, 40), luma)):
            box = max((face.box for face in faces), key=lambda box: box.width)
            yield cut_portrait(luma, box), subject


def close_portraits(faces: NDArray[np.uint8]) -> Iterator[Portrait]:
    """Yield the portraits of faces (n, h, w) that are framed like crops, with nothing around them."""
    border_px, margin = CROP_SIZE_PX // 2, Contract().crop_margin
    side_px = CROP_SIZE_PX / (1 + 2 * margin)
    corner = border_px + (CROP_SIZE_PX - side_px) / 2
    for face in faces:
        crop = cv2.resize(face, (CROP_SIZE_PX, CROP_SIZE_PX), interpolation=cv2.INTER_CUBIC)
        image = np.pad(np.asarray(crop, np.uint8), border_px, "edge")
        yield Portrait(to_limited_range(image), Box(corner, corner, side_px, side_px))


def describe(
    portraits: Iterable[tuple[Portrait, str]], teacher: Callable[[Picture], Vectors], random: np.random.Generator
) -> KnownFaces:
    """Return portraits of persons as the network sees them, and behind them the degraded portraits.

    ``teacher`` returns numbers (128,) of a gray face (`CROP_PX`, `CROP_PX`).

    Raises:
        SettingsError: the package with dlib's network is not installed.
        ModelError: its file is missing or is another one.
    """
    crop_face, session = Cropper(), load_network(read_layers(find_file(NETWORK).read_bytes()), has_maps=True)
    clean, degraded = list[tuple[NDArray[np.float16], Vectors]](), list[tuple[NDArray[np.float16], Vectors]]()
    taught, persons = list[Vectors](), list[str]()
    for portrait, person in portraits:
        crop = crop_face(portrait)
        for faces, seen in ((clean, crop), (degraded, degrade(crop, random))):
            dlib, maps = session.run([OUTPUT, MAPS], {INPUT: both_sides(seen)})
            faces.append((maps.astype(np.float16), dlib))
        taught.append(teacher(crop))
        persons.append(person)
    maps, dlib = (np.stack(arrays) for arrays in zip(*clean, *degraded, strict=True))
    return KnownFaces(maps, dlib, np.stack(taught * 2), np.array(persons * 2))


def degrade(crop: Picture, random: np.random.Generator) -> Picture:
    """Return a face (h, w) as a worse picture shows it: not quite upright, blurred, in other light, and with noise."""
    side = len(crop)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), random.uniform(-8, 8), random.uniform(0.92, 1.08))
    turn[:, 2] += np.asarray(random.uniform(-0.03, 0.03, 2) * side)
    image = cv2.warpAffine(crop.astype(np.float32), turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    small = round(side * random.uniform(0.2, 0.7))
    image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    image = _FULL * (image / _FULL).clip(1e-3, 1) ** np.exp(random.uniform(-0.5, 0.5))
    mean = image.mean()
    image = (image - mean) * random.uniform(0.5, 1.3) + mean + random.uniform(-30, 30)
    image = image + np.linspace(-0.5, 0.5, side) * random.uniform(-80, 80)
    noisy = image + random.normal(size=image.shape) * random.uniform(0, 8)
    degraded: Picture = np.rint(noisy).clip(0, _FULL).astype(np.uint8)
    return degraded
