"""How good the machine was where people looked, and where a look is worth most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from annotate.analytics.moments import Moment, to_table
from annotate.analytics.read import ReportBatch, ReportSummary, probability_column
from annotate.results.corrections import EXCLUDE
from annotate.results.intervals import class_order
from annotate.results.table import AUTHOR, SOURCE, number_runs
from annotate.settings import WHOLE_BLOCK
from annotate.span import MS_PER_S, Span

Floats = npt.NDArray[np.float64]

LOOK_S = 3.0
"""Seconds that it takes to find a segment and decide on it, beside its own length."""

REASONS = ("uncertain", "unlike its neighbors", "rare")
"""Why a segment is worth a look, in the order of the parts of its score."""


@dataclass
class Reviews:
    """Adds up what people corrected or confirmed: face time by the machine's label and theirs."""

    videos: int = 0
    corrections_ms: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, batch: ReportBatch) -> None:
        """Add the reports of a batch."""
        for report in batch.reports.values():
            self.videos += report.is_corrected
            for labels, time_ms in report.reviewed.items():
                self.corrections_ms[labels] = self.corrections_ms.get(labels, 0) + time_ms

    @property
    def reviewed_s(self) -> float:
        """Seconds of face time that people corrected or confirmed."""
        return sum(self.corrections_ms.values()) / MS_PER_S

    @property
    def kept_share(self) -> float:
        """Share of the reviewed time in which the machine's label stands; NaN without any."""
        kept_ms = sum(time_ms for (machine, author), time_ms in self.corrections_ms.items() if machine == author)
        return kept_ms / MS_PER_S / self.reviewed_s if self.reviewed_s else float("nan")

    def confusion(self) -> pd.DataFrame:
        """Return seconds by the author's label (rows) and the machine's (columns); `EXCLUDE` is the last row."""
        names = {name for labels in self.corrections_ms for name in labels} - {EXCLUDE}
        columns = sorted(names, key=class_order)
        rows = [*columns, *([EXCLUDE] if any(author == EXCLUDE for _, author in self.corrections_ms) else [])]
        table = pd.DataFrame(0.0, index=pd.Index(rows, name="author"), columns=columns)
        for (machine, author), time_ms in self.corrections_ms.items():
            table.loc[author, machine] = time_ms / MS_PER_S
        return table

    def by_label(self) -> pd.DataFrame:
        """Return for each of the machine's labels the reviewed seconds and the share of them that was kept."""
        confusion = self.confusion()
        reviewed_s = confusion.sum()
        kept_s = pd.Series({name: confusion.loc[name, name] for name in confusion.columns}, dtype=float)
        table = pd.DataFrame({"reviewed_s": reviewed_s.round(3), "kept": (kept_s / reviewed_s).round(4)})
        return table[reviewed_s > 0].rename_axis("machine").reset_index()

    def pairs(self) -> pd.DataFrame:
        """Return seconds by the machine's label and the author's, most first."""
        rows = sorted(self.corrections_ms.items(), key=lambda item: (-item[1], item[0]))
        values = [(machine, author, time_ms / MS_PER_S) for (machine, author), time_ms in rows]
        return pd.DataFrame(values, columns=["machine", "author", "seconds"])


@dataclass(frozen=True)
class Candidate:
    """A segment that is worth a look: the block, why, and its score (0..1)."""

    moment: Moment
    reason: str
    score: float


def choose_candidates(batches: Iterable[ReportBatch], budget_s: float) -> list[Candidate]:
    """Return the segments most worth a look that fit into a time, best first; batches are read with probabilities.

    The score of a segment is the mean of its ranks by uncertainty, by difference from the segments of the face before and
    after it, and by rarity of its emotion. Those that people corrected or confirmed are left out.
    """
    parts, reports = list[pd.DataFrame](), dict[int, ReportSummary]()
    for batch in batches:
        reports |= batch.reports
        parts.append(_components(batch))
    blocks = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if blocks.empty:
        return []
    times_ms = blocks["end_ms"] - blocks["start_ms"]
    shares = times_ms.groupby(blocks["emotion"]).sum() / times_ms.sum()
    blocks["rarity"] = 1 - blocks["emotion"].map(shares).astype(float)
    blocks = blocks[~blocks["is_reviewed"]]
    ranks = blocks[["uncertainty", "difference", "rarity"]].rank(pct=True)
    ranked = blocks.assign(score=ranks.mean(axis=1), reason=ranks.to_numpy().argmax(axis=1))
    ranked = ranked.sort_values(["score", "report", "start_ms", "face_id"], ascending=[False, True, True, True])
    costs_s = (ranked["end_ms"] - ranked["start_ms"]) / MS_PER_S + LOOK_S
    chosen = ranked[costs_s.cumsum() <= budget_s]
    names = ("report", "face_id", "start_ms", "end_ms", "emotion", "confidence", "reason", "score")
    return [
        Candidate(
            Moment(reports[number], face_id, Span(start_ms, end_ms), emotion, confidence), REASONS[reason], round(score, 4)
        )
        for number, face_id, start_ms, end_ms, emotion, confidence, reason, score in zip(
            *(chosen[name].tolist() for name in names), strict=True
        )
    ]


def candidate_table(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Return a table with one row per segment, with the columns of moments, ``reason`` and ``score``."""
    return to_table([candidate.moment for candidate in candidates]).assign(
        reason=pd.Series([candidate.reason for candidate in candidates], dtype=str),
        score=np.array([candidate.score for candidate in candidates], dtype=float),
    )


def _components(batch: ReportBatch) -> pd.DataFrame:
    """Return the blocks of a batch with the parts of their scores but for rarity."""
    names = sorted({name for report in batch.reports.values() for name in map(probability_column, report.class_names)})
    blocks = _whole_segments(batch, names)
    probabilities = blocks[names].fillna(0).to_numpy(float)
    faces = number_runs(blocks["report"].to_numpy(), blocks["face_id"].to_numpy())
    is_reviewed = (blocks[SOURCE] == AUTHOR) if SOURCE in blocks else np.zeros(len(blocks), dtype=bool)
    return blocks[["report", "face_id", "start_ms", "end_ms", "confidence"]].assign(
        emotion=blocks["emotion"].astype(str),
        uncertainty=1 - blocks["confidence"],
        difference=_differences(probabilities, faces),
        is_reviewed=is_reviewed,
    )


def _whole_segments(batch: ReportBatch, names: Sequence[str]) -> pd.DataFrame:
    """Return the blocks of a batch; adjacent ones that overlap for a hop as one, as long as a block.

    It has the means of probabilities, and counts as reviewed if a part is. ``names`` are the columns of probabilities.
    """
    blocks = batch.blocks
    count = blocks["report"].map({number: -(-WHOLE_BLOCK // report.hop) for number, report in batch.reports.items()})
    if (count == 1).all():
        return blocks
    track = number_runs(blocks["report"].to_numpy(), blocks["face_id"].to_numpy())
    is_gap = np.concatenate(
        [[True], (np.diff(track) > 0) | (blocks["start_ms"].to_numpy()[1:] > blocks["end_ms"].to_numpy()[:-1])]
    )
    run = is_gap.cumsum()
    place = blocks.groupby(run).cumcount() // count
    groups = blocks.groupby([run, place], sort=False)
    joined = groups[["report", "face_id"]].first()
    joined["start_ms"], joined["end_ms"] = groups["start_ms"].min(), groups["end_ms"].max()
    joined[names] = blocks[names].groupby([run, place], sort=False).mean()
    joined["confidence"] = joined[names].max(axis=1)
    best = joined[names].fillna(0).to_numpy(float).argmax(axis=1)
    joined["emotion"] = np.array([name.removeprefix(probability_column("")) for name in names], object)[best]
    if SOURCE in blocks:
        joined[SOURCE] = groups[SOURCE].min()  # the author, if there is one
    return joined.reset_index(drop=True)


def _differences(probabilities: Floats, faces: npt.NDArray[np.int64]) -> Floats:
    """Return how far the probabilities of each block are from those of its neighbors, 0..1; 0 for a face's only block.

    It is the smaller of both distances, so that an outlier counts and a lasting change does not.
    """
    distances = np.abs(np.diff(probabilities, axis=0)).sum(axis=1) / 2
    apart = np.where(np.diff(faces) == 0, distances, np.inf)
    nearest = np.minimum(np.concatenate([[np.inf], apart]), np.concatenate([apart, [np.inf]]))[: len(probabilities)]
    return np.where(np.isfinite(nearest), nearest, 0.0)
