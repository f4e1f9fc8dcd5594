"""Results of a comparison with codings: figures, tables and values for JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from annotate.analytics.agreement.options import AgreementOptions
from annotate.analytics.read import ReportSummary
from annotate.emotions.confusion import Interval
from annotate.span import Span

_DECIMALS = 4


@dataclass(frozen=True)
class Figures:
    """Agreement on some samples: kappa with its interval over videos, percent of the time, compared time and videos."""

    kappa: Interval
    percent_agreement: float
    compared_s: float
    videos: int

    @property
    def cells(self) -> dict[str, float | int | None]:
        """The figures by name, None where they are undefined."""
        return {
            "kappa": _number(self.kappa.value),
            "kappa_low": _number(self.kappa.low),
            "kappa_high": _number(self.kappa.high),
            "percent_agreement": _number(self.percent_agreement, 2),
            "compared_s": _number(self.compared_s, 3),
            "videos": self.videos,
        }


@dataclass(frozen=True)
class CoderPair:
    """Agreement of two coders with each other."""

    first: str
    second: str
    figures: Figures


@dataclass(frozen=True)
class FoundDisagreement:
    """Consecutive samples at which the model keeps one emotion, and the coder another one."""

    report: ReportSummary
    coder: str
    face_id: int
    span: Span
    code: str
    emotion: str
    confidence: float


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison.

    ``confusion`` has seconds by code (rows) and emotion of the model (columns); ``by_emotion`` one row per emotion.
    ``groups`` has figures by trial, condition and participant, if there are trials. ``unmapped`` are labels that stand for
    no emotion -> seconds. ``disagreements`` are ordered by length times confidence of the model, greatest first.
    """

    figures: Figures
    confusion: pd.DataFrame
    by_emotion: pd.DataFrame
    coders: dict[str, Figures]
    pairs: list[CoderPair]
    fleiss_kappa: float
    krippendorff_alpha: float
    options: AgreementOptions
    without_row_s: float
    without_code_s: float
    unmapped: dict[str, float]
    groups: dict[str, dict[str, Figures]]
    disagreements: list[FoundDisagreement]

    @property
    def kappa(self) -> float:
        """Cohen's kappa between codes and model, nan if undefined."""
        return self.figures.kappa.value

    @property
    def percent_agreement(self) -> float:
        """Percent of the compared time at which codes and model agree."""
        return self.figures.percent_agreement

    @property
    def compared_s(self) -> float:
        """Seconds that have a code and a row; of each coder, and of each face that the codings name."""
        return self.figures.compared_s

    @property
    def left_out_s(self) -> float:
        """Seconds that have a code, but no row, or a row, but no code."""
        return self.without_row_s + self.without_code_s

    def document(self) -> dict[str, Any]:
        """Return everything but the moments of disagreement as values for JSON; undefined numbers are None."""
        by_emotion = self.by_emotion.astype(object).where(self.by_emotion.notna(), None)
        return {
            **self.figures.cells,
            "by_emotion": {name: dict(row) for name, row in by_emotion.iterrows()},
            "confusion": {"emotions": list(self.confusion.columns), "seconds": self.confusion.to_numpy().tolist()},
            "coders": [{"coder": name, **figures.cells} for name, figures in self.coders.items()],
            "coder_pairs": [{"first": pair.first, "second": pair.second, **pair.figures.cells} for pair in self.pairs],
            "fleiss_kappa": _number(self.fleiss_kappa),
            "krippendorff_alpha": _number(self.krippendorff_alpha),
            "step_s": self.options.step_s,
            "face": self.options.face_rule,
            "left_out_s": round(self.left_out_s, 3),
            "without_row_s": round(self.without_row_s, 3),
            "without_code_s": round(self.without_code_s, 3),
            "unmapped_s": self.unmapped,
            **{
                f"by_{by}": [{by: name, **figures.cells} for name, figures in groups.items()]
                for by, groups in self.groups.items()
            },
        }

    def table(self) -> pd.DataFrame:
        """Return the figures as one table, one row for all, per emotion, coder, pair of coders, and group of trials."""
        rows: list[dict[str, Any]] = [{"group": "all", "name": "", **self.figures.cells}]
        rows += [{"group": "emotion", "name": name, **dict(row)} for name, row in self.by_emotion.iterrows()]
        rows += [{"group": "coder", "name": name, **figures.cells} for name, figures in self.coders.items()]
        rows += [{"group": "pair", "name": f"{pair.first}, {pair.second}", **pair.figures.cells} for pair in self.pairs]
        for by, groups in self.groups.items():
            rows += [{"group": by, "name": name, **figures.cells} for name, figures in groups.items()]
        columns = ["group", "name", *self.figures.cells, *self.by_emotion.columns.difference(["kappa"], sort=False)]
        return pd.DataFrame(rows, columns=columns)

    def disagreement_table(self) -> pd.DataFrame:
        """Return the moments of disagreement as a table, greatest first."""
        return pd.DataFrame(
            [
                (
                    found.report.video,
                    found.coder,
                    found.face_id,
                    found.span.start_s,
                    found.span.end_s,
                    found.span.duration_s,
                    found.code,
                    found.emotion,
                    found.confidence,
                )
                for found in self.disagreements
            ],
            columns=list(DISAGREEMENT_COLUMNS),
        )


DISAGREEMENT_COLUMNS = tuple("video coder face_id start_time end_time duration_s code emotion confidence".split())


def _number(value: float, decimals: int = _DECIMALS) -> float | None:
    return round(float(value), decimals) if np.isfinite(value) else None
