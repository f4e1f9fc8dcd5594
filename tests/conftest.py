"""Media shared by tests, made once a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.clips import make_face_picture, make_from_pictures, make_pattern
from tests.object_store import bucket, endpoint, fresh_client

__all__ = ["bucket", "endpoint", "fresh_client"]

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for clips made once."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def face_picture(media: Path) -> Path:
    """A still with one face."""
    return make_face_picture(media / "face.png")


@pytest.fixture(scope="session")
def face_clip(media: Path, face_picture: Path) -> Path:
    """Two seconds of one face, 25 frames a second, 50 frames."""
    return make_from_pictures(media / "face.mp4", [(face_picture, 2)])


@pytest.fixture(scope="session")
def empty_clip(media: Path) -> Path:
    """A second without faces."""
    return make_pattern(media / "empty.mp4")
