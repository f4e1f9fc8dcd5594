"""The files that say which face tracks are of which person, and their application to tables that are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from annotate.archive.layout import ARCHIVE_PERSONS, outputs_of_report
from annotate.errors import ReportError, StorageError, remedy_for
from annotate.results.meta import Meta, json_safe_text
from annotate.results.persons import Person, PersonRow, apply_persons, match_tracks, parse_persons, tracks_of
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

if TYPE_CHECKING:
    import pandas as pd

_CORRECT_IT = "correct it, or delete it and run `annotate persons` again"


class PersonFiles:
    """Reads files of persons, each once."""

    def __init__(self) -> None:
        self._files: dict[PathOrUrl, dict[str, list[PersonRow]]] = {}

    def apply(self, table: pd.DataFrame, path: PathOrUrl, meta: Meta) -> pd.DataFrame:
        """Return the table ``path`` with the persons of its face tracks, as files say that its sidecar names.

        Raises:
            ReportError: such a file is damaged or cannot be read.
        """
        persons = self.persons(table, path, meta)
        return table if persons is None else apply_persons(table, persons)

    def persons(self, table: pd.DataFrame, path: PathOrUrl, meta: Meta) -> dict[int, Person] | None:
        """Return the persons of the face tracks of a table, by ``face_id``; None if no file knows its video.

        Raise as `apply` does.
        """
        rows = self.rows(path, meta)
        if not rows:
            return None
        matched = match_tracks(tracks_of(table), rows)
        return {face_id: Person(row.person, row.name) for face_id, row in matched.items()}

    def rows(self, path: PathOrUrl, meta: Meta) -> list[PersonRow]:
        """Return the rows on the tracks of the table ``path`` in the first file that has some. Raise as `apply` does."""
        file = self.file_of(path, meta)
        return [] if file is None else self.rows_in(file, path, meta)

    def file_of(self, path: PathOrUrl, meta: Meta) -> PathOrUrl | None:
        """Return the first file that has rows on the tracks of the table ``path``. Raise as `apply` does."""
        files = (storage_for(path).resolve(path.parent, relative_path) for relative_path in meta.persons)
        return next((file for file in files if self.rows_in(file, path, meta)), None)

    def rows_in(self, file: PathOrUrl, path: PathOrUrl, meta: Meta) -> list[PersonRow]:
        """Return the rows of a file on the tracks of the table ``path``, found by the video's name or else its hash.

        Raise as `apply` does.
        """
        if file not in self._files:
            rows_by_key: dict[str, list[PersonRow]] = {}
            for row in read_person_rows(file):
                for key in {row.video, row.source}:
                    rows_by_key.setdefault(key, []).append(row)
            self._files[file] = rows_by_key
        rows_by_key = self._files[file]
        if file == outputs_of_report(path).persons and "" in rows_by_key:
            return rows_by_key[""]
        of_video = rows_by_key.get(video_key(path, meta, file.parent), [])
        if not of_video and meta.source.hash:
            of_video = rows_by_key.get(meta.source.hash, [])
        return [row for row in of_video if row.video == of_video[0].video]


def video_key(path: PathOrUrl, meta: Meta, root: PathOrUrl) -> str:
    """Return how the file of an archive at ``root`` names the video of the table ``path``."""
    return json_safe_text(storage_for(path).relative(path.with_name(meta.source.name), root))


def read_person_rows(file: PathOrUrl) -> list[PersonRow]:
    """Return the rows of a file of persons; none if it does not exist.

    Raises:
        ReportError: it is damaged or cannot be read.
    """
    try:
        return parse_persons(storage_for(file).read(file))
    except FileNotFoundError:
        return []
    except StorageError:
        raise
    except OSError as error:
        raise ReportError(f"cannot be read ({error.strerror})", remedy_for(error), path=file) from None
    except ValueError as error:
        raise ReportError(f"not a file of persons ({error})", _CORRECT_IT, path=file) from None


def with_file(persons: Sequence[str], relative_path: str) -> tuple[str, ...]:
    """Return the files of persons of a sidecar with another one in front; the file of a video itself stays last.

    >>> with_file(["a.emotions.persons.csv"], "../archive.emotions.persons.csv")
    ('../archive.emotions.persons.csv', 'a.emotions.persons.csv')
    """
    others = [path for path in persons if path != relative_path]
    is_own = relative_path.rpartition("/")[2] != ARCHIVE_PERSONS
    return (*others, relative_path) if is_own else (relative_path, *others)
