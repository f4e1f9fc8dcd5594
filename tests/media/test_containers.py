from __future__ import annotations

from pathlib import Path

import pytest

from annotate.media.containers import MATROSKA, MP4, container_for_burning, container_for_copying
from annotate.media.probe import Stream, Video


@pytest.mark.parametrize(
    ("container", "codecs", "for_burning", "for_copying"),
    [
        ("mov,mp4,m4a,3gp,3g2,mj2", ("video h264", "audio aac", "subtitle mov_text", "data none"), MP4, MP4),
        ("mov,mp4,m4a,3gp,3g2,mj2", ("video h264", "audio pcm_s16le"), MP4, MATROSKA),
        ("matroska,webm", ("video vp9", "audio opus"), MATROSKA, MATROSKA),
        ("avi", ("video mpeg4", "audio mp3"), MP4, MATROSKA),
    ],
)
def test_the_container_is_chosen_by_the_codecs(
    container: str, codecs: tuple[str, ...], for_burning: str, for_copying: str
) -> None:
    streams = tuple(Stream(number, *codec.split()) for number, codec in enumerate(codecs))
    video = Video(Path("a"), 0, 16, 16, 1.0, 25.0, container, streams)
    assert (container_for_burning(video), container_for_copying(video)) == (for_burning, for_copying)
