"""Processing of one video: lock, decide, download, analyze, write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import ChunkItem
from annotate.analysis.parallel import analyze, count_chunks, merge_chunks, sort_annotations
from annotate.analysis.pipeline import Analysis
from annotate.analysis.tools import Tools
from annotate.archive.corrections import CorrectionFiles, remark_on_problems
from annotate.archive.persons import PersonFiles
from annotate.archive.stored_report import read_item_report
from annotate.batch.job import AnnotateJob, Outcome, Status, WorkContext, remarks_on
from annotate.batch.plan import Action, Decision
from annotate.batch.write import (
    OutputWriter,
    add_tracks,
    refuse_unknown_files,
    rename_in_tracks,
    write_report,
    write_sidecar,
    write_tracks,
)
from annotate.errors import DecodingError, MediaError, OutputError, StorageError, UnreadableError, read_error
from annotate.media.probe import probe
from annotate.persons.descriptor import Describer
from annotate.persons.tracks import TrackVectors, number_persons
from annotate.results.baseline import add_baseline
from annotate.results.boxes import collect_trajectories
from annotate.results.failure import Attempt, Failure
from annotate.results.intervals import dominant_emotion
from annotate.results.meta import Meta, Source, describe_source, result_settings
from annotate.results.report import Report
from annotate.results.table import PERSON, to_columns
from annotate.settings import NO_BASELINE, NO_HWACCEL, Settings
from annotate.storage.base import Lock, storage_for
from annotate.storage.values import PathOrUrl
from annotate.version import ANALYSIS_VERSION, VERSION

MAX_CHUNKS = 1000
"""Maximum number of chunks, 83 hours; a longer video is not split, since the length in its header may be wrong."""


@dataclass(frozen=True)
class ChunkPlan:
    """Split of a long video into ``count`` chunks, with the file's state and its length according to its header."""

    count: int
    source: Source
    duration_s: float | None


@dataclass(frozen=True)
class AnalyzedChunks:
    """Results of the chunks of a long video, in order; None for a chunk that could not be analyzed."""

    plan: ChunkPlan
    items: Sequence[list[ChunkItem] | None]


def annotate_video(job: AnnotateJob, context: WorkContext, chunks: AnalyzedChunks | None = None) -> Outcome:
    """Annotate one video, or only convert its report to the missing formats if the report is current.

    ``chunks`` are the results of its chunks if they were analyzed before; if they cannot be merged, the whole video is
    analyzed again.

    Raises:
        AnnotateError: the video failed; no output is incomplete.
    """
    with _locked(job) as lock:
        return Outcome.locked(job.path) if lock is None else _annotate_locked(job, context, lock, chunks)


def annotate_or_split(job: AnnotateJob, context: WorkContext) -> Outcome | ChunkPlan:
    """Annotate one video; if it is long, return how to split it among several workers instead.

    A video in object storage is not split, since every chunk would download it. Errors as for `annotate_video`.
    """
    with _locked(job) as lock:
        if lock is None:
            return Outcome.locked(job.path)
        plan = _plan_chunks(job, context, lock) if storage_for(job.path).is_local else None
        return _annotate_locked(job, context, lock) if plan is None else plan


def _annotate_locked(job: AnnotateJob, context: WorkContext, lock: Lock, chunks: AnalyzedChunks | None = None) -> Outcome:
    outputs, options = job.outputs, job.options
    item = job.item.reread()
    decision = job.decide(item)
    if decision.action is not Action.ANNOTATE:
        return _convert(job, decision, lock)
    refuse_unknown_files(outputs, options, item.meta)
    with _local_video(job, context, lock, chunks) as (video, source):
        analysis = _open(job, context, video)
        annotations = _analyze(analysis, context, chunks)
        report = _make_report(job, analysis, annotations, source, item.meta)
        if job.settings.persons:
            report = _with_persons(report, analysis)
    lock.confirm()
    storage_for(outputs.meta).delete(outputs.meta)
    writer = OutputWriter(outputs, item.meta, lock)
    meta = write_report(report, writer)
    shown = _as_people_say(replace(report, meta=meta), outputs.csv)
    meta = write_tracks(shown, tuple(outputs.tracks(options)), options, writer)
    lock.confirm()
    write_sidecar(meta, outputs, lock)
    writer.delete_outdated(meta)
    storage_for(outputs.failure).delete(outputs.failure)
    remark = remark_on_problems(outputs.csv, shown.problems)
    remarks = "; ".join(filter(None, (meta.damage.statement(), *writer.kept, remark)))
    status = Status.ANNOTATED if meta.faces else Status.NO_FACES
    emotion = dominant_emotion(report.blocks)
    return Outcome(
        job.path,
        status,
        meta.duration_s,
        meta.faces,
        emotion,
        remarks,
        has_small_faces=meta.has_small_faces,
        decoded_whole=bool(meta.decoded_whole),
        people=shown.people,
    )


def _plan_chunks(job: AnnotateJob, context: WorkContext, lock: Lock) -> ChunkPlan | None:
    """Return how to split a local video; None if it is short, or need not be analyzed."""
    item = job.item.reread()
    if job.decide(item).action is not Action.ANNOTATE:
        return None
    refuse_unknown_files(job.outputs, job.options, item.meta)
    with _local_video(job, context, lock) as (video, source):
        probed = probe(video, job.limits.max_pixels, ffmpeg=context.tools.ffmpeg)
    count = count_chunks(probed, job.settings)
    return ChunkPlan(count, source, probed.duration_s) if 1 < count <= MAX_CHUNKS else None


@contextlib.contextmanager
def _locked(job: AnnotateJob) -> Iterator[Lock | None]:
    """Check paths, then hold the lock on the job's outputs; yield None if another run holds it.

    Raises:
        AnnotateError: the video cannot be read, or outputs cannot be written.
    """
    outputs, storage = job.outputs, storage_for(job.outputs.base)
    if not job.from_report:
        with _leave_to_job():
            storage_for(job.path).check_readable(job.path)
        storage.ensure_dir(outputs.meta.parent)
    storage.check_writable(outputs.meta)
    with storage.lock(outputs.base) as lock:
        try:
            yield lock
        except StorageError:
            raise
        except OSError as error:
            raise read_error(job.path, error) from error


@contextlib.contextmanager
def _leave_to_job() -> Iterator[None]:
    """Ignore an error of the file itself: the job meets it again, when it holds the lock and can record it."""
    try:
        yield
    except UnreadableError as error:
        if not error.is_lasting:
            raise


def _convert(job: AnnotateJob, decision: Decision, lock: Lock) -> Outcome:
    """Convert the report to the missing formats, and those with a former name of the video, if any; or fail as before."""
    if decision.failure is not None:
        return Outcome.remembered(job.path, decision.failure)
    meta = decision.meta
    assert meta is not None
    if decision.action is Action.SKIP:
        return Outcome.skipped(job.path, meta)
    report = read_item_report(job.item, meta, is_corrected=job.options.is_corrected)
    writer = OutputWriter(job.outputs, meta, lock)
    meta = add_tracks(report, decision.missing, job.options, writer)
    meta = rename_in_tracks(replace(report, meta=meta), writer)
    lock.confirm()
    write_sidecar(meta, job.outputs, lock)
    remarks = list(filter(None, [*writer.kept, *remarks_on(meta), remark_on_problems(job.outputs.csv, report.problems)]))
    new = [digest for name, digest in meta.outputs.items() if report.meta.outputs.get(name) != digest]
    is_empty = not meta.faces and not any(new)
    status = Status.NO_FACES if is_empty else Status.CONVERTED
    return Outcome(job.path, status, meta.duration_s, meta.faces, problem="; ".join(remarks), people=report.people)


@contextlib.contextmanager
def _local_video(
    job: AnnotateJob, context: WorkContext, lock: Lock, chunks: AnalyzedChunks | None = None
) -> Iterator[tuple[Path, Source]]:
    """Yield a local file with the video, and its state; check on exit that the video is unchanged.

    If the video itself is why the block fails, that is recorded.

    Raises:
        UnreadableError: the video cannot be read, or was changed meanwhile.
        OutputError: there is no space for the download.
    """
    storage = storage_for(job.path)
    if context.progress is not None and not storage.is_local:
        context.progress(0.0, None)
    before = storage.stat(job.path)
    with storage.local_copy(job.path, job.scratch) as video:
        try:
            storage_for(video).check_readable(video)
            source = describe_source(job.path, before, video) if chunks is None else chunks.plan.source
            yield video, source
        except MediaError as error:
            if storage.stat(job.path) == before:
                _record(error, job, describe_source(job.path, before, video), lock)
            raise
        after = storage.stat(job.path)
        if after.version != before.version or describe_source(job.path, after, video) != source:
            remedy = "annotate it again when it is complete"
            raise UnreadableError("changed while it was read", remedy, path=job.path)


def _record(error: MediaError, job: AnnotateJob, source: Source, lock: Lock) -> None:
    """Record that a video failed, unless something else may be at fault; that it cannot be recorded is no error."""
    is_of_hardware = isinstance(error, DecodingError) and job.limits.hwaccel != NO_HWACCEL
    if not error.is_lasting or is_of_hardware:
        return
    attempt = Attempt.of(job.settings, job.model_hash, job.limits)
    path, text = job.outputs.failure, Failure.of(error, job.path, source, attempt).to_json()
    with contextlib.suppress(OutputError, OSError):
        lock.confirm()
        storage_for(path).write_atomic(path, text, lock.scratch)


def _open(job: AnnotateJob, context: WorkContext, video: Path) -> Analysis:
    analysis = Analysis.open(video, job.settings, limits=job.limits, tools=context.tools, display_path=job.path)
    analysis.describe = describer_for(job.settings, context.tools)
    progress = context.progress
    if progress is not None:
        duration_s = analysis.video.duration_s
        progress(0.0, duration_s)
        analysis.progress = lambda analyzed_s: progress(analyzed_s, duration_s)
    return analysis


def _analyze(analysis: Analysis, context: WorkContext, chunks: AnalyzedChunks | None) -> list[Annotation]:
    if chunks is None:
        return analyze(analysis, context.cores)
    merged = merge_chunks(analysis, chunks.items)
    return analyze(analysis) if merged is None else sort_annotations(merged)


def _make_report(
    job: AnnotateJob, analysis: Analysis, annotations: Sequence[Annotation], source: Source, earlier: Meta | None
) -> Report:
    """Return the report of a video; it keeps the rendered videos and files of persons that the ``earlier`` sidecar names.

    Boxes are rounded as in the boxes file, so that tracks derived now equal those converted later.
    """
    first, *later = analysis.sizes
    meta = Meta(
        analysis_version=ANALYSIS_VERSION,
        program=f"annotate {VERSION}",
        model_hash=analysis.classifier.model_hash,
        settings=result_settings(job.settings),
        source=source,
        frames=analysis.decoding.frames,
        duration_s=analysis.decoding.end_s,
        missing_s=round(analysis.missing_s, 3),
        faces=analysis.blocks.faces,
        dropped_tracks=analysis.blocks.dropped_tracks,
        warnings=dict(analysis.decoding.warnings),
        ffmpeg=analysis.video.ffmpeg.version,
        width_px=first.width_px,
        height_px=first.height_px,
        renders={} if earlier is None else earlier.renders,
        persons=() if earlier is None else earlier.persons,
        small_faces=analysis.small_faces,
        size_changes=tuple(later),
        decoded_whole=analysis.decoded_whole,
        timecode=analysis.video.timecode,
    )
    boxes = collect_trajectories(annotations).thinned().rounded()
    baseline, hop = job.settings.baseline, job.settings.hop
    columns = to_columns(annotations, analysis.classifier.contract.class_names, hop=hop)
    table = columns if baseline == NO_BASELINE else add_baseline(columns.frame, baseline, hop)
    return Report(table, meta, boxes, storage_for(job.path).relative(job.path, job.outputs.base.parent))


def describer_for(settings: Settings, tools: Tools) -> Describer | None:
    """Return what describes faces for telling persons apart, None if the settings do not ask for that."""
    return tools.keep(Describer) if settings.persons else None


def _with_persons(report: Report, analysis: Analysis) -> Report:
    """Return a report with the column of persons in its table."""
    tracks = TrackVectors.of(analysis.described, report.blocks_by_face)
    persons, faces = number_persons(report, tracks), report.columns["face_id"].tolist()
    numbers = np.array([persons[face_id] for face_id in faces], np.int64)
    return replace(report, columns=report.columns.assign(**{PERSON: numbers}))


def _as_people_say(report: Report, path: PathOrUrl) -> Report:
    """Return a new report, whose table is at ``path``, with the persons and corrections that people gave before."""
    persons, corrections = PersonFiles(), CorrectionFiles()
    if not persons.rows(path, report.meta) and not corrections.exists(path):
        return report
    corrected = corrections.apply(persons.apply(report.table, path, report.meta), path)
    return replace(report, columns=corrected.table, problems=corrected.problems, excluded=corrected.excluded)
