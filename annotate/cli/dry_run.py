"""Preview of a run (``annotate --dry-run``): one line per video, then totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from annotate.archive.scan import Scan
from annotate.batch.run import Plan, plan_archive
from annotate.cli import console
from annotate.cli.last_run import last_speed
from annotate.errors import AnnotateError
from annotate.media.ffmpeg import FFmpeg, find_ffmpeg
from annotate.media.probe import probe
from annotate.settings import available_cores
from annotate.storage.values import PathOrUrl
from annotate.text import clock, counted, printable

MAX_PROBED = 500
"""Maximum number of videos that are probed, evenly spaced; the length of the others is estimated from their sizes."""


def print_plan(items: Scan, plan: Plan, *, quiet: bool) -> None:
    """Print the action for each video, then the number and length of the videos to annotate and an estimate of the time.

    Raises:
        AnnotateError: as for `plan_archive`.
    """
    count, work = 0, list[PathOrUrl]()
    for planned in plan_archive(items, plan):
        count += 1
        console.print_text(printable(f"{planned.path}: {planned.description}"))
        if planned.needs_annotation:
            work.append(planned.path)
    if quiet:
        return
    amount = _amount(work, items.sizes_bytes()) if work else ""
    console.print_text(f"{counted(count, 'video')}: {len(work)} to annotate{amount}.")


def _amount(videos: Sequence[PathOrUrl], sizes_bytes: Mapping[PathOrUrl, int]) -> str:
    """Return the total length of videos and the time to annotate them, as text."""
    opened = [path for path in videos[:: -(-len(videos) // MAX_PROBED)] if isinstance(path, Path)]
    lengths_s = _lengths_s(opened)
    if not lengths_s:
        return ", of unknown length"
    length_s, about = sum(lengths_s.values()), ""
    if len(opened) < len(videos):
        known_bytes = sum(sizes_bytes[path] for path in lengths_s)
        length_s *= sum(sizes_bytes[path] for path in videos) / max(known_bytes, 1)
        about = "about "
    speed = last_speed()
    if speed is None:
        return f", {about}{clock(length_s)} long; no earlier run to estimate the time from"
    return f", {about}{clock(length_s)} long; about {clock(length_s / speed)} at the last run's {speed:.1f}x real time"


def _lengths_s(videos: Sequence[Path]) -> dict[Path, float]:
    """Return the lengths of videos as stated by their containers; those without one are left out."""
    ffmpeg = find_ffmpeg()
    with ThreadPoolExecutor(available_cores()) as threads:
        found = threads.map(lambda path: _duration_s(path, ffmpeg), videos)
        lengths_s = list(console.progress(found, "videos", total=len(videos)))
    return {path: length_s for path, length_s in zip(videos, lengths_s, strict=True) if length_s is not None}


def _duration_s(path: Path, ffmpeg: FFmpeg) -> float | None:
    try:
        return probe(path, ffmpeg=ffmpeg).duration_s
    except AnnotateError:
        return None
