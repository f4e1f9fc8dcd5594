"""Forget persons: delete descriptors, files of persons and the column of tables, and write hashes anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from annotate.archive.layout import ARCHIVE_PERSONS
from annotate.archive.persons import read_person_rows, video_key
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_item_report
from annotate.archive.validity import current_meta
from annotate.batch.job import Outcome, Status
from annotate.batch.persons import without_labels
from annotate.batch.write import OutputWriter, refresh_tracks, write_sidecar
from annotate.errors import OutputError, ReportError, read_error
from annotate.results.meta import Meta, hash_content, json_safe_name
from annotate.results.persons import format_persons
from annotate.results.table import PERSON
from annotate.storage.base import Lock, storage_for
from annotate.storage.values import PathOrUrl


def forget_archive(items: Sequence[ArchiveItem], files: Sequence[PathOrUrl]) -> Iterator[Outcome]:
    """Forget the persons of videos, and delete the ``files`` of archives; yield an outcome for each changed video.

    Formats that were edited stay as they are, which the outcome says. Rendered videos with labels count as made from an
    earlier report.
    """
    for item in items:
        try:
            with storage_for(item.outputs.base).lock(item.outputs.base) as lock:
                if lock is None:
                    yield Outcome.locked(item.video)
                elif (outcome := _forget(item.reread(), lock)) is not None:
                    yield outcome
        except (ReportError, OutputError) as error:
            yield Outcome.failed(item.video, error)
        except OSError as error:
            yield Outcome.failed(item.video, read_error(item.video, error))
    for file in files:
        storage_for(file).delete(file)


def _forget(item: ArchiveItem, lock: Lock) -> Outcome | None:
    outputs, storage = item.outputs, storage_for(item.outputs.base)
    storage.delete(outputs.descriptors)
    if item.meta is None:
        storage.delete(outputs.persons)
        return None
    if not item.meta.persons and not item.meta.settings.get("persons"):
        storage.delete(outputs.persons)
        return None
    meta = current_meta(item)
    _forget_in_archives(item, meta)
    content = storage.read(outputs.csv)
    table = without_column(content)
    settings = {name: value for name, value in meta.settings.items() if name != "persons"}
    name = json_safe_name(outputs.csv)
    renders = without_labels(meta.renders)
    changed = replace(meta, settings=settings, persons=(), renders=renders)
    changed = replace(changed, outputs={**meta.outputs, name: hash_content(table)})
    writer = OutputWriter(outputs, meta, lock)
    lock.confirm()
    storage.delete(outputs.meta)
    if table != content:
        storage.write_atomic(outputs.csv, table, lock.scratch)
    written = refresh_tracks(read_item_report(item, changed), writer)
    write_sidecar(written, outputs, lock)
    storage.delete(outputs.persons)
    return Outcome(item.video, Status.CONVERTED, meta.duration_s, meta.faces, problem="; ".join(writer.kept))


def without_column(content: bytes) -> bytes:
    """Return the bytes of a table without its last column, if that is the one of persons.

    >>> without_column(b"face_id,person\\n1,2\\n"), without_column(b"face_id\\n1\\n")
    (b'face_id\\n1\\n', b'face_id\\n1\\n')
    """
    lines = content.splitlines(keepends=True)
    if not lines or not lines[0].rstrip().endswith(f",{PERSON}".encode()):
        return content
    return b"".join(line.rpartition(b",")[0] + b"\n" for line in lines)


def _forget_in_archives(item: ArchiveItem, meta: Meta) -> None:
    """Delete the rows on a video from the files of archives that its sidecar names."""
    folder = item.outputs.base.parent
    for relative_path in meta.persons:
        file = storage_for(item.outputs.base).resolve(folder, relative_path)
        if file.name != ARCHIVE_PERSONS:
            continue
        rows = read_person_rows(file)
        keys = {video_key(item.outputs.csv, meta, file.parent)}
        kept = [row for row in rows if row.video not in keys and row.source != meta.source.hash]
        if len(kept) < len(rows):
            storage_for(file).write_atomic(file, format_persons(kept))
