from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from annotate.cli import defaults
from annotate.cli.config import config
from annotate.cli.defaults import key_of, leaves, variable_of
from annotate.cli.main import main
from annotate.settings import DETECTORS, HOG
from tests.cli.answers import Answer, names, run

TABLE = "videos/a.emotions.csv"


def write(text: str, name: str = "mine.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def value_of(option: str, *command: str) -> tuple[str, str]:
    """Return value and origin of a command's option as `annotate config` shows them, or fail."""
    answer = run("config", *command)
    assert answer.status == 0
    rows = [line.split() for line in answer.output.splitlines()]
    found = [row[-2:] for row in rows if row[:-2] == [*(command or ["annotate"]), option]]
    assert len(found) == 1
    return found[0][0], found[0][1]


@pytest.fixture
def commands() -> dict[str, click.Command]:
    ctx = click.Context(main)
    return dict(leaves(main, ctx))


def test_options_of_one_name_share_a_variable_and_most_have_one(commands: dict[str, click.Command]) -> None:
    for name, command in commands.items():
        for option in command.params:
            if key := key_of(option):
                assert option.envvar == variable_of(key), name
    assert {"annotate", "summarize", "dataset build", "cluster-script slurm"} <= commands.keys()


def test_what_destroys_or_previews_has_neither_variable_nor_key(commands: dict[str, click.Command]) -> None:
    found = {option.opts[-1]: key_of(option) for command in commands.values() for option in command.params}
    assert [found[name] for name in ("--force", "--delete-stale", "--dry-run", "--output")] == ["", "", "", ""]
    assert all(
        not option.envvar for one in commands.values() for option in one.params if option.name in ("force", "dry_run")
    )


def test_the_environment_gives_an_option(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATE_FORMAT", "csv,json")
    answer = run("videos")
    assert "a.emotions.json" in names(folder / "videos")
    assert answer.errors.count("ANNOTATE_FORMAT") == 1
    assert "csv,json" in answer.errors


def test_a_variable_of_what_destroys_is_not_heeded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("videos")
    monkeypatch.setenv("ANNOTATE_FORCE", "1")
    monkeypatch.setenv("ANNOTATE_DRY_RUN", "1")
    assert run("videos").last_line == "1 video: 1 up to date."


def test_the_command_line_wins_over_the_environment_over_a_table_over_the_top(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("min-face = 0.2\nlang = 'ru'\n[annotate]\nmin-face = 0.3\n")
    monkeypatch.setenv("ANNOTATE_CONFIG", "mine.toml")
    assert value_of("--min-face") == ("0.3", "mine.toml")
    assert value_of("--min-face", "dataset", "build") == ("0.2", "mine.toml")
    monkeypatch.setenv("ANNOTATE_MIN_FACE", "0.4")
    assert value_of("--min-face") == ("0.4", "ANNOTATE_MIN_FACE")
    monkeypatch.setenv("ANNOTATE_DETECTOR", "dlib")
    answer = run("videos", "--min-face", "0.5", "--format", "json")
    sidecar = (folder / "videos/a.emotions.meta.json").read_text()
    assert '"min_face": 0.5' in sidecar
    assert f'"detector": "{DETECTORS[HOG]}"' in sidecar
    assert "min-face" not in answer.errors
    assert answer.errors.count("--lang ru") == 1


@pytest.mark.parametrize(
    "arguments", [("--config", "mine.toml", "videos"), ("videos", "--config", "mine.toml"), ("videos",)], ids=str
)
def test_the_file_is_named_before_or_after_paths_or_lies_in_the_users_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.delenv("ANNOTATE_CONFIG")
    monkeypatch.setattr(defaults, "default_file", lambda: folder / "home/config.toml")
    write("[annotate]\nformat = ['csv', 'json']\nmin-face = 0.3\n")
    (folder / "home").mkdir()
    if "--config" not in arguments:
        Path("mine.toml").rename("home/config.toml")
    assert run(*arguments).status == 0
    assert "a.emotions.json" in names(folder / "videos")
    assert '"min_face": 0.3' in (folder / "videos/a.emotions.meta.json").read_text()


@pytest.mark.parametrize("name", ["config.toml", "annotate.toml", ".annotate.toml", "setup.cfg", "pyproject.toml"])
def test_no_file_in_an_archive_or_the_current_directory_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("ANNOTATE_CONFIG")
    monkeypatch.setattr(defaults, "default_file", lambda: folder / "home/config.toml")
    for place in (folder, folder / "videos"):
        (place / name).write_text("[annotate]\nformat = 'csv,json'\nlang = 'ru'\n")
    run("videos")
    assert "a.emotions.json" not in names(folder / "videos")


def test_a_file_before_a_command_holds_for_it(folder: Path) -> None:
    run("videos", "-q")
    write("[summarize]\nby = 'folder'\n")
    table = run("--config", "mine.toml", "summarize", "videos")
    assert table.output.splitlines()[0].split()[:2] == ["folder", "videos"]
    assert "--by folder" in table.errors
    assert run("-q", "summarize", "videos", "--config", "mine.toml") == Answer(0, table.output, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min-fase = 0.1\n", ["min-fase", "min-face"]),
        ("[summarise]\nby = 'folder'\n", ["summarise", "summarize"]),
        ("[summarize]\nbye = 'folder'\n", ["[summarize]", "bye", "'by'"]),
        ("[summarize]\nlang = 'ru'\n", ["[summarize]", "lang"]),
        ("[dataset.build]\nnothing = 1\n", ["[dataset.build]", "nothing"]),
        ("[annotate]\nforce = true\n", ["force", "command line only"]),
        ("dry-run = true\n", ["dry-run", "command line only"]),
        ("min-face = 7\n", ["min-face", "7"]),
        ("format = 'vvt'\n", ["format", "vvt", "'vtt'"]),
        ("lang = 'fr'\n", ["lang", "fr"]),
        ("jobs = 'many'\n", ["jobs", "many"]),
        ("min-face = \n", ["TOML", "line 1"]),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_nothing_begins(folder: Path, text: str, expected: list[str]) -> None:
    write(text)
    answer = run("videos", "--config", "mine.toml")
    assert answer.status == 2
    assert answer.errors.startswith("Error: mine.toml: ")
    assert [word for word in expected if word not in answer.errors] == []
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize("name", ["gone.toml", "videos/a.mp4/gone.toml", "videos"])
def test_a_file_that_is_named_must_be_readable(folder: Path, name: str) -> None:
    answer = run("videos", "--config", name)
    assert answer.status == 2
    assert answer.errors.startswith(f"Error: {name}: ")
    assert answer.errors.count("\n") == 1
    assert names(folder / "videos") == ["a.mp4"]


def test_a_wrong_variable_is_refused_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATE_MIN_FACE", "7")
    answer = run("videos")
    assert answer.status == 2
    assert answer.errors.startswith("Error: ANNOTATE_MIN_FACE: ")
    assert names(folder / "videos") == ["a.mp4"]
    write("lang = 'fr'\n")
    corrected = ("--min-face", "0.2", "--lang", "ru", "--config", "mine.toml")
    assert [run(*arguments, "--dry-run").status for arguments in (("videos", *corrected), (*corrected, "videos"))] == [0, 0]
    assert run("videos", "--dry-run", *corrected[2:]).status == 2


def test_values_that_do_not_change_results_are_not_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATE_JOBS", "1")
    monkeypatch.setenv("ANNOTATE_STALL_TIMEOUT", "30")
    assert "ANNOTATE_" not in run("videos").errors


def test_options_that_may_be_repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.mp4", "c.mp4"):
        os.link(folder / "videos/a.mp4", folder / f"videos/{name}")
    monkeypatch.setenv("ANNOTATE_EXCLUDE", "a.* b.*")
    assert run("videos", "--dry-run").output.startswith("videos/c.mp4: ")
    monkeypatch.delenv("ANNOTATE_EXCLUDE")
    write("exclude = ['a.*', 'c.*']\n")
    assert run("videos", "--dry-run", "--config", "mine.toml").output.startswith("videos/b.mp4: ")
    write("exclude = 'b.*'\n")
    assert run("videos", "--dry-run", "--config", "mine.toml").output.count("videos/") == 2


def test_config_shows_what_was_changed_in_any_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[summarize]\nby = 'face'\n")
    monkeypatch.setenv("ANNOTATE_CONFIG", "mine.toml")
    assert ["summarize", "--by", "face", "mine.toml"] in [line.split() for line in run("config").output.splitlines()]
    assert "--by" not in run("config", "find").output
    assert "--soft" in run("config", "render").output


def test_config_hides_secrets_and_tells_of_variables_without_an_option(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTATE_TOKEN", "a-token-of-sixteen-characters")
    monkeypatch.setenv("ANNOTATE_MINFACE", "0.2")
    answer = run("config")
    assert "a-token-of-sixteen" not in answer.output + answer.errors
    assert "(set)" in answer.output
    assert "ANNOTATE_MINFACE" in answer.errors
    assert "ANNOTATE_MIN_FACE" in answer.errors


def test_config_of_no_command_is_wrong_usage() -> None:
    answer = run("config", "sumarize")
    assert answer.status == 2
    assert "'summarize'" in answer.errors
    assert config.name == "config"
