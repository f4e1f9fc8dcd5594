"""Fixtures of the HTML report, whose pages contain the player."""

from __future__ import annotations

from tests.html_report.conftest import browser, color_clip, page_file, watched

__all__ = ["browser", "color_clip", "page_file", "watched"]
