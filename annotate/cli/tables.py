"""Tables that fit the terminal: shorten names in the middle, then words, then leave out columns."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from annotate.text import shorten, text_width

_COMFORTABLE, _NARROW, _LEAST = 32, 16, 12
"""Widths to which a long name is shortened before the next measure is taken."""


@dataclass(frozen=True)
class Column:
    """A column of a table with its cells as text.

    ``short`` holds heading and cells of the narrow form, and ``note`` a line to print above the table with it. A ``name``
    may be shortened in the middle. Columns with a ``rank`` may be left out, the highest first.
    """

    heading: str
    cells: Sequence[str]
    short: tuple[str, Sequence[str]] | None = None
    note: str = ""
    to_right: bool = False
    name: bool = False
    rank: int = 0

    @property
    def shortest(self) -> Column:
        """The narrow form of the column."""
        return self if self.short is None else replace(self, heading=self.short[0], cells=self.short[1], short=None)


def terminal_width() -> int | None:
    """Return the number of columns of the terminal on stdout; None if stdout is no terminal."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None
    except (OSError, ValueError):
        return None


def format_columns(columns: Sequence[Column], width: int | None = None) -> str:
    """Return columns as lines, with a heading and a rule below it; lines are no longer than ``width`` if possible.

    >>> name, length = Column("video", ["movies/2024/party.mp4"], name=True), Column("length", ["0:05"], to_right=True)
    >>> print(format_columns([name, length]))
    video                  length
    ---------------------  ------
    movies/2024/party.mp4    0:05
    >>> print(format_columns([name, length], 20))
    video         length
    ------------- ------
    movi…arty.mp4   0:05
    """
    for chosen, gap, least in _layouts(columns):
        widths = [_width_of(column) for column in chosen]
        over = sum(widths) + gap * (len(widths) - 1) - (width or sys.maxsize)
        for number, column in enumerate(chosen):
            if column.name and over > 0:
                spared = min(over, max(0, widths[number] - least))
                widths[number] -= spared
                over -= spared
        if over <= 0:
            break
    notes = [shorten(column.note, width or sys.maxsize) for column in chosen if column.note and column.short is None]
    return "\n".join([*notes, *_lines(chosen, widths, " " * gap)])


def shortest_words(words: Sequence[str], least: int = 3) -> dict[str, str]:
    """Return words cut to the fewest letters that keep them distinct.

    >>> shortest_words(["anger", "sadness", "surprise"]), shortest_words(["content", "contempt"])
    ({'anger': 'ang', 'sadness': 'sad', 'surprise': 'sur'}, {'content': 'conten', 'contempt': 'contem'})
    """
    longest = max(map(len, words), default=0)
    for length in range(least, longest):
        cut = {word: word[:length] for word in words}
        if len(set(cut.values())) == len(cut):
            return cut
    return {word: word for word in words}


def _layouts(columns: Sequence[Column]) -> Iterator[tuple[list[Column], int, int]]:
    """Yield columns, the gap between them and the least width of a name, from the widest layout to the narrowest."""
    yield list(columns), 2, _COMFORTABLE
    short = [column.shortest for column in columns]
    yield short, 2, _COMFORTABLE
    yield short, 1, _NARROW
    ranks = sorted({column.rank for column in short if column.rank}, reverse=True)
    for rank in ranks:
        short = [column for column in short if column.rank < rank]
        yield short, 1, _NARROW
    yield short, 1, _LEAST
    yield short, 1, 1


def _width_of(column: Column) -> int:
    return max(map(text_width, (column.heading, *column.cells)))


def _lines(columns: Sequence[Column], widths: Sequence[int], gap: str) -> Iterator[str]:
    yield gap.join(map(_fill, [column.heading for column in columns], widths, columns)).rstrip()
    yield gap.join("-" * width for width in widths)
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield gap.join(map(_fill, cells, widths, columns)).rstrip()


def _fill(text: str, width: int, column: Column) -> str:
    shown = shorten(text, width)
    space = " " * (width - text_width(shown))
    return space + shown if column.to_right else shown + space
