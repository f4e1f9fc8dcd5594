"""The long description: README.md without links and images that lead into the repository, which packages do not have."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import setup

_TEXT = r"((?:[^\[\]]|\[[^\]]*\])*)"
_IMAGE = re.compile(rf"!\[{_TEXT}\]\((?!https?:)[^)]*\)\n*")
_LINK = re.compile(rf"\[{_TEXT}\]\((?!https?:)[^)]*\)")


def long_description() -> str:
    """Return the README as a page elsewhere shows it."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    return _LINK.sub(r"\1", _IMAGE.sub("", text))


if __name__ == "__main__":
    setup(long_description=long_description(), long_description_content_type="text/markdown")
