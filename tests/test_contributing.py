"""CONTRIBUTING.md names existing files and every package."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_named_files_exist() -> None:
    named = set(re.findall(r"`((?:annotate|tests|sample_videos|\.ci)/[\w./]+)`", TEXT))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_package_is_in_the_layout() -> None:
    table = TEXT[TEXT.index("## Layout") : TEXT.index("## Recipes")]
    packages = {path.parent.name for path in (ROOT / "annotate").glob("*/__init__.py")}
    assert packages <= set(re.findall(r"`(\w+)`", table))
