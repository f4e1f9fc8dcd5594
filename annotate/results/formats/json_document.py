"""JSON document with provenance and all annotations; the schema is ``emotions.schema.json`` in this package."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from annotate.emotions.palette import color
from annotate.results.report import Report
from annotate.results.table import (
    APPEARANCE_COLUMNS,
    CORRECTION_COLUMNS,
    RELATIVE_PREFIX,
    SOURCE,
    class_names_of,
    has_relative,
    own_spans_ms,
)
from annotate.span import MS_PER_S, Span

VERSION = 1
"""Version of the document schema; incremented when programs that read it would have to change."""

_FORMAT = "annotate-emotions"
_BOX = ("x", "y", "width", "height")
_PROVENANCE = (
    "program",
    "analysis_version",
    "model_hash",
    "settings",
    "ffmpeg",
    "frames",
    "duration_s",
    "missing_s",
    "faces",
    "dropped_tracks",
    "warnings",
)


def write(report: Report, language: str) -> str:
    """Return a report as a JSON document, one annotation per line, with the times of the table; never None.

    Values that a table of an older analysis version lacks are null, and so is ``relative`` of a face without a baseline;
    without ``--baseline`` there is no ``relative``, and ``person`` and ``name`` are there if persons were told apart, and
    ``source``, ``machine_emotion`` and ``machine_confidence`` if people corrected anything.
    """
    meta = report.meta
    classes = class_names_of(report.columns)
    head: dict[str, Any] = {
        "format": _FORMAT,
        "version": VERSION,
        "source": {**vars(meta.source), "url": report.video_url},
        "picture": {"width_px": meta.width_px, "height_px": meta.height_px, **_size_changes(report)},
        "provenance": {name: getattr(meta, name) for name in _PROVENANCE},
        "emotions": [{"name": name, "colour": color(name)} for name in classes],
        "annotations": [],
    }
    rows = ",\n".join(f"    {_line(annotation)}" for annotation in _annotations(report, classes))
    text = json.dumps(head, ensure_ascii=False, indent=2)
    return text.removesuffix("[]\n}") + (f"[\n{rows}\n  ]\n}}\n" if rows else "[]\n}\n")


def _size_changes(report: Report) -> dict[str, Any]:
    """Return the later sizes of the frame, if there are any."""
    changes = [
        {"time": change.start_ms / MS_PER_S, "width_px": change.width_px, "height_px": change.height_px}
        for change in report.meta.size_changes
    ]
    return {"changes": changes} if changes else {}


def _annotations(report: Report, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    start_ms, end_ms = own_spans_ms(report.columns)
    has_ends = bool((end_ms != (report.table["end_time"].to_numpy(float) * MS_PER_S).round()).any())
    is_relative = has_relative(report.columns.columns)
    result = []
    for cells, start, end in zip(report.table.to_dict("records"), start_ms.tolist(), end_ms.tolist(), strict=True):
        row: dict[Any, Any] = {name: None if cell != cell else cell for name, cell in cells.items()}
        clipped = Span(start, end)
        result.append(
            {
                **{name: row[name] for name in ("face_id", "block", "start_frame", "end_frame", "start_time", "end_time")},
                "clipped_start_time": clipped.start_s if clipped else None,
                **({"clipped_end_time": clipped.end_s if clipped else None} if has_ends else {}),
                "box": {name: row[name] for name in _BOX},
                **{name: row[name] for name in ("face_score", "frames", "detections", "overlap", "emotion", "confidence")},
                "probabilities": {name: row[name] for name in classes},
                **{name: row[name] for name in APPEARANCE_COLUMNS},
                "reliable": None if row["reliable"] is None else bool(row["reliable"]),
                **({"relative": _relative(row, classes)} if is_relative else {}),
                **(_person(report, row["face_id"]) if report.persons else {}),
                **({name: row[name] for name in CORRECTION_COLUMNS} if SOURCE in row else {}),
            }
        )
    return result


def _relative(row: Mapping[Any, Any], classes: Iterable[str]) -> dict[str, Any] | None:
    """Return the values relative to the face's baseline; None if it has none."""
    if not row[f"{RELATIVE_PREFIX}emotion"]:
        return None
    return {
        **{name: row[f"{RELATIVE_PREFIX}{name}"] for name in ("emotion", "confidence")},
        "probabilities": {name: row[f"{RELATIVE_PREFIX}{name}"] for name in classes},
    }


def _person(report: Report, face_id: int) -> dict[str, Any]:
    """Return number and name of a face's person; null if unknown."""
    person = report.persons.get(face_id)
    return {"person": None if person is None else person.number, "name": None if person is None else person.name or None}


def _line(annotation: dict[str, Any]) -> str:
    return json.dumps(annotation, ensure_ascii=False, allow_nan=False)
