"""Render copies of an archive's videos with what their reports say: drawn into the pictures, or as tracks of subtitles.

The sidecar beside a report knows the copies that were made of it, wherever they lie.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotate.archive.discover import VIDEO_ENDINGS, Selection, walk
from annotate.archive.layout import OUTPUT_MARK, Outputs
from annotate.archive.scan import ArchiveItem, locate
from annotate.archive.stored_report import read_item_report
from annotate.archive.validity import current_meta
from annotate.batch.executor import Executor, InlineExecutor
from annotate.batch.job import Outcome, Status, WorkContext
from annotate.batch.rendering import choose_boxes, choose_tracks, put
from annotate.batch.run import run_decoding, split_finished
from annotate.errors import OutputError, ReportError, SettingsError, UnreadableError, unreadable, unwritable
from annotate.media.containers import CONTAINERS_WRITTEN
from annotate.media.probe import probe
from annotate.results.intervals import dominant_emotion
from annotate.results.meta import Meta, Render, hash_file, is_unchanged, json_safe_name, json_safe_text
from annotate.settings import ONE_CORE, Limits
from annotate.storage.base import Lock, local_only, storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

BOXES, SOFT = "boxes", "soft"
"""Kinds of copies: faces with boxes drawn into the pictures, and tracks of subtitles beside them."""


@dataclass(frozen=True)
class RenderOptions:
    """What is asked for: the kind of copy, the language of its words, the container (that of the video if empty)."""

    kind: str = BOXES
    language: str = "en"
    container: str = ""
    force: bool = False


@dataclass(frozen=True)
class RenderJob:
    """A video of which a copy is to be made: ``item`` tells where its report is, ``place`` is the copy without ending."""

    item: ArchiveItem
    place: Path
    options: RenderOptions
    limits: Limits = ONE_CORE

    @property
    def path(self) -> Path:
        """The video."""
        return local_only(self.item.video)

    @property
    def outputs(self) -> Outputs:
        """Names of its outputs."""
        return self.item.outputs

    def current_copy(self, meta: Meta) -> Path | None:
        """Return the copy of this kind and place that was made from the report as it is."""
        for way, render in meta.renders.items():
            stem, _, ending = way.rpartition(".")
            wanted = (self.relative(self.place), self.options.kind, self.options.language)
            is_it = (stem, render.kind, render.language) == wanted
            if is_it and self.options.container in ("", ending) and render.report == self.report_hash(meta):
                path = self.place.with_name(f"{self.place.name}.{ending}")
                if path.is_file():
                    return path
        return None

    def relative(self, path: Path) -> str:
        """Return the way from the outputs' folder to a copy, as the sidecar has it."""
        return json_safe_text(storage_for(path).relative(path, self.outputs.base.parent))

    def report_hash(self, meta: Meta) -> str:
        """Return the hash of the report that a copy is made from."""
        return meta.outputs.get(json_safe_name(self.outputs.csv)) or ""


def render_video(job: RenderJob, context: WorkContext) -> Outcome:
    """Make one copy.

    Raises:
        AnnotateError: it could not be made; nothing is half-written.
    """
    storage = storage_for(job.place)
    storage_for(job.path).check_readable(job.path)
    storage.ensure_dir(job.place.parent)
    for path in (job.outputs.meta, job.place):
        storage_for(path).check_writable(path)
    with storage_for(job.outputs.base).lock(job.outputs.base) as lock:
        if lock is None:
            return Outcome.locked(job.path)
        try:
            meta = current_meta(job.item.again())
            if not job.options.force and job.current_copy(meta) is not None:
                return Outcome.skipped(job.path, meta)
            return _render(job, meta, context, lock)
        except OSError as error:
            raise unreadable(job.path, error) from error


def _render(job: RenderJob, meta: Meta, context: WorkContext, lock: Lock) -> Outcome:
    video, options = probe(job.path, job.limits.max_pixels, ffmpeg=context.tools.ffmpeg), job.options
    report = read_item_report(job.item, meta)
    choose = choose_boxes if options.kind == BOXES else choose_tracks
    rendering = choose(video, report, options.language, options.container.lower(), job.limits)
    target = job.place.with_name(f"{job.place.name}.{options.container or rendering.container}")
    _check_free(job, target, meta)

    def on_seconds(done_s: float) -> None:
        if context.progress is not None:
            context.progress(done_s, meta.duration_s or video.duration_s)

    on_seconds(0.0)
    with _work_folder(target, job.outputs, lock) as folder:
        made, complaints = rendering.make(folder, on_seconds)
        if not is_unchanged(meta.source, job.path):
            remedy = "annotate it again when it is complete"
            raise UnreadableError("has changed while it was read", remedy, path=job.path)
        _put(job, made, target, meta, lock)
    remarks = [target.name, *rendering.remarks]
    if complaints:
        remarks.append(f"damaged: the decoder complained {complaints} times")
    emotion = dominant_emotion(report.pieces)
    return Outcome(job.path, Status.RENDERED, meta.duration_s, meta.faces, emotion, "; ".join(remarks))


def _put(job: RenderJob, made: Path, target: Path, meta: Meta, lock: Lock) -> None:
    """Put a copy into its place, after the sidecar knows it: were it the other way, a kill could leave a stranger."""
    _check_free(job, target, meta)
    known = Render(job.options.kind, job.options.language, job.report_hash(meta), hash_file(made))
    meta = replace(meta, renders={**meta.renders, job.relative(target): known})
    storage_for(target).delete(target)
    storage_for(job.outputs.meta).write_atomic(job.outputs.meta, meta.to_json(), lock.scratch)
    try:
        put(made, target)
    except OSError as error:
        raise unwritable(target, error) from error


def _check_free(job: RenderJob, target: Path, meta: Meta) -> None:
    """Make sure that nothing is lost where the copy goes.

    Raises:
        OutputError: something is there that this program did not make.
    """
    if not os.path.lexists(target):
        return
    known = meta.renders.get(job.relative(target))
    if known is None or target.is_symlink() or not target.is_file() or hash_file(target) != known.hash:
        problem = "not written, since a file is there that this program did not make"
        raise OutputError(problem, "move it away", path=target)


@contextlib.contextmanager
def _work_folder(target: Path, outputs: Outputs, lock: Lock) -> Iterator[Path]:
    """Give an empty folder for a copy in the making, on the disk of the target.

    Raises:
        OutputError: another run makes a copy of that name, or the folder takes no files.
    """
    with contextlib.ExitStack() as stack:
        scratch = lock.scratch
        if target.parent != outputs.base.parent:
            storage = storage_for(target)
            storage.sweep(target.parent)
            other = stack.enter_context(storage.lock(target))
            if other is None:
                raise OutputError("another run is writing it", "it is left to that one", path=target)
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

    ``target`` is a file (.mp4, .mkv) for the copy of one video, or a directory, as ``output_dir`` is in any case: copies go
    there in a tree like the archive's, and reports are looked for there too, before those beside the videos.

    Raises:
        SettingsError: the target is a video itself, or a file for several, or copies of two roots have one place.
    """
    options = options or RenderOptions()
    found = list(walk(paths, selection))
    file = _file_of(target, [entry for entry in found if not isinstance(entry, SkippedPath)])
    if file is not None:
        if len(found) > 1 or any(storage_for(path).is_dir(path) for path in paths):
            problem = "is one file, but there may be several videos"
            raise SettingsError(problem, "give a directory", path=f"-o {file}")
        options = replace(options, container=file.suffix[1:])
    beside = {item.video: item for item in locate(found, paths) if isinstance(item, ArchiveItem)}
    entries: list[RenderJob | SkippedPath] = []
    tree = target if file is None and output_dir is None else output_dir
    for entry in locate(found, paths, tree):
        if isinstance(entry, SkippedPath):
            entries.append(entry)
            continue
        usual = entry.outputs.base.with_name(f"{entry.outputs.base.name}{OUTPUT_MARK}.{options.kind}.{options.language}")
        place = local_only(usual) if file is None else file.with_suffix("")
        is_here = storage_for(entry.outputs.meta).exists(entry.outputs.meta)
        entries.append(RenderJob(entry if is_here else beside[entry.video], place, options, limits))
    return entries


def _file_of(target: Path | None, videos: Sequence[PathOrUrl]) -> Path | None:
    """Return the target if it is meant as a file, by its ending, and None if it is a directory.

    Raises:
        SettingsError: it is one of the videos, or a file of a kind that is not written.
    """
    if target is None or target.is_dir():
        return None
    if any(is_same_file(target, local_only(video)) for video in videos):
        raise SettingsError("is the video itself, which is never written to", "give another name", path=f"-o {target}")
    ending = target.suffix[1:].lower()
    if ending in CONTAINERS_WRITTEN:
        return target
    if ending in VIDEO_ENDINGS:
        known = " or ".join(f".{name}" for name in CONTAINERS_WRITTEN)
        raise SettingsError(f"copies are written as {known}", "give such a name, or a directory", path=f"-o {target}")
    return None


def is_same_file(target: Path, video: Path) -> bool:
    """Return whether a target is a video itself: by links, or by a name that differs in the case of letters only."""
    with contextlib.suppress(OSError):
        if os.path.samefile(target, video):
            return True
    target, video = (Path(os.path.realpath(path)) for path in (target, video))
    return str(target).casefold() == str(video).casefold()


def render_archive(
    entries: Iterable[RenderJob | SkippedPath], executor: Executor | None = None
) -> Generator[Outcome, None, None]:
    """Make copies as `scan_renders` finds them; yield one outcome per video as it finishes.

    Without an ``executor`` this process does it all. A single video gets all cores. What killed runs left is removed first.

    Raises:
        FFmpegError: boxes are wanted, and there is no ffmpeg that can draw them.
    """
    executor = executor or InlineExecutor()
    entries = list(entries)
    for folder in dict.fromkeys(entry.place.parent for entry in entries if isinstance(entry, RenderJob)):
        storage_for(folder).sweep(folder)
    jobs = yield from split_finished(entries, _finished)
    yield from run_decoding(render_video, jobs, executor)


def _finished(job: RenderJob) -> Outcome | None:
    """Return the outcome of a video of which a copy stands, or cannot be made; None if there is work."""
    try:
        meta = current_meta(job.item)
    except ReportError as error:
        return Outcome.failed(job.path, error)
    except OSError as error:
        return Outcome.failed(job.path, unreadable(job.path, error))
    if job.options.force or job.current_copy(meta) is None:
        return None
    return Outcome.skipped(job.path, meta)
