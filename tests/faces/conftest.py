"""A detector and a frame that tests of faces share."""

from __future__ import annotations

import pytest

from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame
from tests.faces.frames import sample_frames


@pytest.fixture(scope="session")
def yunet() -> YuNetDetector:
    """The default detector with its default smallest face."""
    return YuNetDetector(0.12)


@pytest.fixture(scope="session")
def portrait() -> Frame:
    """A frame, 640x360, of a face that looks into the camera."""
    return next(sample_frames("portrait.mp4", count=1))
