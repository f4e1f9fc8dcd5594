"""Files of corrections by several people: the order in which they count."""

from __future__ import annotations

from annotate.archive.corrections import merge_rows
from annotate.results.corrections import Correction, CorrectionRows
from annotate.span import Span


def rows(**times: str) -> CorrectionRows:
    """Return a file with corrections of the same time of a video, by author."""
    return CorrectionRows(tuple(Correction(Span(0, 1000), "fear", 1, author=who, time=time) for who, time in times.items()))


def test_corrections_of_several_files_count_in_the_order_in_which_they_were_made() -> None:
    mine = rows(Ann="2026-05-01T12:30:00+02:00", Bea="2026-05-01T08:00:00-05:00")
    others = rows(Cleo="2026-05-01T11:00:00Z", Dan="", Eve="2026-05-01T10:45:00")
    merged = merge_rows(mine, others).corrections
    assert [row.author for row in merged] == ["Dan", "Ann", "Eve", "Cleo", "Bea"]
