"""Options that commands share, and how errors end them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from annotate import errors
from annotate.archive.discover import Selection
from annotate.cli.main import main
from annotate.cli.options import Terminated, collect, handle_errors, stacked
from annotate.errors import AnnotateError, ModelError, SettingsError
from tests.cli.answers import names, run

HEAVY = ["dlib", "numpy", "pandas", "onnxruntime", "torch", "matplotlib"]


def every_error() -> list[type[AnnotateError]]:
    """Return all classes of errors."""
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AnnotateError)]
    assert len(found) > 15
    return found


def leaves(group: click.Group, ctx: click.Context, *above: str) -> Iterator[tuple[str, click.Command]]:
    """Yield commands that are not groups, with the words that call them."""
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, ctx, *above, name)
        else:
            yield " ".join([*above, name]), command


def every_command() -> dict[str, click.Command]:
    """Return all commands by name."""
    found = dict(leaves(main, click.Context(main)))
    assert len(found) > 14
    return found


def test_the_language_is_that_of_all_texts() -> None:
    """Commands that write no subtitles, such as plot, have the option too."""
    options = [option for command in every_command().values() for option in command.params if "--lang" in option.opts]
    assert len(options) > 4
    assert {"subtitle" in str(getattr(option, "help", "")).lower() for option in options} == {False}


@pytest.mark.parametrize("kind", every_error())
def test_an_error_ends_a_command_with_its_status(kind: type[AnnotateError], capsys: pytest.CaptureFixture[str]) -> None:
    @handle_errors
    def command() -> None:
        raise kind("cannot be used (no header)", "take another", path="a.mp4")

    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == (2 if kind in (ModelError, SettingsError) else 1) == kind.exit_status
    assert capsys.readouterr() == ("", "Error: a.mp4: cannot be used (no header). Take another.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("s3://",),
        ("gs://archive",),
        ("render", "s3://archive"),
        ("videos", "gone"),
        ("videos", "--format", "vtt2"),
        ("find", "videos", "-o", "moments.otio"),
        ("find", "videos", "--rate", "12.5"),
        ("report", "videos", "-o", "page.pdf"),
        ("config", "sumarize"),
    ],
)
def test_errors_end_with_one_period_at_most(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr("annotate.extras.find_spec", lambda module: None)
    answer = run(*arguments)
    assert answer.status == 2
    assert not answer.errors.rstrip().endswith("..")


@pytest.mark.parametrize(("interruption", "status"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_an_interrupted_command_has_the_status_of_the_signal(interruption: type[BaseException], status: int) -> None:
    @handle_errors
    def command() -> None:
        raise interruption

    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == status


@pytest.mark.parametrize("status", [None, 0, 1, 2])
def test_a_command_exits_with_the_status_that_it_returns(status: int | None) -> None:
    @handle_errors
    def command() -> int | None:
        return status

    if status:
        with pytest.raises(SystemExit) as end:
            command()
        assert end.value.code == status
    else:
        command()


def test_internal_errors_are_raised() -> None:
    @handle_errors
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


def test_options_are_collected_into_one_value() -> None:
    @click.command()
    @stacked(
        click.option("--include", multiple=True),
        click.option("--follow-links", is_flag=True),
        collect("selection", Selection, "include", "follow_links"),
    )
    @click.option("--other")
    def command(selection: Selection, other: str) -> None:
        click.echo(f"{selection} {other}")

    answer = CliRunner().invoke(command, ["--other", "x", "--follow-links", "--include", "*.mp4"])
    assert answer.output == f"{Selection(('*.mp4',), (), True)} x\n"
    assert [option.name for option in command.params] == ["include", "follow_links", "other"]


def test_every_command_takes_verbose_and_quiet() -> None:
    options = {
        name: {option for part in command.params for option in part.opts} for name, command in every_command().items()
    }
    assert [name for name, known in options.items() if not {"-v", "--verbose", "-q", "--quiet"} <= known] == []


def test_help_of_every_command_loads_nothing_heavy() -> None:
    code = (
        f"import sys\nfrom annotate.cli.main import main\nfor command in {sorted(every_command())}:\n"
        "    main([*command.split(), '--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert answer.stdout.endswith("\n[]\n"), answer
    assert answer.stdout.count("Usage: ") == len(every_command())


@pytest.mark.parametrize(("option", "is_noted"), [("-o", False), ("--output-dir", False), ("--output", True)])
def test_the_output_folder_of_annotating_by_all_its_names(folder: Path, option: str, is_noted: bool) -> None:
    answer = run("videos", "--format", "csv", option, "results")
    assert answer.status == 0
    assert names(folder / "results") == ["a.emotions.csv", "a.emotions.meta.json"]
    assert names(folder / "videos") == ["a.mp4"]
    assert ("--output-dir" in answer.errors) == is_noted


@pytest.mark.parametrize("option", ["-o", "--output"])
@pytest.mark.parametrize("command", [("check",), ("convert", "--format", "json"), ("render", "--soft")])
def test_old_names_of_the_output_folder_are_accepted_with_a_note(
    folder: Path, command: tuple[str, ...], option: str
) -> None:
    run("-q", "videos", "--output-dir", "results")
    new = run(*command, "videos", "--output-dir", "results")
    assert (new.status, "--output-dir" in new.errors) == (0, False)
    made = names(folder / "results")
    old = run(*command, "videos", option, "results")
    assert old.status == 0
    assert [line for line in old.errors.splitlines() if "--output-dir DIR" in line] == old.errors.splitlines()[:1]
    assert names(folder / "results") == made
    assert "--output-dir" not in run("-q", *command, "videos", option, "results").errors


@pytest.mark.parametrize(
    "command",
    [("videos", "--output", "b"), ("check", "videos", "-o", "b"), ("convert", "--format", "json", "videos", "-o", "b")],
)
def test_two_output_folders_are_wrong_usage(folder: Path, command: tuple[str, ...]) -> None:
    assert run(*command, "--output-dir", "a").status == 2
    assert names(folder) == ["videos"]
