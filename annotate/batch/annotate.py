"""Doing a job: a video decoded, analysed and written, or its report made into further formats."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import Cores, Stream, analyse, count_parts, in_order, join_parts, look_at_part
from annotate.analysis.pipeline import Analysis
from annotate.archive.layout import Outputs, is_output
from annotate.archive.stored_report import path_to_video, read_report
from annotate.batch.job import Job, Outcome, Progress, Status, unreadable
from annotate.batch.plan import Task
from annotate.errors import MediaError, OutputError, StorageError, UnreadableError
from annotate.media.ffmpeg import find_ffmpeg
from annotate.media.probe import check_readable, probe
from annotate.results.boxes import format_boxes, parse_boxes, paths_of
from annotate.results.formats.registry import write_track
from annotate.results.intervals import dominant_emotion
from annotate.results.meta import (
    Meta,
    Source,
    describe_copy,
    describe_source,
    hash_content,
    hash_file,
    plain_name,
    read_meta,
    settings_that_matter,
)
from annotate.results.report import Report
from annotate.results.table import format_table, to_table
from annotate.storage.local.files import check_writable, is_taken, make_folder, remove, write_whole
from annotate.storage.locks import claim, confirm
from annotate.storage.s3.path import ObjectPath, is_remote
from annotate.version import ANALYSIS_VERSION, VERSION

MOST_PARTS = 1000
"""Videos that say they have more, which is 83 hours, are not divided: they may say what they like."""


def execute(job: Job, progress: Progress | None = None, cores: Cores | None = None) -> Outcome:
    """Does it, and tells how it came out.

    Raises:
        AnnotateError: it could not be done.
    """
    with _claimed(job) as scratch:
        if scratch is None:
            return _busy(job)
        outcome = _without_analysis(job, scratch)
        return outcome or _annotate(job, scratch, progress, lambda analysis: analyse(analysis, cores))


@dataclass(frozen=True)
class Division:
    """A long video that is to be looked at in ``count`` parts: as it was found, and how long it says it is."""

    count: int
    source: Source
    duration_s: float | None


def begin(job: Job, progress: Progress | None = None) -> Outcome | Division:
    """Does the job, unless that is a long video's whose parts had better be looked at apart.

    Raises:
        AnnotateError: it could not be done.
    """
    with _claimed(job) as scratch:
        if scratch is None:
            return _busy(job)
        outcome = _without_analysis(job, scratch)
        if outcome is not None:
            return outcome
        if is_remote(job.path):  # it would be fetched once a part
            return _annotate(job, scratch, progress, analyse)
        source, video = describe_source(job.path), probe(job.path, job.limits.max_pixels)
        count = count_parts(video, job.settings)
        if 1 < count <= MOST_PARTS:
            return Division(count, source, video.duration_s)
        return _annotate(job, scratch, progress, analyse)


def look(job: Job, number: int, count: int, progress: Callable[[float], None]) -> Stream | None:
    """What one part of a video gives, nothing written; None if the decoder complained, or the video cannot be read.

    ``progress`` is told the seconds of the part that are done.
    """
    start_s = number * job.settings.part_s
    try:
        analysis = Analysis.open(job.path, job.settings, limits=job.limits)
        return look_at_part(analysis, number, count, lambda time_s: progress(max(0.0, time_s - start_s)))
    except MediaError:
        return None


def join(job: Job, division: Division, parts: Sequence[Stream | None], progress: Progress | None = None) -> Outcome:
    """Does the job of a video whose parts have been looked at; if they do not serve, it is looked at again, whole.

    Raises:
        AnnotateError: it could not be done.
    """

    def analyse_joined(analysis: Analysis) -> list[Annotation]:
        joined = join_parts(analysis, parts)
        return analyse(analysis) if joined is None else in_order(joined)

    with _claimed(job) as scratch:
        if scratch is None:
            return _busy(job)
        outcome = _without_analysis(job, scratch)
        return outcome or _annotate(job, scratch, progress, analyse_joined, division.source)


@contextlib.contextmanager
def _claimed(job: Job) -> Iterator[Path | None]:
    """Gives a folder for unfinished files, or None if another run is at the job, whose files are checked first.

    Raises:
        AnnotateError: the video cannot be read, or no outputs can be written.
    """
    if not job.from_report:
        if not is_remote(job.path):
            check_readable(job.path)
        make_folder(job.outputs.meta.parent)
    check_writable(job.outputs.meta)
    with claim(job.outputs) as scratch:
        try:
            yield scratch
        except StorageError:
            raise
        except OSError as error:
            raise UnreadableError(unreadable(error, job.path)) from error


def _busy(job: Job) -> Outcome:
    return Outcome(job.path, Status.BUSY, reason=f"{job.path}: another run is at it; it is left to that one")


def _without_analysis(job: Job, scratch: Path) -> Outcome | None:
    """Does what is to be done if that is no more than to make formats; None if the video is to be annotated.

    Raises:
        OutputError: outputs would be written where somebody else's files are.
    """
    path, outputs = job.path, job.outputs
    decision = job.decision
    meta = decision.meta
    if decision.task is Task.SKIP and meta is not None:
        return Outcome(path, Status.SKIPPED, meta.duration_s, meta.faces)
    if decision.task is Task.CONVERT and meta is not None:
        _write_tracks(read_report(path, outputs, meta), decision.missing, meta, job, scratch)
        return Outcome(path, Status.CONVERTED, meta.duration_s, meta.faces)
    earlier = read_meta(outputs.meta)
    for track in outputs.tracks(job.wanted).values():
        if earlier is not None and not _is_ours(track, earlier):
            raise _foreign(track)
    return None


def _annotate(
    job: Job,
    scratch: Path,
    progress: Progress | None,
    analyse_video: Callable[[Analysis], list[Annotation]],
    source: Source | None = None,
) -> Outcome:
    """Writes what ``analyse_video`` finds; ``source`` is the video as it was before, if part of that was done before."""
    path, outputs = job.path, job.outputs
    earlier = read_meta(outputs.meta)
    report = _analyse(job, progress, analyse_video, source)
    if earlier is not None:
        report = replace(report, meta=replace(report.meta, renders=earlier.renders))
    confirm(outputs)
    remove(outputs.meta)
    texts = {outputs.csv: format_table(report.table), outputs.boxes: format_boxes(report.boxes) if report.boxes else None}
    meta = _write(texts, report.meta, scratch)
    meta = _write_tracks(replace(report, meta=meta), tuple(outputs.tracks(job.wanted)), None, job, scratch)
    if earlier is not None:
        _remove_outdated(outputs, earlier, meta)
    status = Status.ANNOTATED if meta.faces else Status.NO_FACES
    return Outcome(path, status, meta.duration_s, meta.faces, dominant_emotion(report.pieces), meta.shortfall)


def _analyse(
    job: Job,
    progress: Progress | None,
    analyse_video: Callable[[Analysis], list[Annotation]],
    source: Source | None,
) -> Report:
    """A video's report, with boxes as they are read back; one from object storage is copied here first."""
    if not isinstance(job.path, ObjectPath):
        return _analyse_file(job, job.path, progress, analyse_video, source or describe_source(job.path))
    from annotate.storage.s3.download import fetched

    if progress is not None:
        progress(0.0, None)
    before = job.path.stat()
    with fetched(job.path, before.st_size, job.scratch) as copy:
        check_readable(copy)
        source_here = describe_copy(job.path, before.st_size, before.st_mtime_ns, copy)
        report = _analyse_file(job, copy, progress, analyse_video, source_here)
    if job.path.stat() != before:
        raise _changed(job.path)
    return report


def _analyse_file(
    job: Job,
    video: Path,
    progress: Progress | None,
    analyse_video: Callable[[Analysis], list[Annotation]],
    source: Source,
) -> Report:
    analysis = Analysis.open(video, job.settings, limits=job.limits)
    duration_s = analysis.video.duration_s
    if progress is not None:
        report = progress
        report(0.0, duration_s)
        analysis.progress = lambda analysed_s: report(analysed_s, duration_s)
    annotations = analyse_video(analysis)
    if video == job.path and describe_source(video) != source:
        raise _changed(video)
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
        warnings={text.replace(str(video), str(job.path)): count for text, count in analysis.decoding.warnings.items()},
        ffmpeg=find_ffmpeg().version,
        width_px=analysis.video.width_px,
        height_px=analysis.video.height_px,
    )
    boxes = parse_boxes(format_boxes(paths_of(annotations).thinned()).encode())
    return Report(
        to_table(annotations, analysis.classifier.contract.class_names), meta, boxes, path_to_video(job.path, job.outputs)
    )


def _changed(path: Path) -> UnreadableError:
    return UnreadableError(f"{path}: has changed while it was read; annotate it again when it is complete")


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
    confirm(job.outputs)
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
    return earlier.outputs.get(plain_name(path)) is not None or not is_taken(path)


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
