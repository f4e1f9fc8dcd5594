"""Writing of reports and tracks, and deletion of outdated ones; edited and unknown files are never overwritten."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotate.archive.layout import OutputOptions, Outputs, is_output, kept_path
from annotate.archive.validity import misnamed_tracks
from annotate.emotions.labels import EMOTION_WORDS
from annotate.errors import OutputError
from annotate.results.boxes import format_boxes
from annotate.results.formats.registry import TRACK_FORMATS, format_track, is_available
from annotate.results.meta import Meta, hash_content, hash_file, json_safe_name
from annotate.results.report import Report
from annotate.results.table import format_table
from annotate.storage.base import Lock, storage_for
from annotate.storage.values import PathOrUrl


@dataclass(frozen=True)
class OutputWriter:
    """Writes the outputs of one video; files that are not as the ``earlier`` sidecar records get another name.

    ``kept`` has the remarks on them.
    """

    outputs: Outputs
    earlier: Meta | None
    lock: Lock
    kept: list[str] = field(default_factory=list)

    def write(self, texts: Mapping[PathOrUrl, str | None], meta: Meta) -> Meta:
        """Write each text to its path, or remove the file if the text is None; return a sidecar that lists them.

        Raises:
            OutputError: a file cannot be written or kept.
        """
        hashes: dict[str, str | None] = {}
        for path, text in texts.items():
            storage, text_hash = storage_for(path), None if text is None else hash_content(text.encode())
            self._keep_edited(path, text_hash)
            if text is None:
                storage.delete(path)
            else:
                storage.write_atomic(path, text, self.lock.scratch)
            hashes[json_safe_name(path)] = text_hash
        return replace(meta, outputs={**meta.outputs, **hashes})

    def delete_outdated(self, meta: Meta) -> None:
        """Delete the outputs of the earlier sidecar that the new one does not list; those edited since stay.

        Raises:
            OutputError: a file cannot be deleted.
        """
        storage = storage_for(self.outputs.meta)
        for name, expected_hash in self.earlier.outputs.items() if self.earlier is not None else ():
            path = self.outputs.meta.with_name(Path(name).name)
            is_outdated = name == path.name and is_output(name) and name not in meta.outputs and not storage.is_link(path)
            if not is_outdated or not storage.is_file(path):
                continue
            if hash_file(path) == expected_hash:
                storage.delete(path)
            else:
                self.kept.append(f"{name} was edited and is left as it is")

    def _keep_edited(self, path: PathOrUrl, new_hash: str | None) -> None:
        """Rename what is at ``path``, unless annotate wrote it or it has the content to be written."""
        storage = storage_for(path)
        if not storage.lexists(path):
            return
        recorded = None if self.earlier is None else self.earlier.outputs.get(json_safe_name(path))
        if not storage.is_link(path) and storage.is_file(path) and hash_file(path) in (recorded, new_hash):
            return
        target = kept_path(path)
        storage.rename(path, target)
        reason = "was not written by annotate" if recorded is None else "was edited"
        self.kept.append(f"{json_safe_name(path)} {reason}, kept as {json_safe_name(target)}")


def refuse_unknown_files(outputs: Outputs, options: OutputOptions, earlier: Meta | None) -> None:
    """Check that no requested track would overwrite a file that is not recorded in the ``earlier`` sidecar.

    Raises:
        OutputError: one would.
    """
    for track in outputs.tracks(options).values():
        if earlier is not None and not _is_writable(track, earlier):
            raise unknown_file_error(track)


def write_report(report: Report, writer: OutputWriter) -> Meta:
    """Write the table and the boxes of a report; return a sidecar that lists them, not written yet.

    Raises:
        OutputError: a file cannot be written.
    """
    boxes = format_boxes(report.boxes) if report.boxes else None
    outputs = writer.outputs
    return writer.write({outputs.csv: format_table(report.columns), outputs.boxes: boxes}, report.meta)


def write_tracks(report: Report, names: Iterable[str], options: OutputOptions, writer: OutputWriter) -> Meta:
    """Write tracks of a new report; return a sidecar that lists them, not written yet.

    Raises:
        OutputError: a file cannot be written.
    """
    return writer.write(_texts(report, names, options, writer), report.meta)


def add_tracks(report: Report, names: Iterable[str], options: OutputOptions, writer: OutputWriter) -> Meta:
    """Write tracks of an existing report; return a sidecar that lists them, not written yet.

    Files that the current sidecar does not list are not overwritten, except if their content is that of the track: a run
    that was killed before it wrote the sidecar left them.

    Raises:
        OutputError: a track would overwrite an unknown file (then none is written), or cannot be written.
    """
    return add_texts(_texts(report, names, options, writer), report, writer)


def add_texts(texts: Mapping[PathOrUrl, str | None], report: Report, writer: OutputWriter) -> Meta:
    """Write texts made of an existing report; return a sidecar that lists them, not written yet.

    Raise as `add_tracks` does.
    """
    for path, text in texts.items():
        if not _is_writable(path, report.meta) and not _has_content(path, text):
            raise unknown_file_error(path)
    return writer.write(texts, report.meta)


def _texts(
    report: Report, names: Iterable[str], options: OutputOptions, writer: OutputWriter
) -> dict[PathOrUrl, str | None]:
    """Return the text of each track by its path."""
    paths = writer.outputs.tracks(options)
    return {paths[name]: format_track(name, report, options.language, options.variant(name)) for name in names}


def rename_in_tracks(report: Report, writer: OutputWriter) -> Meta:
    """Write the unedited tracks with the video's former name again; return a sidecar that lists them, not written yet.

    Call this whenever the sidecar of an existing report is written: it then has the new names, and the former one is lost.

    Raises:
        OutputError: a file cannot be written.
    """
    texts: dict[PathOrUrl, str | None] = {}
    for (name, variant), path in misnamed_tracks(report.meta, writer.outputs).items():
        text = format_track(name, report, "", variant)
        recorded = report.meta.outputs[json_safe_name(path)]
        if not storage_for(path).is_link(path) and (hash_file(path) == recorded or _has_content(path, text)):
            texts[path] = text
        else:
            writer.kept.append(f"{json_safe_name(path)} was edited and still names {report.meta.former_name}")
    return writer.write(texts, report.meta)


def refresh_tracks(report: Report, writer: OutputWriter) -> Meta:
    """Write the existing tracks of a report again, but for edited ones; return a sidecar that lists them, not written yet.

    Call this when the persons or the corrections of a report changed.

    Raises:
        OutputError: a file cannot be written.
    """
    recorded, texts = report.meta.outputs, dict[PathOrUrl, str | None]()
    tracks = {
        writer.outputs.track(name, language, variant): (name, language, variant)
        for name, language in itertools.product(TRACK_FORMATS, EMOTION_WORDS)
        for variant in ("", *TRACK_FORMATS[name].variants)
    }
    for path, (name, language, variant) in tracks.items():
        known = recorded.get(json_safe_name(path))
        if known is None or not storage_for(path).is_file(path) or not is_available(name):
            continue
        text = format_track(name, report, language, variant)
        if text is not None and hash_content(text.encode()) == known:
            continue
        if storage_for(path).is_link(path) or hash_file(path) != known:
            writer.kept.append(f"{json_safe_name(path)} was edited and is left as it is")
        else:
            texts[path] = text
    for name, language in itertools.product(TRACK_FORMATS, EMOTION_WORDS):
        path = writer.outputs.dialogue(name, language)
        if json_safe_name(path) in recorded and storage_for(path).is_file(path):
            writer.kept.append(f"{json_safe_name(path)} is as before; run `annotate convert --with-transcript` to renew it")
    return writer.write(texts, report.meta)


def write_sidecar(meta: Meta, outputs: Outputs, lock: Lock) -> None:
    """Write the sidecar; call this last, when all outputs that it lists exist.

    Raises:
        OutputError: it cannot be written.
    """
    storage_for(outputs.meta).write_atomic(outputs.meta, meta.to_json(), lock.scratch)


def unknown_file_error(path: PathOrUrl) -> OutputError:
    """Return the error for a file that exists and was not written by annotate."""
    return OutputError("not written (a file that annotate did not write is there)", "move it away", path=path)


def _is_writable(path: PathOrUrl, earlier: Meta) -> bool:
    """Return whether ``path`` is free, or is recorded as an output in the ``earlier`` sidecar."""
    return earlier.outputs.get(json_safe_name(path)) is not None or not storage_for(path).lexists(path)


def _has_content(path: PathOrUrl, text: str | None) -> bool:
    storage = storage_for(path)
    return text is not None and not storage.is_link(path) and storage.is_file(path) and storage.read(path) == text.encode()
