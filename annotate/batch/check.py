"""Whether a finished archive is whole: outputs against the meta files that say what they were."""

from __future__ import annotations

import enum
import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.archive.discover import Obstacle, folders_below
from annotate.archive.layout import META_ENDING, REPORT_ENDING, Outputs, is_output, name_outputs
from annotate.results.meta import Meta, hash_file, is_unchanged, plain_name, read_meta
from annotate.storage.local.files import remove
from annotate.storage.locks import abandoned, sweep
from annotate.storage.s3.path import ObjectPath, is_remote
from annotate.version import ANALYSIS_VERSION


class Fault(enum.Enum):
    """What may be wrong."""

    MISSING = "missing"
    STALE = "stale"
    FOREIGN = "foreign"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with ``path``; ``stale`` are files that this program made and that serve no more."""

    path: Path
    fault: Fault
    reason: str
    stale: tuple[Path, ...] = ()


def check_archive(
    found: Iterable[Path | Obstacle],
    trees: Mapping[Path, Sequence[Path]],
    folders: Mapping[Path, Path] | None = None,
) -> Iterator[Finding]:
    """What is wrong with the outputs of videos as `annotate.archive.discover.walk` finds them, and of others near them.

    ``trees`` are the directories in which outputs that belong to no video are looked for, each with those whose videos
    it serves: itself, where outputs lie beside the videos. ``folders`` are as for `annotate.batch.run.annotate_archive`.
    Nothing is changed.
    """
    entries = list(found)
    for entry in entries:
        if isinstance(entry, Obstacle):
            yield Finding(entry.path, Fault.UNREADABLE, entry.reason.removeprefix(f"{entry.path}: "))
    names = name_outputs([entry for entry in entries if isinstance(entry, Path)], folders)
    check = _Check(frozenset(names))
    for video in sorted(names):
        yield from check.video(video, names[video])
    for tree, archives in trees.items():
        for folder in folders_below(tree):
            yield from check.folder(folder, [archive / folder.relative_to(tree) for archive in archives])


def remove_stale(finding: Finding) -> list[Path]:
    """Removes what this program made and what serves no more, and tells what that was; nothing else is touched.

    Raises:
        OutputError: a file cannot be removed.
    """
    if finding.fault is Fault.UNFINISHED:
        return sweep(finding.path.parent)
    for path in finding.stale:
        remove(path)
    return list(finding.stale)


class _Check:
    """One check; it knows which outputs are some video's, and reads every directory once."""

    def __init__(self, videos: frozenset[Path]) -> None:
        self._videos = videos
        self._accounted: set[Path] = set()
        self._beside = functools.cache(_by_plain_name)

    def video(self, video: Path, outputs: Outputs) -> Iterator[Finding]:
        """What is wrong with one video's outputs."""
        meta = read_meta(outputs.meta)
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
            changed = not is_unchanged(meta.source, video)
        except OSError as error:
            yield Finding(video, Fault.UNREADABLE, f"cannot be read ({error.strerror})")
            return
        if changed:
            yield Finding(outputs.meta, Fault.STALE, f"{video.name} has changed since", ours)
        elif meta.analysis_version != ANALYSIS_VERSION:
            yield Finding(outputs.meta, Fault.STALE, "made by another version of the analysis", ours)
        else:
            yield from faults

    def folder(self, folder: Path, archives: Sequence[Path]) -> Iterator[Finding]:
        """Outputs in a folder that belong to none of the videos, which lie in the folders ``archives``."""
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
                yield Finding(path, Fault.FOREIGN, "named like an output, but no meta file knows it")
        for path in abandoned(folder):
            yield Finding(path, Fault.UNFINISHED, "left by a run that was killed")

    def _compare(self, meta_path: Path, meta: Meta) -> tuple[tuple[Path, ...], list[Finding]]:
        """The files a meta file lists that are as they were written, itself last, and what is wrong with the others."""
        beside = self._beside(meta_path.parent)
        whole, faults = self._compare_renders(meta_path, meta)
        self._accounted.add(meta_path)
        for name, known in meta.outputs.items():
            path = beside.get(name)
            if path is None:
                if known is not None:
                    faults.append(Finding(meta_path.parent / name, Fault.MISSING, "gone; annotate the video again"))
            elif known is not None and is_output(path.name):
                self._accounted.add(path)
                try:
                    if not path.is_symlink() and hash_file(path) == known:
                        whole.append(path)
                    else:
                        faults.append(Finding(path, Fault.DAMAGED, "not as this program wrote it; --force writes it anew"))
                except OSError as error:
                    faults.append(Finding(path, Fault.UNREADABLE, f"cannot be read ({error.strerror})"))
        return (*whole, meta_path), faults

    def _compare_renders(self, meta_path: Path, meta: Meta) -> tuple[list[Path], list[Finding]]:
        """The same of copies of the video. One with another name than an output's, or in another folder, is never removed
        nor missed: somebody wanted it there, and a meta file that somebody else made could name what it wants."""
        whole, faults = [], []
        report = meta.outputs.get(plain_name(meta_path).removesuffix(META_ENDING) + REPORT_ENDING)
        for way, render in meta.renders.items():
            place = _place(meta_path.parent, way)
            path = self._beside(place.parent).get(place.name)
            is_usual = is_output(place.name) and way == place.name
            if path is None:
                if render.report == report and is_usual:
                    faults.append(Finding(place, Fault.MISSING, "gone; render the video again"))
                continue
            self._accounted.add(path)
            try:
                if path.is_symlink() or not path.is_file() or hash_file(path) != render.hash:
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


def _place(folder: Path, way: str) -> Path:
    """Where a way with slashes leads from a folder."""
    if is_remote(folder):
        return ObjectPath(os.path.normpath(os.path.join("/", *folder.parts, way)))
    return Path(os.path.normpath(folder / way))


def _by_plain_name(folder: Path) -> dict[str, Path]:
    """What lies in a folder, by names as meta files have them; nothing if it cannot be read."""
    try:
        return {plain_name(path): path for path in sorted(folder.iterdir())}
    except OSError:
        return {}
