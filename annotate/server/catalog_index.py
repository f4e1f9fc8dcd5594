"""Index of the reports of all videos that a server shows, each read once and again when it changes."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from annotate.analytics.moments import Moment, MomentQuery, moments_in
from annotate.analytics.read import Batch, read_reports
from annotate.span import MS_PER_S
from annotate.storage.values import PathOrUrl, SkippedPath, sort_key

_MAX_BATCHES = 40
"""With more, all reports are read again, so that they lie together."""


@dataclass(frozen=True)
class Figures:
    """A report in numbers: ``shares`` maps each emotion that occurs to its share of the seconds of faces."""

    duration_s: float
    faces: int
    shares: Mapping[str, float]

    @property
    def dominant(self) -> str:
        """The emotion with the largest share, empty without faces."""
        return max(sorted(self.shares), key=lambda name: self.shares[name], default="")


class CatalogIndex:
    """Figures and moments of many reports, from memory: some 40 bytes a row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[PathOrUrl, int] = {}
        self._batches: list[Batch] = []
        self._batch_of: dict[PathOrUrl, Batch] = {}
        self._figures: dict[PathOrUrl, Figures] = {}
        self._skipped: dict[PathOrUrl, SkippedPath] = {}

    def update(self, versions: Mapping[PathOrUrl, int]) -> bool:
        """Read reports whose version is new or that could not be read, and forget those that are gone.

        Returns whether there were any.
        """
        with self._lock:
            changed = {path for path, version in versions.items() if self._versions.get(path) != version}
            changed |= self._skipped.keys() & versions.keys()
            gone = self._versions.keys() - versions.keys()
            if not changed and not gone:
                return False
            if len(self._batches) > _MAX_BATCHES:
                changed = set(versions)
                self._batches.clear()
            for path in changed | gone:
                self._batch_of.pop(path, None)
                self._figures.pop(path, None)
                self._skipped.pop(path, None)
            for batch in read_reports(sorted(changed, key=sort_key)):
                if isinstance(batch, SkippedPath):
                    self._skipped[batch.path] = batch
                else:
                    self._take(batch)
            self._versions = dict(versions)
            return True

    def figures(self, report: PathOrUrl) -> Figures | None:
        """Return a report's figures; None if it could not be read."""
        return self._figures.get(report)

    def skipped(self, report: PathOrUrl) -> SkippedPath | None:
        """Return why a report could not be read; None if it could."""
        return self._skipped.get(report)

    def moments(self, wanted: MomentQuery, among: Collection[PathOrUrl]) -> Iterator[Moment]:
        """Yield the moments of some reports, by report, start and face."""
        with self._lock:
            batches = list(self._batches)
            batch_of = dict(self._batch_of)
        for batch in batches:
            mine = {
                number
                for number, report in batch.reports.items()
                if report.path in among and batch_of.get(report.path) is batch
            }
            if mine:
                pieces = batch.pieces[batch.pieces["report"].isin(mine)]
                yield from moments_in(Batch(batch.reports, pieces), wanted)

    def _take(self, batch: Batch) -> None:
        self._batches.append(batch)
        pieces = batch.pieces
        parts = pieces.assign(length_ms=pieces["end_ms"] - pieces["start_ms"])
        sums = parts.groupby(["report", "emotion"], observed=True)["length_ms"].sum().reset_index()
        seconds: dict[int, dict[str, int]] = {}
        for number, emotion, length_ms in zip(*(sums[name].tolist() for name in sums.columns), strict=True):
            seconds.setdefault(number, {})[emotion] = length_ms
        faces = pieces.groupby("report")["face_id"].nunique()
        for number, report in batch.reports.items():
            mine = seconds.get(number, {})
            whole_ms = sum(mine.values())
            shares = {name: length_ms / whole_ms for name, length_ms in mine.items()}
            self._batch_of[report.path] = batch
            self._figures[report.path] = Figures(report.duration_ms / MS_PER_S, int(faces.get(number, 0)), shares)
