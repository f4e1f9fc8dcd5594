"""Find labeled pieces in a folder of videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from annotate.archive.discover import walk
from annotate.errors import DatasetError
from annotate.span import Span
from annotate.storage.base import local_only
from annotate.storage.values import SkippedPath
from annotate.training.dataset.labels import LabeledPiece, Omission, OmissionKind, without_ending


@dataclass(frozen=True)
class PieceLocation:
    """The file of a labeled piece, and the span of the file, or None for all of it.

    ``video`` names blocks that belong together: the id that several files of utterances share, or else the file.
    """

    piece: LabeledPiece
    video: str
    path: Path
    span: Span | None


class Footage:
    """The videos below a folder by their names: with or without ending, in any case, with or without folders.

    Raises:
        DatasetError: there is no video below the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, list[Path]] = {}
        for found in walk([folder]):
            if isinstance(found, SkippedPath):
                continue
            path = local_only(found)
            for name in _names(path.relative_to(folder) if path != folder else Path(path.name)):
                self._paths.setdefault(name, []).append(path)
        if not self._paths:
            remedy = "give the folder of the videos that the labels name"
            raise DatasetError("no video lies below it", remedy, path=folder)

    def find(self, piece: LabeledPiece) -> PieceLocation | Omission:
        """Return the file of a piece's utterance in the folder of its video, or its span of the whole video."""
        candidates: list[tuple[str, Span | None]] = [(piece.video, piece.span)]
        if piece.utterance:
            candidates.insert(0, (f"{piece.video}/{piece.utterance}", None))
        for name, span in candidates:
            paths = self._find_paths(name)
            if len(paths) > 1:
                several = " and ".join(str(path) for path in paths[:2])
                return Omission(OmissionKind.MISSING, f"{piece}: may be {several}; name its folder too, or its ending")
            if paths:
                video = without_ending(piece.video) if piece.utterance else self.name(paths[0])
                return PieceLocation(piece, video, paths[0], span)
        return Omission(OmissionKind.MISSING, f"{piece}: no such video below {self._folder}")

    def name(self, path: Path) -> str:
        """Return a file's path below the folder."""
        return path.relative_to(self._folder).as_posix() if path != self._folder else path.name

    def _find_paths(self, name: str) -> list[Path]:
        """Return the files of that name, or else those of that name without an ending."""
        return self._paths.get(name.casefold()) or self._paths.get(without_ending(name).casefold(), [])


def _names(relative: Path) -> set[str]:
    """Return all names of a file: each tail of its path, with its ending and without."""
    parts = relative.as_posix().casefold().split("/")
    tails = {"/".join(parts[start:]) for start in range(len(parts))}
    return tails | {without_ending(tail) for tail in tails}
