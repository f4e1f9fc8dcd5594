"""What people kept of the machine's labels, and which segments are worth a look."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.analytics.read import ReportBatch, read_reports
from annotate.analytics.reviews import LOOK_S, REASONS, Reviews, candidate_table, choose_candidates
from annotate.archive.layout import outputs_of_report
from annotate.results.corrections import EXCLUDE, Correction, add_lines
from annotate.span import Span
from tests.analytics.samples import MOVIE, block, report
from tests.cli.answers import run


def batches(*tables: Path) -> Iterator[ReportBatch]:
    for batch in read_reports(tables, probabilities=True):
        assert isinstance(batch, ReportBatch)
        yield batch


def correct(table: Path, *corrections: Correction) -> None:
    outputs_of_report(table).corrections.write_bytes(add_lines(b"", corrections))


def test_the_kept_share_and_the_confusion_are_of_what_was_reviewed(tmp_path: Path) -> None:
    table, other = report(tmp_path, "movie.mp4", MOVIE), report(tmp_path, "other.mp4", MOVIE)
    first = Correction(Span(0, 800), "fear", 1)
    correct(
        table,
        first,
        replace(first, span=Span(800, 2000), emotion="happiness"),
        replace(first, face_id=2, span=Span(1500, 1900), emotion=EXCLUDE),
    )
    reviews = Reviews()
    for batch in batches(table, other):
        reviews.add(batch)
    assert reviews.videos == 1
    assert reviews.reviewed_s == 2.4
    assert reviews.kept_share == 0.5
    confusion = reviews.confusion()
    assert list(confusion.index) == ["anger", "fear", "happiness", EXCLUDE]
    assert (confusion.loc["fear", "anger"], confusion.loc["happiness", "happiness"], confusion.loc[EXCLUDE, "anger"]) == (
        0.8,
        1.2,
        0.4,
    )
    assert reviews.by_label().to_numpy().tolist() == [["anger", 1.2, 0.0], ["happiness", 1.2, 1.0]]
    answer = run("summarize", tmp_path, "--corrections", "-o", tmp_path / "reviews.csv")
    assert (answer.status, answer.last_line) == (0, f"{tmp_path}/reviews.csv: 3 rows.")
    assert "50%" in answer.output
    assert '"anger","fear",0.8' in (tmp_path / "reviews.csv").read_text()
    assert run("summarize", tmp_path, "--corrections", "--by", "face").status == 2


def test_nothing_reviewed_has_no_share(tmp_path: Path) -> None:
    report(tmp_path, "movie.mp4", MOVIE)
    assert math.isnan(Reviews().kept_share)
    assert run("summarize", tmp_path, "--corrections").status == 0


CALM = [block(1, number, 1000 * number, 1000 * number + 1000, "neutral", confidence=0.9) for number in range(8)]


def test_uncertain_odd_and_rare_segments_come_first_within_the_time(tmp_path: Path) -> None:
    blocks = [*CALM]
    blocks[3] = block(1, 3, 3000, 4000, "fear", confidence=0.9)
    blocks[6] = block(1, 6, 6000, 7000, "neutral", confidence=0.3)
    table = report(tmp_path, "movie.mp4", blocks)
    chosen = choose_candidates(batches(table), 2 * (1 + LOOK_S))
    assert [(one.moment.span.start_ms, one.reason) for one in chosen] == [(3000, REASONS[1]), (6000, REASONS[0])]
    assert len(choose_candidates(batches(table), 1000)) == 8
    assert choose_candidates(batches(table), 1) == []
    assert list(candidate_table(chosen)["reason"]) == [one.reason for one in chosen]
    correct(table, Correction(Span(3000, 4000), "fear", 1))
    assert [one.moment.span.start_ms for one in choose_candidates(batches(table), 1 + LOOK_S)] == [6000]


def test_the_command_writes_a_table_and_a_playlist(tmp_path: Path) -> None:
    report(tmp_path, "movie.mp4", MOVIE)
    for name in ("look.csv", "look.m3u"):
        answer = run("review", tmp_path, "--minutes", "1", "-o", tmp_path / name)
        assert answer.status == 0
        assert "4 segments" in answer.output
        assert "movie.mp4" in (tmp_path / name).read_text()


@pytest.mark.parametrize("minutes", ["0", "-1"])
def test_a_time_is_needed(tmp_path: Path, minutes: str) -> None:
    report(tmp_path, "movie.mp4", MOVIE)
    assert run("review", tmp_path, "--minutes", minutes).status == 2
