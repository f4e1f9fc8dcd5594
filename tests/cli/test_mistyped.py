from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.answers import names, run


@pytest.mark.parametrize(
    ("arguments", "guess"),
    [
        (("sumarize", "videos"), "summarize"),
        (("chekc", "videos"), "check"),
        (("conifg",), "config"),
        (("serv",), "serve"),
        (("video",), "videos"),
        (("annotate", "videos"), ""),
    ],
)
def test_a_mistyped_command_is_never_taken_for_work(folder: Path, arguments: tuple[str, ...], guess: str) -> None:
    answer = run(*arguments)
    assert answer.status == 2
    assert answer.errors.startswith(f"Error: no such command or path '{arguments[0]}'")
    assert guess in answer.errors
    assert "--help" in answer.errors
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize("command", [("videos",), ("summarize", "videos"), ("dataset", "build", "videos")])
@pytest.mark.parametrize(("option", "guess"), [("--versoin", "--version"), ("--hepl", "--help"), ("--conifg", "--config")])
def test_a_mistyped_option_gets_the_nearest(folder: Path, command: tuple[str, ...], option: str, guess: str) -> None:
    answer = run(*command, option)
    assert answer.status == 2
    assert re.findall(r"--[a-z-]+", answer.errors.splitlines()[-1]) == [option, guess]
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize("command", [("videos",), ("summarize", "videos"), ("dataset",), ("dataset", "build")])
def test_the_version_is_shown_after_a_command_too(folder: Path, command: tuple[str, ...]) -> None:
    answer = run(*command, "--version")
    assert (answer.status, answer.output) == (0, run("--version").output)
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize("arguments", [("videos", "gone"), ("gone/", "videos"), ("videos", "videos/b.mp4")])
def test_one_missing_path_and_nothing_begins(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 2
    assert names(folder / "videos") == ["a.mp4"]


def test_a_near_name_in_the_same_folder_is_suggested(folder: Path) -> None:
    answer = run("videos/aa.mp4")
    assert answer.status == 2
    assert answer.errors.startswith("Error: videos/aa.mp4: ")
    assert "'videos/a.mp4'" in answer.errors


@pytest.mark.parametrize("command", ["check", "convert", "find", "plot", "render", "report", "summarize"])
def test_every_command_refuses_a_path_that_does_not_exist(folder: Path, command: str) -> None:
    options = ["--format", "vtt"] if command == "convert" else []
    answer = run(command, "videos", "gone.mp4", *options)
    assert answer.status == 2
    assert answer.errors.startswith("Error: gone.mp4: ")
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize("command", [("find",), ("summarize",), ("convert", "--format", "vtt")])
def test_a_deleted_video_still_stands_for_its_table(folder: Path, command: tuple[str, ...]) -> None:
    run("videos")
    (folder / "videos/a.mp4").unlink()
    assert run(*command, "videos/a.mp4").status == 0


def test_a_link_that_leads_nowhere_fails_alone(folder: Path) -> None:
    (folder / "videos/b.mp4").symlink_to(folder / "gone.mp4")
    answer = run("videos/b.mp4", "videos/a.mp4")
    assert answer.status == 1
    assert (folder / "videos/a.emotions.csv").exists()


@pytest.mark.parametrize("command", ["check", "config", "serve", "summarize"])
def test_a_folder_called_like_a_command_is_named_as_such(folder: Path, command: str) -> None:
    (folder / "videos").rename(folder / command)
    answer = run(command)
    assert answer.status == 2
    assert f"`annotate ./{command}`" in answer.errors
    assert names(folder / command) == ["a.mp4"]
    assert run(f"./{command}").status == 0
    assert "a.emotions.csv" in names(folder / command)
