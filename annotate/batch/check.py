"""Integrity check of an archive: outputs against the hashes in their sidecars."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from annotate.archive.layout import (
    ARCHIVE_PERSONS,
    FAILURE_ENDING,
    META_ENDING,
    REPORT_ENDING,
    is_added,
    is_output,
    outputs_of_report,
)
from annotate.archive.scan import ArchiveItem, Scan
from annotate.archive.status import current_failure
from annotate.errors import ReportError, read_error
from annotate.results.failure import parse_failure
from annotate.results.meta import Meta, hash_file, is_unchanged, json_safe_name, read_meta
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath


class FindingKind(enum.Enum):
    """Kinds of findings; the values are printed by `annotate check`."""

    MISSING = "missing"
    FAILED = "failed"
    STALE = "stale"
    UNKNOWN = "unknown"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Finding:
    """A problem with ``path``; ``stale`` are the outdated outputs of annotate that may be deleted."""

    path: PathOrUrl
    kind: FindingKind
    reason: str
    stale: tuple[PathOrUrl, ...] = ()


def check_archive(scanned: Scan, trees: Mapping[PathOrUrl, Sequence[PathOrUrl]]) -> Iterator[Finding]:
    """Yield problems with the outputs of the videos of a scan, then orphaned outputs; change nothing.
    ``trees`` are the folders that are searched for orphaned outputs, each with the archives whose outputs it contains: the
    folder itself if outputs are beside the videos (`annotate.archive.output_tree.output_trees`).
    """
    check = _Check(frozenset(scanned.videos))
    for item in scanned.ordered():
        if isinstance(item, SkippedPath):
            yield Finding(item.path, FindingKind.UNREADABLE, item.reason)
        else:
            yield from check.video(item)
    for tree, archives in trees.items():
        storage = storage_for(tree)
        for folder in storage.walk_dirs(tree):
            yield from check.folder(folder, [archive / storage.subpath(folder, tree) for archive in archives])


def delete_stale_files(finding: Finding) -> list[PathOrUrl]:
    """Delete the outdated outputs or leftovers of a finding, and nothing else; return the deleted paths.

    Raises:
        OutputError: a file cannot be deleted.
    """
    if finding.kind is FindingKind.UNFINISHED:
        return storage_for(finding.path).sweep(finding.path.parent)
    for path in finding.stale:
        storage_for(path).delete(path)
    return list(finding.stale)


class _Check:
    """State of one check: the outputs accounted for by a sidecar, and cached listings of folders."""

    def __init__(self, videos: frozenset[PathOrUrl]) -> None:
        self._videos = videos
        self._accounted: set[PathOrUrl] = set()
        self._folders: dict[PathOrUrl, dict[str, PathOrUrl]] = {}

    def video(self, item: ArchiveItem) -> Iterator[Finding]:
        """Yield problems with the outputs of one video."""
        video, outputs, meta = item.video, item.outputs, item.meta
        self._accounted.add(outputs.failure)
        if meta is None:
            entries = self._entries(outputs.meta.parent)
            self._accounted.update(path for path in entries.values() if path.name.startswith(outputs.prefix))
            if outputs.meta in self._accounted:
                yield Finding(outputs.meta, FindingKind.DAMAGED, "not a valid sidecar; annotate the video again")
            else:
                yield next(_failed(item), Finding(video, FindingKind.MISSING, "not annotated yet"))
            return
        ours, findings = self._compare(outputs.meta, meta)
        try:
            changed = not is_unchanged(meta.source, video, item.stat)
        except OSError as error:
            yield _unreadable(video, error)
            return
        if changed:
            yield Finding(outputs.meta, FindingKind.STALE, f"{video.name} has changed since it was annotated", ours)
            yield from _failed(item)
        elif meta.is_older or meta.is_later:
            yield Finding(outputs.meta, FindingKind.STALE, "made by another analysis version", ours)
            yield from _failed(item)
        else:
            yield from findings

    def folder(self, folder: PathOrUrl, archives: Sequence[PathOrUrl]) -> Iterator[Finding]:
        """Yield orphaned outputs and leftovers in a folder; the videos of its outputs are in the folders ``archives``."""
        outputs = [path for path in self._entries(folder).values() if is_output(path.name) and not is_added(path.name)]
        orphans = [path for path in outputs if path not in self._accounted]
        metas = [(path, meta) for path in orphans if (meta := read_meta(path)) is not None]
        for path, meta in metas:
            ours, _ = self._compare(path, meta)
            videos = [video for archive in archives if (video := self._entries(archive).get(meta.source.name))]
            if not videos:
                yield Finding(path, FindingKind.STALE, f"its video {meta.source.name} was deleted", ours)
            elif any(video in self._videos for video in videos):
                yield Finding(path, FindingKind.STALE, f"{meta.source.name} has outputs of another name now", ours)
        for path in orphans:
            if path.name == ARCHIVE_PERSONS:
                self._accounted.add(path)
                yield from _check_persons(path)
            elif path.name.endswith(FAILURE_ENDING) and _is_failure(path):
                yield Finding(path, FindingKind.STALE, "the video that failed is gone, or has other outputs", (path,))
            elif path not in self._accounted:
                yield Finding(path, FindingKind.UNKNOWN, "named like an output, but not listed in any sidecar")
        for path in storage_for(folder).find_abandoned(folder):
            yield Finding(path, FindingKind.UNFINISHED, "left by a killed run")

    def _entries(self, folder: PathOrUrl) -> dict[str, PathOrUrl]:
        """Return the entries of a folder by their names in sidecars; empty if the folder cannot be read."""
        if folder not in self._folders:
            try:
                paths = storage_for(folder).list_dir(folder)
            except OSError:
                paths = []
            self._folders[folder] = {json_safe_name(path): path for path in paths}
        return self._folders[folder]

    def _compare(self, sidecar: PathOrUrl, meta: Meta) -> tuple[tuple[PathOrUrl, ...], list[Finding]]:
        """Return the intact files that a sidecar lists, with the sidecar last, and findings on the others."""
        entries = self._entries(sidecar.parent)
        intact, findings = self._compare_renders(sidecar, meta)
        self._accounted.add(sidecar)
        outputs = outputs_of_report(sidecar)
        if outputs.persons in entries.values():
            self._accounted.add(outputs.persons)
            findings += _check_persons(outputs.persons)
        if outputs.corrections in entries.values():
            self._accounted.add(outputs.corrections)
            findings += _check_corrections(outputs.corrections)
        if outputs.descriptors in entries.values():
            self._accounted.add(outputs.descriptors)
            intact.append(outputs.descriptors)
        for name, expected_hash in meta.outputs.items():
            path = entries.get(name)
            if path is None:
                if expected_hash is not None:
                    findings.append(Finding(sidecar.parent / name, FindingKind.MISSING, "deleted; annotate the video again"))
            elif expected_hash is not None and is_output(path.name):
                self._accounted.add(path)
                try:
                    if not storage_for(path).is_link(path) and hash_file(path) == expected_hash:
                        intact.append(path)
                    else:
                        reason = (
                            "changed after annotate wrote it; run `annotate correct` on its video to keep what was changed"
                        )
                        if path.name != outputs.csv.name:
                            reason = "changed after annotate wrote it; run `annotate --force` to write it again"
                        findings.append(Finding(path, FindingKind.DAMAGED, reason))
                except OSError as error:
                    findings.append(_unreadable(path, error))
        return (*intact, sidecar), findings

    def _compare_renders(self, sidecar: PathOrUrl, meta: Meta) -> tuple[list[PathOrUrl], list[Finding]]:
        """Return intact rendered videos, and findings on the others.

        A rendered video with a name or folder chosen by the user is neither deleted nor reported as missing: the user may
        have moved it, and a malicious sidecar could list arbitrary files.
        """
        intact, findings = list[PathOrUrl](), list[Finding]()
        report_hash = meta.outputs.get(json_safe_name(sidecar).removesuffix(META_ENDING) + REPORT_ENDING)
        for relative_path, render in meta.renders.items():
            storage, target = storage_for(sidecar), storage_for(sidecar).resolve(sidecar.parent, relative_path)
            path = self._entries(target.parent).get(target.name)
            has_default_name = is_output(target.name) and relative_path == target.name
            if path is None:
                if render.report == report_hash and has_default_name:
                    findings.append(Finding(target, FindingKind.MISSING, "deleted; render the video again"))
                continue
            self._accounted.add(path)
            try:
                if storage.is_link(path) or not storage.is_file(path) or hash_file(path) != render.hash:
                    reason = "changed after annotate wrote it; move it away and render again"
                    findings.append(Finding(path, FindingKind.DAMAGED, reason))
                elif render.report == report_hash:
                    intact += [path] if has_default_name else []
                else:
                    ours = (path,) if has_default_name else ()
                    reason = "rendered from an earlier table; render the video again"
                    findings.append(Finding(path, FindingKind.STALE, reason, ours))
            except OSError as error:
                findings.append(_unreadable(path, error))
        return intact, findings


def _failed(item: ArchiveItem) -> Iterator[Finding]:
    """Yield that a video could not be annotated, if that is recorded and it has not changed since."""
    try:
        failure = current_failure(item)
    except OSError as error:
        yield _unreadable(item.video, error)
        return
    if failure is not None:
        yield Finding(item.video, FindingKind.FAILED, failure.reason)


def _is_failure(path: PathOrUrl) -> bool:
    """Return whether a file is a failure record, byte for byte as annotate wrote it."""
    storage = storage_for(path)
    if storage.is_link(path) or not storage.is_file(path):
        return False
    try:
        content = storage.read(path)
    except OSError:
        return False
    failure = parse_failure(content)
    return failure is not None and failure.to_json().encode() == content


def _check_persons(path: PathOrUrl) -> Iterator[Finding]:
    """Yield the problem with a file of persons, which people may change, if it cannot be applied."""
    from annotate.archive.persons import read_person_rows

    try:
        read_person_rows(path)
    except ReportError as error:
        yield Finding(path, FindingKind.DAMAGED, error.reason)


def _check_corrections(path: PathOrUrl) -> Iterator[Finding]:
    """Yield the problem with a file of corrections, which people may change, if lines of it are none."""
    from annotate.archive.corrections import read_corrections
    from annotate.results.corrections import shorten

    try:
        problems = read_corrections(path).problems
    except ReportError as error:
        yield Finding(path, FindingKind.UNREADABLE, error.reason)
    else:
        if problems:
            yield Finding(path, FindingKind.DAMAGED, f"{shorten(problems)}; the rest applies")


def _unreadable(path: PathOrUrl, error: OSError) -> Finding:
    return Finding(path, FindingKind.UNREADABLE, read_error(path, error).reason)
