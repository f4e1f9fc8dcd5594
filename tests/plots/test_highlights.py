"""Which moments are chosen: by hand, and that it is the same in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from annotate.emotions.labels import EMOTIONS
from annotate.plots.highlights import Moment, highlights, runs
from annotate.results.report import Report
from tests.results.reports import make_report

Block = tuple[int, int, int, str, float]


def report_of(blocks: Sequence[Block]) -> Report:
    """A report of blocks: face, start and end in milliseconds, emotion, confidence."""
    report = make_report(
        blocks=tuple((face, at, start, end, name, 0) for at, (face, start, end, name, _) in enumerate(blocks))
    )
    table = report.table.set_index("block").sort_index()
    for at, (_, _, _, name, confidence) in enumerate(blocks):
        for other in EMOTIONS:
            table.loc[at, other] = confidence if other == name else (1 - confidence) / 6
        table.loc[at, "confidence"] = confidence
    return replace(report, table=table.reset_index()[list(report.table.columns)])


ONE_FACE: tuple[Block, ...] = (
    (1, 0, 800, "happiness", 0.7),
    (1, 800, 1600, "happiness", 0.9),
    (1, 1600, 2400, "happiness", 0.9),
    (1, 2400, 3200, "surprise", 0.6),
    (1, 3600, 4400, "surprise", 0.8),
)


def test_the_surest_block_of_every_run_the_first_of_equals() -> None:
    """A gap ends a run."""
    assert highlights(report_of(ONE_FACE), 12) == [
        Moment(1200, 1, "happiness", 0.9, 2400),
        Moment(2800, 1, "surprise", 0.6, 800),
        Moment(4000, 1, "surprise", 0.8, 800),
    ]
    assert [len(run.pieces) for run in runs(report_of(ONE_FACE).pieces)] == [3, 1, 1]


def test_few_moments_show_different_emotions() -> None:
    chosen = highlights(report_of(ONE_FACE), 2)
    assert [(moment.time_ms, moment.emotion) for moment in chosen] == [(1200, "happiness"), (4000, "surprise")]


def test_many_runs_are_spread_over_faces_and_time() -> None:
    blocks = [
        (face, 2000 * at, 2000 * at + 1000, name, 0.99 if at < 4 else 0.9)
        for face in (1, 2)
        for at, name in enumerate(["anger", "fear"] * 15)
    ]
    chosen = highlights(report_of(blocks), 6)
    assert len(chosen) == 6
    assert chosen == sorted(chosen, key=lambda moment: (moment.time_ms, moment.face_id))
    assert {moment.face_id for moment in chosen} == {1, 2}
    assert {moment.emotion for moment in chosen} == {"anger", "fear"}
    times_ms = [moment.time_ms for moment in chosen]
    assert max(times_ms) - min(times_ms) > 40_000
    assert min(later - earlier for earlier, later in pairwise(times_ms)) >= 2000


def test_the_order_of_rows_decides_nothing() -> None:
    report = report_of(ONE_FACE)
    turned = replace(report, table=report.table[::-1])
    for most in (1, 2, 3):
        assert highlights(turned, most) == highlights(report, most)


def test_without_faces_there_is_none() -> None:
    assert highlights(make_report(faces=0), 12) == []
