"""The documents match the program: links, commands, columns, formats, and examples with their output."""

from __future__ import annotations

import configparser
import csv
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import annotate
from annotate.analytics.moments import to_table
from annotate.analytics.summary import KEY_COLUMNS, STAT_COLUMNS
from annotate.archive.discover import VIDEO_EXTENSIONS
from annotate.archive.layout import BOXES_ENDING, META_ENDING, REPORT_ENDING
from annotate.batch.check import FindingKind
from annotate.batch.job import Status
from annotate.cli.export import FILES
from annotate.cli.main import main
from annotate.cli.options import EXIT_INTERRUPTED, EXIT_TERMINATED
from annotate.cli.table_output import LISTS, TABLES
from annotate.emotions.labels import EMOTIONS
from annotate.errors import EXIT_FAILED, EXIT_USAGE
from annotate.faces import quality
from annotate.results.boxes import COLUMNS
from annotate.results.formats.registry import FORMATS, TRACK_FORMATS
from annotate.results.table import APPEARANCE_COLUMNS, BLOCK_COLUMNS, OWN_COLUMNS
from tests.documents import (
    ROOT,
    anchors,
    at_examples,
    code_blocks,
    commands,
    documents,
    examples,
    inline_code,
    is_resolved,
    links,
    read,
    readmes,
    run_example,
    tables,
)

README = read("README.md")
README_MAX_BYTES = 10_000
TEST_COMMAND = "pip install '.[test]' && pytest"
INSTALL_COMMAND = "pip install . && annotate sample_videos"
OTHER_OPTIONS = {"--check", "--help", "--no-deps", "--strict", "--sub-auto"}
"""Options of other programs in inline code."""

COMMANDS = sorted(name for name in main.list_commands(click.Context(main)) if name.isidentifier() or "-" in name)
SHOWN = [(path.relative_to(ROOT), example) for path in readmes() for example in examples(read(path))]


@pytest.fixture(scope="module")
def samples(annotated_samples: Path) -> Iterator[Path]:
    """The current directory, with an annotated copy of ``sample_videos``."""
    with at_examples(annotated_samples.parent) as folder:
        yield folder


def walk_commands(command: click.Command, name: str = "annotate") -> Iterator[tuple[str, click.Command]]:
    """Yield all commands and subcommands with their full names."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for part in command.list_commands(context):
            subcommand = command.get_command(context, part)
            assert subcommand is not None
            yield from walk_commands(subcommand, f"{name} {part}")


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_and_anchors_resolve(document: Path) -> None:
    local = [link for link in links(read(document)) if not re.match(r"\w+:", link)]
    assert [link for link in local if not is_resolved(document, link)] == []


def test_tests_named_in_promises_exist() -> None:
    text = read("SECURITY.md")
    files = set(re.findall(r"`((?:tests/)?[\w/]*test_\w+\.py)`", text))
    below = ("", "tests/server/", "tests/server/web/")
    assert len(files) > 20
    assert [name for name in sorted(files) if not any((ROOT / folder / name).is_file() for folder in below)] == []
    functions = set(re.findall(r"`(test_\w+)`", text))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in sorted(functions) if f"def {name}(" not in tests] == []


def test_broken_links_are_detected() -> None:
    text = 'See [a](README.md), `[b](c)`, ![d](e.jpg) and [f](#nothing "title").\n\n    [g](h)\n'
    assert links(text)[0] == "README.md"
    assert "e.jpg" in links(text)
    assert "h" not in links(text)
    assert not is_resolved(ROOT / "README.md", "e.jpg")
    assert not is_resolved(ROOT / "README.md", "#nothing")
    assert not is_resolved(ROOT / "README.md", "annotate/cli/README.md#nothing")
    assert is_resolved(ROOT / "README.md", "#try-it")
    assert anchors("# A `b`, c\n\n## D\n\n## D\n") == {"a-b-c", "d", "d-1"}


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= README_MAX_BYTES


def test_the_readme_has_the_two_commands() -> None:
    assert f"\n    {INSTALL_COMMAND}\n" in README
    assert f"\n    {TEST_COMMAND}\n" in README


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert TEST_COMMAND in lines


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"`annotate {name}" in README


def test_named_extras_exist() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = set(parser["options.extras_require"])
    for document in documents():
        text = read(document)
        named = re.findall(r"(?:'\.|annotate-video)\[([\w,-]+)\]", text)
        assert {name for group in named for name in group.split(",")} <= extras, document
        assert "annotate[" not in text, document


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_code_blocks_parse(document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Parse the commands with all checks except that files exist, without running them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(click.Path, "convert", lambda self, value, parameter, context: Path(value))
    monkeypatch.setattr(click.Command, "invoke", lambda self, context: None)
    monkeypatch.setattr("annotate.cli.options._is_missing", lambda path: False, raising=False)
    for arguments in commands(read(document)):
        try:
            main.main(arguments, prog_name="annotate", standalone_mode=False)
        except click.ClickException as error:
            pytest.fail(f"annotate {' '.join(arguments)}: {error.format_message()}")


@pytest.mark.parametrize(
    "arguments", [["find", "films", "--emotions", "fear"], ["films", "--format", "doc"], ["train", "b"]]
)
def test_invalid_commands_are_detected(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Command, "invoke", lambda self, context: None)
    with pytest.raises(click.UsageError):
        main.main(arguments, prog_name="annotate", standalone_mode=False)


def test_named_options_exist() -> None:
    """Check that options in inline code belong to a command or occur in the code of a script."""
    known = OTHER_OPTIONS | {option for _, command in walk_commands(main) for part in command.params for option in part.opts}
    paths = [path for name in ("tests", "annotate") for path in (ROOT / name).rglob("*.py")]
    scripts = "".join(path.read_text(encoding="utf-8") for path in paths)
    for document in documents():
        named = {name for span in inline_code(read(document)) for name in re.findall(r"(?<![\w-])--[a-z][\w-]*", span)}
        assert [name for name in sorted(named - known) if f'"{name}"' not in scripts] == [], document


@pytest.mark.parametrize(("name", "command"), list(walk_commands(main)), ids=lambda value: str(value))
def test_every_option_has_a_help_text(name: str, command: click.Command) -> None:
    options = [part for part in command.params if isinstance(part, click.Option) and not part.hidden]
    assert [part.opts for part in options if not part.help] == [], name
    assert command.help, name


@pytest.mark.parametrize(("path", "example"), SHOWN, ids=lambda value: getattr(value, "command", str(value)))
@pytest.mark.usefixtures("samples")
def test_examples_show_the_current_output(path: Path, example: Any) -> None:
    assert run_example(example.command) == example.output, f"{path}: update it with `python -m tests.documents`"


def test_examples_are_found() -> None:
    assert {example.command.split()[1] for _, example in SHOWN} >= {"agree", "summarize", "find"}


def test_limits_of_quality_are_stated() -> None:
    described = itertools.chain.from_iterable(tables(read("annotate/results/README.md")))
    rows = {row[0].strip("`"): row[1] for row in described}
    light = f"({quality.DARK:g} to {quality.BRIGHT:g} count as 1)"
    for text in (f"({quality.GOOD_SHARPNESS:g} and more", light, f"({quality.GOOD_SIZE_PX} pixels and more"):
        assert text in rows["quality"]
    for text in (
        f"`yaw` within {quality.MAX_RELIABLE_YAW_DEG} degrees",
        f"`pitch` within {quality.MAX_RELIABLE_PITCH_DEG}",
        f"at least {quality.MIN_RELIABLE_QUALITY:g}",
    ):
        assert text in rows["reliable"]


def test_the_rows_in_the_readme_are_those_of_the_table(samples: Path) -> None:
    head, *shown = next(rows for rows in tables(README) if rows[0][0] == "face_id")
    with (samples / "sample_videos/two_faces.emotions.csv").open(encoding="utf-8") as file:
        rows = [[row[name] for name in head] for row in csv.DictReader(file)]
    assert len(shown) == 4
    assert shown in [rows[start : start + len(shown)] for start in range(len(rows))]


def test_the_listed_files_are_those_that_are_written(samples: Path) -> None:
    _, *rows = next(rows for rows in tables(README) if rows[0][0] == "file")
    named = {row[0].strip("`").removeprefix("movie") for row in rows}
    assert named == {REPORT_ENDING, ".emotions.en.srt", BOXES_ENDING, META_ENDING}
    written = {path.name.removeprefix("portrait") for path in (samples / "sample_videos").glob("portrait.emotions.*")}
    assert written == named


def test_the_python_example_runs(samples: Path) -> None:
    (code,) = code_blocks(README, "python")
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert list(names["table"]["emotion"])
    assert len(names["videos"]) == 5
    assert set(names["moments"]["emotion"]) == {"happiness"}
    assert names["annotation"].emotion in EMOTIONS
    assert all(name in annotate.__all__ for name in re.findall(r"annotate\.(\w+)", code))


def test_the_python_examples_of_analytics_run(samples: Path) -> None:
    """R is not needed: columns that its recipes read must be there."""
    text = read("annotate/analytics/README.md")
    agreement, *recipes = code_blocks(text, "python")
    names: dict[str, Any] = {}
    exec(compile(agreement, "README.md", "exec"), names)
    for example in examples(text):
        if re.search(r"-o (archive|frames)\.csv", example.command):
            run_example(example.command)
    for recipe in recipes:
        exec(compile(recipe, "README.md", "exec"), names)
    with pytest.warns(UserWarning, match="2 videos without a trial"):
        by_condition = annotate.summarize("sample_videos", "condition", trials="sample_videos/trials.csv")
    assert names["seconds"].sum() == pytest.approx(by_condition["face_time_s"].sum())
    assert set(names["means"].index) == set(by_condition["condition"])
    assert ("sample_videos/two_faces.mp4", 1) in set(
        names["onsets"][["video", "face_id"]].itertuples(index=False, name=None)
    )
    (code,) = code_blocks(text, "r")
    read_in_r = {
        "table": {*re.findall(r"table\$(\w+)", code), "condition", "emotion", "participant", "happiness"},
        "frames": {*re.findall(r"(?:frames|one)\$(\w+)", code)},
    }
    assert read_in_r["table"] - {"seconds"} <= {*names["table"].columns}
    assert read_in_r["frames"] <= {*names["frames"].columns}
    assert 0.5 < names["found"].kappa < 1
    assert len(names["worst"])
    described = set(re.findall(r"`(\w+)`", read("annotate/analytics/README.md")))
    assert {*names["found"].document(), *names["found"].by_emotion} <= described | {"trial"}


def test_every_video_extension_is_listed() -> None:
    match = re.search(r"by their extensions?: (.*?), in any\s+case", read("annotate/cli/README.md"), re.DOTALL)
    assert match is not None
    assert set(match[1].split()) == VIDEO_EXTENSIONS


def test_statuses_findings_and_exit_statuses_are_explained() -> None:
    text = read("annotate/cli/README.md")
    assert [status.value for status in Status if f"`{status.value}`" not in text] == []
    assert [kind.value for kind in FindingKind if f"| `{kind.value}` |" not in text] == []
    statuses = (0, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED)
    assert [status for status in statuses if f"| {status} |" not in text] == []


def test_every_column_of_summaries_and_moments_is_explained() -> None:
    described = set(re.findall(r"`(\w+)`", read("annotate/analytics/README.md")))
    assert {*STAT_COLUMNS, *itertools.chain(*KEY_COLUMNS.values()), *to_table([]).columns} <= described


@pytest.mark.parametrize("endings", [TABLES, LISTS, FILES])
def test_every_export_extension_is_explained(endings: dict[str, str]) -> None:
    text = read("annotate/analytics/README.md")
    assert [ending for ending in endings if f"`{ending}`" not in text] == []


def test_every_column_is_explained() -> None:
    described = set(re.findall(r"`(\w+)`", read("annotate/results/README.md")))
    assert {*BLOCK_COLUMNS, *APPEARANCE_COLUMNS, *OWN_COLUMNS, *COLUMNS} <= described
    assert {EMOTIONS[0], EMOTIONS[-1]} <= described


def test_every_format_is_in_the_table_with_its_file() -> None:
    text = read("annotate/results/README.md")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| `(\.emotions\S+)` \|", text, re.MULTILINE))
    expected = {name: f".emotions{kind.ending.format(language='en')}" for name, kind in TRACK_FORMATS.items()}
    assert rows == {"csv": REPORT_ENDING, **expected}
    assert tuple(rows) == FORMATS
