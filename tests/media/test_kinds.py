"""Files that are no videos are named by their kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import NotAVideoError
from annotate.media.kinds import kind_of
from annotate.media.probe import probe
from tests.clips import encode_once


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"1\r\n00:00:00,000 --> 00:00:01,000\r\nhello\r\n", "SubRip"),
        (b"\xef\xbb\xbfWEBVTT\n\n00:00.000 --> 00:01.000\nhello\n", "WebVTT"),
        (b"<!DOCTYPE html><html>Not found</html>", "HTML"),
        (("\u0436" * 5000).encode()[1:], ""),
        (("a" + "\u0436" * 5000).encode(), "text"),
        (b"PK\x03\x04\x14\0", "ZIP"),
        (bytes(5000), "zeros"),
        (bytes(100), ""),
        (bytes(range(256)), ""),
        (b"", ""),
    ],
)
def test_kinds(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    kind = kind_of(path)
    assert (word in kind, bool(kind)) == (True, bool(word))


@pytest.mark.parametrize(("ending", "word"), [("jpg", "JPEG"), ("webp", "WebP"), ("bmp", "BMP")])
def test_an_image_named_as_a_video_is_named_as_an_image(tmp_path: Path, face_image: Path, ending: str, word: str) -> None:
    image = encode_once(tmp_path / f"image.{ending}", "-i", face_image)
    with pytest.raises(NotAVideoError) as raised:
        probe(image.rename(tmp_path / "image.mp4"), display_path="s3://a/image.mp4")
    assert raised.value.path == "s3://a/image.mp4"
    assert word in raised.value.problem


def test_no_text_of_ffmpeg_is_shown_for_a_subtitle_file(tmp_path: Path) -> None:
    path = tmp_path / "x.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with pytest.raises(NotAVideoError) as raised:
        probe(path)
    assert "SubRip" in raised.value.problem
    assert "whitelist" not in str(raised.value)
