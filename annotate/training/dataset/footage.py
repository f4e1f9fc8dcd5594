"""Locate labeled clips in a folder of videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from annotate.archive.discover import walk, without_extension
from annotate.errors import DatasetError
from annotate.span import Span
from annotate.storage.base import require_local
from annotate.storage.values import SkippedPath
from annotate.training.dataset.labels import LabeledClip, Omission, OmissionKind


@dataclass(frozen=True)
class ClipLocation:
    """The file that contains a labeled clip, and its span in that file; None for the whole file.

    ``video`` groups blocks of the same video: the id shared by several utterance files, or else the file's relative path.
    """

    clip: LabeledClip
    video: str
    path: Path
    span: Span | None


class Footage:
    """Index of the videos below a folder by name: with or without extension and folders, ignoring case.

    Raises:
        DatasetError: the folder contains no videos.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths_by_name: dict[str, list[Path]] = {}
        for found in walk([folder]):
            if isinstance(found, SkippedPath):
                continue
            path = require_local(found)
            for name in _names(path.relative_to(folder) if path != folder else Path(path.name)):
                self._paths_by_name.setdefault(name, []).append(path)
        if not self._paths_by_name:
            raise DatasetError("contains no videos", "choose the folder of the labeled videos", path=folder)

    def find(self, clip: LabeledClip) -> ClipLocation | Omission:
        """Return the utterance file of a clip in its video's folder, or else its span in the whole video."""
        candidates: list[tuple[str, Span | None]] = [(clip.video, clip.span)]
        if clip.utterance:
            candidates.insert(0, (f"{clip.video}/{clip.utterance}", None))
        for name, span in candidates:
            paths = self._find_paths(name)
            paths = [path for path in paths if self.relative_path(path) == name] or paths
            if len(paths) > 1:
                examples = " or ".join(str(path) for path in paths[:2])
                reason = f"{clip}: ambiguous name ({examples}). Add its folder or extension."
                return Omission(OmissionKind.MISSING, reason)
            if paths:
                video = without_extension(clip.video) if clip.utterance else self.relative_path(paths[0])
                return ClipLocation(clip, video, paths[0], span)
        return Omission(OmissionKind.MISSING, f"{clip}: video not found below {self._folder}")

    def relative_path(self, path: Path) -> str:
        """Return a file's path relative to the folder, with forward slashes."""
        return path.relative_to(self._folder).as_posix() if path != self._folder else path.name

    def _find_paths(self, name: str) -> list[Path]:
        """Return the files with this name, or else those whose name matches without extension."""
        paths = self._paths_by_name
        return paths.get(name.casefold()) or paths.get(without_extension(name).casefold(), [])


def _names(relative: Path) -> set[str]:
    """Return all names of a file: each suffix of its relative path, with and without extension."""
    parts = relative.as_posix().casefold().split("/")
    suffixes = {"/".join(parts[start:]) for start in range(len(parts))}
    return suffixes | {without_extension(suffix) for suffix in suffixes}
