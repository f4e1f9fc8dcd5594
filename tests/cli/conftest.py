from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from annotate.batch.executor import InlineExecutor
from tests.training.conftest import make_dataset

__all__ = ["make_dataset"]


@pytest.fixture(autouse=True)
def _without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run jobs in this process: starting workers takes seconds; test_ends.py starts real ones."""
    monkeypatch.setattr(
        "annotate.batch.processes.ProcessExecutor", lambda width, advance, **options: InlineExecutor(advance)
    )


@pytest.fixture
def folder(tmp_path: Path, empty_clip: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with one video without faces in ``videos``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    shutil.copy(empty_clip, tmp_path / "videos/a.mp4")
    return tmp_path
