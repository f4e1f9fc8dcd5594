"""An archive that tests of pages share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from annotate.archive.scan import scan
from annotate.batch.run import annotate_archive
from tests.clips import SAMPLES


@pytest.fixture(scope="session")
def two_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the annotated video of two persons, to be copied."""
    folder = tmp_path_factory.mktemp("two_faces")
    shutil.copy(SAMPLES / "two_faces.mp4", folder)
    list(annotate_archive(scan([folder])))
    return folder
