"""Doing a job: a video decoded, analysed and written, or its report made into further formats."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from annotate.archive.claim import claim
from annotate.archive.job import Job, Progress, Work, unreadable
from annotate.archive.outcome import Outcome, Status
from annotate.archive.plan import Outputs, Task, Wanted, decide_conversion
from annotate.archive.walk import is_output
from annotate.errors import OutputError, UnreadableError
from annotate.media.binary import find_ffmpeg
from annotate.media.probe import check_readable
from annotate.parallel import Cores
from annotate.pipeline import Analysis, analyse
from annotate.tracks.boxes import BoxPaths, format_boxes, parse_boxes, paths_of, read_boxes
from annotate.tracks.files import check_writable, make_folder, remove, write_whole
from annotate.tracks.formats import write_track
from annotate.tracks.meta import Meta, describe_source, hash_content, hash_file, plain_name, read_meta, settings_that_matter
from annotate.tracks.pieces import dominant_emotion
from annotate.tracks.report import Report
from annotate.tracks.table import format_table, read_table, to_table
from annotate.version import ANALYSIS_VERSION, VERSION


def execute(job: Job, progress: Progress | None = None, cores: Cores | None = None) -> Outcome:
    """Does it, and tells how it came out.

    Raises:
        AnnotateError: it could not be done.
    """
    if not job.from_report:
        check_readable(job.path)
        make_folder(job.outputs.meta.parent)
    check_writable(job.outputs.meta)
    with claim(job.outputs) as scratch:
        if scratch is None:
            return Outcome(job.path, Status.BUSY, reason=f"{job.path}: another run is at it; it is left to that one")
        try:
            return _run_claimed(job, progress, cores, scratch)
        except OSError as error:
            raise UnreadableError(unreadable(error, job.path)) from error


def _run_claimed(job: Job, progress: Progress | None, cores: Cores | None, scratch: Path) -> Outcome:
    path, outputs = job.path, job.outputs
    decision = job.decision
    meta = decision.meta
    if decision.task is Task.SKIP and meta is not None:
        return Outcome(path, Status.SKIPPED, meta.duration_s, meta.faces)
    if decision.task is Task.CONVERT and meta is not None:
        _write_tracks(read_report(job, meta), decision.missing, meta, job, scratch)
        return Outcome(path, Status.CONVERTED, meta.duration_s, meta.faces)
    earlier = read_meta(outputs.meta)
    for track in outputs.tracks(job.wanted).values():
        if earlier is not None and not _is_ours(track, earlier):
            raise _foreign(track)
    report = _analyse(job, progress, cores)
    if earlier is not None:
        report = replace(report, meta=replace(report.meta, renders=earlier.renders))
    remove(outputs.meta)
    texts = {outputs.csv: format_table(report.table), outputs.boxes: format_boxes(report.boxes) if report.boxes else None}
    meta = _write(texts, report.meta, scratch)
    meta = _write_tracks(replace(report, meta=meta), tuple(outputs.tracks(job.wanted)), None, job, scratch)
    if earlier is not None:
        _remove_outdated(outputs, earlier, meta)
    status = Status.ANNOTATED if meta.faces else Status.NO_FACES
    return Outcome(path, status, meta.duration_s, meta.faces, dominant_emotion(report.pieces), meta.shortfall)


def _analyse(job: Job, progress: Progress | None, cores: Cores | None) -> Report:
    """A video's report, with boxes as they are read back."""
    source = describe_source(job.path)
    analysis = Analysis.open(job.path, job.settings, limits=job.limits)
    duration_s = analysis.video.duration_s
    if progress is not None:
        report = progress
        report(0.0, duration_s)
        analysis.progress = lambda analysed_s: report(analysed_s, duration_s)
    annotations = analyse(analysis, cores)
    if describe_source(job.path) != source:
        raise UnreadableError(f"{job.path}: has changed while it was read; annotate it again when it is complete")
    meta = Meta(
        analysis_version=ANALYSIS_VERSION,
        program=f"annotate {VERSION}",
        model_hash=analysis.classifier.model_hash,
        settings=settings_that_matter(job.settings),
        source=source,
        frames=analysis.decoding.frames,
        duration_s=analysis.decoding.end_s,
        missing_s=round(analysis.missing_s, 3),
        faces=analysis.blocks.faces,
        dropped_tracks=analysis.blocks.dropped_tracks,
        warnings=dict(analysis.decoding.warnings),
        ffmpeg=find_ffmpeg().version,
        width_px=analysis.video.width_px,
        height_px=analysis.video.height_px,
    )
    boxes = parse_boxes(format_boxes(paths_of(annotations).thinned()).encode())
    return Report(to_table(annotations, analysis.classifier.contract.class_names), meta, boxes, _way_to_video(job))


def read_standing(job: Work) -> Report:
    """A report that stands, as it was written and of the video as it is.

    Raises:
        ReportError: there is none, or it no longer holds.
        OSError: the video or the report cannot be read.
    """
    meta = decide_conversion(job.path, job.outputs, Wanted(())).meta
    assert meta is not None
    return read_report(job, meta)


def read_report(job: Work, meta: Meta) -> Report:
    """A report that stands and is as it was written.

    Raises:
        ReportError: it is not as this program writes it.
    """
    outputs = job.outputs
    boxes = read_boxes(outputs.boxes) if meta.outputs.get(plain_name(outputs.boxes)) else BoxPaths(())
    return Report(read_table(outputs.csv), meta, boxes, _way_to_video(job))


def _way_to_video(job: Work) -> str:
    """From the outputs' folder, with slashes; the video's whole path if there is none."""
    try:
        return Path(os.path.relpath(job.path, job.outputs.base.parent)).as_posix()
    except ValueError:
        return job.path.absolute().as_posix()


def _write_tracks(report: Report, names: Iterable[str], earlier: Meta | None, job: Job, scratch: Path) -> Meta:
    """Writes tracks of a report, then the meta file, and gives that.

    With an ``earlier`` meta file, files of these names that it does not know are left alone, unless they are the very
    tracks, written by a run that was killed before it could say so.

    Raises:
        OutputError: one of them is somebody else's, or cannot be written; then no other is.
    """
    texts: dict[Path, str | None] = {}
    for name in names:
        path = job.outputs.track(name, job.wanted.language)
        texts[path] = text = write_track(name, report, job.wanted.language)
        if earlier is not None and not _is_ours(path, earlier) and not _is_written(path, text):
            raise _foreign(path)
    meta = _write(texts, report.meta, scratch)
    write_whole(job.outputs.meta, meta.to_json(), scratch)
    return meta


def _write(texts: Mapping[Path, str | None], meta: Meta, scratch: Path) -> Meta:
    """Writes files, removes those there is nothing to write for, and gives a meta file's content that knows of them."""
    known: dict[str, str | None] = {}
    for path, text in texts.items():
        if text is None:
            remove(path)
        else:
            write_whole(path, text, scratch)
        known[plain_name(path)] = None if text is None else hash_content(text.encode())
    return replace(meta, outputs={**meta.outputs, **known})


def _is_ours(path: Path, earlier: Meta) -> bool:
    """Whether nothing but what an earlier run wrote is lost if something else is written to ``path``."""
    return earlier.outputs.get(plain_name(path)) is not None or not os.path.lexists(path)


def _is_written(path: Path, text: str | None) -> bool:
    return text is not None and not path.is_symlink() and path.is_file() and path.read_bytes() == text.encode()


def _foreign(path: Path) -> OutputError:
    return OutputError(f"{path}: not written, since a file is there that this program did not make; move it away")


def _remove_outdated(outputs: Outputs, earlier: Meta, meta: Meta) -> None:
    """Removes what an earlier run wrote in formats that were not asked for again: it is of the earlier report."""
    for name, known in earlier.outputs.items():
        path = outputs.meta.with_name(Path(name).name)
        is_mine = name == path.name and is_output(name) and name not in meta.outputs and not path.is_symlink()
        if is_mine and path.is_file() and hash_file(path) == known:
            remove(path)
