"""Make the clip of one moment: cut to the frame or at key frames, with boxes or blurred faces, and as a GIF."""

from __future__ import annotations

import shutil
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.analysis.pipeline import analyzed_sizing
from annotate.analysis.thorough_search import THOROUGH, find_faces
from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_report
from annotate.batch.job import LocalJob, Outcome, Status, WorkContext
from annotate.batch.rendering import boxes_by_face, boxes_track
from annotate.errors import ReportError, SettingsError, UnreadableError, read_error
from annotate.faces.blocks import TimedBox
from annotate.faces.coverage import cover_faces
from annotate.media.blur import Region, RegionsAt
from annotate.media.containers import MP4
from annotate.media.copy_cut import copied_container, copy_cut
from annotate.media.cut import Cut, cut, frames_in
from annotate.media.decode import Frame
from annotate.media.images import make_gif
from annotate.media.probe import Video, probe
from annotate.results.meta import is_unchanged
from annotate.results.report import Report
from annotate.settings import ONE_CORE, Limits
from annotate.span import MS_PER_S, Span
from annotate.storage.base import require_local, storage_for

BOXES, BLURRED = "boxes", "blurred"
"""What is drawn into clips: boxes with labels, or blurred faces."""

GIF = "gif"
_SEARCH_MARGIN_MS = 1000
"""Faces to blur are searched for this long before and after a clip, since each is blurred for a while longer."""


@dataclass(frozen=True)
class ClipOptions:
    """Options of clips.

    A clip begins ``lead_in_s`` before its moment and ends ``lead_out_s`` after it. ``is_copied`` clips are not encoded.
    ``drawing`` is `BOXES`, `BLURRED` or empty; labels are in ``language``, and faces ``keep`` are not blurred.
    """

    lead_in_s: float = 0.0
    lead_out_s: float = 0.0
    is_copied: bool = False
    drawing: str = ""
    language: str = "en"
    keep: tuple[int, ...] = ()
    has_sound: bool = True
    is_corrected: bool = True
    with_gif: bool = False

    def made_with(self) -> list[str]:
        """Return the options that change what a clip shows, as they are given on the command line."""
        texts = [f"--lead-in {self.lead_in_s:g}"] if self.lead_in_s else []
        texts += [f"--lead-out {self.lead_out_s:g}"] if self.lead_out_s else []
        texts += ["--copy"] if self.is_copied else []
        if self.drawing == BOXES:
            texts += ["--boxes", *([f"--lang {self.language}"] if self.language != "en" else [])]
            texts += [] if self.is_corrected else ["--without-corrections"]
        if self.drawing == BLURRED:
            texts += ["--blur", *(f"--keep {face_id}" for face_id in sorted(set(self.keep)))]
        return [*texts, *([] if self.has_sound else ["--no-sound"])]

    def around(self, span: Span, end_ms: int) -> Span:
        """Return the span of the clip of a moment, within the video that ends at ``end_ms``."""
        start_ms = max(0, span.start_ms - round(self.lead_in_s * MS_PER_S))
        return Span(start_ms, max(span.end_ms, min(end_ms, span.end_ms + round(self.lead_out_s * MS_PER_S))))


def choose_drawing(*, is_copied: bool, boxes: bool, blur: bool) -> str:
    """Return what is drawn into clips.

    Raises:
        SettingsError: options exclude each other.
    """
    if boxes and blur:
        raise SettingsError("clips have boxes or blurred faces, not both", "leave out --boxes or --blur")
    if is_copied and (boxes or blur):
        raise SettingsError("nothing can be drawn without encoding", "leave out --copy, or --boxes and --blur")
    return BOXES if boxes else BLURRED if blur else ""


@dataclass(frozen=True)
class ClipJob(LocalJob):
    """Everything a worker needs to make one clip.

    ``report`` is the table. ``target`` is the file to write, without its extension, and ``folder`` a new folder for
    unfinished files on its disk. If the clip exists already, ``made`` is its file, and only its GIF is missing.
    """

    item: ArchiveItem
    report: Path
    target: Path
    span: Span
    options: ClipOptions
    folder: Path
    limits: Limits = ONE_CORE
    made: Path | None = None

    @property
    def path(self) -> Path:
        """The clip, which names it in messages."""
        return self.target

    @property
    def outputs(self) -> Outputs:
        """Paths of the outputs of the video."""
        return self.item.outputs


@dataclass(frozen=True)
class ClipOutcome(Outcome):
    """Result of making a clip: its unfinished ``files``, and the span of the video that it shows."""

    files: tuple[Path, ...] = ()
    shown: Span | None = None


def make_clip(job: ClipJob, context: WorkContext) -> Outcome:
    """Make one clip, in the job's folder.

    Raises:
        AnnotateError: the video cannot be used, has changed, or the disk is full.
    """
    shutil.rmtree(job.folder, ignore_errors=True)  # of a worker that crashed
    storage_for(job.folder).ensure_dir(job.folder)
    ffmpeg = context.tools.ffmpeg
    clip, shown, remark, files = job.made, None, "", []
    if clip is None:
        source = require_local(job.item.video)
        _check_source(job, source)
        video = probe(source, job.limits.max_pixels, ffmpeg=ffmpeg)
        clip, made = _cut(job, video, context)
        shown, remark = made.span, "the video is damaged" if made.warning_count else ""
        files.append(clip)
    if job.options.with_gif:
        gif = job.folder / f"clip.{GIF}"
        make_gif(probe(clip, job.limits.max_pixels, ffmpeg=ffmpeg), gif, limits=job.limits)
        files.append(gif)
    duration_s = 0.0 if shown is None else shown.duration_s
    return ClipOutcome(job.path, Status.RENDERED, duration_s, problem=remark, files=tuple(files), shown=shown)


def _check_source(job: ClipJob, source: Path) -> None:
    storage_for(source).check_readable(source)
    try:
        if job.item.meta is not None and not is_unchanged(job.item.meta.source, source):
            problem = "the video has changed since it was annotated"
            raise ReportError(problem, f"run `annotate {source}` first", path=source)
    except OSError as error:
        raise read_error(source, error) from error


def _cut(job: ClipJob, video: Video, context: WorkContext) -> tuple[Path, Cut]:
    options, target = job.options, job.folder / f"clip.{MP4}"
    if options.is_copied:
        target = job.folder / f"clip.{copied_container(video)}"
        return target, copy_cut(video, job.span, target, limits=job.limits, has_sound=options.has_sound)

    def progress(done_s: float) -> None:
        if context.progress is not None:
            context.progress(done_s, job.span.duration_s)

    report = read_report(job.report, is_corrected=options.is_corrected) if options.drawing else None
    track, regions_at = None, None
    if report is not None and options.drawing == BOXES:
        track = boxes_track(report.during(job.span), options.language)
    elif report is not None:
        regions_at = _find_regions(job, video, report)
    made = cut(
        video,
        job.span,
        target,
        ass_track=track,
        regions_at=regions_at,
        has_sound=options.has_sound,
        limits=job.limits,
        progress=progress,
    )
    if job.item.meta is not None and not is_unchanged(job.item.meta.source, video.path):
        raise UnreadableError("changed while it was read", "annotate it again when it is complete", path=video.path)
    return target, made


def _find_regions(job: ClipJob, video: Video, report: Report) -> RegionsAt:
    """Return what gives the regions to blur in a frame of the clip, by a search of the clip and of a second around it."""
    searched = Span(max(0, job.span.start_ms - _SEARCH_MARGIN_MS), job.span.end_ms + _SEARCH_MARGIN_MS)
    found = find_faces(frames_in(video, searched, analyzed_sizing(THOROUGH.min_face), limits=job.limits))
    known = {face_id: _during(boxes, searched) for face_id, boxes in boxes_by_face(report, video).items()}
    keep = job.options.keep
    coverage = cover_faces(
        found,
        [boxes for face_id, boxes in known.items() if boxes and face_id not in keep],
        [boxes for face_id, boxes in known.items() if boxes and face_id in keep],
    )
    times_ms = sorted(found.times_ms)

    def regions_at(frame: Frame) -> list[Region] | None:
        number = bisect_right(times_ms, frame.span.start_ms)  # the first frame of a clip may have begun before it
        boxes = coverage.at(times_ms[number - 1]) if number else None
        return None if boxes is None else [(box.x, box.y, box.width, box.height) for box in boxes]

    return regions_at


def _during(boxes: Sequence[TimedBox], span: Span) -> list[TimedBox]:
    return [box for box in boxes if box.time_ms in span]
