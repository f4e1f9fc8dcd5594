"""Media shared by tests, made once a run."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from annotate.faces.detect import load_detector
from tests.clips import keep_clips, make_face_picture, make_from_pictures, make_pattern
from tests.object_store import bucket, endpoint, fresh_client, store_url

__all__ = ["bucket", "endpoint", "fresh_client", "store_url"]

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests, with the processes they start, see neither the user's config file and variables nor the last run's speed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ANNOTATE_")]:
            patch.delenv(name)
        patch.setenv("ANNOTATE_CONFIG", os.devnull)
        speed = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(speed))
        patch.setattr("annotate.cli.last_run.speed_file", lambda: speed / "annotate/last_run.json")
        yield


@pytest.fixture(scope="session", autouse=True)
def _kept_clips() -> Iterator[None]:
    """A clip that several tests make is encoded once a run."""
    with keep_clips():
        yield


@pytest.fixture(scope="session", autouse=True)
def _kept_detectors() -> Iterator[None]:
    """dlib's detector, which takes a sixth of a second, is loaded once a thread."""
    kept = threading.local()

    def load() -> Any:
        if not hasattr(kept, "detector"):
            kept.detector = load_detector()
        return kept.detector

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("annotate.analysis.tools.load_detector", load)
        patch.setattr("annotate.faces.detect.load_detector", load)
        yield


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
