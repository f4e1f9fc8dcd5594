"""Parsing of sizes and durations."""

from __future__ import annotations

import pytest

from annotate.errors import SettingsError
from annotate.server.settings import parse_duration_s, parse_size_bytes


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "7y", "7 d 3", "nan", "1e3s"])
def test_invalid_durations_are_rejected(text: str) -> None:
    with pytest.raises(SettingsError, match="duration") as raised:
        parse_duration_s(text)
    assert repr(text) in raised.value.problem


@pytest.mark.parametrize("text", ["", "G", "0", "-1", "1X", "1e3"])
def test_invalid_sizes_are_rejected(text: str) -> None:
    with pytest.raises(SettingsError, match="size") as raised:
        parse_size_bytes(text)
    assert repr(text) in raised.value.problem
