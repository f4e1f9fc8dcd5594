"""The fixtures of the HTML report, whose pages show the player."""

from __future__ import annotations

from tests.html_report.conftest import browser, colours_clip, page_file, watched

__all__ = ["browser", "colours_clip", "page_file", "watched"]
