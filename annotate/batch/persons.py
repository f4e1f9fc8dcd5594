"""Tell persons apart in videos that are annotated: describe their face tracks, number persons, and show them in outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotate.archive.layout import Outputs
from annotate.archive.persons import PersonFiles, read_person_rows, video_key, with_file
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_item_report
from annotate.archive.validity import current_meta
from annotate.batch.executor import Executor, InlineExecutor
from annotate.batch.job import ItemJob, Outcome, Status, WorkContext
from annotate.batch.run import run_decoding, split_finished
from annotate.batch.write import OutputWriter, refresh_tracks, write_sidecar
from annotate.errors import OutputError, ReportError, read_error
from annotate.persons.archive import ArchiveTracks
from annotate.persons.descriptor import Describer, check_descriptor
from annotate.persons.storage import format_descriptors, parse_descriptors
from annotate.persons.tracks import TrackVectors, describe_tracks, on_screen_together
from annotate.results.meta import PERSONS_ENDING, Meta, Render, json_safe_name, json_safe_text
from annotate.results.persons import PersonRow, format_persons, match_tracks, persons_in, split_track, tracks_of
from annotate.results.report import Report
from annotate.settings import ONE_CORE, Limits
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

Edit = Callable[[list[PersonRow]], list[PersonRow]]
"""Changes the rows of a file of persons; raises ValueError."""


@dataclass(frozen=True)
class DescribeJob(ItemJob):
    """Everything a worker needs to describe the face tracks of one annotated video."""

    item: ArchiveItem
    limits: Limits = ONE_CORE
    scratch: Path | None = None


def describe_archive(
    items: Iterable[ArchiveItem | SkippedPath],
    executor: Executor | None = None,
    limits: Limits = ONE_CORE,
    scratch: Path | None = None,
) -> Generator[Outcome, None, None]:
    """Describe the face tracks of annotated videos; yield one outcome per video as it finishes.

    Videos whose tracks are described already are skipped, so that a run that was stopped continues.

    Raises:
        SettingsError: the files of the descriptor are not installed.
    """
    check_descriptor()
    jobs = (item if isinstance(item, SkippedPath) else DescribeJob(item, limits, scratch) for item in items)
    pending = yield from split_finished(jobs, _finished)
    yield from run_decoding(describe_video, pending, executor or InlineExecutor())


def describe_video(job: DescribeJob, context: WorkContext) -> Outcome:
    """Describe the face tracks of one video.

    Raises:
        AnnotateError: it is not annotated, or cannot be decoded.
    """
    storage = storage_for(job.path)
    with storage_for(job.outputs.base).lock(job.outputs.base) as lock:
        if lock is None:
            return Outcome.locked(job.path)
        try:
            item = job.item.reread()
            meta = current_meta(item)
            if read_descriptors(job.outputs, meta) is not None:
                return Outcome.skipped(job.path, meta)
            report = read_item_report(item, replace(meta, persons=()), is_corrected=False)
            with storage.local_copy(job.path, job.scratch) as video:
                tracks = describe_tracks(
                    video,
                    report,
                    context.tools.keep(Describer),
                    limits=job.limits,
                    ffmpeg=context.tools.ffmpeg,
                    progress=None if context.progress is None else lambda done_s: _report(context, done_s, meta),
                )
        except OSError as error:
            raise read_error(job.path, error) from error
        lock.confirm()
        content = format_descriptors(tracks, _table_hash(job.outputs, meta))
        storage_for(job.outputs.base).write_atomic(job.outputs.descriptors, content, lock.scratch, private=True)
    return Outcome(job.path, Status.DESCRIBED, meta.duration_s, meta.faces)


def read_descriptors(outputs: Outputs, meta: Meta) -> TrackVectors | None:
    """Return the stored descriptors of a video's face tracks; None if there are none of its current table."""
    try:
        content = storage_for(outputs.base).read(outputs.descriptors)
    except FileNotFoundError:
        return None
    return parse_descriptors(content, _table_hash(outputs, meta))


def number_persons(file: PathOrUrl, items: Iterable[ArchiveItem]) -> set[str]:
    """Write the file of persons of an archive, or of one video, from stored descriptors; return the videos that changed.

    Videos without current descriptors are left out; their rows stay as they are.

    Raises:
        ReportError: the file is damaged.
        OutputError: it cannot be written, or another run is working on it.
    """
    with _locked(file):
        return _number_persons(file, items)


def _number_persons(file: PathOrUrl, items: Iterable[ArchiveItem]) -> set[str]:
    before = read_person_rows(file)
    files, tracks, numbered = PersonFiles(), ArchiveTracks(), set[str]()
    for item in items:
        read = _read_described(item)
        if read is None:
            continue
        meta, report, described = read
        key = "" if file == item.outputs.persons else video_key(item.outputs.csv, meta, file.parent)
        earlier = files.rows_in(file, item.outputs.csv, meta)
        own = [] if not key else [row for row in read_person_rows(item.outputs.persons) if not row.video]
        numbered |= {key, *(row.video for row in earlier)}
        hash_ = meta.source.hash if key else ""
        tracks.add(key, hash_, tracks_of(report.table), described, on_screen_together(report), earlier, own)
    rows = tracks.number([row for row in before if row.video not in numbered])
    _write_rows(file, rows)
    return _changed(before, rows)


def show_persons(file: PathOrUrl, items: Iterable[ArchiveItem], changed: Collection[str] = ()) -> Iterator[Outcome]:
    """Name a file of persons in the sidecars of videos, and write their unedited formats again; yield one outcome for each.

    Rendered videos with labels, of the videos whose persons ``changed``, then count as made from an earlier report. Videos
    that are not annotated, or of which the file has nothing, are left out.
    """
    files = PersonFiles()
    for item in items:
        try:
            with storage_for(item.outputs.base).lock(item.outputs.base) as lock:
                if lock is None:
                    yield Outcome.locked(item.video)
                    continue
                current = item.reread()
                if current.meta is None:
                    continue
                meta = current_meta(current)
                rows = files.rows_in(file, item.outputs.csv, meta)
                if not rows:
                    continue
                relative_path = json_safe_text(storage_for(file).relative(file, item.outputs.base.parent))
                shown = replace(meta, persons=with_file(meta.persons, relative_path))
                if rows[0].video in changed:
                    shown = replace(shown, renders=without_labels(meta.renders))
                writer = OutputWriter(item.outputs, meta, lock)
                written = refresh_tracks(read_item_report(current, shown), writer)
                lock.confirm()
                if written != meta:
                    write_sidecar(written, item.outputs, lock)
                yield Outcome(item.video, Status.CONVERTED, meta.duration_s, meta.faces, problem="; ".join(writer.kept))
        except (ReportError, OutputError) as error:
            yield Outcome.failed(item.video, error)
        except OSError as error:
            yield Outcome.failed(item.video, read_error(item.video, error))


def delete_descriptors(items: Iterable[ArchiveItem]) -> None:
    """Delete the stored descriptors of videos.

    Raises:
        OutputError: a file cannot be deleted.
    """
    for item in items:
        storage_for(item.outputs.base).delete(item.outputs.descriptors)


def without_labels(renders: Mapping[str, Render]) -> dict[str, Render]:
    """Return rendered videos as they stand in a sidecar, those with labels as made from an earlier report."""
    return {path: replace(render, report="") if render.language else render for path, render in renders.items()}


def edit_persons(file: PathOrUrl, edits: Sequence[Edit], item: ArchiveItem | None = None) -> set[str]:
    """Apply changes that people made to the file of an archive, or to that of the video ``item``, which may not exist yet.

    Return the videos that changed.

    Raises:
        ReportError: there are no persons yet, or the file is damaged.
        ValueError: an edit names a person or a track that does not exist.
        OutputError: the file cannot be written, or another run is working on it.
    """
    with _locked(file):
        return _edit_persons(file, edits, item)


def _edit_persons(file: PathOrUrl, edits: Sequence[Edit], item: ArchiveItem | None) -> set[str]:
    rows = read_person_rows(file)
    own = [row for row in rows if not row.video] if item is not None else [row for row in rows if row.video]
    others = [row for row in rows if row not in own]
    if item is not None and not own:
        own = _rows_of_column(item)
    if not own:
        raise ReportError("no persons yet", "run `annotate persons` on it first", path=file)
    for edit in edits:
        own = edit(own)
    _write_rows(file, [*others, *own])
    return _changed(rows, [*others, *own])


def is_numbered(file: PathOrUrl, items: Iterable[ArchiveItem]) -> bool:
    """Return whether a file of persons has all face tracks of annotated videos, so that there is nothing to do.

    Raises:
        ReportError: the file is damaged.
    """
    files = PersonFiles()
    for item in items:
        try:
            meta = current_meta(item)
            tracks = tracks_of(read_item_report(item, replace(meta, persons=()), is_corrected=False).table)
        except (ReportError, OSError):
            return False
        if len(match_tracks(tracks, files.rows_in(file, item.outputs.csv, meta))) < len(tracks):
            return False
    return True


def split_off(rows: list[PersonRow], video: str, face_id: int) -> list[PersonRow]:
    """Return rows in which a face track is another person; ``video`` is the end of the path of its video, or empty.

    Raises:
        ValueError: there is no such track, or several.
    """
    found = [
        row for row in rows if row.track.face_id == face_id and (not row.video or f"/{row.video}".endswith(f"/{video}"))
    ]
    if len(found) != 1:
        raise ValueError(f"there {'is no' if not found else 'are several'} face track {video}:{face_id}")
    return split_track(rows, found[0])


def _finished(job: DescribeJob) -> Outcome | None:
    """Return the outcome of a video that is described, or cannot be; None if it needs work."""
    try:
        meta = current_meta(job.item)
        return Outcome.skipped(job.path, meta) if read_descriptors(job.outputs, meta) is not None else None
    except ReportError as error:
        return Outcome.failed(job.path, error)
    except OSError as error:
        return Outcome.failed(job.path, read_error(job.path, error))


def _report(context: WorkContext, done_s: float, meta: Meta) -> None:
    if context.progress is not None:
        context.progress(done_s, meta.duration_s)


def _table_hash(outputs: Outputs, meta: Meta) -> str:
    return meta.outputs.get(json_safe_name(outputs.csv)) or ""


def _read_described(item: ArchiveItem) -> tuple[Meta, Report, TrackVectors] | None:
    """Return sidecar, report and descriptors of a video; None if it has none that are current."""
    try:
        current = item.reread()
        meta = current_meta(current)
        described = read_descriptors(item.outputs, meta)
        if described is None:
            return None
        return meta, read_item_report(current, replace(meta, persons=()), is_corrected=False), described
    except (ReportError, OSError):
        return None


def _rows_of_column(item: ArchiveItem) -> list[PersonRow]:
    """Return the persons in the table of a video, as rows that nobody decided."""
    report = read_item_report(item, current_meta(item), is_corrected=False)
    persons = persons_in(report.table)
    tracks = {track.face_id: track for track in tracks_of(report.table)}
    return [PersonRow(tracks[face_id], person.number, person.name) for face_id, person in persons.items()]


@contextlib.contextmanager
def _locked(file: PathOrUrl) -> Iterator[None]:
    """Hold the lock on a file of persons.

    Raises:
        OutputError: another run holds it.
    """
    with storage_for(file).lock(file.with_name(file.name.removesuffix(PERSONS_ENDING))) as lock:
        if lock is None:
            raise OutputError("another run is working on it", "rerun when it has finished", path=file)
        yield


def _changed(before: Sequence[PersonRow], after: Sequence[PersonRow]) -> set[str]:
    """Return the videos whose tracks have other persons or names in one list of rows than in another."""
    shown = [{(row.video, row.track, row.person, row.name) for row in rows} for rows in (before, after)]
    return {video for video, *_ in shown[0] ^ shown[1]}


def _write_rows(file: PathOrUrl, rows: Sequence[PersonRow]) -> None:
    storage_for(file).write_atomic(file, format_persons(rows))
