"""Frame the faces of labeled pictures as the program frames faces in videos, so that training sees the same crops."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.contract import CROP_MARGIN
from annotate.faces.align import Aligner
from annotate.faces.box import Box
from annotate.faces.crop import crop, to_limited_range
from annotate.faces.detection import Detection
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame
from annotate.span import Span
from annotate.storage.local.files import ensure_dir
from annotate.training.recipe.still_faces import CANVAS_PX
from annotate.version import ANALYSIS_VERSION

Arrays = dict[str, NDArray[np.generic]]

BORDER = 0.25
"""Border added on each side before faces are looked for, as a fraction of the picture's longer side: many pictures are cut
close to the face, which the detector then misses."""

MIN_FACE = 0.25
"""Smallest face that is looked for, as a fraction of the shorter side of the picture with its border."""

LENIENCY = 0.2
"""How much less a face may score than in a video: every picture shows one, and turned faces are often labeled disgust."""


def frame_faces(pictures: Iterable[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the faces (N, CANVAS_PX, CANVAS_PX) found in gray pictures, and which pictures they are of (pictures,)."""
    detector = YuNetDetector(MIN_FACE, leniency=LENIENCY)
    faces = [_frame_face(picture, detector) for picture in pictures]
    found = [face for face in faces if face is not None]
    pixels = np.stack(found) if found else np.empty((0, CANVAS_PX, CANVAS_PX), np.uint8)
    return pixels, np.array([face is not None for face in faces], bool)


def find_landmarks(crops: NDArray[np.uint8]) -> dict[int, NDArray[np.float64]]:
    """Return the landmarks (n, 2) of the crops (N, h, w) in which they are found, in pixels, by index."""
    align, side_px = Aligner(), crops.shape[1]
    margin_px = side_px * CROP_MARGIN / (1 + 2 * CROP_MARGIN)
    box = Box(margin_px, margin_px, side_px - 2 * margin_px, side_px - 2 * margin_px)
    framed = (align(crop, box, 0.0).landmarks for crop in crops)
    return {index: points for index, points in enumerate(framed) if points is not None}


def keep(folder: Path | None, name: str, inputs: Sequence[Path], make: Callable[[], Arrays]) -> Arrays:
    """Return what ``make`` returns; keep it in ``folder``, if given, while ``inputs`` are the same."""
    if folder is None:
        return make()
    digest = hashlib.sha256(f"{ANALYSIS_VERSION} {CANVAS_PX} {BORDER} {MIN_FACE} {LENIENCY} {CROP_MARGIN}".encode())
    for path in inputs:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    ensure_dir(folder)
    kept = folder / f"{name}-{digest.hexdigest()[:16]}.npz"
    if not kept.exists():
        temporary = kept.with_suffix(".tmp.npz")
        np.savez(temporary, **make())  # type: ignore[arg-type]
        temporary.replace(kept)
    with np.load(kept) as archive:
        return {key: archive[key] for key in archive.files}


def _frame_face(picture: NDArray[np.uint8], detector: YuNetDetector) -> NDArray[np.uint8] | None:
    border_px = round(BORDER * max(picture.shape))
    image: NDArray[np.uint8] = np.pad(to_limited_range(picture), border_px, "edge")
    faces = detector.search(Frame(0, 0, Span(0, 1), image))
    if not faces:
        return None
    face = max(faces, key=lambda face: _prominence(face, image.shape))
    return crop(image, face.box, CROP_MARGIN, CANVAS_PX, face.pose.roll_deg)


def _prominence(face: Detection, shape: tuple[int, ...]) -> float:
    """Return how large and central a face is, in pixels: its side less its distance from the center of the image."""
    (x, y), (height, width) = face.box.center, shape
    return face.box.width - float(np.hypot(x - width / 2, y - height / 2))
