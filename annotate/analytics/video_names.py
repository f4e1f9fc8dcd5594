"""Find the table of a video that people name: by its name, with or without extension, and by as many folders as needed."""

from __future__ import annotations

from collections.abc import Sequence

from annotate.archive.discover import without_extension
from annotate.archive.layout import REPORT_ENDING
from annotate.errors import CodingError
from annotate.results.meta import normal_form
from annotate.storage.values import PathOrUrl


class VideoNames:
    """The tables of an archive by the names of their videos, compared without case and in one Unicode form."""

    def __init__(self, reports: Sequence[PathOrUrl]) -> None:
        self._reports = list(reports)
        self._parts = [_parts(str(path).removesuffix(REPORT_ENDING)) for path in reports]
        self._by_stem: dict[str, list[int]] = {}
        for number, parts in enumerate(self._parts):
            self._by_stem.setdefault(without_extension(parts[-1]), []).append(number)

    def find(self, video: str) -> PathOrUrl | None:
        """Return the table of the video with this name or path, None if there is none.

        Of several videos with that name it is the one that has most of the folders of the path.

        Raises:
            CodingError: several videos fit equally well.
        """
        parts = _parts(video)
        if not parts:
            return None
        same_stem = self._by_stem.get(without_extension(parts[-1]), [])
        exact = [number for number in same_stem if self._parts[number][-1] == parts[-1]]
        without = [number for number in same_stem if self._parts[number][-1] == without_extension(parts[-1])]
        found = exact or without or same_stem
        folders = {number: _common(self._parts[number][:-1], parts[:-1]) for number in found}
        best = [number for number in found if folders[number] == max(folders.values())]
        if len(best) > 1:
            paths = ", ".join(str(self._reports[number]) for number in best[:2])
            raise CodingError(f"{len(best)} videos are called {video!r} ({paths})", "name the folder of the video too")
        return self._reports[best[0]] if best else None


def _parts(path: str) -> tuple[str, ...]:
    text = normal_form(path).casefold().replace("\\", "/")
    return tuple(part for part in text.split("/") if part not in ("", "."))


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many parts at the end of two paths are the same."""
    count = 0
    while count < min(len(first), len(second)) and first[-1 - count] == second[-1 - count]:
        count += 1
    return count
