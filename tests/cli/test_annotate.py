from __future__ import annotations

import pkgutil
import re
import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click
import pytest

import annotate.cli
from annotate.archive.discover import Selection
from annotate.archive.scan import Scan, scan
from annotate.cli.annotate import annotate_command
from annotate.cli.main import main
from annotate.emotions.labels import EMOTION_WORDS
from annotate.results.formats.registry import FORMATS
from annotate.storage.values import PathOrUrl
from annotate.version import VERSION
from tests.cli.answers import Answer, names, run


@pytest.mark.parametrize("path", ["videos", "videos/", "./videos", "videos/a.mp4", "."])
def test_a_path_alone_annotates(folder: Path, path: str) -> None:
    answer = run(path)
    name = Path(path) / "a.mp4" if path.rstrip("/").endswith("videos") else Path("videos/a.mp4")
    assert answer.status == 0
    assert re.fullmatch(rf"{name}: no faces, 0:01 long, [\d.]+x real time\n", answer.errors)
    assert answer.rows == [{"video": str(name), "length": "0:01", "tracks": "0", "result": "no faces"}]
    assert answer.output.splitlines()[3:] == ["", "1 video: 1 without faces."]
    assert names(folder / "videos") == ["a.emotions.csv", "a.emotions.meta.json", "a.mp4"]


def test_absolute_paths_are_shown_as_given(folder: Path) -> None:
    answer = run(folder / "videos")
    assert [row["video"] for row in answer.rows] == [f"{folder}/videos/a.mp4"]


def test_a_second_run_finds_all_up_to_date(folder: Path) -> None:
    run("videos")
    assert run("videos") == Answer(0, "1 video: 1 up to date.\n", "")
    assert run("--force", "videos").last_line == "1 video: 1 without faces."


def test_a_face_is_annotated_with_russian_subtitles(folder: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, folder / "face.mp4")
    answer = run("--lang", "ru", "--format", "SRT, csv", "face.mp4")
    assert answer.status == 0
    assert answer.last_line == "1 video: 1 annotated."
    assert re.search(r"^face\.mp4: annotated, 0:02 long, .*x real time, 1 face track, mostly happiness\n", answer.errors)
    assert answer.rows[0]["tracks"] == "1"
    assert answer.rows[0]["mostly"] == "happiness"
    lines = (folder / "face.emotions.ru.srt").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("00:00:00,000 --> 00:00:0")
    assert lines[2] in EMOTION_WORDS["ru"].values()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--min-face", "0.3", "videos"),
        ("videos", "--min-face", "0.3"),
        ("--include", "summarize", "videos", "--include", "*.mp4"),
        ("--format", "csv", "--", "videos"),
        ("videos", "-q", "--force"),
    ],
)
def test_options_are_accepted_before_and_after_paths(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 0
    assert (folder / "videos/a.emotions.csv").exists()


def test_include_exclude_and_links(folder: Path, empty_clip: Path) -> None:
    shutil.copy(empty_clip, folder / "videos/b.mov")
    (folder / "elsewhere").mkdir()
    shutil.copy(empty_clip, folder / "elsewhere/c.mp4")
    (folder / "videos/link").symlink_to(folder / "elsewhere", target_is_directory=True)
    run("videos", "--exclude", "*.mov", "--format", "csv")
    assert names(folder / "videos") == ["a.emotions.csv", "a.emotions.meta.json", "a.mp4", "b.mov", "link"]
    assert run("videos", "--include", "link/*", "--follow-links").last_line == "1 video: 1 without faces."
    assert (folder / "elsewhere/c.emotions.csv").exists()


def test_a_directory_called_like_a_command(folder: Path) -> None:
    (folder / "videos").rename(folder / "summarize")
    assert run("./summarize").last_line == "1 video: 1 without faces."
    assert [row["video"] for row in run("summarize", "summarize").rows] == ["summarize/a.mp4", "total"]


def command_names() -> list[str]:
    """Return the names of the modules of `annotate.cli` that hold a command of that name."""
    modules = {
        module.name: import_module(f"annotate.cli.{module.name}") for module in pkgutil.iter_modules(annotate.cli.__path__)
    }
    commands = [name for name, module in modules.items() if isinstance(getattr(module, name, None), click.Command)]
    return sorted(name.replace("_", "-") for name in commands if name != "main")


def option_names() -> list[str]:
    """Return the long names of the options that are taken without a command."""
    options = [
        option for command in (annotate_command, main) for option in command.params if isinstance(option, click.Option)
    ]
    return sorted({"--help", *(max(option.opts, key=len) for option in options if not option.hidden)})


@pytest.mark.parametrize("columns", ["60", "80", "200"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command_and_every_option_once(flag: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    answer = run(flag)
    assert (answer.status, answer.errors) == (0, "")
    assert answer.output.startswith("Usage: main [OPTIONS] PATH... | COMMAND")
    commands, options = re.split(r"^Options.*:$", answer.output[answer.output.index("\nCommands") :], maxsplit=1, flags=re.M)
    listed = re.findall(r"^  ([a-z]\S+)", commands, re.MULTILINE)
    assert sorted(listed) == command_names()
    assert len(listed) > 12
    assert sorted(re.findall(r"^  (?:-\w, )?(--[\w-]+)", options, re.MULTILINE)) == option_names()
    assert [line for line in answer.output.splitlines() if line.endswith("...") and "PATH..." not in line] == []
    assert max(map(len, answer.output.splitlines())) <= max(int(columns), 80)
    assert "(annotate)" not in answer.output


@pytest.mark.parametrize("command", ["dataset", "cluster-script"])
def test_help_of_a_group_cuts_no_line(command: str) -> None:
    answer = run(command, "--help")
    assert answer.status == 0
    assert [line for line in answer.output.splitlines()[1:] if line.endswith("...")] == []


def test_no_arguments_print_a_short_help_and_are_wrong_usage(folder: Path) -> None:
    answer = run()
    assert (answer.status, answer.output) == (2, "")
    assert answer.errors.startswith("Usage: main [OPTIONS] PATH... | COMMAND")
    assert [name for name in [*command_names(), "--help"] if name not in answer.errors] == []
    assert len(answer.errors.splitlines()) < 25 < len(run("--help").output.splitlines())
    assert names(folder / "videos") == ["a.mp4"]


def test_missing_hardware_is_named_and_an_unknown_name_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.media.hwaccel._works", lambda ffmpeg, name: False)
    answer = run(str(folder), "--hwaccel", "auto")
    assert answer.errors.startswith("--hwaccel auto: ")
    assert "software" in answer.errors.splitlines()[0]
    assert answer.status == 0
    refused = run(str(folder), "--force", "--hwaccel", "steam")
    assert (refused.status, refused.output, "steam" in refused.errors) == (2, "", True)


def test_help_of_a_command() -> None:
    answer = run("summarize", "--help")
    assert answer.status == 0
    assert "PATH..." in answer.output
    assert "--output" in answer.output


def test_version() -> None:
    assert run("--version") == Answer(0, f"annotate, version {VERSION}\n", "")


@pytest.mark.parametrize(
    "arguments", [("-q", "videos"), ("videos", "-q"), ("-q", "--force", "videos"), ("--quiet", "videos")]
)
def test_quiet_prints_nothing_on_success(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == Answer(0, "", "")
    assert (folder / "videos/a.emotions.csv").exists()


@pytest.mark.parametrize(
    "arguments", [("-q", "summarize", "videos"), ("summarize", "-q", "videos"), ("summarize", "videos", "-q")]
)
def test_quiet_before_and_after_a_command(folder: Path, arguments: tuple[str, ...]) -> None:
    run("videos")
    assert run(*arguments, "-o", "summary.csv") == Answer(0, "", "")
    assert (folder / "summary.csv").exists()


def test_quiet_prints_nothing_if_there_are_no_videos_but_that_there_are_no_tables(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert run("-q", "empty") == Answer(0, "", "")
    answer = run("-q", "summarize", "empty")
    assert (answer.status, answer.output, answer.errors.count("\n")) == (1, "", 1)


def test_quiet_prints_failures(folder: Path) -> None:
    (folder / "bad.mp4").touch()
    answer = run("-q", "videos", "bad.mp4")
    assert (answer.status, answer.output, answer.failed) == (1, "", ["bad.mp4"])
    assert answer.errors.count("\n") == 1
    assert "empty" in answer.errors


@pytest.mark.parametrize("arguments", [("-v", "bad.mp4"), ("bad.mp4", "-v"), ("bad.mp4", "--format", "csv", "-v")])
def test_verbose_shows_the_traceback(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "bad.mp4").touch()
    answer = run(*arguments)
    assert answer.status == 1
    assert "Traceback (most recent call last):" in answer.errors
    assert answer.failed == ["bad.mp4"]
    assert "empty" in answer.errors.splitlines()[-1]


@pytest.mark.parametrize("arguments", [("-v", "summarize", "videos"), ("summarize", "videos", "-v")])
def test_verbose_before_and_after_a_command(folder: Path, arguments: tuple[str, ...]) -> None:
    run("videos")
    answer = run(*arguments, "-o", "videos/a.mp4/summary.csv")
    assert answer.status == 1
    assert "Traceback (most recent call last):" in answer.errors
    last = answer.errors.splitlines()[-1]
    assert last.startswith("Error: videos/a.mp4: ")


def test_verbose_shows_why_a_report_is_damaged(folder: Path) -> None:
    (folder / "a.emotions.csv").write_text("no report\n")
    answer = run("summarize", "-v", "a.emotions.csv")
    assert answer.status == 1
    assert "Traceback (most recent call last):" in answer.errors


@pytest.mark.parametrize("name", ["b.mp4", "other"])
def test_a_path_that_vanishes_after_the_start_fails_alone(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shutil.copytree(folder / "videos", folder / "other")
    shutil.copy(folder / "videos/a.mp4", folder / "b.mp4")

    def delete_and_scan(paths: Sequence[PathOrUrl], selection: Selection, output_dir: PathOrUrl | None) -> Scan:
        (folder / name).rename(folder / "moved")
        return scan(paths, selection, output_dir)

    monkeypatch.setattr("annotate.cli.annotate.scan", delete_and_scan)
    answer = run(name, "videos")
    assert (answer.status, answer.failed) == (1, [name])
    assert [(row["video"], row["result"]) for row in answer.rows] == [(name, "failed"), ("videos/a.mp4", "no faces")]
    assert answer.last_line == "2 videos: 1 without faces, 1 failed."
    assert names(folder / "videos") == ["a.emotions.csv", "a.emotions.meta.json", "a.mp4"]


def test_a_video_that_is_deleted_during_the_run_is_not_blamed_on_permissions(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "videos/a.mp4", folder / "videos/b.mp4")

    def delete(path: Path) -> None:
        if path.name == "a.mp4":
            path.unlink(missing_ok=True)

    monkeypatch.setattr("annotate.storage.local.files.check_readable", delete)
    answer = run("videos", "--format", "csv")
    assert (answer.status, answer.last_line) == (1, "2 videos: 1 without faces, 1 failed.")
    assert answer.failed == ["videos/a.mp4"]
    assert "(No such file or directory)" in answer.errors
    assert "permission" not in answer.errors + answer.output
    assert names(folder / "videos") == ["b.emotions.csv", "b.emotions.meta.json", "b.mp4"]


def test_a_file_that_is_not_a_video_fails_alone(folder: Path) -> None:
    (folder / "videos/b.mp4").write_text("text")
    answer = run("videos")
    assert answer.status == 1
    assert answer.failed == ["videos/b.mp4"]
    assert re.search(r"^failed: videos/b\.mp4: .*\bvideo\b.* \(.+\)\. [A-Z].+\.$", answer.errors, re.MULTILINE)
    assert answer.last_line == "2 videos: 1 without faces, 1 failed."


@pytest.mark.parametrize("paths", [("empty",), ("empty", "texts")])
def test_directories_without_videos_are_named(folder: Path, paths: tuple[str, ...]) -> None:
    for name in ("empty", "texts"):
        (folder / name).mkdir()
    (folder / "texts/a.txt").touch()
    answer = run(*paths)
    assert (answer.status, answer.output) == (0, "")
    assert answer.errors.startswith(f"{' '.join(paths)}: no videos")
    assert answer.errors.count("\n") == 1


@pytest.mark.parametrize("patterns", [("--exclude", "*.mp4"), ("--include", "*.mov"), ("--exclude", "videos/*")])
@pytest.mark.parametrize("command", [(), ("check",), ("render",)])
def test_patterns_that_select_no_video_tell_how_many_they_leave_out(
    folder: Path, command: tuple[str, ...], patterns: tuple[str, ...]
) -> None:
    shutil.copy(folder / "videos/a.mp4", folder / "videos/b.mp4")
    answer = run(*command, "videos", *patterns)
    assert (answer.status, answer.output) == (0, "")
    assert re.match(r"videos: .*\b2 videos\b", answer.errors)
    assert all(part in answer.errors for part in patterns)
    assert answer.errors.count("\n") == 1
    assert names(folder / "videos") == ["a.mp4", "b.mp4"]
    assert run(*command, "videos", *patterns, "-q") == Answer(0, "", "")


def test_patterns_where_there_are_no_videos_at_all(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert run("empty", "--exclude", "*.mov").errors.startswith("empty: no videos")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--detector", "opencv"), "--detector.*yunet.*dlib"),
        (("--min-face", "0"), "--min-face"),
        (("--min-face", "1"), "--min-face"),
        (("--min-face", "small"), "--min-face"),
        (("--min-face", "nan"), "min.face"),
        (("--format", "vtt2"), f"'--format': .*'vtt2'.*'vtt'.*{', '.join(FORMATS)}"),
        (("--format", "csv,texgrid"), "'texgrid'.*'textgrid'"),
        (("--format", ""), "--format"),
        (("--format", ","), "--format"),
        (("--lang", "xx"), "--lang"),
        (("--nonsense",), "--nonsense"),
        (("--forse",), "--forse.*--force"),
        (("--exlude", "*.mp4"), "--exlude.*--exclude"),
    ],
)
def test_bad_options_are_wrong_usage(folder: Path, arguments: tuple[str, ...], complaint: str) -> None:
    answer = run(*arguments, "videos")
    assert (answer.status, answer.output) == (2, "")
    assert re.search(complaint, answer.errors)
    assert names(folder / "videos") == ["a.mp4"]


def test_wrong_usage_shows_the_usage_and_where_to_find_help(folder: Path) -> None:
    usage = "Usage: main [OPTIONS] PATH...\nTry 'main --help' for help.\n"
    assert run("videos", "--nonsense").errors.startswith(usage)


@pytest.mark.parametrize("arguments", [(), ("summarize",), ("convert", "--format", "vtt"), ("--force",)])
def test_no_path_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 2


@pytest.mark.parametrize(
    ("name", "cause"),
    [("videos/a.mp4", "ONNX"), ("gone.onnx", "(No such file or directory)"), ("videos", "(Is a directory)")],
)
def test_a_file_that_is_not_a_model_is_wrong_usage(folder: Path, name: str, cause: str) -> None:
    answer = run("--model", name, "videos")
    assert (answer.status, answer.output) == (2, "")
    assert answer.errors.startswith(f"Error: {name}: ")
    assert cause in answer.errors
    assert answer.errors.count("\n") == 1
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize("command", [(), ("convert",)])
def test_a_missing_library_is_wrong_usage_before_work_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    answer = run(*command, "videos", "--format", "vtt,otio")
    assert (answer.status, answer.output) == (2, "")
    assert answer.errors.startswith("Error: ")
    assert "otio needs opentimelineio" in answer.errors
    assert "`pip install 'annotate-video[otio]'`" in answer.errors
    assert "`pip install '.[otio]'`" in answer.errors
    assert names(folder / "videos") == ["a.mp4"]


def test_a_cluster_is_named_by_its_address(folder: Path) -> None:
    answer = run("videos", "--cluster", "nowhere")
    assert answer.status == 2
    assert answer.errors.startswith("Error: --cluster nowhere: ")
    assert "tcp://" in answer.errors


def test_a_cluster_needs_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.extras.find_spec", lambda module: None)
    answer = run("videos", "--cluster", "local")
    assert answer.status == 2
    assert answer.errors.startswith("Error: --cluster needs distributed")
    assert "`pip install 'annotate-video[cluster]'`" in answer.errors
    assert "`pip install '.[cluster]'`" in answer.errors
    assert names(folder / "videos") == ["a.mp4"]
