"""Tiers added to files of others: what was there stays, ours are in sync, and other programs read all of it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from praatio import textgrid
from pympi import Elan

from annotate.errors import CodingError
from annotate.results.formats.into import ADDERS, add_to_eaf, add_to_textgrid
from tests.results.reports import CLIPPED, make_report

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="me" DATE="2024-01-01T00:00:00+00:00" FORMAT="{version}" VERSION="{version}"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://www.mpi.nl/EAFv{version}.xsd">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/speech.wav" MIME_TYPE="audio/x-wav" TIME_ORIGIN="70"/>
<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/my%20movie.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="1000"/>
<PROPERTY NAME="lastUsedAnnotationId">2</PROPERTY>
</HEADER>
<!-- by hand -->
<TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="100"/>
<TIME_SLOT TIME_SLOT_ID="ts2"/>
<TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="1500"/>
</TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="speech" TIER_ID="face 1">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>so there</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
<ANNOTATION_VALUE>you are</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
</TIER>
<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="speech" TIME_ALIGNABLE="true"/>
<CONSTRAINT DESCRIPTION="x" STEREOTYPE="Included_In"/>
</ANNOTATION_DOCUMENT>
"""

GRID = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0.5
xmax = 4.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0.5
        xmax = 4.5
        intervals: size = 2
        intervals [1]:
            xmin = 0.5
            xmax = 1.2345678
            text = "so ""there"""
        intervals [2]:
            xmin = 1.2345678
            xmax = 4.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0.5
        xmax = 4.5
        points: size = 1
        points [1]:
            number = 2.25
            mark = "x"
'''


@pytest.mark.parametrize("version", ["2.7", "2.8", "3.0"])
def test_tiers_of_elan_are_added_from_the_origin_of_the_video(tmp_path: Path, version: str) -> None:
    text = add_to_eaf(EAF.format(version=version).encode(), make_report(video="films/my movie.mp4"))
    path = tmp_path / "with.eaf"
    path.write_text(text)
    eaf = Elan.Eaf(str(path))
    assert list(eaf.get_tier_names()) == ["face 1", "face 1 (2)", "face 2"]
    speech = [entry[2] for entry in eaf.get_annotation_data_for_tier("face 1")]
    assert speech == ["so there", "you are"]
    for tier, face_id in (("face 1 (2)", 1), ("face 2", 2)):
        expected = [(max(0, start_ms - 1000), end_ms - 1000) for start_ms, end_ms in CLIPPED[face_id] if end_ms > 1000]
        assert sorted(entry[:2] for entry in eaf.get_annotation_data_for_tier(tier)) == expected
    before, after = (ElementTree.fromstring(content) for content in (EAF.format(version=version), text))
    assert after.attrib == before.attrib
    assert "<!-- by hand -->" in text
    for element in before.iter():
        same = [other for other in after.iter(element.tag) if other.attrib == element.attrib]
        assert same
    values = [int(slot.attrib["TIME_VALUE"]) for slot in after.iter("TIME_SLOT") if "TIME_VALUE" in slot.attrib]
    assert values == sorted(values)
    ids = [each.attrib["ANNOTATION_ID"] for each in after.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(ids)) == len(ids)
    assert after.findtext("HEADER/PROPERTY") == str(len(ids))
    kinds = [child.tag for child in after]
    assert kinds == ["HEADER", "TIME_ORDER", *["TIER"] * 3, *["LINGUISTIC_TYPE"] * 2, "CONSTRAINT"]


def test_a_file_of_elan_with_another_video_counts_from_the_start() -> None:
    root = ElementTree.fromstring(add_to_eaf(EAF.format(version="3.0").encode(), make_report(), merged=True))
    (tier,) = (tier for tier in root.iter("TIER") if tier.attrib["TIER_ID"] == "face 1 (2)")
    assert [value.text for value in tier.iter("ANNOTATION_VALUE")] == ["happiness", "sadness", "fear"]
    times = {slot.attrib["TIME_SLOT_ID"]: slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    first = next(tier.iter("ALIGNABLE_ANNOTATION"))
    assert [times[first.attrib[f"TIME_SLOT_REF{number}"]] for number in (1, 2)] == ["0", "1602"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tiers_of_praat_are_added_within_the_bounds_of_the_grid(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "with.TextGrid"
    path.write_text(add_to_textgrid(GRID.encode(encoding), make_report()))
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    assert grid.tierNames == ("words", "clicks", "face 1", "face 2")
    assert (grid.minTimestamp, grid.maxTimestamp) == (0.5, 4.5)
    assert [tuple(entry) for entry in grid.getTier("words").entries] == [(0.5, 1.2345678, 'so "there"')]
    assert [tuple(entry) for entry in grid.getTier("clicks").entries] == [(2.25, "x")]
    assert [tuple(entry) for entry in grid.getTier("face 2").entries] == [(2.0, 2.901, "anger"), (4.0, 4.5, "surprise")]
    assert grid.getTier("face 1").entries[0].start == 0.5
    assert all((tier.minTimestamp, tier.maxTimestamp) == (0.5, 4.5) for tier in grid.tiers)


@pytest.mark.parametrize("content", [b"", b"hello", b"<a/>", b"\xff\xfe", b'File type = "ooTextFile"\n', b"\x00" * 40])
@pytest.mark.parametrize("ending", ADDERS)
def test_other_files_are_refused(ending: str, content: bytes) -> None:
    with pytest.raises(CodingError):
        ADDERS[ending][1](content, make_report())


@pytest.mark.parametrize("attribute", ["TIME_VALUE", "TIME_ORIGIN"])
def test_files_of_elan_with_times_that_are_no_numbers_are_refused(attribute: str) -> None:
    content = EAF.format(version="3.0").replace(f'{attribute}="1', f'{attribute}="x', 1)
    with pytest.raises(CodingError):
        add_to_eaf(content.encode(), make_report(video="my movie.mp4"))
