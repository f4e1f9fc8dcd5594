"""MP4 and Matroska: which streams of a file each takes, copied or in another coding."""

from __future__ import annotations

from collections.abc import Iterable

from annotate.media.probe import Stream, Video

MP4, MATROSKA = "mp4", "mkv"
CONTAINERS_WRITTEN = (MP4, MATROSKA)
"""Containers that are written, by the endings of their files."""

COPY = "copy"

_MP4_FAMILY, _MATROSKA_FAMILY = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"

_TEXT_CODECS = {MP4: "mov_text", MATROSKA: "srt"}
_TEXT = frozenset("mov_text subrip srt ass ssa webvtt text".split())
_METADATA_TAGS = ("text", "tmcd")
_COPIED = {
    MP4: {
        "video": frozenset("h264 hevc av1 vp9 mpeg4 mpeg2video mpeg1video mjpeg png".split()),
        "audio": frozenset("aac mp3 ac3 eac3 alac opus flac".split()),
        "subtitle": frozenset(("mov_text",)),
    },
    MATROSKA: {
        "subtitle": frozenset("subrip ass ssa webvtt hdmv_pgs_subtitle dvd_subtitle dvb_subtitle".split()),
    },
}
"""Codecs that common players know in a container; Matroska takes video and sound in any."""


def container_for_burning(video: Video) -> str:
    """Return the container for frames that are encoded anew: Matroska stays Matroska, everything else becomes MP4."""
    return MATROSKA if video.container == _MATROSKA_FAMILY else MP4


def container_for_copying(video: Video) -> str:
    """Return the container for streams that are copied: MP4 stays MP4 if that takes all, all else becomes Matroska."""
    wanted = [stream for stream in video.streams if stream.kind != "data"]
    fits = video.container == _MP4_FAMILY and all(coding(stream, MP4) == COPY for stream in wanted)
    return MP4 if fits else MATROSKA


def coding(stream: Stream, container: str) -> str:
    """Return ``copy`` if a container takes a stream, else the encoder of subtitles for it, or empty if there is none."""
    if stream.kind == "subtitle" and stream.codec in _TEXT and stream.codec not in _COPIED[container]["subtitle"]:
        return _TEXT_CODECS[container]
    if container == MATROSKA and stream.kind in ("video", "audio", "attachment"):
        return COPY
    return COPY if stream.codec in _COPIED[container].get(stream.kind, ()) else ""


def is_kept_in_burning(stream: Stream, container: str) -> bool:
    """Return whether a stream stays beside frames that are encoded anew: all sound does, no further video does."""
    return stream.kind == "audio" or (stream.kind in ("subtitle", "attachment") and coding(stream, container) != "")


def left_out(streams: Iterable[Stream], container: str) -> list[Stream]:
    """Return streams that a container does not take, but for chapter names and timecodes, which are metadata as well."""
    return [stream for stream in streams if stream.codec not in _METADATA_TAGS and not coding(stream, container)]


def text_codec(container: str) -> str:
    """Return the encoder of plain subtitles in a container."""
    return _TEXT_CODECS[container]
