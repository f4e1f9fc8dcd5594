"""The reports of all videos that a server shows, read once and again when they change."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from annotate.analytics.moments import Moment, Wanted, moments_in
from annotate.analytics.read import Batch, read_reports
from annotate.archive.discover import Obstacle
from annotate.span import MS_PER_S

_MOST_BATCHES = 40
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


class ReportIndex:
    """Figures and moments of many reports, from memory: some 40 bytes a row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[Path, int] = {}
        self._batches: list[Batch] = []
        self._batch_of: dict[Path, Batch] = {}
        self._figures: dict[Path, Figures] = {}
        self._faults: dict[Path, str] = {}

    def update(self, versions: Mapping[Path, int]) -> bool:
        """Reads those reports whose version is new or that could not be read, and forgets those that are gone.

        Whether there were any.
        """
        with self._lock:
            changed = {path for path, version in versions.items() if self._versions.get(path) != version}
            changed |= self._faults.keys() & versions.keys()
            gone = self._versions.keys() - versions.keys()
            if not changed and not gone:
                return False
            if len(self._batches) > _MOST_BATCHES:
                changed = set(versions)
                self._batches.clear()
            for path in changed | gone:
                self._batch_of.pop(path, None)
                self._figures.pop(path, None)
                self._faults.pop(path, None)
            for batch in read_reports(sorted(changed)):
                if isinstance(batch, Obstacle):
                    self._faults[batch.path] = batch.reason
                else:
                    self._take(batch)
            self._versions = dict(versions)
            return True

    def figures(self, report: Path) -> Figures | None:
        """A report's figures; None if it could not be read."""
        return self._figures.get(report)

    def fault(self, report: Path) -> str:
        """Why a report could not be read; empty if it could."""
        return self._faults.get(report, "")

    def moments(self, wanted: Wanted, among: Collection[Path]) -> Iterator[Moment]:
        """The moments of some reports, by report, start and face."""
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
