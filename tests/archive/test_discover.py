"""Discovery of videos: which files, in which order, each once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from annotate.archive.discover import VIDEO_EXTENSIONS, Selection, walk
from annotate.archive.layout import is_output
from annotate.storage.values import SkippedPath

PACKETS = (b"\x47\x40\x00\x10\x00" + b"\xff" * 183) * 3
BLU_RAY_PACKETS = (b"\x12\x34\x56\x78" + PACKETS[:188]) * 3


def make(folder: Path, *names: str) -> None:
    """Create files with these names, and folders as needed."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"video")


def found(folder: Path, selection: Selection | None = None) -> list[str]:
    """Return the relative paths of the videos found below a folder."""
    entries = list(walk([folder], selection))
    assert all(isinstance(entry, Path) for entry in entries), entries
    return [entry.relative_to(folder).as_posix() for entry in entries if isinstance(entry, Path)]


def test_documented_extensions_are_found() -> None:
    documented = "mp4 m4v mov mkv webm avi mpg mpeg ts mts m2ts vob wmv asf flv ogv 3gp gif"
    assert set(documented.split()) <= VIDEO_EXTENSIONS


def test_extensions_are_compared_without_case(tmp_path: Path) -> None:
    make(tmp_path, "a.MP4", "b.Mov", "c.mkv", "d.txt", "e", "mp4", "f.mp4.part", "g.srt", "h.mp3")
    assert found(tmp_path) == ["a.MP4", "b.Mov", "c.mkv"]


def test_sorted_and_recursive(tmp_path: Path) -> None:
    make(tmp_path, "b.mp4", "a/z.mp4", "a/y/x.mp4", "C.mp4", "c/a.mp4", "é.mp4")
    assert found(tmp_path) == ["C.mp4", "a/y/x.mp4", "a/z.mp4", "b.mp4", "c/a.mp4", "é.mp4"]


def test_hidden_files_and_folders_are_skipped(tmp_path: Path) -> None:
    make(tmp_path, ".a.mp4", "._b.mp4", ".trash/c.mp4", "d/.e.mp4", "d/f.mp4")
    assert found(tmp_path) == ["d/f.mp4"]


def test_a_hidden_folder_given_as_path_is_walked(tmp_path: Path) -> None:
    make(tmp_path, ".hidden/a.mp4")
    assert found(tmp_path / ".hidden") == ["a.mp4"]


@pytest.mark.parametrize(
    "name",
    ["movie.emotions.csv", "movie.emotions.en.srt", "movie.emotions.meta.json", "movie.emotions.mp4", "a.mov.emotions.gif"],
)
def test_outputs_are_recognized_by_name(name: str) -> None:
    assert is_output(name)


@pytest.mark.parametrize("name", ["movie.mp4", "emotions.mp4", "my emotions.mp4", "movie.emotions", "movie.emotions2.mp4"])
def test_videos_are_not_mistaken_for_outputs(name: str) -> None:
    assert not is_output(name)


def test_outputs_are_skipped_even_if_given_as_path(tmp_path: Path) -> None:
    make(tmp_path, "movie.mp4", "movie.emotions.mp4", "movie.emotions.csv")
    assert found(tmp_path) == ["movie.mp4"]
    assert list(walk([tmp_path / "movie.emotions.mp4"])) == []


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (("*.mp4",), (), ["a.mp4", "sub/b.mp4"]),
        (("sub/*",), (), ["sub/b.mp4", "sub/c.mov"]),
        (("a.*", "c.*"), (), ["a.mp4", "sub/c.mov"]),
        ((), ("*.mov",), ["a.mp4", "sub/b.mp4"]),
        ((), ("sub/*",), ["a.mp4", "d.mov"]),
        (("*.mp4",), ("b.*",), ["a.mp4"]),
        (("*.mkv",), (), []),
    ],
)
def test_include_and_exclude(
    tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    make(tmp_path, "a.mp4", "sub/b.mp4", "sub/c.mov", "d.mov")
    assert found(tmp_path, Selection(include, exclude)) == expected


@pytest.mark.parametrize(
    "pattern",
    ["misc", "misc/", "./misc", "./misc/*", "misc/**", "misc/*", "MISC", "**/misc", "**/misc/**", "mis?", "root/misc/"],
)
def test_a_folder_is_matched_by_every_notation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "root", "a.mp4", "misc/b.mp4", "misc/deep/c.mp4", "miscellany/d.mp4")
    assert found(Path("root"), Selection(exclude=(pattern,))) == ["a.mp4", "miscellany/d.mp4"]
    assert found(Path("root"), Selection(include=(pattern,))) == ["misc/b.mp4", "misc/deep/c.mp4"]


@pytest.mark.parametrize("root", [".", "videos", "../misc/videos", ""])
def test_an_absolute_pattern_matches_absolute_paths_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    archive = tmp_path / "misc/videos"
    make(archive, "a.mp4", "misc/b.mp4", "deep/misc/c.mp4")
    monkeypatch.chdir(archive if root == "." else archive.parent)
    start = Path(root) if root else archive
    for pattern in ("misc", "misc/", "misc/*"):
        selection = Selection(exclude=(str(archive / pattern),))
        assert [path.name for path in walk([start], selection) if isinstance(path, Path)] == ["a.mp4", "c.mp4"]
        assert [path.name for path in walk([start], Selection(selection.exclude)) if isinstance(path, Path)] == ["b.mp4"]
    if root in (".", "videos"):  # another pattern is not compared with folders above
        assert start / "a.mp4" in walk([start], Selection(exclude=("*/misc/*",)))
    assert list(walk([start / "a.mp4"], Selection(exclude=(str(archive / "a.mp4"),)))) == []


@pytest.mark.parametrize("pattern", ["*.mp4", "*.MP4", "*.[Mm]p4"])
def test_patterns_ignore_case(tmp_path: Path, pattern: str) -> None:
    make(tmp_path, "a.mp4", "B.MP4", "c.mov")
    assert found(tmp_path, Selection(include=(pattern,))) == ["B.MP4", "a.mp4"]


def test_a_nested_folder_is_excluded_by_its_name(tmp_path: Path) -> None:
    make(tmp_path, "a/misc/b.mp4", "a/c.mp4", "misc.mp4")
    assert found(tmp_path, Selection(exclude=("misc",))) == ["a/c.mp4", "misc.mp4"]
    assert found(tmp_path, Selection(exclude=("a/misc",))) == ["a/c.mp4", "misc.mp4"]
    assert found(tmp_path, Selection(exclude=("c",))) == ["a/c.mp4", "a/misc/b.mp4", "misc.mp4"]


def test_include_does_not_add_other_extensions(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "a.mp4")
    assert found(tmp_path, Selection(include=("a.*",))) == ["a.mp4"]


def test_a_file_given_as_path_is_found_with_any_extension(tmp_path: Path) -> None:
    make(tmp_path, "tape", ".hidden.bin")
    paths = [tmp_path / "tape", tmp_path / ".hidden.bin"]
    assert list(walk(paths)) == paths
    assert list(walk(paths, Selection(exclude=("tape",)))) == paths[1:]


def test_paths_keep_the_given_order_and_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a/b.mp4", "a/c.mp4", "d/e.mp4")
    monkeypatch.chdir(tmp_path)
    paths = [Path("d"), Path("a/c.mp4"), Path("a"), tmp_path / "a", Path("d/../a/b.mp4"), Path("d/e.mp4")]
    assert list(walk(paths)) == [Path("d/e.mp4"), Path("a/c.mp4"), Path("a/b.mp4")]


def test_links_to_files_are_followed(tmp_path: Path) -> None:
    make(tmp_path, "store/x.bin", "videos/a.mp4")
    (tmp_path / "videos/b.mp4").symlink_to(tmp_path / "store/x.bin")
    assert found(tmp_path / "videos") == ["a.mp4", "b.mp4"]


def test_a_broken_link_is_found_so_that_it_is_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").symlink_to(tmp_path / "missing")
    assert found(tmp_path) == ["broken.mp4"]


def test_a_link_to_itself_does_not_hide_other_files(tmp_path: Path) -> None:
    make(tmp_path, "z.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "loop").symlink_to("loop")
    assert "z.mp4" in [entry.name for entry in walk([tmp_path]) if isinstance(entry, Path)]


def test_links_to_directories_are_followed_only_on_request(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/a.mp4", "videos/b.mp4")
    (tmp_path / "videos/link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert found(tmp_path / "videos") == ["b.mp4"]
    assert found(tmp_path / "videos", Selection(follow_links=True)) == ["b.mp4", "link/a.mp4"]


def test_a_linked_directory_given_as_path_is_walked(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/a.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert found(tmp_path / "link") == ["a.mp4"]


def test_cycles_of_links_terminate(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c.mp4")
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a", target_is_directory=True)
    assert found(tmp_path, Selection(follow_links=True)) == ["a/b/c.mp4"]


def test_a_missing_path_is_skipped_once(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    missing = tmp_path / "missing"
    skipped, video = walk([missing, tmp_path / "a.mp4", missing])
    assert isinstance(skipped, SkippedPath)
    assert (skipped.path, skipped.is_folder, video) == (missing, True, tmp_path / "a.mp4")
    assert "no such file" in skipped.problem


def test_an_unreadable_directory_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a/x.mp4", "b/y.mp4", "c/z.mp4")
    scan = os.scandir

    def deny(folder: Path) -> object:
        if folder.name == "b":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", deny)
    first, skipped, last = walk([tmp_path])
    assert (first, last) == (tmp_path / "a/x.mp4", tmp_path / "c/z.mp4")
    assert isinstance(skipped, SkippedPath)
    assert (skipped.path, skipped.is_folder) == (tmp_path / "b", True)
    assert "Permission denied" in skipped.problem


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PACKETS, ["a.ts"]),
        (BLU_RAY_PACKETS, ["a.ts"]),
        (b"", ["a.ts"]),
        (b"import { x } from './x';\nexport const y = x;\n" * 20, []),
        ("const greeting = 'привет';\n".encode() * 20, []),
        (b"Greeter.hello();\n" * 40, []),
        (b'<?xml version="1.0"?>\n<TS version="2.1">\n' * 20, []),
    ],
)
def test_transport_streams_are_distinguished_from_typescript(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    (tmp_path / "a.ts").write_bytes(content)
    assert found(tmp_path) == expected


def test_a_typescript_file_given_as_path_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(b"export {};\n")
    assert list(walk([tmp_path / "a.ts"])) == [tmp_path / "a.ts"]


def test_pipes_and_directories_named_like_videos_are_not_found(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    make(tmp_path, "folder.mp4/a.mp4")
    assert found(tmp_path) == ["folder.mp4/a.mp4"]


def test_names_with_unusual_characters(tmp_path: Path) -> None:
    names = sorted(["-x.mp4", "a:b.mp4", "a\nb.mp4", "снег.mp4", "with space.mp4", "[a].mp4"], key=os.fsencode)
    make(tmp_path, *names)
    assert found(tmp_path) == names


@pytest.mark.skipif(sys.platform == "darwin", reason="names are Unicode there")
def test_names_with_invalid_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    make(tmp_path, name)
    assert found(tmp_path) == [name]


def test_raw_streams_are_taken_from_folders(tmp_path: Path) -> None:
    for name in ("a.264", "b.h265", "c.265"):
        (tmp_path / name).touch()
    assert [path.name for path in walk([tmp_path]) if isinstance(path, Path)] == ["a.264", "b.h265", "c.265"]
