"""The player of the HTML report and the server: a video with its emotions as subtitles, and a timeline of its faces.

In a page, ``AnnotatePlayer.mount(element, data, {videoUrl, videoName, downloads, words})`` fills an element and returns an
object with ``seek(time_ms)``, ``jump(direction)``, ``focus()``, ``update(data)`` and ``destroy()``. ``data`` is the result
of `player_data`, ``words`` one of ``AnnotatePlayer.words`` (default English), ``downloads`` a list of ``{label, url}``. Only
the video is loaded, and a content security policy may forbid inline scripts and styles.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from annotate.emotions.palette import color, text_color
from annotate.player.strings import PLAYER_WORDS
from annotate.results.cues import any_overlap
from annotate.results.formats.vtt import CueRegion, split_at_movement
from annotate.results.intervals import ClippedBlock
from annotate.results.report import Report
from annotate.results.table import class_names_of

SCORE_SCALE = 10_000
"""Factor of scores, which are integers: ten-thousandths, as tables have four decimals."""

_SCRIPTS = ("elements.js", "timeline.js", "player.js")
_STYLE = "player.css"
_DECIMALS = 4


def player_script() -> str:
    """Return the script that defines ``AnnotatePlayer``."""
    words = json.dumps({language: _to_dict(table) for language, table in PLAYER_WORDS.items()}, sort_keys=True)
    return "".join([*map(read_asset, _SCRIPTS), f"AnnotatePlayer.words = {words};\n"])


def player_style() -> str:
    """Return the player's style sheet; light and dark follow the browser's ``prefers-color-scheme``."""
    return read_asset(_STYLE)


def read_asset(name: str, package: str = __package__) -> str:
    """Return the text of a data file of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def player_data(
    report: Report, thumbnails: Mapping[int, str] = MappingProxyType({}), machine: Report | None = None
) -> dict[str, Any]:
    """Return the data of a report for the player, ready for JSON.

    ``thumbnails`` are URLs of images by ``face_id``. With ``machine``, the report without corrections, faces that people
    excluded altogether have a lane too. The keys of the result:

    - ``end_ms``; ``width_px`` and ``height_px`` of the displayed frame.
    - ``emotions``: ``name``, ``colour`` and ``ink`` (the color of text on it) of each class.
    - ``lanes``: ``face`` and ``faces`` (its first track and all of them), ``thumbnail`` (or null) and ``spans`` of each face
      track, or of all tracks of one person, with its number as ``person`` and its ``name``, if persons were told apart. A
      span is ``[start_ms, end_ms, emotion, *scores]`` with the index of the emotion, and all scores in ten-thousandths.
      Spans of a face do not overlap. Those that people corrected or confirmed are ``corrected`` too, as ``[start_ms, end_ms,
      emotion]`` with what the machine says.
    - ``cues``: ``[start_ms, end_ms, face, emotion, line, right]``. ``line`` and ``right`` are the top and right edge of the
      cue as shares of the frame's height and width, or null if the box of the face is unknown.
    - ``labels`` and ``named``, if persons were told apart: what cues show instead of the number of their face, by that
      number, and the numbers of faces of which it is a name, which cues show in any case.
    - ``numbered``: whether cues must show the number of their face; ``letter``: width of a letter as a share of the frame's.
    """
    classes = class_names_of(report.table)
    class_index = {name: index for index, name in enumerate(classes)}
    whole, blocks = machine or report, report.blocks_by_lane
    faces: dict[str, list[int]] = {}
    for face_id in whole.blocks_by_face:
        faces.setdefault(whole.lane(face_id), []).append(face_id)
    lanes = [
        {
            "face": face_ids[0],
            "faces": face_ids,
            "thumbnail": next((thumbnails[face_id] for face_id in face_ids if face_id in thumbnails), None),
            "spans": [
                [
                    piece.span.start_ms,
                    piece.span.end_ms,
                    class_index[piece.emotion],
                    *(round(piece.probabilities[name] * SCORE_SCALE) for name in classes),
                ]
                for piece in blocks.get(lane, ())
            ],
            **_person(whole, face_ids[0]),
            **_corrected(blocks.get(lane, ()), class_index),
        }
        for lane, face_ids in faces.items()
    ]
    region = CueRegion(report.meta.width_px, report.meta.height_px)
    return {
        "end_ms": report.end_ms,
        "width_px": report.meta.width_px,
        "height_px": report.meta.height_px,
        "emotions": [{"name": name, "colour": color(name), "ink": text_color(name)} for name in classes],
        "lanes": lanes,
        "cues": sorted(_cues(report, region, class_index), key=lambda cue: cue[:3]),
        "numbered": any_overlap(report.block_cues),
        "letter": round(region.letter_share, _DECIMALS),
        **(_labels(report) if report.persons else {}),
    }


def _person(report: Report, face_id: int) -> dict[str, Any]:
    person = report.persons.get(face_id)
    return {} if person is None else {"person": person.number, "name": person.name}


def _corrected(pieces: Iterable[ClippedBlock], class_index: Mapping[str, int]) -> dict[str, Any]:
    """Return the spans of a lane that people corrected or confirmed."""
    spans = [[piece.span.start_ms, piece.span.end_ms, class_index[piece.machine]] for piece in pieces if piece.machine]
    return {"corrected": spans} if spans else {}


def _labels(report: Report) -> dict[str, Any]:
    """Return the labels of cues by the number of their face, and the faces whose labels are names."""
    return {"labels": {face_id: report.label(face_id) for face_id in report.persons}, "named": sorted(report.names)}


def _cues(report: Report, region: CueRegion, class_index: Mapping[str, int]) -> Iterator[list[Any]]:
    for cue in report.block_cues:
        (line,) = cue.lines
        for span, box in split_at_movement(cue, report.placed_boxes):
            corner = region.corner(box) or (None, None)
            position = [None if share is None else round(share, _DECIMALS) for share in corner]
            yield [span.start_ms, span.end_ms, line.face_id, class_index[line.emotion], *position]


def _to_dict(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()}
