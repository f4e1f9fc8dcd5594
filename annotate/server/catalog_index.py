"""In-memory index of the tables of all videos that a server shows; each is read again only when it changes."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from annotate.analytics.moments import Moment, MomentQuery, check_emotions, class_names_in, moments_in
from annotate.analytics.read import ReportBatch, read_reports
from annotate.emotions.labels import EMOTIONS
from annotate.results.intervals import dominant
from annotate.results.persons import Person
from annotate.span import MS_PER_S
from annotate.storage.values import PathOrUrl, SkippedPath, sort_key

_MAX_BATCHES = 40
"""Maximum number of batches; above it, all tables are read again and merged."""


@dataclass(frozen=True)
class EmotionStats:
    """Statistics of a table.

    ``faces`` is the number of face tracks, ``shares`` the share of face time by emotion, ``dominant`` the emotion with the
    most time, empty without faces, ``people`` the number of persons, 0 if they were not told apart.
    """

    duration_s: float
    faces: int
    shares: Mapping[str, float]
    dominant: str
    people: int = 0


@dataclass(frozen=True, slots=True)
class PersonTrack:
    """A face track of a known person, with the time at which it begins, and how long it is visible.

    ``file`` is the file of an archive that numbers the person, empty if the numbers are those of one video alone.
    """

    report: PathOrUrl
    file: str
    face_id: int
    person: Person
    start_ms: int
    duration_ms: int


class CatalogIndex:
    """Statistics and moments of many tables; takes about 40 bytes per table row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[PathOrUrl, int] = {}
        self._batches: list[ReportBatch] = []
        self._batch_by_path: dict[PathOrUrl, ReportBatch] = {}
        self._stats: dict[PathOrUrl, EmotionStats] = {}
        self._tracks: dict[PathOrUrl, tuple[PersonTrack, ...]] = {}
        self._skipped: dict[PathOrUrl, SkippedPath] = {}

    def update(
        self, versions: Mapping[PathOrUrl, int], elsewhere: Mapping[PathOrUrl, Sequence[PathOrUrl]] = MappingProxyType({})
    ) -> bool:
        """Read new and changed tables and those that could not be read before, and drop deleted ones.

        ``versions`` maps all paths to numbers that change with the file, ``elsewhere`` some to further files
        of corrections. Returns whether anything was read or dropped.
        """
        with self._lock:
            changed = {path for path, version in versions.items() if self._versions.get(path) != version}
            changed |= self._skipped.keys() & versions.keys()
            deleted = self._versions.keys() - versions.keys()
            if not changed and not deleted:
                return False
            if len(self._batches) > _MAX_BATCHES:
                changed = set(versions)
                self._batches.clear()
            for path in changed | deleted:
                self._batch_by_path.pop(path, None)
                self._stats.pop(path, None)
                self._tracks.pop(path, None)
                self._skipped.pop(path, None)
            for batch in read_reports(sorted(changed, key=sort_key), elsewhere=elsewhere):
                if isinstance(batch, SkippedPath):
                    self._skipped[batch.path] = batch
                else:
                    self._add_batch(batch)
            self._versions = dict(versions)
            return True

    def stats(self, report: PathOrUrl) -> EmotionStats | None:
        """Return the statistics of a table; None if it could not be read."""
        return self._stats.get(report)

    def tracks(self, report: PathOrUrl) -> tuple[PersonTrack, ...]:
        """Return the face tracks of known persons in a table."""
        return self._tracks.get(report, ())

    def skipped(self, report: PathOrUrl) -> SkippedPath | None:
        """Return why a table could not be read; None if it was read."""
        return self._skipped.get(report)

    def check_emotions(self, emotions: Iterable[str]) -> None:
        """Check that emotions are names or synonyms of those of the default model, or of classes in the tables.

        Raises:
            SettingsError: an emotion is unknown, such as a misspelled one.
        """
        with self._lock:
            batches = list(self._batches)
        check_emotions(emotions, set(EMOTIONS).union(*map(class_names_in, batches)))

    def moments(self, query: MomentQuery, reports: Collection[PathOrUrl]) -> Iterator[Moment]:
        """Yield the moments that match a query in some of the tables, sorted by table, start and face."""
        with self._lock:
            batches = list(self._batches)
            batch_by_path = dict(self._batch_by_path)
        for batch in batches:
            current = {
                number
                for number, report in batch.reports.items()
                if report.path in reports and batch_by_path.get(report.path) is batch
            }
            if current:
                blocks = batch.blocks[batch.blocks["report"].isin(current)]
                yield from moments_in(ReportBatch(batch.reports, blocks), query)

    def _add_batch(self, batch: ReportBatch) -> None:
        self._batches.append(batch)
        blocks = batch.blocks
        parts = blocks.assign(length_ms=blocks["end_ms"] - blocks["start_ms"])
        sums = parts.groupby(["report", "emotion"], observed=True)["length_ms"].sum().reset_index()
        lengths_ms: dict[int, dict[str, int]] = {}
        for number, emotion, length_ms in zip(*(sums[name].tolist() for name in sums.columns), strict=True):
            lengths_ms.setdefault(number, {})[emotion] = length_ms
        faces = blocks.groupby("report")["face_id"].nunique()
        for number, report in batch.reports.items():
            by_emotion = lengths_ms.get(number, {})
            total_ms = sum(by_emotion.values())
            shares = {name: length_ms / total_ms for name, length_ms in by_emotion.items()}
            self._batch_by_path[report.path] = batch
            duration_s, count = report.duration_ms / MS_PER_S, int(faces.get(number, 0))
            self._stats[report.path] = EmotionStats(duration_s, count, shares, dominant(by_emotion), report.people)
        self._add_tracks(batch, parts)

    def _add_tracks(self, batch: ReportBatch, parts: pd.DataFrame) -> None:
        """Keep the face tracks of known persons in a batch, given its blocks with their lengths."""
        found: dict[int, list[PersonTrack]] = {}
        by_face = parts.groupby(["report", "face_id"]).agg({"start_ms": "min", "length_ms": "sum"}).reset_index()
        for number, face_id, start_ms, length_ms in zip(*(by_face[name].tolist() for name in by_face), strict=True):
            report = batch.reports[number]
            person = report.persons.get(face_id)
            if person is not None:
                track = PersonTrack(report.path, report.persons_file, face_id, person, start_ms, length_ms)
                found.setdefault(number, []).append(track)
        self._tracks.update((batch.reports[number].path, tuple(tracks)) for number, tracks in found.items())
