"""The way of one video: locked, planned, fetched, analyzed, written, confirmed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import ChunkItem
from annotate.analysis.parallel import analyze, count_chunks, in_order, merge_chunks
from annotate.analysis.pipeline import Analysis
from annotate.archive.stored_report import read_item_report
from annotate.batch.job import AnnotateJob, Outcome, Status, WorkContext
from annotate.batch.plan import Action, Decision
from annotate.batch.write import (
    refuse_foreign_tracks,
    remove_outdated,
    write_further_tracks,
    write_report,
    write_sidecar,
    write_tracks,
)
from annotate.errors import StorageError, UnreadableError, unreadable
from annotate.media.probe import probe
from annotate.results.boxes import format_boxes, parse_boxes, paths_of
from annotate.results.intervals import dominant_emotion
from annotate.results.meta import Meta, Source, describe_source, result_settings
from annotate.results.report import Report
from annotate.results.table import to_table
from annotate.storage.base import Lock, storage_for
from annotate.version import ANALYSIS_VERSION, VERSION

MAX_CHUNKS = 1000
"""Videos that say they have more, which is 83 hours, are not split: they may say what they like."""


@dataclass(frozen=True)
class ChunkPlan:
    """A long video that is to be analyzed in ``count`` chunks: as it was found, and how long it says it is."""

    count: int
    source: Source
    duration_s: float | None


@dataclass(frozen=True)
class AnalyzedChunks:
    """What the chunks of a long video gave; None for one that could not be analyzed by itself."""

    plan: ChunkPlan
    items: Sequence[list[ChunkItem] | None]


def annotate_video(job: AnnotateJob, context: WorkContext, chunks: AnalyzedChunks | None = None) -> Outcome:
    """Annotate one video, or make further formats of its report, if that is all that is to be done.

    ``chunks`` are what its chunks gave, if they were analyzed before; if they do not fit, it is analyzed again, whole.

    Raises:
        AnnotateError: it could not be done; nothing is half-written.
    """
    outputs, options = job.outputs, job.options
    with _locked(job) as lock:
        if lock is None:
            return Outcome.locked(job.path)
        item = job.item.again()
        decision = job.decide(item)
        if decision.action is not Action.ANNOTATE:
            return _without_analysis(job, decision, lock)
        refuse_foreign_tracks(outputs, options, item.meta)
        with _fetched(job, context, chunks) as (video, source):
            analysis = _open(job, context, video)
            annotations = _analyze(analysis, context, chunks)
        report = _make_report(job, analysis, annotations, source, item.meta)
        lock.confirm()
        storage_for(outputs.meta).delete(outputs.meta)
        meta = write_report(report, outputs, lock)
        meta = write_tracks(replace(report, meta=meta), tuple(outputs.tracks(options)), outputs, options.language, lock)
        lock.confirm()
        write_sidecar(meta, outputs, lock)
        if item.meta is not None:
            remove_outdated(outputs, item.meta, meta)
        status = Status.ANNOTATED if meta.faces else Status.NO_FACES
        return Outcome(job.path, status, meta.duration_s, meta.faces, dominant_emotion(report.pieces), meta.shortfall)


def annotate_or_split(job: AnnotateJob, context: WorkContext) -> Outcome | ChunkPlan:
    """Annotate one video, unless it is a long one, whose chunks had better be analyzed by several workers.

    One that ffmpeg cannot open in place is not split: it would be fetched once a chunk. Errors as for `annotate_video`.
    """
    if storage_for(job.path).in_place:
        with _locked(job) as lock:
            if lock is None:
                return Outcome.locked(job.path)
            item = job.item.again()
            if job.decide(item).action is Action.ANNOTATE:
                refuse_foreign_tracks(job.outputs, job.options, item.meta)
                with _fetched(job, context) as (video, source):
                    probed = probe(video, job.limits.max_pixels, ffmpeg=context.tools.ffmpeg)
                count = count_chunks(probed, job.settings)
                if 1 < count <= MAX_CHUNKS:
                    return ChunkPlan(count, source, probed.duration_s)
    return annotate_video(job, context)


@contextlib.contextmanager
def _locked(job: AnnotateJob) -> Iterator[Lock | None]:
    """Give the lock of the job's outputs, or None if another run has it; paths are checked first.

    Raises:
        AnnotateError: the video cannot be read, or no outputs can be written.
    """
    outputs, storage = job.outputs, storage_for(job.outputs.base)
    if not job.from_report:
        storage_for(job.path).check_readable(job.path)
        storage.ensure_dir(outputs.meta.parent)
    storage.check_writable(outputs.meta)
    with storage.lock(outputs.base) as lock:
        try:
            yield lock
        except StorageError:
            raise
        except OSError as error:
            raise unreadable(job.path, error) from error


def _without_analysis(job: AnnotateJob, decision: Decision, lock: Lock) -> Outcome:
    """Make the formats that are missing, if any are."""
    meta = decision.meta
    assert meta is not None
    if decision.action is Action.SKIP:
        return Outcome.skipped(job.path, meta)
    report = read_item_report(job.item, meta)
    meta = write_further_tracks(report, decision.missing, job.outputs, job.options.language, lock)
    lock.confirm()
    write_sidecar(meta, job.outputs, lock)
    return Outcome(job.path, Status.CONVERTED, meta.duration_s, meta.faces)


@contextlib.contextmanager
def _fetched(job: AnnotateJob, context: WorkContext, chunks: AnalyzedChunks | None = None) -> Iterator[tuple[Path, Source]]:
    """Give the video as a file of this machine, and what it is; it must be the same at the end of the block.

    Raises:
        UnreadableError: it cannot be read, or has changed meanwhile.
        OutputError: there is no room for a copy.
    """
    storage = storage_for(job.path)
    if context.progress is not None and not storage.in_place:
        context.progress(0.0, None)
    before = storage.stat(job.path)
    with storage.local_copy(job.path, job.scratch) as video:
        storage_for(video).check_readable(video)
        source = describe_source(job.path, before, video) if chunks is None else chunks.plan.source
        yield video, source
        after = storage.stat(job.path)
        if after.version != before.version or describe_source(job.path, after, video) != source:
            remedy = "annotate it again when it is complete"
            raise UnreadableError("has changed while it was read", remedy, path=job.path)


def _open(job: AnnotateJob, context: WorkContext, video: Path) -> Analysis:
    analysis = Analysis.open(video, job.settings, limits=job.limits, tools=context.tools, shown_as=job.path)
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
    return analyze(analysis) if merged is None else in_order(merged)


def _make_report(
    job: AnnotateJob, analysis: Analysis, annotations: Sequence[Annotation], source: Source, earlier: Meta | None
) -> Report:
    """Return a video's report, with boxes as they are read back; copies that were made of an earlier one stay known."""
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
        width_px=analysis.video.width_px,
        height_px=analysis.video.height_px,
        renders={} if earlier is None else earlier.renders,
    )
    boxes = parse_boxes(format_boxes(paths_of(annotations).thinned()).encode())
    table = to_table(annotations, analysis.classifier.contract.class_names)
    return Report(table, meta, boxes, storage_for(job.path).relative(job.path, job.outputs.base.parent))
