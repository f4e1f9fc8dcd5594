"""Small archives, their outputs, and what a run left or logged."""

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
from tests.clips import make_face_picture, make_from_pictures, make_pattern
from tests.reliability.processes import running

RUN_OPTIONS = ("--jobs", "2", "--min-face", "0.3")
"""Two workers wherever the programme runs; faces need not be searched for in pictures they fill."""

LOCKED = "locked"
TRACEBACK = "Traceback"

_FACE_SIZE_PX = (320, 240)
_TIMEOUT_S = 600.0


def make_archive(folder: Path) -> Path:
    """Six short videos in two folders, one of them without faces."""
    deeper = folder / "deeper"
    deeper.mkdir(parents=True)
    face = make_face_picture(folder.parent / f"{folder.name}.png")
    lengths = ((2.0, folder), (1.0, folder), (3.0, deeper), (1.6, deeper), (1.2, folder))
    for number, (duration_s, place) in enumerate(lengths):
        noise = f"noise=alls=6:allf=t:all_seed={number}"
        make_from_pictures(place / f"{number}.mp4", [(face, duration_s)], size=_FACE_SIZE_PX, filters=noise)
    make_pattern(folder / "5.mp4", duration_s=2.0)
    return folder


def copy_archive(archive: Path, target: Path) -> Path:
    """A copy with the same times, which stand in meta files."""
    return Path(shutil.copytree(archive, target))


def annotate_undisturbed(archive: Path, folder: Path) -> tuple[dict[str, bytes], float]:
    """The outputs of a run that nothing befalls, and the seconds it takes."""
    begun_s = time.monotonic()
    with running([*RUN_OPTIONS, archive], folder) as run:
        status = run.wait(_TIMEOUT_S)
    assert status == 0, run.errors
    return outputs_of(archive), time.monotonic() - begun_s


def outputs_of(archive: Path) -> dict[str, bytes]:
    """The outputs below an archive by their path."""
    return {str(path.relative_to(archive)): path.read_bytes() for path in _outputs(archive)}


def remove_outputs(archive: Path) -> None:
    """Makes an archive as it was."""
    for path in _outputs(archive):
        path.unlink()


def leavings(archive: Path) -> list[str]:
    """Temporary files below an archive."""
    return sorted(str(path.relative_to(archive)) for path in archive.rglob(f"{TEMPORARY_PREFIX}*"))


def difference(seen: dict[str, bytes], expected: dict[str, bytes]) -> str:
    """How outputs differ from what is expected, in words; nothing if they do not."""
    missing, further = sorted(expected.keys() - seen.keys()), sorted(seen.keys() - expected.keys())
    changed = sorted(name for name in expected.keys() & seen.keys() if seen[name] != expected[name])
    named = (("missing", missing), ("not expected", further), ("of other content", changed))
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in named if names)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; none if it was not begun."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def count_statuses(lines: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How often each status stands in a log."""
    return dict(Counter(line["status"] for line in lines))


def _outputs(archive: Path) -> list[Path]:
    return sorted(path for path in archive.rglob(f"*{OUTPUT_MARK}.*") if path.is_file())
