"""Shared fixtures: clips made once per run, and isolation from the user's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.clips import keep_clips, make_face_image, make_from_images, make_pattern
from tests.documents import annotate_samples
from tests.object_store import bucket, endpoint, fresh_client, store_url

__all__ = ["bucket", "endpoint", "fresh_client", "store_url"]

_PAGE_FIXTURES = {"browser", "page"}

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that look at pages in a browser, before those of a marker are left out."""
    for item in items:
        if _PAGE_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("browser")


@pytest.fixture(scope="session", autouse=True)
def _isolated_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's config file, environment variables and last run from tests and the processes they start."""
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
    """Encode a clip that several tests make only once per run."""
    with keep_clips():
        yield


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for clips that are made once per run."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def annotated_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``sample_videos``, annotated; read-only."""
    return annotate_samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="session")
def face_image(media: Path) -> Path:
    """An image with one face."""
    return make_face_image(media / "face.png")


@pytest.fixture(scope="session")
def face_clip(media: Path, face_image: Path) -> Path:
    """Two seconds of one face at 25 fps: 50 frames."""
    return make_from_images(media / "face.mp4", [(face_image, 2)])


@pytest.fixture(scope="session")
def empty_clip(media: Path) -> Path:
    """One second without faces."""
    return make_pattern(media / "empty.mp4")
