"""EAF as pympi reads it, and checks of its schema."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pympi import Elan

from annotate.emotions.labels import EMOTIONS
from annotate.results.formats.eaf import write, write_3, write_merged, write_merged_3
from annotate.results.report import Report
from tests.results.reports import CLIPPED, make_report


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The EAF file of the hand-made report."""
    return write_eaf(tmp_path)


def write_eaf(folder: Path, *, by: Callable[[Report, str], str | None] = write, **options: object) -> Path:
    """Write the hand-made report to a folder and return the path."""
    text = by(make_report(**options), "en")  # type: ignore[arg-type]
    assert text is not None
    path = folder / "movie.emotions.eaf"
    path.write_text(text, encoding="utf-8")
    return path


def test_one_tier_per_face_with_clipped_blocks(path: Path) -> None:
    eaf = Elan.Eaf(str(path))
    assert list(eaf.get_tier_names()) == ["face 1", "face 2"]
    for face_id, spans in CLIPPED.items():
        found = sorted(eaf.get_annotation_data_for_tier(f"face {face_id}"))
        assert [(start_ms, end_ms) for start_ms, end_ms, _ in found] == spans
    assert [value for _, _, value in sorted(eaf.get_annotation_data_for_tier("face 2"))] == ["anger", "surprise"]


def test_annotations_refer_to_a_vocabulary_of_the_classes(path: Path) -> None:
    eaf = Elan.Eaf(str(path))
    _, entries, _ = eaf.controlled_vocabularies["emotions"]
    words = {key: value for key, ([(value, _, _)], _) in entries.items()}
    assert tuple(words.values()) == EMOTIONS
    (kind,) = eaf.linguistic_types.values()
    assert kind["CONTROLLED_VOCABULARY_REF"] == "emotions"
    for annotation in ElementTree.parse(path).iter("ALIGNABLE_ANNOTATION"):
        assert words[annotation.attrib["CVE_REF"]] == annotation.findtext("ANNOTATION_VALUE")


@pytest.mark.parametrize(
    ("video", "kind"), [("movie.mp4", "video/mp4"), ("../films/<a> & b.mov", "video/quicktime"), ("a.gxf", "video/*")]
)
def test_the_video_is_linked_by_its_relative_path(tmp_path: Path, video: str, kind: str) -> None:
    (media,) = Elan.Eaf(str(write_eaf(tmp_path, video=video))).media_descriptors
    assert (media["RELATIVE_MEDIA_URL"], media["MIME_TYPE"]) == (f"./{video}", kind)


@pytest.mark.parametrize(
    ("time_ns", "date"),
    [
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20+00:00"),
        (-(10**18), "1970-01-01T00:00:00+00:00"),
        (10**30, "9999-12-31T23:59:59+00:00"),
    ],
)
def test_the_date_is_that_of_the_video_within_the_calendar(time_ns: int, date: str) -> None:
    report = make_report()
    source = replace(report.meta.source, mtime_ns=time_ns)
    text = write(replace(report, meta=replace(report.meta, source=source)), "en")
    assert text is not None
    assert f'DATE="{date}"' in text


def test_characters_that_are_invalid_in_xml_are_replaced(tmp_path: Path) -> None:
    (media,) = Elan.Eaf(str(write_eaf(tmp_path, video="a\x1b\n\udce9.mp4"))).media_descriptors
    assert media["RELATIVE_MEDIA_URL"] == "./a???.mp4"


@pytest.mark.parametrize("by", [write_merged, write_merged_3])
def test_merged_annotations_last_while_the_emotion_stays_the_same(
    tmp_path: Path, by: Callable[[Report, str], str | None]
) -> None:
    eaf = Elan.Eaf(str(write_eaf(tmp_path, by=by)))
    found = sorted(annotation[:3] for annotation in eaf.get_annotation_data_for_tier("face 1"))
    assert found == [(0, 1602, "happiness"), (1602, 2403, "sadness"), (2403, 2804, "fear")]


@pytest.mark.parametrize(("by", "version"), [(write, "2.8"), (write_3, "3.0"), (write_merged_3, "3.0")])
def test_requirements_of_the_schema(tmp_path: Path, by: Callable[[Report, str], str | None], version: str) -> None:
    """Check order and attributes of the elements of EAF, and that all references resolve."""
    root = ElementTree.parse(write_eaf(tmp_path, by=by)).getroot()
    schema = root.attrib["{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"]
    assert schema == f"http://www.mpi.nl/tools/elan/EAFv{version}.xsd"
    assert root.attrib["VERSION"] == version
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LANGUAGE", "CONSTRAINT", "CONTROLLED_VOCABULARY"]
    assert [tag for tag, _ in itertools.groupby(child.tag for child in root)] == order
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", root.attrib["DATE"])
    assert (root.attrib["FORMAT"], root.attrib["AUTHOR"]) == (version, "annotate 1.0")
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    annotations = list(root.iter("ALIGNABLE_ANNOTATION"))
    assert len({annotation.attrib["ANNOTATION_ID"] for annotation in annotations}) == len(annotations)
    assert all(slots[each.attrib["TIME_SLOT_REF1"]] < slots[each.attrib["TIME_SLOT_REF2"]] for each in annotations)
    kinds = {kind.attrib["LINGUISTIC_TYPE_ID"] for kind in root.iter("LINGUISTIC_TYPE")}
    assert {tier.attrib["LINGUISTIC_TYPE_REF"] for tier in root.iter("TIER")} == kinds
    languages = {language.attrib["LANG_ID"] for language in root.iter("LANGUAGE")}
    assert {part.attrib["LANG_REF"] for part in root.iter("CVE_VALUE")} == languages


@pytest.mark.skipif("EAF_SCHEMA" not in os.environ, reason="EAF_SCHEMA does not say where a copy of EAFv2.8.xsd is")
def test_the_file_is_valid_by_the_schema(path: Path) -> None:
    etree = pytest.importorskip("lxml.etree")
    schema = etree.XMLSchema(etree.parse(os.environ["EAF_SCHEMA"]))
    assert schema.validate(etree.parse(str(path))), schema.error_log
