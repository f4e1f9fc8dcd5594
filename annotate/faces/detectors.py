"""The face detectors to choose from."""

from __future__ import annotations

from annotate.faces.detection import Detector
from annotate.faces.hog import HogDetector
from annotate.faces.yunet import YuNetDetector
from annotate.settings import HOG


def load_detector(name: str, min_face: float) -> Detector:
    """Load the detector of a name in `annotate.settings.DETECTORS`, for faces of ``min_face`` of a frame's shorter side.

    Raises:
        ModelError: the network of YuNet is missing.
    """
    return HogDetector(min_face) if name == HOG else YuNetDetector(min_face)
