"""Where faces are in the picture, in words that tell them apart: "left", "in the middle", "top right"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from annotate.faces.box import Box


@dataclass(frozen=True)
class PlaceWords:
    """The words of a language: columns and rows by their number, and patterns for more of them."""

    columns: Mapping[int, tuple[str, ...]]
    from_left: str
    from_right: str
    rows: Mapping[int, tuple[str, ...]]
    row: str


PLACE_WORDS = {
    "en": PlaceWords(
        {
            2: ("left", "right"),
            3: ("left", "in the middle", "right"),
            4: ("far left", "left", "right", "far right"),
            5: ("far left", "left", "in the middle", "right", "far right"),
        },
        "no. {} from left",
        "no. {} from right",
        {2: ("top", "bottom"), 3: ("top", "middle row", "bottom")},
        "row {}",
    ),
    "ru": PlaceWords(
        {
            2: ("слева", "справа"),
            3: ("слева", "в середине", "справа"),
            4: ("у левого края", "слева", "справа", "у правого края"),
            5: ("у левого края", "слева", "в середине", "справа", "у правого края"),
        },
        "{}-е лицо слева",
        "{}-е лицо справа",
        {2: ("вверху", "внизу"), 3: ("вверху", "средний ряд", "внизу")},
        "ряд {}",
    ),
}


def places(boxes: Mapping[int, Box], language: str) -> dict[int, str]:
    """Return where each face is among those that are in the picture together; a single one is nowhere in particular.

    >>> places({7: Box(400, 50, 90, 90), 8: Box(20, 60, 90, 90)}, "en")
    {8: 'left', 7: 'right'}
    >>> places({1: Box(20, 10, 90, 90), 2: Box(30, 300, 90, 90), 3: Box(300, 300, 90, 90)}, "en")
    {1: 'top', 2: 'bottom left', 3: 'bottom right'}
    >>> places({1: Box(20, 10, 90, 90)}, "en")
    {1: ''}
    """
    words = PLACE_WORDS[language]
    rows = _rows(boxes) if _are_above_each_other(list(boxes.values())) else [list(boxes)]
    names = {}
    for number, row in enumerate(rows):
        row_word = words.rows.get(len(rows), ())[number : number + 1] or (words.row.format(number + 1),)
        before = row_word if len(rows) > 1 else ()
        in_order = sorted(row, key=lambda face_id: boxes[face_id].center)
        for column, face_id in enumerate(in_order):
            names[face_id] = " ".join([*before, *_column(column, len(row), words)])
    return names


def _column(number: int, count: int, words: PlaceWords) -> Sequence[str]:
    if count == 1:
        return ()
    if count in words.columns:
        return (words.columns[count][number],)
    is_left = number < count / 2
    return (words.from_left.format(number + 1) if is_left else words.from_right.format(count - number),)


def _are_above_each_other(boxes: Sequence[Box]) -> bool:
    """Return whether two faces are so nearly above each other that their order from left to right tells little."""
    return any(abs(one.center[0] - other.center[0]) < (one.width + other.width) / 4 for one, other in combinations(boxes, 2))


def _rows(boxes: Mapping[int, Box]) -> list[list[int]]:
    """Return the faces in rows from top to bottom; a face is in another row if it is more than its height lower."""
    rows: list[list[int]] = []
    for face_id in sorted(boxes, key=lambda face_id: boxes[face_id].center[1]):
        box, first = boxes[face_id], boxes[rows[-1][0]] if rows else None
        if first is not None and box.center[1] - first.center[1] <= max(box.height, first.height):
            rows[-1].append(face_id)
        else:
            rows.append([face_id])
    return rows
