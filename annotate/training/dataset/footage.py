"""Finding labelled pieces in a folder of videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from annotate.archive.discover import walk
from annotate.errors import DatasetError
from annotate.span import Span
from annotate.training.dataset.labels import Fault, Omission, Piece, without_ending


@dataclass(frozen=True)
class Place:
    """Where a labelled piece is: a file, and the span of it, or None for all of it.

    ``video`` names what belongs together: the id that several files of utterances share, or else the file.
    """

    piece: Piece
    video: str
    path: Path
    span: Span | None


class Library:
    """The videos below a folder by their names: with or without ending, in any case, with or without folders.

    Raises:
        DatasetError: there is no video below the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, list[Path]] = {}
        for found in walk([folder]):
            if isinstance(found, Path):
                for name in _names(found.relative_to(folder) if found != folder else Path(found.name)):
                    self._paths.setdefault(name, []).append(found)
        if not self._paths:
            raise DatasetError(f"{folder}: no video lies below it; give the folder of the videos that the labels name")

    def find(self, piece: Piece) -> Place | Omission:
        """A piece's place: the file of its utterance in the folder of its video, or its span of the whole video."""
        ways: list[tuple[str, Span | None]] = [(piece.video, piece.span)]
        if piece.utterance:
            ways.insert(0, (f"{piece.video}/{piece.utterance}", None))
        for name, span in ways:
            paths = self._find_paths(name)
            if len(paths) > 1:
                several = " and ".join(str(path) for path in paths[:2])
                return Omission(Fault.MISSING, f"{piece}: may be {several}; name its folder too, or its ending")
            if paths:
                video = without_ending(piece.video) if piece.utterance else self.name(paths[0])
                return Place(piece, video, paths[0], span)
        return Omission(Fault.MISSING, f"{piece}: no such video below {self._folder}")

    def name(self, path: Path) -> str:
        """A file's path below the folder."""
        return path.relative_to(self._folder).as_posix() if path != self._folder else path.name

    def _find_paths(self, name: str) -> list[Path]:
        """The files called exactly so, or else those called so but for their ending."""
        return self._paths.get(name.casefold()) or self._paths.get(without_ending(name).casefold(), [])


def _names(relative: Path) -> set[str]:
    """Every way to call a file: each tail of its path, with its ending and without."""
    parts = relative.as_posix().casefold().split("/")
    tails = {"/".join(parts[start:]) for start in range(len(parts))}
    return tails | {without_ending(tail) for tail in tails}
