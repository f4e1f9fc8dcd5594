"""The JSON document: validity by its schema, and times as in the table."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from annotate.emotions.labels import EMOTIONS
from annotate.emotions.palette import COLORS
from annotate.results.formats.json_document import write
from annotate.results.meta import result_settings
from annotate.results.table import APPEARANCE_COLUMNS, CORRECTION_COLUMNS
from annotate.settings import Settings
from tests.results.reports import BLOCKS, CLIPPED, make_report


def schema() -> dict[str, Any]:
    """Return the installed schema."""
    content: dict[str, Any] = json.loads(
        (resources.files("annotate.results.formats") / "emotions.schema.json").read_text("utf-8")
    )
    return content


def document(**options: Any) -> Any:
    """Return the document of the hand-made report, checked against the schema."""
    content = json.loads(write(make_report(**options), "en"))
    jsonschema.Draft202012Validator(schema()).validate(content)
    return content


def test_the_schema_is_valid_and_requires_every_property_of_every_document() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert set(schema()["required"]) == set(schema()["properties"])
    annotation = schema()["$defs"]["annotation"]
    assert {*annotation["required"], "clipped_end_time", "relative", "person", "name", *CORRECTION_COLUMNS} == set(
        annotation["properties"]
    )


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"annotations": [{}]}, {"unknown": 1}, {"source": {"name": "a.mp4"}}, {"picture": None}]
)
def test_the_schema_refuses_invalid_documents(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate({**document(), **change})


def test_all_annotations_have_the_times_of_the_table() -> None:
    report = make_report()
    found = document()["annotations"]
    assert [(each["start_time"], each["end_time"]) for each in found] == list(
        report.table[["start_time", "end_time"]].itertuples(index=False, name=None)
    )
    assert len(found) == len(BLOCKS)
    first = found[0]
    assert (first["face_id"], first["block"], first["emotion"], first["confidence"]) == (1, 0, "happiness", 0.88)
    assert first["probabilities"] == {name: 0.88 if name == "happiness" else 0.02 for name in EMOTIONS}
    assert (first["pitch"], first["quality"], first["reliable"]) == (-4.0, 0.8, True)
    assert [first[name] for name in APPEARANCE_COLUMNS] == report.table.loc[0, list(APPEARANCE_COLUMNS)].tolist()
    assert first["box"] == {"x": 36.0, "y": 60.0, "width": 100.0, "height": 100.0}


def test_clipped_start_times() -> None:
    found = document()["annotations"]
    for face_id, spans in CLIPPED.items():
        own = [each for each in found if each["face_id"] == face_id]
        assert [(each["clipped_start_time"], each["end_time"]) for each in own] == [
            (start_ms / 1000, end_ms / 1000) for start_ms, end_ms in spans
        ]
    (tail,) = [each for each in found if each["overlap"]]
    assert (tail["start_time"], tail["clipped_start_time"]) == (2.003, 2.403)


def test_a_block_covered_by_the_previous_one_has_no_clipped_start() -> None:
    blocks = ((1, 0, 0, 2000, "fear", 0), (1, 1, 1000, 2000, "anger", 19))
    assert [each["clipped_start_time"] for each in document(blocks=blocks)["annotations"]] == [0, None]


def test_source_and_provenance() -> None:
    content = document(video="../films/a b.mp4")
    assert content["source"] == {
        "name": "movie.mp4",
        "size_bytes": 123,
        "mtime_ns": 1_700_000_000_123_456_789,
        "hash": "ab" * 16,
        "url": "./../films/a%20b.mp4",
    }
    assert content["picture"] == {"width_px": 640, "height_px": 360}
    assert content["provenance"]["settings"] == result_settings(Settings())
    assert content["provenance"]["model_hash"] == "0123456789abcdef"
    assert {each["name"]: each["colour"] for each in content["emotions"]} == dict(COLORS)


def test_no_faces_give_an_empty_list() -> None:
    assert document(faces=0)["annotations"] == []


def test_one_line_per_annotation() -> None:
    lines = write(make_report(), "en").splitlines()
    assert sum(line.startswith('    {"face_id": ') for line in lines) == len(BLOCKS)
