"""What the README promises is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from annotate.archive.walk import VIDEO_ENDINGS
from annotate.commands.archive import annotate_command
from annotate.emotions.labels import EMOTIONS
from annotate.tracks.table import PLACE_COLUMNS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEST_COMMAND = "pip install '.[test]' && pytest"


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    assert f"\n    {TEST_COMMAND}\n" in README
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert TEST_COMMAND in lines


def test_every_ending_is_listed() -> None:
    match = re.search(r"taken by their endings: (.*?), in any\s+case", README, re.DOTALL)
    assert match is not None
    assert set(match[1].split()) == VIDEO_ENDINGS


def test_every_option_is_explained() -> None:
    options = {name for option in annotate_command.params for name in option.opts if name.startswith("-")}
    long_ones = {name for name in options if name.startswith("--")} - {"--verbose", "--quiet", "--output"}
    assert [name for name in sorted(long_ones) if f"`{name}" not in README] == []


def test_every_column_is_explained() -> None:
    table = README[README.index("| column | meaning |") : README.index("## Commands")]
    described = set(re.findall(r"`(\w+)`", table))
    assert set(PLACE_COLUMNS) <= described
    assert {EMOTIONS[0], EMOTIONS[-1]} <= described
