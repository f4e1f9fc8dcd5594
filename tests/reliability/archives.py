"""Small test archives: create, copy and annotate them, and read their outputs, temporary files and logs."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotate.archive.layout import OUTPUT_MARK
from annotate.storage.names import TEMPORARY_PREFIX
from tests.clips import make_face_image, make_from_images, make_pattern
from tests.reliability.processes import running

RUN_OPTIONS = ("--jobs", "2", "--min-face", "0.3")
"""Two workers on any machine; a large minimum face, since the test faces fill the frame."""

LOCKED = "locked"
TRACEBACK = "Traceback"

_FACE_SIZE_PX = (320, 240)
_TIMEOUT_S = 600.0


def make_archive(folder: Path) -> Path:
    """Create and return an archive of six short videos in two folders, one of them without faces."""
    subfolder = folder / "subfolder"
    subfolder.mkdir(parents=True)
    face = make_face_image(folder.parent / f"{folder.name}.png")
    lengths = ((2.0, folder), (1.0, folder), (3.0, subfolder), (1.6, subfolder), (1.2, folder))
    for number, (duration_s, parent) in enumerate(lengths):
        noise = f"noise=alls=6:allf=t:all_seed={number}"
        make_from_images(parent / f"{number}.mp4", [(face, duration_s)], size=_FACE_SIZE_PX, filters=noise)
    make_pattern(folder / "5.mp4", duration_s=2.0)
    return folder


def copy_archive(archive: Path, target: Path) -> Path:
    """Copy an archive with file times, which sidecars contain; return the copy."""
    return Path(shutil.copytree(archive, target))


def annotate_undisturbed(archive: Path, folder: Path) -> tuple[dict[str, bytes], float]:
    """Annotate without disturbance; return the outputs and the duration in seconds."""
    start_s = time.monotonic()
    with running([*RUN_OPTIONS, archive], folder) as run:
        status = run.wait(_TIMEOUT_S)
    assert status == 0, run.errors
    return read_outputs(archive), time.monotonic() - start_s


def read_outputs(archive: Path) -> dict[str, bytes]:
    """Return the content of the outputs below an archive by relative path."""
    return {str(path.relative_to(archive)): path.read_bytes() for path in _output_paths(archive)}


def delete_outputs(archive: Path) -> None:
    """Delete all outputs of an archive."""
    for path in _output_paths(archive):
        path.unlink()


def find_temporary_files(archive: Path) -> list[str]:
    """Return the relative paths of temporary files below an archive."""
    return sorted(str(path.relative_to(archive)) for path in archive.rglob(f"{TEMPORARY_PREFIX}*"))


def describe_difference(actual: dict[str, bytes], expected: dict[str, bytes]) -> str:
    """Return a description of how outputs differ from those expected; empty if they are equal."""
    missing, unexpected = sorted(expected.keys() - actual.keys()), sorted(actual.keys() - expected.keys())
    changed = sorted(name for name in expected.keys() & actual.keys() if actual[name] != expected[name])
    kinds = (("missing", missing), ("unexpected", unexpected), ("different content", changed))
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds if names)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log; an empty list if the file does not exist."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def count_statuses(lines: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return the number of log lines by status."""
    return dict(Counter(line["status"] for line in lines))


def _output_paths(archive: Path) -> list[Path]:
    return sorted(path for path in archive.rglob(f"*{OUTPUT_MARK}.*") if path.is_file())
