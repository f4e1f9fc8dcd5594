"""Rendering of an archive: videos with the emotions drawn into the frames, with blurred faces, or with subtitle tracks.

The sidecar of a video lists its rendered videos, in any folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotate.archive.discover import VIDEO_EXTENSIONS, Selection, walk
from annotate.archive.layout import OUTPUT_MARK, Outputs
from annotate.archive.scan import ArchiveItem, locate
from annotate.archive.stored_report import read_item_report
from annotate.archive.validity import current_meta
from annotate.batch.executor import Executor, InlineExecutor
from annotate.batch.job import LocalJob, Outcome, Status, WorkContext, remarks_on
from annotate.batch.rendering import (
    choose_blurred_rendering,
    choose_boxes_rendering,
    choose_soft_rendering,
    move_into_place,
)
from annotate.batch.run import run_decoding, split_finished
from annotate.batch.write import OutputWriter, rename_in_tracks, unknown_file_error, write_sidecar
from annotate.errors import OutputError, ReportError, SettingsError, UnreadableError, read_error, write_error
from annotate.media.blur import Kept
from annotate.media.containers import CONTAINERS_WRITTEN
from annotate.media.probe import probe
from annotate.results.intervals import dominant_emotion
from annotate.results.meta import Meta, Render, hash_file, is_unchanged, json_safe_name, json_safe_text
from annotate.results.report import Report
from annotate.settings import ONE_CORE, Limits
from annotate.storage.base import Lock, prepare_output, require_local, storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

BOXES, SOFT, BLURRED = "boxes", "soft", "blurred"
"""Kinds of rendered videos: boxes drawn into the frames, subtitle tracks, and blurred faces."""


@dataclass(frozen=True)
class RenderOptions:
    """Options of rendering; ``language`` is that of the labels, an empty ``container`` selects the best one.

    Of a blurred video, the faces of ``keep`` are not blurred, and ``kept`` is what it keeps besides frames and subtitles.
    Corrections by people are applied to others if ``is_corrected``; those with tracks have captions if ``has_captions``.
    """

    kind: str = BOXES
    language: str = "en"
    container: str = ""
    force: bool = False
    keep: tuple[int, ...] = ()
    kept: Kept = field(default_factory=Kept)
    is_corrected: bool = True
    has_captions: bool = False

    def render(self, report_hash: str, own_hash: str = "") -> Render:
        """Return the entry in the sidecar of a video rendered with these options; blurred ones have no labels."""
        if self.kind != BLURRED:
            made_with = [] if self.is_corrected else ["--without-corrections"]
            made_with += ["--style caption"] if self.has_captions else []
            return Render(self.kind, self.language, report_hash, own_hash, " ".join(made_with))
        keep = [f"--keep {face_id}" for face_id in sorted(set(self.keep))]
        without = [] if self.kept.sound else ["--no-sound"]
        without += [] if self.kept.metadata else ["--no-metadata"]
        return Render(self.kind, "", report_hash, own_hash, " ".join([*keep, *without]))


@dataclass(frozen=True)
class RenderJob(LocalJob):
    """Everything a worker needs to render one video; ``target_stem`` is the path to write, without its extension."""

    item: ArchiveItem
    target_stem: Path
    options: RenderOptions
    limits: Limits = ONE_CORE

    def current_render(self, meta: Meta) -> Path | None:
        """Return the rendered video that this job would write, if it exists and was made from the current report."""
        for relative_path, render in meta.renders.items():
            stem, _, extension = relative_path.rpartition(".")
            is_same = replace(render, hash="") == self.options.render(self.report_hash(meta))
            is_here = stem == self.relative(self.target_stem) and self.options.container in ("", extension)
            if is_same and is_here:
                path = self.target_stem.with_name(f"{self.target_stem.name}.{extension}")
                if path.is_file():
                    return path
        return None

    def relative(self, path: Path) -> str:
        """Return the relative path from the outputs' folder to a rendered video, as the sidecar stores it."""
        return json_safe_text(storage_for(path).relative(path, self.outputs.base.parent))

    def report_hash(self, meta: Meta) -> str:
        """Return the hash of the current table, empty if the sidecar lists none."""
        return meta.outputs.get(json_safe_name(self.outputs.csv)) or ""


def render_video(job: RenderJob, context: WorkContext) -> Outcome:
    """Render one video.

    Raises:
        AnnotateError: rendering failed; no output is incomplete.
    """
    storage_for(job.path).check_readable(job.path)
    prepare_output(job.target_stem)
    storage_for(job.outputs.meta).check_writable(job.outputs.meta)
    with storage_for(job.outputs.base).lock(job.outputs.base) as lock:
        if lock is None:
            return Outcome.locked(job.path)
        try:
            meta = current_meta(job.item.reread())
            if not job.options.force and job.current_render(meta) is not None:
                return Outcome.skipped(job.path, meta)
            return _render(job, meta, context, lock)
        except OSError as error:
            raise read_error(job.path, error) from error


def _render(job: RenderJob, meta: Meta, context: WorkContext, lock: Lock) -> Outcome:
    video, options = probe(job.path, job.limits.max_pixels, ffmpeg=context.tools.ffmpeg), job.options
    is_corrected = options.is_corrected and options.kind != BLURRED  # a face that is excluded is blurred all the same
    report = read_item_report(job.item, meta, is_corrected=is_corrected)
    container = options.container.lower()
    if options.kind == BLURRED:
        rendering = choose_blurred_rendering(video, report, options.keep, options.kept, container, job.limits)
    elif options.kind == BOXES:
        rendering = choose_boxes_rendering(video, report, options.language, container, job.limits)
    else:
        rendering = choose_soft_rendering(
            video, report, options.language, container, job.limits, has_captions=options.has_captions
        )
    target = job.target_stem.with_name(f"{job.target_stem.name}.{options.container or rendering.container}")
    _check_replaceable(job, target, meta)

    def on_progress(done_s: float) -> None:
        if context.progress is not None:
            context.progress(done_s, meta.duration_s or video.duration_s)

    on_progress(0.0)
    with _scratch_folder(target, job.outputs, lock) as folder:
        file, warning_count = rendering.make(folder, on_progress)
        if not is_unchanged(meta.source, job.path):
            remedy = "annotate it again when it is complete"
            raise UnreadableError("changed while it was read", remedy, path=job.path)
        _publish(job, file, target, report, lock)
    remarks = [target.name, *rendering.remarks, *remarks_on(meta, warning_count)]
    emotion = dominant_emotion(report.blocks)
    problem = "; ".join(remarks)
    return Outcome(job.path, Status.RENDERED, meta.duration_s, meta.faces, emotion, problem, people=report.people)


def _publish(job: RenderJob, file: Path, target: Path, report: Report, lock: Lock) -> None:
    """Add a rendered video to the sidecar, then move it to its target; a kill in the opposite order left an unknown file."""
    meta = report.meta
    _check_replaceable(job, target, meta)
    meta = rename_in_tracks(report, OutputWriter(job.outputs, meta, lock))
    render = job.options.render(job.report_hash(meta), hash_file(file))
    meta = replace(meta, renders={**meta.renders, job.relative(target): render})
    storage_for(target).delete(target)
    write_sidecar(meta, job.outputs, lock)
    try:
        move_into_place(file, target)
    except OSError as error:
        raise write_error(target, error) from error


def _check_replaceable(job: RenderJob, target: Path, meta: Meta) -> None:
    """Check that the target does not exist, or is an unedited rendered video.

    Raises:
        OutputError: it is an unknown file.
    """
    if not os.path.lexists(target):
        return
    known = meta.renders.get(job.relative(target))
    if known is None or target.is_symlink() or not target.is_file() or hash_file(target) != known.hash:
        raise unknown_file_error(target)


@contextlib.contextmanager
def _scratch_folder(target: Path, outputs: Outputs, lock: Lock) -> Iterator[Path]:
    """Yield an empty folder on the disk of the target for the unfinished video.

    Raises:
        OutputError: another run is writing to the same target, or the folder is not writable.
    """
    with contextlib.ExitStack() as stack:
        scratch = lock.scratch
        if target.parent != outputs.base.parent:
            storage = storage_for(target)
            storage.sweep(target.parent)
            other = stack.enter_context(storage.lock(target))
            if other is None:
                raise OutputError("another run is writing it", "rerun when it has finished", path=target)
            scratch = other.scratch
        assert scratch is not None
        folder = scratch / "copy"
        folder.mkdir()
        yield folder


def scan_renders(
    paths: Sequence[PathOrUrl],
    options: RenderOptions | None = None,
    selection: Selection | None = None,
    target: Path | None = None,
    limits: Limits = ONE_CORE,
    output_dir: PathOrUrl | None = None,
) -> list[RenderJob | SkippedPath]:
    """Return a job for every video below ``paths``.

    ``target`` is the file to write for one video (.mp4, .mkv), or a folder like ``output_dir``: rendered videos are written
    below it in folders like the archive's, and reports there take precedence over those beside the videos.

    Raises:
        SettingsError: the target is one of the videos, or a single file for several videos; or the only video lacks a face
            to keep.
    """
    options = options or RenderOptions()
    found = list(walk(paths, selection))
    file = _single_file(target, [entry for entry in found if not isinstance(entry, SkippedPath)])
    if file is not None:
        if len(found) > 1 or any(storage_for(path).is_dir(path) for path in paths):
            problem = "a single file cannot be the target of several videos"
            raise SettingsError(problem, "give a folder with --output-dir", path=f"-o {file}")
        options = replace(options, container=file.suffix[1:])
    items_beside = {item.video: item for item in locate(found, paths) if isinstance(item, ArchiveItem)}
    entries: list[RenderJob | SkippedPath] = []
    tree = target if file is None and output_dir is None else output_dir
    for entry in locate(found, paths, tree):
        if isinstance(entry, SkippedPath):
            entries.append(entry)
            continue
        label = "" if options.kind == BLURRED else f".{options.language}"
        name = f"{entry.outputs.base.name}{OUTPUT_MARK}.{options.kind}{label}"
        stem = require_local(entry.outputs.base.with_name(name)) if file is None else file.with_suffix("")
        has_report = storage_for(entry.outputs.meta).exists(entry.outputs.meta)
        entries.append(RenderJob(entry if has_report else items_beside[entry.video], stem, options, limits))
    if options.keep and len(entries) == 1 and isinstance(entries[0], RenderJob):
        _check_kept(entries[0])
    return entries


def _check_kept(job: RenderJob) -> None:
    """Check that the faces to keep are in the table; one that cannot be read fails later.

    Raises:
        SettingsError: a face is not.
    """
    with contextlib.suppress(OSError, ReportError):
        faces = {face_id for face_id, _ in read_item_report(job.item, current_meta(job.item)).boxes}
        if unknown := sorted(set(job.options.keep) - faces):
            known = ", ".join(map(str, sorted(faces))) or "none"
            problem = f"no face {', '.join(map(str, unknown))} to keep (its table has: {known})"
            raise SettingsError(problem, "give face ids of the table", path=job.path)


def _single_file(target: Path | None, videos: Sequence[PathOrUrl]) -> Path | None:
    """Return the target if its extension is that of a video, None if it is a folder.

    Raises:
        SettingsError: the target is one of the videos, or has an unsupported extension.
    """
    if target is None or target.is_dir():
        return None
    if any(is_same_file(target, require_local(video)) for video in videos):
        raise SettingsError("the source video is never overwritten", "give another name", path=f"-o {target}")
    extension = target.suffix[1:].lower()
    if extension in CONTAINERS_WRITTEN:
        return target
    if extension in VIDEO_EXTENSIONS:
        supported = " and ".join(f".{name}" for name in CONTAINERS_WRITTEN)
        raise SettingsError(f"only {supported} can be written", "give another name, or a folder", path=f"-o {target}")
    return None


def is_same_file(target: Path, video: Path) -> bool:
    """Return whether a target is the file of a video: a link to it, or a path that differs only in case."""
    with contextlib.suppress(OSError):
        if os.path.samefile(target, video):
            return True
    target, video = (Path(os.path.realpath(path)) for path in (target, video))
    return str(target).casefold() == str(video).casefold()


def render_archive(
    entries: Iterable[RenderJob | SkippedPath], executor: Executor | None = None
) -> Generator[Outcome, None, None]:
    """Render the entries of `scan_renders`; yield one outcome per video as it finishes.

    Without an ``executor`` all work is done in this process. A single video gets all cores. Leftovers of killed runs are
    deleted first.
    """
    executor = executor or InlineExecutor()
    entries = list(entries)
    for folder in dict.fromkeys(entry.target_stem.parent for entry in entries if isinstance(entry, RenderJob)):
        storage_for(folder).sweep(folder)
    jobs = yield from split_finished(entries, _finished)
    yield from run_decoding(render_video, jobs, executor)


def _finished(job: RenderJob) -> Outcome | None:
    """Return the outcome of a video that is already rendered or cannot be; None if it needs work."""
    try:
        meta = current_meta(job.item)
    except ReportError as error:
        return Outcome.failed(job.path, error)
    except OSError as error:
        return Outcome.failed(job.path, read_error(job.path, error))
    if job.options.force or job.current_render(meta) is None:
        return None
    return Outcome.skipped(job.path, meta)
