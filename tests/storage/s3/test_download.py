"""Downloads to temporary files: nothing is left behind, even if the process is terminated."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate.storage.base import parse_path, storage_for
from tests.object_store import Bucket


@pytest.mark.parametrize("function", [(Path, "mkdir"), (shutil, "rmtree")])
def test_an_interrupted_download_leaves_no_folder(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: tuple[object, str]
) -> None:
    """SIGTERM arrives right after the folder was created, or before it is deleted."""
    bucket.put("a.mp4", b"content")
    target, name = function
    call: Callable[..., Any] = getattr(target, name)
    calls: list[object] = []

    def interrupt_once(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if name == "mkdir" or len(calls) > 1:
            call(*arguments, **options)
        if len(calls) == 1:
            raise SystemExit

    path = parse_path(f"{bucket.url}/a.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(target, name, interrupt_once)
        with pytest.raises(SystemExit), storage_for(path).local_copy(path, tmp_path) as copy:
            assert copy.read_bytes() == b"content"
    assert calls
    assert os.listdir(tmp_path) == []
