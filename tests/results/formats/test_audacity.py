"""Label tracks for Audacity."""

from __future__ import annotations

from annotate.results.formats.audacity import write
from tests.results.reports import CLIPPED, make_report


def test_one_line_per_block_with_start_end_and_label() -> None:
    text = write(make_report(), "en")
    assert text is not None
    assert text.splitlines()[0] == "0.000000\t0.801000\tface 1: happiness"
    rows = [line.split("\t") for line in text.splitlines()]
    assert [float(start_s) for start_s, _, _ in rows] == sorted(float(start_s) for start_s, _, _ in rows)
    for face_id, spans in CLIPPED.items():
        own = [(start_s, end_s) for start_s, end_s, label in rows if label.startswith(f"face {face_id}: ")]
        assert [(round(1000 * float(start_s)), round(1000 * float(end_s))) for start_s, end_s in own] == spans
    assert [label for *_, label in rows if label.startswith("face 2")] == ["face 2: anger", "face 2: surprise"]
