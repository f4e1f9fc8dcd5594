"""Tables that fit the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from annotate.cli.tables import Column, format_columns, shorten, shortest_words, text_width

PATHS = ["archive/2024/summer/the beach at noon, with everybody.mp4", "日本の家族の動画/夏休みの思い出の動画.mp4", "total"]
TABLE = [
    Column("video", PATHS, name=True),
    Column("length", ["1:02:05", "0:05", "1:02:10"], to_right=True, rank=2),
    Column("mostly", ["happiness", "", "happiness"], ("most", ["hap", "", "hap"])),
    Column("share", ["57%", "", "57%"], ("shr", ["57", "", "57"]), to_right=True, rank=1),
]


def test_a_wide_terminal_shortens_nothing() -> None:
    assert format_columns(TABLE).splitlines() == [
        "video                                                       length  mostly     share",
        "---------------------------------------------------------  -------  ---------  -----",
        "archive/2024/summer/the beach at noon, with everybody.mp4  1:02:05  happiness    57%",
        "日本の家族の動画/夏休みの思い出の動画.mp4                     0:05",
        "total                                                      1:02:10  happiness    57%",
    ]


@pytest.mark.parametrize(
    ("width", "head"),
    [
        (84, "video                                                       length  mostly     share"),
        (83, "video                                                      length  mostly     share"),
        (59, "video                              length  mostly     share"),
        (58, "video                                    length  most  shr"),
        (50, "video                            length  most  shr"),
        (48, "video                             length most shr"),
        (33, "video              length most shr"),
        (31, "video                   most shr"),
        (25, "video             most shr"),
        (22, "video             most"),
    ],
)
def test_names_shrink_first_then_words_then_gaps_then_columns(width: int, head: str) -> None:
    lines = format_columns(TABLE, width).splitlines()
    assert lines[0].split() == head.split()
    assert max(map(text_width, lines)) <= width


@given(st.integers(8, 200))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = format_columns(TABLE, width).splitlines()
    assert max(map(text_width, lines)) <= width
    assert len(lines) == 5


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x9FFF, exclude_categories=["C", "M", "Z"])), st.integers(1, 30)
)
def test_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    shown = shorten(text, width)
    assert wcswidth(shown) <= width
    if shown != text:
        head, tail = shown.split("…")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert wcswidth(text) > width


def test_shortened_names_keep_more_of_their_end() -> None:
    assert shorten("abcdefghijklmnopqrstuvwxyz.mp4", 13) == "abcd…wxyz.mp4"


def test_a_note_is_shown_with_the_narrow_form_of_its_column() -> None:
    column = Column("video", ["archive/a.mp4"], ("video", ["a.mp4"]), "in archive:", name=True)
    assert format_columns([column]).splitlines()[0] == "video"
    assert format_columns([column], 11).splitlines() == ["in archive:", "video", "-----", "a.mp4"]


def test_words_are_cut_only_as_far_as_they_stay_distinct() -> None:
    assert shortest_words(["con", "content"]) == {"con": "con", "content": "cont"}
    assert shortest_words(["sad", "sad"]) == {"sad": "sad"}
    assert shortest_words([]) == {}
