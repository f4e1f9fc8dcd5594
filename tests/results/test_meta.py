"""Sidecars: round trip, damaged content, and recognition of the video."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.results import meta as module
from annotate.results.meta import (
    HASHED_PART_BYTES,
    Meta,
    Render,
    Source,
    describe_source,
    has_same_name,
    hash_content,
    hash_file,
    is_unchanged,
    json_safe_name,
    read_meta,
    result_settings,
)
from annotate.settings import Settings
from annotate.storage.local.files import write_atomic

META = Meta(
    analysis_version=1,
    program="annotate 1.0",
    model_hash="0123456789abcdef",
    settings=result_settings(Settings()),
    source=Source("фильм.mp4", 123, 1_700_000_000_123_456_789, "ab" * 16),
    frames=50,
    duration_s=2.001,
    missing_s=0.0,
    faces=1,
    dropped_tracks=2,
    warnings={"[h264] no frame!": 3},
    ffmpeg="5.1",
    outputs={"фильм.emotions.csv": "cd" * 16, "фильм.emotions.en.srt": None},
    renders={"../фильм.emotions.boxes.en.mp4": Render("boxes", "en", "cd" * 16, "ef" * 16)},
)
INVALID_UTF8_NAME = os.fsdecode(b"caf\xe9.mp4")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A file of three megabytes with a known modification time."""
    path = tmp_path / "movie.mp4"
    path.write_bytes(b"a" * HASHED_PART_BYTES + b"b" * HASHED_PART_BYTES + b"c" * HASHED_PART_BYTES)
    os.utime(path, ns=(0, 1_000_000_001))
    return path


def change_byte(path: Path, position: int, *, mtime_ns: int) -> None:
    """Change one byte, keeping the size."""
    with path.open("r+b") as file:
        file.seek(position)
        file.write(b"!")
    os.utime(path, ns=(0, mtime_ns))


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "фильм.emotions.meta.json"
    write_atomic(path, META.to_json())
    assert read_meta(path) == META


def test_text_is_readable_json() -> None:
    text = META.to_json()
    content = json.loads(text)
    assert text.startswith('{\n  "analysis_version": 1,\n')
    assert text.endswith("}\n")
    assert content["source"] == {
        "name": "фильм.mp4",
        "size_bytes": 123,
        "mtime_ns": 1_700_000_000_123_456_789,
        "hash": "ab" * 16,
    }
    assert '"фильм.emotions.csv"' in text


def test_a_missing_sidecar_is_none(tmp_path: Path) -> None:
    assert read_meta(tmp_path / "missing.emotions.meta.json") is None
    assert read_meta(tmp_path) is None


@pytest.mark.parametrize("length", [0, 1, 100, len(META.to_json()) - 2])
def test_a_truncated_sidecar_is_none(tmp_path: Path, length: int) -> None:
    path = tmp_path / "movie.emotions.meta.json"
    path.write_text(META.to_json()[:length], encoding="utf-8")
    assert read_meta(path) is None


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"[]", b"{}", b"null", b"7", b'{"source": 1}', b'{"source": {"name": "a"}}']
)
def test_invalid_content_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "movie.emotions.meta.json"
    path.write_bytes(content)
    assert read_meta(path) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outputs", None),
        ("outputs", ["movie.emotions.csv"]),
        ("settings", "min_face"),
        ("duration_s", "long"),
        ("duration_s", None),
        ("duration_s", float("nan")),
        ("duration_s", float("inf")),
        ("width_px", "wide"),
        ("height_px", None),
        ("source", {"name": 5, "size_bytes": 1, "mtime_ns": 1, "hash": ""}),
        ("small_faces", "many"),
        ("decoded_whole", None),
        ("unknown", 1),
    ],
)
def test_another_schema_is_none(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "movie.emotions.meta.json"
    path.write_text(json.dumps(json.loads(META.to_json()) | {name: value}))
    assert read_meta(path) is None


def test_result_settings_are_all_but_the_model() -> None:
    values = result_settings(Settings(min_face=0.2, model=Path("model.onnx")))
    assert values == {
        "detector": "YuNet 2023mar",
        "min_face": 0.2,
        "look_interval_ms": 250,
        "search_interval_ms": 2000,
        "max_frame_rate": 30.0,
        "track_timeout_ms": 1500,
        "track_overlap": 0.3,
        "min_track_frames": 5,
        "gap_ms": 1000,
        "part_s": 300,
    }


def test_a_source_has_name_size_time_and_hash_of_both_ends(video: Path) -> None:
    ends = b"a" * HASHED_PART_BYTES + b"c" * HASHED_PART_BYTES
    assert describe_source(video) == Source("movie.mp4", 3 * HASHED_PART_BYTES, 1_000_000_001, hash_content(ends))


@pytest.mark.parametrize("size", [0, 1, 4, 5, 7, 8, 9])
def test_hash_of_files_around_the_hashed_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(module, "HASHED_PART_BYTES", 4)
    content = bytes(range(size))
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    expected = content if size <= 8 else content[:4] + content[-4:]
    assert describe_source(path).hash == hash_content(expected)


def test_unchanged_by_size_and_time_without_reading(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = describe_source(video)
    monkeypatch.setattr(Path, "open", lambda *arguments: pytest.fail("the video was read"))
    assert is_unchanged(source, video)


def test_unchanged_by_hash_when_copied(video: Path, tmp_path: Path) -> None:
    source = describe_source(video)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    os.utime(copy, ns=(0, 2_000_000_000))
    assert is_unchanged(source, copy)


@pytest.mark.parametrize("position", [0, HASHED_PART_BYTES - 1, 2 * HASHED_PART_BYTES, 3 * HASHED_PART_BYTES - 1])
def test_changed_content_is_detected(video: Path, position: int) -> None:
    source = describe_source(video)
    change_byte(video, position, mtime_ns=1_000_000_002)
    assert not is_unchanged(source, video)


def test_a_changed_size_is_detected_even_with_the_same_time(video: Path) -> None:
    source = describe_source(video)
    with video.open("ab") as file:
        file.write(b"c")
    os.utime(video, ns=(0, source.mtime_ns))
    assert not is_unchanged(source, video)


def test_a_missing_source_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        describe_source(tmp_path / "missing.mp4")
    with pytest.raises(FileNotFoundError):
        is_unchanged(META.source, tmp_path / "missing.mp4")


@pytest.mark.skipif(sys.platform == "darwin", reason="names are Unicode there")
def test_names_with_invalid_utf_8_are_recognized(tmp_path: Path) -> None:
    path = tmp_path / INVALID_UTF8_NAME
    path.write_bytes(b"video")
    source = describe_source(path)
    assert source.name == r"caf\xe9.mp4"
    assert has_same_name(source, path)
    assert not has_same_name(source, tmp_path / "café.mp4")


def test_outputs_with_invalid_utf_8_names_round_trip(tmp_path: Path) -> None:
    path = tmp_path / INVALID_UTF8_NAME.replace(".mp4", ".emotions.meta.json")
    report = tmp_path / INVALID_UTF8_NAME.replace(".mp4", ".emotions.csv")
    meta = replace(META, outputs={json_safe_name(report): "cd" * 16})
    write_atomic(path, meta.to_json())
    found = read_meta(path)
    assert found is not None
    assert found.outputs == {r"caf\xe9.emotions.csv": "cd" * 16}


def test_whole_file_names_are_compared(tmp_path: Path) -> None:
    source = replace(META.source, name="a.mp4")
    assert has_same_name(source, tmp_path / "elsewhere" / "a.mp4")
    assert not has_same_name(source, tmp_path / "A.mp4")
    assert not has_same_name(source, tmp_path / "a.mov")


def test_hash_file_is_the_hash_of_the_content(video: Path) -> None:
    assert hash_file(video) == hash_content(video.read_bytes())


@pytest.mark.parametrize(
    "renders",
    [
        [],
        {"a.mp4": {}},
        {"a.mp4": {"kind": "boxes", "language": "en", "report": "0", "hash": 1}},
        {"a\0.mp4": {"kind": "boxes", "language": "en", "report": "0", "hash": "1"}},
    ],
)
def test_invalid_renders_make_a_sidecar_none(tmp_path: Path, renders: object) -> None:
    path = tmp_path / "movie.emotions.meta.json"
    path.write_text(json.dumps({**json.loads(META.to_json()), "renders": renders}))
    assert read_meta(path) is None


def test_a_sidecar_without_renders_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "фильм.emotions.meta.json"
    content = json.loads(META.to_json())
    del content["renders"]
    path.write_text(json.dumps(content))
    assert read_meta(path) == replace(META, renders={})
