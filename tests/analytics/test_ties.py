"""Two emotions with equal time: every output names the same one as dominant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate import summarize
from annotate.archive.stored_report import read_report
from annotate.cli.main import main
from annotate.html_report.contents import collect
from annotate.html_report.rows import make_rows
from annotate.results.intervals import TIE_MS, dominant_emotion
from annotate.server.catalog_index import CatalogIndex
from tests.analytics.samples import block, report

CLASSES = ("surprise", "calm", "sadness", "happiness", "a", "b", "c")
"""Classes of another model, not in the order of the alphabet, and one that the default model lacks."""


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"surprise": 800, "happiness": 800}, "happiness"),
        ({"surprise": 800, "happiness": 800 - TIE_MS}, "happiness"),
        ({"surprise": 800 + TIE_MS, "happiness": 800}, "happiness"),
        ({"surprise": 801 + TIE_MS, "happiness": 800}, "surprise"),
        ({"surprise": 800, "happiness": 800, "calm": 800}, "happiness"),
        ({"calm": 800, "sadness": 800}, "sadness"),
        ({"c": 800, "calm": 800}, "c"),
    ],
)
def test_every_output_breaks_a_tie_alike(tmp_path: Path, times: dict[str, int], expected: str) -> None:
    start_ms, blocks = 0, []
    for number, (emotion, length_ms) in enumerate(times.items()):
        blocks.append(block(1, number, start_ms, start_ms + length_ms, emotion, classes=CLASSES))
        start_ms += length_ms
    path = report(tmp_path, "movie.mp4", blocks, classes=CLASSES)
    index = CatalogIndex()
    index.update({path: 1})
    stats = index.stats(path)
    assert stats is not None
    (row,) = make_rows(collect([tmp_path]), tmp_path)
    found = {
        "closing table": dominant_emotion(read_report(path, with_boxes=False).blocks),
        "server": stats.dominant,
        "report page": row.dominant,
        **{f"summarize by {by}": summarize(path, by=by)["dominant"].item() for by in ("video", "folder", "face", "minute")},
    }
    output = tmp_path / "figures.json"
    assert CliRunner().invoke(main, ["summarize", str(tmp_path), "-o", str(output)]).exit_code == 0
    found["summarize"] = json.loads(output.read_text())[0]["dominant"]
    assert set(found.values()) == {expected}, found
