"""Clips of moments: which are to be made under which names, how large they will be, and the run that makes them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotate.analytics.moments import Moment
from annotate.analytics.read import ReportSummary
from annotate.archive.layout import outputs_of_report
from annotate.archive.scan import ArchiveItem
from annotate.batch.clip_folder import ClipFolder, ClipRow
from annotate.batch.clip_job import GIF, ClipJob, ClipOptions, ClipOutcome, make_clip
from annotate.batch.executor import Executor
from annotate.batch.job import Outcome
from annotate.batch.run import run_decoding
from annotate.batch.write import unknown_file_error
from annotate.errors import OutputError
from annotate.media.containers import CONTAINERS_WRITTEN
from annotate.media.cut import SAMPLE_BYTES, SAMPLE_RATE
from annotate.media.images import GIF_LONG_SIDE_PX, GIF_RATE
from annotate.results.meta import normal_form
from annotate.settings import ONE_CORE, Limits
from annotate.span import MS_PER_S, Span
from annotate.storage.base import require_local, storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

_HASH_DIGITS = 8
_MAX_NAME_BYTES = 240
_USUAL_SIZE_PX, _USUAL_RATE = (1920, 1080), 25.0
"""Size and frame rate of a video whose sidecar does not know them."""

_BYTES_PER_PIXEL, _GIF_BYTES_PER_PIXEL = 0.025, 0.5
"""Estimates for a pixel of a frame, of H.264 at the quality that is written, and of a GIF."""

_SOUND_BYTES_PER_S = 24_000
_KEY_FRAME_MS = 10_000
"""A copied clip may begin so much earlier."""

_RESERVED_BYTES = 50_000_000
"""Bytes of the disk that stay free."""


@dataclass(frozen=True)
class PlannedClip:
    """A clip to make: its ``name`` is the path below the folder, without the extension."""

    name: str
    row: ClipRow
    span: Span
    item: ArchiveItem
    report: Path
    size_bytes: int
    made: str = ""
    """The existing clip of which only the GIF is missing."""


@dataclass
class ClipPlan:
    """The clips to make, the number of those that exist, what cannot be made, and how many bytes all need."""

    clips: list[PlannedClip] = field(default_factory=list)
    existing: int = 0
    skipped: list[SkippedPath] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def length_ms(self) -> int:
        """Length of the clips to make, together."""
        return sum(clip.span.duration_ms for clip in self.clips)


def plan_clips(
    moments: Iterable[Moment],
    folder: ClipFolder,
    options: ClipOptions,
    paths: Sequence[Path],
    videos: Path | None = None,
    *,
    with_reel: bool = False,
) -> ClipPlan:
    """Return the clips of moments that are missing in a folder.

    ``paths`` are those below which the tables were found: names repeat the folders below them. With ``videos``, the videos
    are below that folder, as the tables are below the only path. Moments whose clips exist are brought up to date in the
    record.
    """
    plan, items = ClipPlan(), dict[PathOrUrl, ArchiveItem | None]()
    names = {normal_form(name.casefold()): (name, row) for name, row in folder.clips.items()}
    planned: set[str] = set()
    for moment in moments:
        report = moment.report
        if report.path not in items:
            items[report.path] = _find_video(report, paths, videos, plan)
        item = items[report.path]
        if item is None or item.meta is None:
            continue
        found = replace(moment, report=replace(report, video_path=item.video))
        row = ClipRow.of(found, folder.path, item.meta.source.hash)
        name = _free_name(clip_name(moment, _folder_below(report.path, paths)), row, names)
        if name in planned:  # the same moment in two trials that overlap
            continue
        planned.add(name)
        span = options.around(moment.span, report.duration_ms)
        clip = PlannedClip(name, row, span, item, require_local(report.path), _estimate_bytes(span, report, item, options))
        _add(plan, clip, names.get(normal_form(name.casefold())), folder, options)
        names[normal_form(name.casefold())] = name, row
    plan.size_bytes = sum(clip.size_bytes for clip in plan.clips)
    if with_reel:
        sound_bytes = SAMPLE_RATE * SAMPLE_BYTES // MS_PER_S
        plan.size_bytes = 2 * plan.size_bytes + plan.length_ms * sound_bytes
    return plan


def _add(
    plan: ClipPlan, clip: PlannedClip, known: tuple[str, ClipRow] | None, folder: ClipFolder, options: ClipOptions
) -> None:
    """Add a clip to a plan, unless it exists or cannot be made."""
    target = folder.path / clip.name
    if known is not None and known[0] in folder.clips and folder.has(known[1].file):
        if known[1].source_hash != clip.row.source_hash:
            problem = "not written (the clip of an earlier version of the video is there)"
            plan.skipped.append(SkippedPath(folder.path / known[1].file, problem, "move it away"))
            return
        folder.update(clip.name, clip.row)
        if not options.with_gif or (known[1].gif and folder.has(known[1].gif)):
            plan.existing += 1
            return
        clip = replace(clip, made=known[1].file)
    endings = (GIF,) if clip.made else (*CONTAINERS_WRITTEN, *([GIF] if options.with_gif else []))
    for ending in endings:
        if os.path.lexists(file := target.with_name(f"{target.name}.{ending}")) and file != folder.gif_of(clip.name):
            error = unknown_file_error(file)
            plan.skipped.append(SkippedPath(file, error.problem, error.remedy))
            return
    plan.clips.append(clip)


def _find_video(report: ReportSummary, paths: Sequence[Path], videos: Path | None, plan: ClipPlan) -> ArchiveItem | None:
    """Return the video of a table; None if it is missing, which is added to what is skipped."""
    table, video = require_local(report.path), require_local(report.video_path)
    if videos is not None:
        video = videos / table.parent.relative_to(paths[0]) / video.name
    item = ArchiveItem.read(video, outputs_of_report(table))
    if item.stat is not None:
        return item
    remedy = "give the folder of the videos with --videos" if videos is None else "check --videos"
    plan.skipped.append(SkippedPath(video, "no such file", remedy))
    return None


def _folder_below(report: PathOrUrl, paths: Sequence[Path]) -> str:
    """Return the folder of a table below the path at which it was found, with a slash; empty if directly in it."""
    for path in paths:
        storage = storage_for(path)
        if storage.is_dir(path) and storage.is_below(report, path):
            folder = storage.subpath(report, path).parent.as_posix()
            return "" if folder == "." else f"{folder}/"
    return ""


def clip_name(moment: Moment, folder: str) -> str:
    """Return the path of a clip below the folder of clips, without extension: video, start, length, emotion and face.

    Bytes of the name of a video that are not UTF-8 become ``_``, since the record is JSON.
    """
    seconds, ms = divmod(moment.span.start_ms, MS_PER_S)
    start = f"{seconds // 3600:02d}-{seconds // 60 % 60:02d}-{seconds % 60:02d}.{ms:03d}"
    emotion = "".join(char if char.isalnum() or char in "-_" else "-" for char in moment.emotion)[:40]
    ending = f"_{start}_{moment.span.duration_s:.3f}s_{emotion}_face{moment.face_id}"
    base = outputs_of_report(moment.report.path).base.name
    while len(os.fsencode(base + ending)) > _MAX_NAME_BYTES - _HASH_DIGITS:
        base = base[:-1]
    name = f"{folder}{base}{ending}"
    return "".join("_" if "\ud800" <= char <= "\udfff" else char for char in name)


def _free_name(name: str, row: ClipRow, names: dict[str, tuple[str, ClipRow]]) -> str:
    """Return the name of a clip, with a hash of the path of its video if a clip of another video has the name."""
    key = normal_form(name.casefold())
    if key not in names or names[key][1].is_of(row):
        return names[key][0] if key in names else name
    return f"{name}~{hashlib.sha256(row.video.encode()).hexdigest()[:_HASH_DIGITS]}"


def _estimate_bytes(span: Span, report: ReportSummary, item: ArchiveItem, options: ClipOptions) -> int:
    """Return about how many bytes a clip needs, with its GIF."""
    assert item.meta is not None
    width_px, height_px = item.meta.size_px_at(span.start_ms)
    if not width_px:
        width_px, height_px = _USUAL_SIZE_PX
    gif_bytes = 0.0
    if options.with_gif:
        factor = min(1.0, GIF_LONG_SIDE_PX / max(width_px, height_px))
        pixels = width_px * height_px * factor**2
        gif_bytes = span.duration_s * float(GIF_RATE) * pixels * _GIF_BYTES_PER_PIXEL
    if options.is_copied and item.stat is not None and report.duration_ms:
        share = min(1.0, (span.duration_ms + _KEY_FRAME_MS) / report.duration_ms)
        return round(share * item.stat.size_bytes + gif_bytes)
    rate = report.frames * MS_PER_S / report.duration_ms if report.frames and report.duration_ms else _USUAL_RATE
    frames_bytes = width_px * height_px * rate * _BYTES_PER_PIXEL + _SOUND_BYTES_PER_S
    return round(span.duration_s * frames_bytes + gif_bytes)


def check_space(folder: Path, size_bytes: int) -> None:
    """Check that the disk of a folder has room.

    Raises:
        OutputError: it has not.
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free_bytes = max(0, shutil.disk_usage(existing).free - _RESERVED_BYTES)
    if size_bytes > free_bytes:
        problem = f"not enough disk space (about {in_bytes(size_bytes)} needed, {in_bytes(free_bytes)} free)"
        raise OutputError(problem, "choose another disk, or fewer or shorter moments", path=folder)


def in_bytes(size_bytes: int) -> str:
    """Return a size as text.

    >>> in_bytes(900), in_bytes(2_340_000), in_bytes(48_000_000_000)
    ('1 kB', '2.3 MB', '48 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= size:
            count = size_bytes / size
            return f"{count:.1f} {unit}" if count < 10 else f"{count:.0f} {unit}"
    return f"{-(-size_bytes // 1000)} kB"


def make_clips_of(
    plan: ClipPlan, folder: ClipFolder, options: ClipOptions, executor: Executor, limits: Limits = ONE_CORE
) -> Generator[Outcome, None, None]:
    """Make the clips of a plan and move them into the folder; yield an outcome of each as it finishes."""
    planned, jobs = dict[Path, PlannedClip](), []
    for number, clip in enumerate(plan.clips):
        target = folder.path / clip.name
        planned[target] = clip
        made = folder.path / clip.made if clip.made else None
        own = folder.scratch / str(number)
        jobs.append(ClipJob(clip.item, clip.report, target, clip.span, options, own, limits, made))
    for outcome in run_decoding(make_clip, jobs, executor):
        clip = planned[require_local(outcome.path)]
        if not isinstance(outcome, ClipOutcome):
            yield outcome
            continue
        shown = outcome.shown or folder.clips[clip.name].shown
        row = replace(clip.row, file=clip.made, clip_start_ms=shown.start_ms, clip_end_ms=shown.end_ms)
        try:
            folder.publish(clip.name, row, outcome.files)
        except OutputError as error:
            yield Outcome.failed(outcome.path, error)
        else:
            yield replace(outcome, path=folder.path / folder.clips[clip.name].file)
        finally:
            for file in outcome.files:
                shutil.rmtree(file.parent, ignore_errors=True)
