"""Add up the persons of an archive: one row per person, over all videos that are numbered together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from annotate.analytics.read import ReportBatch, ReportSummary
from annotate.results.persons import Person

PersonKey = tuple[str, str]
"""The name of a person and an empty text; or, without a name, the file or video that numbers persons, and the number."""


@dataclass
class PersonKeys:
    """Numbers persons from 0, in the order in which they are met: those of one name are one person.

    Persons without a name are one if one file of an archive gives them one number; other numbers hold in their video alone.
    """

    rows: list[dict[str, object]] = field(default_factory=list)
    """Number, name and video of each person; a video only of those that are numbered in it alone."""

    _keys: dict[PersonKey, int] = field(default_factory=dict)

    def assign(self, batch: ReportBatch) -> pd.DataFrame:
        """Return the blocks of a batch whose person is known, with the column ``person``."""
        pairs: dict[tuple[int, int], int] = {}
        for number, report in batch.reports.items():
            for face_id, person in report.persons.items():
                key = _key(report, person)
                if key not in self._keys:
                    self._keys[key] = len(self.rows)
                    video = "" if report.persons_file or person.name else report.video
                    self.rows.append({"person": person.number, "name": person.name, "video": video})
                pairs[number, face_id] = self._keys[key]
        index = pd.MultiIndex.from_frame(batch.blocks[["report", "face_id"]])
        found = pd.Series(pairs, dtype=float).reindex(index) if pairs else pd.Series(np.nan, index)
        blocks = batch.blocks.assign(person=found.to_numpy())
        return blocks[blocks["person"].notna()].astype({"person": np.int64})

    def of(self, report: ReportSummary) -> dict[int, int]:
        """Return the numbers of the persons of a report whose batch was assigned, by ``face_id``."""
        return {face_id: self._keys[_key(report, person)] for face_id, person in report.persons.items()}

    def table(self, sums: pd.DataFrame, videos: pd.DataFrame, columns: Collection[str]) -> pd.DataFrame:
        """Return the sums of persons, given those of each person and video, and ``videos`` with duration and age of each."""
        of_video = videos.set_index("report")
        sums = sums.assign(older=of_video["older"].reindex(sums["report"]).to_numpy(bool))
        sums["duration_ms"] = of_video["duration_ms"].reindex(sums["report"]).to_numpy(np.int64)
        grouped = sums.groupby("person")
        rows = grouped[list(columns)].sum().assign(videos=grouped["report"].nunique(), older=grouped["older"].any())
        known = pd.DataFrame(self.rows, columns=["person", "name", "video"]).astype({"person": np.int64})
        return known.join(rows, how="inner")


def _key(report: ReportSummary, person: Person) -> PersonKey:
    place = report.persons_file or report.video
    return (person.name, "") if person.name else (place, str(person.number))
