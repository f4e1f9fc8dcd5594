"""Whether a finished archive is whole: outputs against the sidecars that say what they were."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from annotate.archive.layout import META_ENDING, REPORT_ENDING, is_output
from annotate.archive.scan import ArchiveItem, Scan
from annotate.results.meta import Meta, hash_file, is_unchanged, json_safe_name, read_meta
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.version import ANALYSIS_VERSION


class Fault(enum.Enum):
    """What may be wrong."""

    MISSING = "missing"
    STALE = "stale"
    UNKNOWN = "unknown"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with ``path``; ``stale`` are files that this program made and that serve no more."""

    path: PathOrUrl
    fault: Fault
    reason: str
    stale: tuple[PathOrUrl, ...] = ()


def check_archive(scanned: Scan, trees: Mapping[PathOrUrl, Sequence[PathOrUrl]]) -> Iterator[Finding]:
    """Yield what is wrong with the outputs of videos as `annotate.archive.scan.scan` finds them, and of others near them.

    ``trees`` are the directories in which outputs that belong to no video are looked for, each with those whose videos
    it serves: itself, where outputs lie beside the videos. Nothing is changed.
    """
    check = _Check(frozenset(scanned.videos))
    for item in scanned.ordered():
        if isinstance(item, SkippedPath):
            yield Finding(item.path, Fault.UNREADABLE, item.reason)
        else:
            yield from check.video(item)
    for tree, archives in trees.items():
        storage = storage_for(tree)
        for folder in storage.folders(tree):
            yield from check.folder(folder, [archive / storage.below(folder, tree) for archive in archives])


def remove_stale(finding: Finding) -> list[PathOrUrl]:
    """Remove what this program made and what serves no more, and return what that was; nothing else is touched.

    Raises:
        OutputError: a file cannot be removed.
    """
    if finding.fault is Fault.UNFINISHED:
        return storage_for(finding.path).sweep(finding.path.parent)
    for path in finding.stale:
        storage_for(path).delete(path)
    return list(finding.stale)


class _Check:
    """One check; it knows which outputs are some video's, and reads every directory once."""

    def __init__(self, videos: frozenset[PathOrUrl]) -> None:
        self._videos = videos
        self._accounted: set[PathOrUrl] = set()
        self._folders: dict[PathOrUrl, dict[str, PathOrUrl]] = {}

    def video(self, item: ArchiveItem) -> Iterator[Finding]:
        """Yield what is wrong with one video's outputs."""
        video, outputs, meta = item.video, item.outputs, item.meta
        if meta is None:
            beside = self._beside(outputs.meta.parent)
            self._accounted.update(path for path in beside.values() if path.name.startswith(outputs.mark))
            if outputs.meta in self._accounted:
                yield Finding(outputs.meta, Fault.DAMAGED, "no whole meta file; annotate the video again")
            else:
                yield Finding(video, Fault.MISSING, "not annotated yet")
            return
        ours, faults = self._compare(outputs.meta, meta)
        try:
            changed = not is_unchanged(meta.source, video, item.stat)
        except OSError as error:
            yield Finding(video, Fault.UNREADABLE, f"cannot be read ({error.strerror})")
            return
        if changed:
            yield Finding(outputs.meta, Fault.STALE, f"{video.name} has changed since", ours)
        elif meta.analysis_version != ANALYSIS_VERSION:
            yield Finding(outputs.meta, Fault.STALE, "made by another version of the analysis", ours)
        else:
            yield from faults

    def folder(self, folder: PathOrUrl, archives: Sequence[PathOrUrl]) -> Iterator[Finding]:
        """Yield outputs in a folder that belong to none of the videos, which lie in the folders ``archives``."""
        loose = [path for path in self._beside(folder).values() if is_output(path.name) and path not in self._accounted]
        metas = [(path, meta) for path in loose if (meta := read_meta(path)) is not None]
        for path, meta in metas:
            ours, _ = self._compare(path, meta)
            sources = [video for archive in archives if (video := self._beside(archive).get(meta.source.name))]
            if not sources:
                yield Finding(path, Fault.STALE, f"its video {meta.source.name} is gone", ours)
            elif any(video in self._videos for video in sources):
                yield Finding(path, Fault.STALE, f"the outputs of {meta.source.name} have other names now", ours)
        for path in loose:
            if path not in self._accounted:
                yield Finding(path, Fault.UNKNOWN, "named like an output, but no meta file knows it")
        for path in storage_for(folder).abandoned(folder):
            yield Finding(path, Fault.UNFINISHED, "left by a run that was killed")

    def _beside(self, folder: PathOrUrl) -> dict[str, PathOrUrl]:
        """Return what lies in a folder, by names as sidecars have them; nothing if it cannot be read."""
        if folder not in self._folders:
            try:
                paths = storage_for(folder).list_dir(folder)
            except OSError:
                paths = []
            self._folders[folder] = {json_safe_name(path): path for path in paths}
        return self._folders[folder]

    def _compare(self, sidecar: PathOrUrl, meta: Meta) -> tuple[tuple[PathOrUrl, ...], list[Finding]]:
        """Return the files a sidecar lists that are as they were written, itself last, and what is wrong with the others."""
        beside = self._beside(sidecar.parent)
        whole, faults = self._compare_renders(sidecar, meta)
        self._accounted.add(sidecar)
        for name, known in meta.outputs.items():
            path = beside.get(name)
            if path is None:
                if known is not None:
                    faults.append(Finding(sidecar.parent / name, Fault.MISSING, "gone; annotate the video again"))
            elif known is not None and is_output(path.name):
                self._accounted.add(path)
                try:
                    if not storage_for(path).is_link(path) and hash_file(path) == known:
                        whole.append(path)
                    else:
                        faults.append(Finding(path, Fault.DAMAGED, "not as this program wrote it; --force writes it anew"))
                except OSError as error:
                    faults.append(Finding(path, Fault.UNREADABLE, f"cannot be read ({error.strerror})"))
        return (*whole, sidecar), faults

    def _compare_renders(self, sidecar: PathOrUrl, meta: Meta) -> tuple[list[PathOrUrl], list[Finding]]:
        """Return the same of rendered videos. One with another name than an output's, or in another folder, is never removed
        nor missed: somebody wanted it there, and a sidecar that somebody else made could name what it wants."""
        whole, faults = list[PathOrUrl](), list[Finding]()
        report = meta.outputs.get(json_safe_name(sidecar).removesuffix(META_ENDING) + REPORT_ENDING)
        for way, render in meta.renders.items():
            storage, place = storage_for(sidecar), storage_for(sidecar).resolve(sidecar.parent, way)
            path = self._beside(place.parent).get(place.name)
            is_usual = is_output(place.name) and way == place.name
            if path is None:
                if render.report == report and is_usual:
                    faults.append(Finding(place, Fault.MISSING, "gone; render the video again"))
                continue
            self._accounted.add(path)
            try:
                if storage.is_link(path) or not storage.is_file(path) or hash_file(path) != render.hash:
                    faults.append(
                        Finding(path, Fault.DAMAGED, "not as this program wrote it; move it away and render again")
                    )
                elif render.report == report:
                    whole += [path] if is_usual else []
                else:
                    ours = (path,) if is_usual else ()
                    faults.append(Finding(path, Fault.STALE, "made from an earlier report; render the video again", ours))
            except OSError as error:
                faults.append(Finding(path, Fault.UNREADABLE, f"cannot be read ({error.strerror})"))
        return whole, faults
