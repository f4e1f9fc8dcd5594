"""MP4 and Matroska: which streams each container supports, copied or re-encoded."""

from __future__ import annotations

from collections.abc import Iterable

from annotate.media.probe import Stream, Video

MP4, MATROSKA = "mp4", "mkv"
CONTAINERS_WRITTEN = (MP4, MATROSKA)
"""Containers of rendered videos, by file extension."""

COPY = "copy"
"""ffmpeg's codec option for streams that are not re-encoded."""

_MP4_FAMILY, _MATROSKA_FAMILY = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"

_SUBTITLE_ENCODERS = {MP4: "mov_text", MATROSKA: "srt"}
_TEXT_SUBTITLES = frozenset("mov_text subrip srt ass ssa webvtt text".split())
_METADATA_TAGS = ("text", "tmcd")
"""Tags of data streams with chapter names and timecodes, which are in the file's metadata as well."""

_SUPPORTED = {
    MP4: {
        "video": frozenset("h264 hevc av1 vp9 mpeg4 mpeg2video mpeg1video mjpeg png".split()),
        "audio": frozenset("aac mp3 ac3 eac3 alac opus flac".split()),
        "subtitle": frozenset(("mov_text",)),
    },
    MATROSKA: {
        "subtitle": frozenset("subrip ass ssa webvtt hdmv_pgs_subtitle dvd_subtitle dvb_subtitle".split()),
    },
}
"""Codecs that common players support in a container; Matroska may hold video and audio in any codec."""


def container_for_burning(video: Video) -> str:
    """Return the container for re-encoded frames: Matroska stays Matroska, everything else becomes MP4."""
    return MATROSKA if video.container == _MATROSKA_FAMILY else MP4


def container_for_copying(video: Video) -> str:
    """Return the container for copied streams: MP4 stays MP4 if all its streams can be copied, else Matroska."""
    streams = [stream for stream in video.streams if stream.kind != "data"]
    stays_mp4 = video.container == _MP4_FAMILY and all(codec_option(stream, MP4) == COPY for stream in streams)
    return MP4 if stays_mp4 else MATROSKA


def codec_option(stream: Stream, container: str) -> str:
    """Return ``copy`` if a container supports a stream, an encoder if its text can be converted, else ``""``."""
    supported = _SUPPORTED[container].get(stream.kind, ())
    if stream.kind == "subtitle" and stream.codec in _TEXT_SUBTITLES and stream.codec not in supported:
        return _SUBTITLE_ENCODERS[container]
    if container == MATROSKA and stream.kind in ("video", "audio", "attachment"):
        return COPY
    return COPY if stream.codec in supported else ""


def is_kept_when_burning(stream: Stream, container: str) -> bool:
    """Return whether a stream is kept when frames are re-encoded: all audio is, further video streams are not."""
    return stream.kind == "audio" or (stream.kind in ("subtitle", "attachment") and codec_option(stream, container) != "")


def dropped_streams(streams: Iterable[Stream], container: str) -> list[Stream]:
    """Return the streams that a container does not support, except those that repeat the file's metadata."""
    return [stream for stream in streams if stream.codec not in _METADATA_TAGS and not codec_option(stream, container)]


def subtitle_encoder(container: str) -> str:
    """Return the encoder of text subtitles in a container."""
    return _SUBTITLE_ENCODERS[container]
