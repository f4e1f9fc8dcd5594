"""Containers that state which part of the stored frames is to be shown."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from annotate.batch.rendering import choose_soft_rendering
from annotate.errors import OutputError
from annotate.media.cropping import Cropping, read_cropping
from annotate.media.decode import decode
from annotate.media.encode import burn
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.settings import ONE_CORE
from tests.clips import H264, make_pattern
from tests.media.test_other_files import BUNDLED_FFMPEG, PATH_FFMPEG, TWO_FFMPEGS
from tests.results.reports import make_report

MATROSKA, MP4 = "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"
ONE, SCALE = 1 << 16, 1 << 30
UPRIGHT, TURNED = (ONE, 0, 0, 0, ONE, 0, 0, 0, SCALE), (0, ONE, 0, -ONE, 0, 0, 120 * ONE, 0, SCALE)
CROPPING = Cropping(160, 120, left=16, right=24, top=8, bottom=32)


def ebml(name: str, content: bytes) -> bytes:
    return bytes.fromhex(name) + (1 << 56 | len(content)).to_bytes(8, "big") + content


def ebml_elements(content: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position < len(content):
        name_end = position + 9 - content[position].bit_length()
        size_end = name_end + 9 - content[name_end].bit_length()
        size = int.from_bytes(content[name_end:size_end], "big") & (1 << 7 * (size_end - name_end)) - 1
        yield content[position:name_end].hex(), content[size_end : size_end + size]
        position = size_end + size


def insert_in_matroska(content: bytes, path: Sequence[str], added: bytes) -> bytes:
    """Append to the element at the end of a path of names."""
    return b"".join(
        ebml(name, insert_in_matroska(inner, path[1:], added) if path and name == path[0] else inner)
        for name, inner in ebml_elements(content)
    ) + (b"" if path else added)


def insert_in_mp4(content: bytes, path: Sequence[str], added: bytes) -> bytes:
    """Append to the box at the end of a path of names."""
    if not path:
        return content + added
    result, position = b"", 0
    while position < len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        name, inner = content[position + 4 : position + 8], content[position + 8 : position + size]
        if name == path[0].encode():
            fixed = {b"stsd": 8}.get(name, 0)
            inner = inner[:fixed] + insert_in_mp4(inner[fixed:], path[1:], added)
        result += struct.pack(">I4s", len(inner) + 8, name) + inner
        position += size
    return result


def crop_in_matroska(path: Path, cropping: Cropping = CROPPING) -> Path:
    sides = (cropping.left, cropping.right, cropping.top, cropping.bottom)
    added = b"".join(
        ebml(name, side.to_bytes(2, "big")) for name, side in zip(("54cc", "54dd", "54bb", "54aa"), sides, strict=True)
    )
    path.write_bytes(insert_in_matroska(path.read_bytes(), ("18538067", "1654ae6b", "ae", "e0"), added))
    return path


def crop_in_mp4(path: Path, *aperture: int) -> Path:
    added = struct.pack(">I4sIIIIiIiI", 40, b"clap", *(aperture or (120, 1, 80, 1, -4, 1, -12, 1)))
    names = ("moov", "trak", "mdia", "minf", "stbl", "stsd", "avc1")
    path.write_bytes(insert_in_mp4(path.read_bytes(), names, added))
    return path


def make_cropped(folder: Path, extension: str, *options: str) -> Path:
    path = make_pattern(folder / f"clip.{extension}", options=(*H264, *options))
    return crop_in_mp4(path) if extension == "mp4" else crop_in_matroska(path)


@pytest.mark.parametrize(("extension", "options"), [("mp4", ()), ("mkv", ("-cues_to_front", "0"))])
def test_the_part_that_is_to_be_shown_is_analyzed(extension: str, options: tuple[str, ...], tmp_path: Path) -> None:
    plain = make_pattern(tmp_path / f"plain.{extension}", options=(*H264, *options))
    (tmp_path / "cropped").mkdir()
    path = make_cropped(tmp_path / "cropped", extension, *options)
    video = probe(path)
    assert (video.cropping, video.width_px, video.height_px) == (CROPPING, 120, 80)
    frames, stored = (list(decode(probe(file), size)) for file, size in ((path, (120, 80)), (plain, (160, 120))))
    assert len(frames) == len(stored)
    for frame, whole in zip(frames, stored, strict=True):
        assert frame.displayed_px == (120, 80)
        assert np.array_equal(frame.image, whole.image[8:88, 16:136])
    assert read_still(path, 500).shape == (80, 120, 3)


def test_a_rotated_frame_is_cropped_on_its_stored_sides(tmp_path: Path) -> None:
    source = make_pattern(tmp_path / "source.mp4")
    upright, turned = (struct.pack(">9i", *matrix) for matrix in (UPRIGHT, TURNED))
    (tmp_path / "clip.mp4").write_bytes(turned.join(source.read_bytes().rsplit(upright, 1)))
    video = probe(crop_in_mp4(tmp_path / "clip.mp4"))
    assert (video.width_px, video.height_px) == (80, 120)
    image = next(decode(video, (80, 120))).image
    stored = next(decode(probe(source), (160, 120))).image
    assert np.array_equal(image, np.rot90(stored[8:88, 16:136], -1))


@TWO_FFMPEGS
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_cropping_does_not_depend_on_the_ffmpeg(extension: str, tmp_path: Path) -> None:
    assert PATH_FFMPEG is not None
    path = make_cropped(tmp_path, extension)
    videos = [probe(path, ffmpeg=FFmpeg(program, "")) for program in (PATH_FFMPEG, BUNDLED_FFMPEG)]
    assert videos[0] == videos[1]
    for frame, other in zip(*(decode(video, (120, 80)) for video in videos), strict=True):
        assert frame.displayed_px == other.displayed_px == (120, 80)
        assert np.array_equal(frame.image, other.image)


def test_a_rendered_video_is_cropped(tmp_path: Path) -> None:
    video = probe(make_cropped(tmp_path, "mkv"))
    (tmp_path / "out").mkdir()
    burn(video, None, tmp_path / "out" / "copy.mp4")
    rendered = probe(tmp_path / "out" / "copy.mp4")
    assert (rendered.width_px, rendered.height_px, rendered.cropping) == (120, 80, None)


def test_streams_are_not_copied_by_an_ffmpeg_that_drops_the_cropping(tmp_path: Path) -> None:
    video = probe(make_cropped(tmp_path, "mkv"), ffmpeg=FFmpeg(BUNDLED_FFMPEG, "5.1.9-0"))
    with pytest.raises(OutputError) as raised:
        choose_soft_rendering(video, make_report(), "en", "", ONE_CORE)
    assert raised.value.path == video.path


@pytest.mark.parametrize(
    "aperture",
    [(160, 1, 120, 1, 0, 1, 0, 1), (1000, 1, 80, 1, 0, 1, 0, 1), (120, 0, 80, 0, 0, 1, 0, 1), (0, 1, 80, 1, 0, 1, 0, 1)],
)
def test_absurd_values_are_ignored(aperture: tuple[int, ...], tmp_path: Path) -> None:
    assert read_cropping(crop_in_mp4(make_pattern(tmp_path / "clip.mp4"), *aperture), MP4) is None


def test_damaged_headers_are_ignored(tmp_path: Path) -> None:
    whole = {extension: make_cropped(tmp_path, extension).read_bytes() for extension in ("mkv", "mp4")}
    path = tmp_path / "cut"
    for extension, container in (("mkv", MATROSKA), ("mp4", MP4)):
        content = whole[extension]
        for kept in range(0, min(len(content), 1200), 7):
            path.write_bytes(content[:kept] + bytes(20))
            read_cropping(path, container)
        path.write_bytes(b"\xff" * 100_000)
        assert read_cropping(path, container) is None
        assert read_cropping(tmp_path / "missing", container) is None
        path.write_bytes(struct.pack(">I4s", 8, b"free") * 20_000 + whole["mp4"])  # no more headers are read than these
        assert read_cropping(path, container) is None
