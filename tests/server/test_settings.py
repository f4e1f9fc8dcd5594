"""Sizes and lengths of time as they are given to a server."""

from __future__ import annotations

import pytest

from annotate.server.settings import parse_duration_s, parse_size_bytes


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "7y", "7 d 3", "nan", "1e3s"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time"):
        parse_duration_s(text)


@pytest.mark.parametrize("text", ["", "G", "0", "-1", "1X", "1e3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size_bytes(text)
