from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from annotate.analysis.pipeline import Analysis
from annotate.archive.layout import OutputOptions
from tests.runs import annotate


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, face_clip: Path, empty_clip: Path) -> Path:
    """Two annotated videos, with and without a face; read-only."""
    folder = tmp_path_factory.mktemp("archive")
    shutil.copy2(face_clip, folder / "face.mp4")
    shutil.copy2(empty_clip, folder / "empty.mp4")
    list(annotate([folder], options=OutputOptions(("csv",))))
    return folder


@pytest.fixture
def done(archive: Path, tmp_path: Path) -> Path:
    """A writable copy of the archive."""
    return Path(shutil.copytree(archive, tmp_path / "done"))


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if a video is opened."""
    monkeypatch.setattr(Analysis, "open", lambda *arguments: pytest.fail("a video was opened"))
