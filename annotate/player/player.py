"""The player: a video with its emotion track, and a timeline with one lane per face; for the report page and the server.

In a page, ``AnnotatePlayer.mount(element, data, {videoUrl, videoName, downloads, words})`` fills an element and gives an
object with ``seek(time_ms)``, ``jump(direction)``, ``focus()`` and ``destroy()``. ``data`` is the result of `player_data`,
``words`` one of ``AnnotatePlayer.words`` (English if left out), ``downloads`` a list of ``{label, url}``. Nothing is
loaded but the video; the script needs neither inline scripts nor style attributes to be allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from annotate.emotions.palette import color, ink
from annotate.player.strings import PLAYER_WORDS
from annotate.results.cues import are_together
from annotate.results.formats.vtt import CueRegion, stays
from annotate.results.report import Report
from annotate.results.table import class_names_of

PARTS = 10_000
"""Probabilities are whole ten-thousandths: reports have four decimals."""

_SCRIPTS = ("elements.js", "timeline.js", "player.js")
_STYLE = "player.css"
_DECIMALS = 4


def player_script() -> str:
    """Return the script that defines ``AnnotatePlayer``."""
    words = json.dumps({language: _plain(table) for language, table in PLAYER_WORDS.items()}, sort_keys=True)
    return "".join([*map(read_asset, _SCRIPTS), f"AnnotatePlayer.words = {words};\n"])


def player_style() -> str:
    """Return the player's style sheet; light and dark follow the browser's ``prefers-color-scheme``."""
    return read_asset(_STYLE)


def read_asset(name: str, package: str = __package__) -> str:
    """Return the text of a data file of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def player_data(report: Report, thumbnails: Mapping[int, str] = MappingProxyType({})) -> dict[str, Any]:
    """Return the data of a report that the player shows, ready for JSON.

    ``thumbnails`` are images of faces by ``face_id``, as ``data:`` URLs. The keys:

    - ``end_ms``; ``width_px`` and ``height_px`` of the displayed frame.
    - ``emotions``: ``name``, ``colour`` and ``ink`` (the color of text on it) of each class.
    - ``lanes``: ``face``, ``thumbnail`` (or null) and ``spans`` of each face, a span being ``[start_ms, end_ms, emotion,
      *scores]`` with the number of the emotion and all scores in ten-thousandths; spans of a face never overlap.
    - ``cues``: ``[start_ms, end_ms, face, emotion, line, right]``, the last two, shares of the frame's height and width,
      saying where the cue begins and ends, or null where no box is known.
    - ``numbered``: whether cues need the number of their face; ``letter``: a cue's width for each letter.
    """
    classes = class_names_of(report.table)
    number_of = {name: number for number, name in enumerate(classes)}
    lanes = [
        {
            "face": face_id,
            "thumbnail": thumbnails.get(face_id),
            "spans": [
                [
                    piece.span.start_ms,
                    piece.span.end_ms,
                    number_of[piece.emotion],
                    *(round(piece.probabilities[name] * PARTS) for name in classes),
                ]
                for piece in pieces
            ],
        }
        for face_id, pieces in report.pieces_by_face.items()
    ]
    place = CueRegion(report.meta.width_px, report.meta.height_px)
    return {
        "end_ms": report.end_ms,
        "width_px": report.meta.width_px,
        "height_px": report.meta.height_px,
        "emotions": [{"name": name, "colour": color(name), "ink": ink(name)} for name in classes],
        "lanes": lanes,
        "cues": sorted(_cues(report, place, number_of), key=lambda cue: cue[:3]),
        "numbered": are_together(report.face_cues),
        "letter": round(place.letter_share, _DECIMALS),
    }


def _cues(report: Report, place: CueRegion, number_of: Mapping[str, int]) -> Iterator[list[Any]]:
    for cue in report.face_cues:
        (line,) = cue.lines
        for span, box in stays(cue, report.boxes):
            corner = place.corner(box) or (None, None)
            where = [None if share is None else round(share, _DECIMALS) for share in corner]
            yield [span.start_ms, span.end_ms, line.face_id, number_of[line.emotion], *where]


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()}
