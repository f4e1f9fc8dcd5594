"""What the README promises is what the program does."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import click
import pytest

from annotate.analytics.moments import to_table
from annotate.analytics.summary import FIGURES, PLACES
from annotate.archive.discover import VIDEO_ENDINGS
from annotate.cli.annotate import annotate_command
from annotate.cli.convert import convert
from annotate.cli.find import find
from annotate.cli.plot import plot
from annotate.cli.render import render
from annotate.cli.report import report
from annotate.cli.serve import serve
from annotate.cli.summarize import summarize
from annotate.cli.table_output import LISTS, TABLES
from annotate.emotions.labels import EMOTIONS
from annotate.results.boxes import COLUMNS
from annotate.results.formats.registry import FORMATS, TRACKS
from annotate.results.table import PLACE_COLUMNS

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


@pytest.mark.parametrize("command", [annotate_command, convert, summarize, find, report, plot, render, serve])
def test_every_option_is_explained(command: click.Command) -> None:
    options = {name for option in command.params for name in option.opts if name.startswith("-")}
    long_ones = {name for name in options if name.startswith("--")} - {"--verbose", "--quiet", "--output"}
    assert [name for name in sorted(long_ones) if f"`{name}" not in README] == []


def test_every_column_of_summaries_and_moments_is_explained() -> None:
    tables = README[README.index("The columns of the file:") : README.index("## As a library")]
    described = set(re.findall(r"`(\w+)`", tables))
    assert {*FIGURES, *itertools.chain(*PLACES.values()), *to_table([]).columns} <= described


@pytest.mark.parametrize("endings", [TABLES, LISTS])
def test_every_ending_of_a_file_is_explained(endings: dict[str, str]) -> None:
    described = README[README.index("### Moments") : README.index("## The report page")]
    assert [ending for ending in endings if f"`{ending}`" not in described] == []


def test_every_column_is_explained() -> None:
    table = README[README.index("| column | meaning |") : README.index("## Formats")]
    described = set(re.findall(r"`(\w+)`", table))
    assert {*PLACE_COLUMNS, *COLUMNS} <= described
    assert {EMOTIONS[0], EMOTIONS[-1]} <= described


def test_every_format_is_in_the_table_with_its_file() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\.emotions\S+)` \|", README, re.MULTILINE))
    expected = {name: f".emotions{kind.ending.format(language='en')}" for name, kind in TRACKS.items()}
    assert rows == {"csv": ".emotions.csv", **expected}
    assert tuple(rows) == FORMATS


def test_what_is_linked_is_there() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
