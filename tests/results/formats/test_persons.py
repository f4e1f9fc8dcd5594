"""Persons in all formats: names in labels, tiers of persons, and no change without them."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from praatio import textgrid
from pympi import Elan

from annotate.player.player import player_data
from annotate.results.formats.registry import TRACK_FORMATS, format_track, is_available
from annotate.results.persons import Person, apply_persons
from annotate.results.report import Report
from tests.results.formats.test_json_document import schema
from tests.results.reports import make_report

BLOCKS = (
    (1, 0, 0, 801, "happiness", 0),
    (2, 0, 2000, 2901, "anger", 0),
    (3, 0, 4000, 5999, "surprise", 0),
    (4, 0, 4000, 4801, "fear", 0),
)


def named(persons: dict[int, Person]) -> Report:
    """Return a report of four face tracks, of which the last two are on screen together."""
    report = make_report(faces=4, blocks=BLOCKS)
    return replace(report, columns=apply_persons(report.table, persons))


TWO = {1: Person(1, "Ann"), 2: Person(2), 3: Person(1, "Ann"), 4: Person(2)}


@pytest.mark.parametrize("name", ["srt", "vtt", "ass", "audacity", "otio"])
def test_labels_name_persons(name: str) -> None:
    if not is_available(name):
        pytest.skip(f"the library of {name} is not installed")
    text = format_track(name, named(TWO), "en")
    assert text is not None
    assert "Ann: happiness" in text
    assert "2: anger" in text
    assert "1: " not in text.replace("0:0", "")


def test_a_name_is_shown_where_numbers_are_not_needed() -> None:
    report = make_report(faces=2, blocks=BLOCKS)
    text = format_track(
        "srt", replace(report, columns=apply_persons(report.table, {1: Person(1, "Ann"), 2: Person(2)})), "en"
    )
    assert text is not None
    assert [line for line in text.splitlines() if line.isprintable() and line[:1].isalpha()] == ["Ann: happiness", "anger"]


def test_tiers_are_those_of_persons(tmp_path) -> None:
    report = named(TWO)
    eaf, grid = tmp_path / "a.eaf", tmp_path / "a.TextGrid"
    eaf.write_text(format_track("eaf", report, "en") or "")
    tiers = Elan.Eaf(str(eaf)).tiers
    assert list(tiers) == ["Ann", "person 2"]
    grid.write_text(format_track("textgrid", report, "en") or "")
    read = textgrid.openTextgrid(str(grid), includeEmptyIntervals=False)
    assert read.tierNames == ("Ann", "person 2")
    assert [tuple(entry) for entry in read.getTier("Ann").entries] == [(0.0, 0.801, "happiness"), (4.0, 5.999, "surprise")]


def test_tracks_that_people_merged_do_not_overlap_in_a_tier(tmp_path) -> None:
    report = named(dict.fromkeys(range(1, 5), Person(1)))
    (blocks,) = report.blocks_by_lane.values()
    spans = [(block.span.start_ms, block.span.end_ms) for block in blocks]
    assert spans == [(0, 801), (2000, 2901), (4000, 4801), (4801, 5999)]
    assert report.people == 1


def test_unknown_persons_are_tracks() -> None:
    assert list(named({1: Person(1)}).blocks_by_lane) == ["person 1", "face 2", "face 3", "face 4"]


def test_the_json_document_has_numbers_and_names() -> None:
    content = json.loads(format_track("json", named({1: Person(1, "Ann"), 2: Person(2)}), "en") or "")
    jsonschema.Draft202012Validator(schema()).validate(content)
    found = [(each["person"], each["name"]) for each in content["annotations"]]
    assert found == [(1, "Ann"), (2, None), (None, None), (None, None)]


def test_nothing_changes_without_persons() -> None:
    report = make_report()
    unknown = replace(report, columns=apply_persons(report.table, {}))
    for name in set(TRACK_FORMATS) - {"json"}:
        if is_available(name):
            assert format_track(name, report, "en") == format_track(name, unknown, "en")
    assert player_data(report) == player_data(unknown)
