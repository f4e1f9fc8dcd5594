"""The JSON document: whole, against its schema, and with the CSV's times."""

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
from annotate.settings import Settings
from tests.results.reports import BLOCKS, CLIPPED, make_report


def schema() -> dict[str, Any]:
    """The schema as it is installed."""
    content: dict[str, Any] = json.loads(
        (resources.files("annotate.results.formats") / "emotions.schema.json").read_text("utf-8")
    )
    return content


def document(**options: Any) -> Any:
    """The document for the report by hand, checked against its schema."""
    content = json.loads(write(make_report(**options), "en"))
    jsonschema.Draft202012Validator(schema()).validate(content)
    return content


def test_the_schema_is_one_and_says_what_everything_is() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert set(schema()["required"]) == set(schema()["properties"])
    annotation = schema()["$defs"]["annotation"]
    assert set(annotation["required"]) == set(annotation["properties"])


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"annotations": [{}]}, {"further": 1}, {"source": {"name": "a.mp4"}}, {"picture": None}]
)
def test_the_schema_refuses_what_is_something_else(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate({**document(), **change})


def test_all_annotations_with_the_times_of_the_report() -> None:
    report = make_report()
    found = document()["annotations"]
    assert [(each["start_time"], each["end_time"]) for each in found] == list(
        report.table[["start_time", "end_time"]].itertuples(index=False, name=None)
    )
    assert len(found) == len(BLOCKS)
    first = found[0]
    assert (first["face_id"], first["block"], first["emotion"], first["confidence"]) == (1, 0, "happiness", 0.88)
    assert first["probabilities"] == {name: 0.88 if name == "happiness" else 0.02 for name in EMOTIONS}
    assert first["box"] == {"x": 36.0, "y": 60.0, "width": 100.0, "height": 100.0}


def test_what_is_clipped_is_told() -> None:
    found = document()["annotations"]
    for face_id, spans in CLIPPED.items():
        own = [each for each in found if each["face_id"] == face_id]
        assert [(each["clipped_start_time"], each["end_time"]) for each in own] == [
            (start_ms / 1000, end_ms / 1000) for start_ms, end_ms in spans
        ]
    (tail,) = [each for each in found if each["overlap"]]
    assert (tail["start_time"], tail["clipped_start_time"]) == (2.003, 2.403)


def test_a_block_that_is_wholly_covered_has_no_own_start() -> None:
    blocks = ((1, 0, 0, 2000, "fear", 0), (1, 1, 1000, 2000, "anger", 19))
    assert [each["clipped_start_time"] for each in document(blocks=blocks)["annotations"]] == [0, None]


def test_where_it_comes_from() -> None:
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


def test_no_faces_are_an_empty_list() -> None:
    assert document(faces=0)["annotations"] == []


def test_an_annotation_is_a_line() -> None:
    lines = write(make_report(), "en").splitlines()
    assert sum(line.startswith('    {"face_id": ') for line in lines) == len(BLOCKS)
