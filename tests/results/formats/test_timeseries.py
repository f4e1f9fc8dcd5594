"""The CSV for ELAN's line viewer, and its configuration, which finds each column."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from xml.etree import ElementTree

from annotate.emotions.labels import EMOTIONS
from annotate.results.formats import timeseries, tsconf
from tests.results.reports import make_report


def rows() -> list[dict[str, float]]:
    """Return the rows of the hand-made report."""
    text = timeseries.write(make_report(), "en") or ""
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


def test_probabilities_over_time_are_those_of_the_blocks_and_zero_without_a_face() -> None:
    found = {row["time"]: row for row in rows()}
    assert list(found) == sorted(found)
    assert [found[time_s]["face 2 anger"] for time_s in (0.4, 1.999, 2.0, 2.45, 2.901, 3.999, 4.999, 5.999)] == [
        *(0, 0, 0.88, 0.88, 0, 0, 0.02, 0)
    ]
    assert found[0.4]["face 1 happiness"] == 0.88
    assert len(found[0.4]) == 1 + 2 * len(EMOTIONS)


def test_the_configuration_has_a_track_for_each_column() -> None:
    report = make_report()
    outputs = {"renamed.emotions.csv": "0", "renamed.emotions.boxes.csv": "0"}
    root = ElementTree.fromstring(tsconf.write(replace(report, meta=replace(report.meta, outputs=outputs)), "en") or "")
    source = root.find("tracksource")
    assert source is not None
    assert source.attrib["source-url"] == "file:./renamed.emotions.timeseries.csv"
    columns = list(rows()[0])
    assert columns[int(source.attrib["time-column"])] == "time"
    for track in source.iter("track"):
        (position,) = track.iter("pos")
        assert columns[int(position.attrib["col"])] == track.attrib["name"]
        assert len(track.findtext("color", "").split(",")) == 3
    assert len(list(source.iter("track"))) == len(columns) - 1


def test_faces_beyond_the_longest_have_no_columns() -> None:
    count = timeseries.MAX_LANES + 2
    blocks = tuple((face_id, 0, 0, 1000 + face_id, "fear", 0) for face_id in range(1, count + 1))
    names = timeseries.columns(make_report(blocks=blocks, faces=count))
    assert len(names) == timeseries.MAX_LANES * len(EMOTIONS)
    assert names[0] == "face 3 anger"
