from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from annotate.emotions.labels import WORDS
from annotate.version import VERSION
from tests.cli.answers import Answer, names, run

NOTHING_FOUND = "no videos below {}: files are taken by their endings, such as .mp4, .mkv or .mov\n"


@pytest.mark.parametrize("path", ["videos", "videos/", "./videos", "videos/a.mp4", "."])
def test_a_path_alone_annotates(folder: Path, path: str) -> None:
    answer = run(path)
    name = Path(path) / "a.mp4" if path.rstrip("/").endswith("videos") else Path("videos/a.mp4")
    lines = answer.output.splitlines()
    assert answer.status == 0
    assert re.fullmatch(rf"{name}: no faces, 0:01 long, [\d.]+x real time\n", answer.errors)
    assert [lines[0].split(), lines[2].split()] == [
        ["video", "length", "faces", "mostly", "result"],
        [str(name), "0:01", "0", "no", "faces"],
    ]
    assert lines[3:] == ["", "1 video: 1 without faces."]
    assert names(folder / "videos") == ["a.emotions.csv", "a.emotions.meta.json", "a.mp4"]


def test_absolute_paths_are_shown_as_given(folder: Path) -> None:
    answer = run(folder / "videos")
    assert answer.output.splitlines()[2].startswith(f"{folder}/videos/a.mp4 ")


def test_a_second_run_says_that_all_is_done(folder: Path) -> None:
    run("videos")
    assert run("videos") == Answer(0, "1 video: 1 up to date.\n", "")
    assert run("--force", "videos").last_line == "1 video: 1 without faces."


def test_a_face_is_annotated_and_its_subtitles_speak_russian(folder: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, folder / "face.mp4")
    answer = run("--lang", "ru", "--format", "SRT, csv", "face.mp4")
    assert answer.status == 0
    assert answer.last_line == "1 video: 1 annotated."
    assert re.search(r"face\.mp4: annotated, 0:02 long, .*x real time, 1 face, mostly [a-z]+\n", answer.errors)
    lines = (folder / "face.emotions.ru.srt").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("00:00:00,000 --> 00:00:0")
    assert lines[2] in WORDS["ru"].values()


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
def test_options_stand_before_and_after_paths(folder: Path, arguments: tuple[str, ...]) -> None:
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
    assert run("summarize", "summarize").output.splitlines()[2].split()[0] == "summarize/a.mp4"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_shows_the_options_of_annotating_and_the_commands(flag: str) -> None:
    answer = run(flag)
    options = "--format --lang --force --include --exclude --follow-links --min-face --model --verbose --quiet --version"
    assert answer.status == 0
    assert answer.output.startswith("Usage: main [OPTIONS] PATH... | COMMAND [ARGUMENTS]...\n")
    assert [option for option in options.split() if answer.output.count(f"{option} ") < 1] == []
    assert answer.output.count("--quiet") == 1
    commands = re.findall(r"^  (\w+) ", answer.output.split("Commands:\n")[1], re.MULTILINE)
    assert commands == "check convert dataset evaluate find plot render report serve summarize train".split()
    assert "(annotate)" not in answer.output


def test_hardware_that_is_not_there_is_told_and_a_wrong_name_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.media.hwaccel._works", lambda ffmpeg, name: False)
    answer = run(str(folder), "--hwaccel", "auto")
    assert "--hwaccel auto: no such device can be opened here; decoding in software" in answer.errors
    assert answer.status == 0
    assert run(str(folder), "--hwaccel", "steam").status == 2


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
def test_quiet_says_nothing_of_success(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == Answer(0, "", "")
    assert (folder / "videos/a.emotions.csv").exists()


@pytest.mark.parametrize(
    "arguments", [("-q", "summarize", "videos"), ("summarize", "-q", "videos"), ("summarize", "videos", "-q")]
)
def test_quiet_before_and_after_a_command(folder: Path, arguments: tuple[str, ...]) -> None:
    run("videos")
    assert run(*arguments, "-o", "summary.csv") == Answer(0, "", "")
    assert (folder / "summary.csv").exists()


@pytest.mark.parametrize("arguments", [("-q", "empty"), ("-q", "summarize", "empty")])
def test_quiet_says_nothing_where_there_is_nothing(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "empty").mkdir()
    assert run(*arguments) == Answer(0, "", "")


def test_quiet_tells_of_failures(folder: Path) -> None:
    answer = run("-q", "videos", "gone.mp4")
    assert answer == Answer(1, "", "failed: gone.mp4: no such file or directory; check the name\n")


@pytest.mark.parametrize("arguments", [("-v", "bad.mp4"), ("bad.mp4", "-v"), ("bad.mp4", "--format", "csv", "-v")])
def test_verbose_shows_the_traceback(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "bad.mp4").touch()
    answer = run(*arguments)
    assert answer.status == 1
    assert "Traceback (most recent call last):" in answer.errors
    assert "failed: bad.mp4: the file is empty" in answer.errors


@pytest.mark.parametrize("arguments", [("-v", "summarize", "videos"), ("summarize", "videos", "-v")])
def test_verbose_before_and_after_a_command(folder: Path, arguments: tuple[str, ...]) -> None:
    run("videos")
    answer = run(*arguments, "-o", "gone/summary.csv")
    assert answer.status == 1
    assert "Traceback (most recent call last):" in answer.errors
    assert answer.errors.splitlines()[-1].startswith("Error: gone: cannot be written (No such file or directory)")


def test_verbose_shows_why_a_report_is_damaged(folder: Path) -> None:
    (folder / "a.emotions.csv").write_text("no report\n")
    answer = run("summarize", "-v", "a.emotions.csv")
    assert answer.status == 1
    assert "Traceback (most recent call last):" in answer.errors


def test_no_such_path_leaves_the_others_alone(folder: Path) -> None:
    answer = run("gone", "videos")
    assert answer.status == 1
    assert answer.errors.startswith("failed: gone: no such file or directory; check the name\n")
    assert answer.output.splitlines()[2].split(maxsplit=1) == ["gone", "failed: no such file or directory; check the name"]
    assert answer.last_line == "2 videos: 1 without faces, 1 failed."


def test_a_video_that_is_deleted_meanwhile_is_no_matter_of_permissions(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "videos/a.mp4", folder / "videos/b.mp4")

    def delete(path: Path) -> None:
        if path.name == "a.mp4":
            path.unlink(missing_ok=True)

    monkeypatch.setattr("annotate.storage.local.files.check_readable", delete)
    answer = run("videos", "--format", "csv")
    assert (answer.status, answer.last_line) == (1, "2 videos: 1 without faces, 1 failed.")
    assert "failed: videos/a.mp4: cannot be read (No such file or directory); " in answer.errors
    assert "permission" not in answer.errors + answer.output
    assert names(folder / "videos") == ["b.emotions.csv", "b.emotions.meta.json", "b.mp4"]


def test_what_is_no_video_fails_with_a_sentence(folder: Path) -> None:
    (folder / "videos/b.mp4").write_text("text")
    answer = run("videos")
    assert answer.status == 1
    assert re.search(
        r"^failed: videos/b\.mp4: not a video that can be opened \(.+\); check that the file is whole$", answer.errors, re.M
    )
    assert answer.last_line == "2 videos: 1 without faces, 1 failed."


@pytest.mark.parametrize("paths", [("empty",), ("empty", "texts")])
def test_a_directory_without_videos_is_a_sentence(folder: Path, paths: tuple[str, ...]) -> None:
    for name in ("empty", "texts"):
        (folder / name).mkdir()
    (folder / "texts/a.txt").touch()
    assert run(*paths) == Answer(0, "", NOTHING_FOUND.format(" ".join(paths)))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--min-face", "0"), "--min-face"),
        (("--min-face", "1"), "--min-face"),
        (("--min-face", "small"), "--min-face"),
        (("--min-face", "nan"), "min.face"),
        (("--format", "vtt2"), "'vtt2' is not a list of formats; choose from csv, srt, vtt, .* otio, separated by commas."),
        (("--format", ""), "--format"),
        (("--format", ","), "--format"),
        (("--lang", "xx"), "--lang"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_bad_options_are_wrong_usage(folder: Path, arguments: tuple[str, ...], complaint: str) -> None:
    answer = run(*arguments, "videos")
    assert (answer.status, answer.output) == (2, "")
    assert re.search(complaint, answer.errors)
    assert names(folder / "videos") == ["a.mp4"]


def test_wrong_usage_is_told_how_it_is_right(folder: Path) -> None:
    usage = "Usage: main [OPTIONS] PATH...\nTry 'main --help' for help.\n"
    assert run("videos", "--nonsense").errors.startswith(usage)


@pytest.mark.parametrize("arguments", [(), ("summarize",), ("convert", "--format", "vtt"), ("--force",)])
def test_no_path_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).status == 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("videos/a.mp4", "expected an ONNX model, but onnxruntime cannot load it"),
        ("gone.onnx", "the model cannot be read (No such file or directory)"),
        ("videos", "the model cannot be read (Is a directory)"),
    ],
)
def test_a_file_that_is_no_model_is_wrong_usage(folder: Path, name: str, reason: str) -> None:
    answer = run("--model", name, "videos")
    assert (answer.status, answer.output) == (2, "")
    assert answer.errors.startswith(f"Error: {name}: {reason}")
    assert answer.errors.count("\n") == 1
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize(
    "name", ["-x.mp4", "a:b.mp4", "снег ☃.mp4", "100%d [a].mp4", "'\".mp4", "file:x.mp4", "a\nb\x1b[2J.mp4"]
)
def test_names_with_anything_in_them(folder: Path, name: str) -> None:
    (folder / "videos/a.mp4").rename(folder / "videos" / name)
    answer = run("videos")
    assert (answer.status, answer.last_line) == (0, "1 video: 1 without faces.")
    assert Path(name).stem + ".emotions.csv" in names(folder / "videos")
    assert "\x1b" not in answer.output + answer.errors
    assert len(answer.errors.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("./-x.mp4",), ("--", "-x.mp4"), ("-q", "--", "-x.mp4")])
def test_a_name_that_starts_with_a_dash_can_be_given(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "videos/a.mp4").rename(folder / "-x.mp4")
    assert run(*arguments).status == 0
    assert (folder / "-x.emotions.csv").exists()


@pytest.mark.parametrize("command", [(), ("summarize",)])
def test_names_of_missing_files_are_escaped(folder: Path, command: tuple[str, ...]) -> None:
    answer = run(*command, "gone\x1b[2J\n.mp4")
    assert answer.status == 1
    assert r"gone\x1b[2J\n.mp4: no " in answer.errors
    assert "\x1b" not in answer.output + answer.errors


@pytest.mark.parametrize("command", [(), ("convert",)])
def test_a_missing_library_is_wrong_usage_before_anything_is_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    answer = run(*command, "videos", "--format", "vtt,otio")
    assert (answer.status, answer.output) == (2, "")
    assert answer.errors.startswith("Error: the format otio needs opentimelineio; ")
    assert "annotate[otio]" in answer.errors
    assert names(folder / "videos") == ["a.mp4"]


def test_a_cluster_is_named_by_its_address(folder: Path) -> None:
    answer = run("videos", "--cluster", "nowhere")
    assert answer.status == 2
    assert answer.errors.startswith(
        "Error: --cluster nowhere: is neither local, nor an address such as tcp://scheduler:8786"
    )


def test_without_the_extra_a_cluster_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.extras.find_spec", lambda module: None)
    answer = run("videos", "--cluster", "local")
    assert answer.status == 2
    assert answer.errors == "Error: --cluster needs distributed; pip install 'annotate[cluster]' brings it\n"
