"""One video, from what is to be done to its files in place: the unit of work that executors are given."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from annotate.archive.claim import claim
from annotate.archive.outcome import Outcome, Status
from annotate.archive.plan import Outputs, Task, Wanted, decide
from annotate.errors import AnnotateError, UnreadableError
from annotate.media.binary import find_ffmpeg
from annotate.media.probe import check_readable
from annotate.parallel import Cores
from annotate.pipeline import Analysis, analyse
from annotate.settings import ONE_CORE, Limits, Settings
from annotate.timeline import MS_PER_S
from annotate.tracks.cues import make_cues
from annotate.tracks.files import check_writable, make_folder, remove, write_whole
from annotate.tracks.meta import Meta, describe_source, hash_content, plain_name, settings_that_matter
from annotate.tracks.pieces import dominant_emotion, pieces
from annotate.tracks.subtitles import to_srt
from annotate.tracks.table import format_table, parse_table, to_table
from annotate.version import ANALYSIS_VERSION, VERSION

Progress = Callable[[float, float | None], None]
"""Told the seconds of a video that are analysed, and its length if known."""


@dataclass(frozen=True)
class Job:
    """A video and everything that says what becomes of it."""

    path: Path
    outputs: Outputs
    settings: Settings
    wanted: Wanted
    model_hash: str
    limits: Limits = ONE_CORE


def run_job(job: Job, progress: Progress | None = None, cores: Cores | None = None) -> Outcome:
    """Does what is to be done for a video and tells how it came out; whatever goes wrong is told too, not raised.

    Parts of a long video are worked on at once by those of ``cores`` that are free.
    """
    try:
        return _run(job, progress, cores)
    except AnnotateError as error:
        return Outcome(job.path, Status.FAILED, reason=str(error), trace=traceback.format_exc())
    except Exception as error:  # noqa: BLE001  (a fault of ours with one video must not end a run over thousands)
        reason = f"{job.path}: an error of this program ({type(error).__name__}: {error}); please report it with -v's output"
        return Outcome(job.path, Status.FAILED, reason=reason, trace=traceback.format_exc())


def _run(job: Job, progress: Progress | None, cores: Cores | None) -> Outcome:
    check_readable(job.path)
    make_folder(job.outputs.meta.parent)
    check_writable(job.outputs.meta)
    with claim(job.outputs) as scratch:
        if scratch is None:
            return Outcome(job.path, Status.BUSY, reason=f"{job.path}: another run is at it; it is left to that one")
        try:
            return _run_claimed(job, progress, cores, scratch)
        except OSError as error:
            raise UnreadableError(f"{job.path}: cannot be read ({error.strerror}); check its permissions") from error


def _run_claimed(job: Job, progress: Progress | None, cores: Cores | None, scratch: Path) -> Outcome:
    path, outputs = job.path, job.outputs
    decision = decide(path, outputs, job.wanted, job.settings, job.model_hash)
    meta = decision.meta
    if decision.task is Task.SKIP and meta is not None:
        return Outcome(path, Status.SKIPPED, meta.duration_s, meta.faces)
    if decision.task is Task.CONVERT and meta is not None:
        _write_tracks(parse_table(outputs.csv.read_bytes()), meta, job, scratch)
        return Outcome(path, Status.CONVERTED, meta.duration_s, meta.faces)
    table, meta = _analyse(job, progress, cores)
    remove(outputs.meta)
    text = format_table(table)
    write_whole(outputs.csv, text, scratch)
    _write_tracks(table, replace(meta, outputs={plain_name(outputs.csv): hash_content(text.encode())}), job, scratch)
    status = Status.ANNOTATED if meta.faces else Status.NO_FACES
    return Outcome(path, status, meta.duration_s, meta.faces, dominant_emotion(pieces(table)), _remark(meta))


def _analyse(job: Job, progress: Progress | None, cores: Cores | None) -> tuple[pd.DataFrame, Meta]:
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
    )
    return to_table(annotations, analysis.classifier.contract.class_names), meta


def _write_tracks(table: pd.DataFrame, meta: Meta, job: Job, scratch: Path) -> None:
    """Writes the asked-for tracks, then the meta file."""
    cues = make_cues(pieces(table), round(meta.duration_s * MS_PER_S))
    written = dict(meta.outputs)
    for path in job.outputs.tracks(job.wanted).values():
        if not cues:
            remove(path)
            written[plain_name(path)] = None
            continue
        text = to_srt(cues, job.wanted.language)
        write_whole(path, text, scratch)
        written[plain_name(path)] = hash_content(text.encode())
    write_whole(job.outputs.meta, replace(meta, outputs=written).to_json(), scratch)


def _remark(meta: Meta) -> str:
    if meta.missing_s:
        return f"damaged: the last {meta.missing_s:.1f} s could not be decoded"
    count = sum(meta.warnings.values())
    return f"damaged: the decoder complained {count} times" if count else ""
