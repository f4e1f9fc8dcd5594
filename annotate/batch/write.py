"""Writing a report and its tracks, and removing what an earlier run wrote; nothing of somebody else is overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from annotate.archive.layout import OutputOptions, Outputs, is_output
from annotate.errors import OutputError
from annotate.results.boxes import format_boxes
from annotate.results.formats.registry import write_track
from annotate.results.meta import Meta, hash_content, hash_file, json_safe_name
from annotate.results.report import Report
from annotate.results.table import format_table
from annotate.storage.base import Lock, storage_for
from annotate.storage.values import PathOrUrl


def refuse_foreign_tracks(outputs: Outputs, options: OutputOptions, earlier: Meta | None) -> None:
    """Make sure that no asked-for track would replace a file that an earlier run did not write.

    Raises:
        OutputError: one would.
    """
    for track in outputs.tracks(options).values():
        if earlier is not None and not _is_ours(track, earlier):
            raise foreign(track)


def write_report(report: Report, outputs: Outputs, lock: Lock) -> Meta:
    """Write table and boxes of a report; return its sidecar, which knows of them and is not written yet.

    Raises:
        OutputError: a file cannot be written.
    """
    boxes = format_boxes(report.boxes) if report.boxes else None
    return _write({outputs.csv: format_table(report.table), outputs.boxes: boxes}, report.meta, lock.scratch)


def write_tracks(report: Report, names: Iterable[str], outputs: Outputs, language: str, lock: Lock) -> Meta:
    """Write tracks of a report; return its sidecar, which knows of them and is not written yet.

    Raises:
        OutputError: a file cannot be written.
    """
    texts = {outputs.track(name, language): write_track(name, report, language) for name in names}
    return _write(texts, report.meta, lock.scratch)


def write_further_tracks(report: Report, names: Iterable[str], outputs: Outputs, language: str, lock: Lock) -> Meta:
    """Write tracks of a report that stands; return its sidecar, which knows of them and is not written yet.

    Files of these names that the sidecar does not know are left alone, unless they are the very tracks, written by a run
    that was killed before it could say so.

    Raises:
        OutputError: one is somebody else's, or cannot be written; then no other is.
    """
    texts = {outputs.track(name, language): write_track(name, report, language) for name in names}
    for path, text in texts.items():
        if not _is_ours(path, report.meta) and not _is_written(path, text):
            raise foreign(path)
    return _write(texts, report.meta, lock.scratch)


def write_sidecar(meta: Meta, outputs: Outputs, lock: Lock) -> None:
    """Write the sidecar, last of all: what it lists is there.

    Raises:
        OutputError: it cannot be written.
    """
    storage_for(outputs.meta).write_atomic(outputs.meta, meta.to_json(), lock.scratch)


def remove_outdated(outputs: Outputs, earlier: Meta, meta: Meta) -> None:
    """Remove what an earlier run wrote in formats that were not asked for again: it is of the earlier report.

    Raises:
        OutputError: a file cannot be removed.
    """
    storage = storage_for(outputs.meta)
    for name, known in earlier.outputs.items():
        path = outputs.meta.with_name(Path(name).name)
        is_mine = name == path.name and is_output(name) and name not in meta.outputs and not storage.is_link(path)
        if is_mine and storage.is_file(path) and hash_file(path) == known:
            storage.delete(path)


def foreign(path: PathOrUrl) -> OutputError:
    """Return what is raised where a file lies that this program did not make."""
    return OutputError("not written, since a file is there that this program did not make", "move it away", path=path)


def _write(texts: Mapping[PathOrUrl, str | None], meta: Meta, scratch: Path | None) -> Meta:
    """Write files, remove those there is nothing to write for, and return a sidecar that knows of them."""
    known: dict[str, str | None] = {}
    for path, text in texts.items():
        storage = storage_for(path)
        if text is None:
            storage.delete(path)
        else:
            storage.write_atomic(path, text, scratch)
        known[json_safe_name(path)] = None if text is None else hash_content(text.encode())
    return replace(meta, outputs={**meta.outputs, **known})


def _is_ours(path: PathOrUrl, earlier: Meta) -> bool:
    """Return whether nothing but what an earlier run wrote is lost if something else is written to ``path``."""
    return earlier.outputs.get(json_safe_name(path)) is not None or not storage_for(path).is_taken(path)


def _is_written(path: PathOrUrl, text: str | None) -> bool:
    storage = storage_for(path)
    return text is not None and not storage.is_link(path) and storage.is_file(path) and storage.read(path) == text.encode()
