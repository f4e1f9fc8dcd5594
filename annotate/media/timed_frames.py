"""Raw frames with their times, as Matroska: the simplest container from which ffmpeg reads both (RFC 9559)."""

from __future__ import annotations

import struct

_UNKNOWN_SIZE = b"\x01" + 7 * b"\xff"
_NS_PER_US, _NS_PER_S = 1000, 1_000_000_000
_TRACK, _VIDEO_TYPE = 1, 1

_EBML, _DOC_TYPE = "1A45DFA3", "4282"
_SEGMENT, _INFO, _TIMESTAMP_SCALE = "18538067", "1549A966", "2AD7B1"
_TRACKS, _TRACK_ENTRY, _TRACK_NUMBER, _TRACK_UID, _TRACK_TYPE = "1654AE6B", "AE", "D7", "73C5", "83"
_FRAME_NS, _LANGUAGE, _CODEC, _VIDEO, _WIDTH, _HEIGHT, _FOUR_CC = "23E383", "22B59C", "86", "E0", "B0", "BA", "2EB524"
_CLUSTER, _TIMESTAMP, _BLOCK_GROUP, _BLOCK, _DURATION = "1F43B675", "E7", "A0", "A1", "9B"


def header(width_px: int, height_px: int, frame_rate: float | None) -> bytes:
    """Return the start of a file of frames in 4:2:0, with sides of chroma rounded up; its clock counts microseconds.

    ``frame_rate`` is only what the file states, if known.
    """
    video = _element(_WIDTH, width_px) + _element(_HEIGHT, height_px) + _element(_FOUR_CC, b"I420")
    numbers = _element(_TRACK_NUMBER, _TRACK) + _element(_TRACK_UID, _TRACK) + _element(_TRACK_TYPE, _VIDEO_TYPE)
    usual = _element(_FRAME_NS, round(_NS_PER_S / frame_rate)) if frame_rate else b""
    names = _element(_LANGUAGE, b"und") + _element(_CODEC, b"V_UNCOMPRESSED")
    parts = (
        _element(_EBML, _element(_DOC_TYPE, b"matroska")),
        bytes.fromhex(_SEGMENT) + _UNKNOWN_SIZE,
        _element(_INFO, _element(_TIMESTAMP_SCALE, _NS_PER_US)),
        _element(_TRACKS, _element(_TRACK_ENTRY, numbers + usual + names + _element(_VIDEO, video))),
    )
    return b"".join(parts)


def frame_header(start_us: int, duration_us: int, frame_bytes: int) -> bytes:
    """Return what precedes the bytes of a frame; the time counts from 0."""
    block = struct.pack(">BhB", 0x80 | _TRACK, 0, 0)
    block_start = bytes.fromhex(_BLOCK) + _size(len(block) + frame_bytes) + block
    group = _element(_DURATION, duration_us) + block_start
    group_start = bytes.fromhex(_BLOCK_GROUP) + _size(len(group) + frame_bytes) + group
    cluster = _element(_TIMESTAMP, start_us) + group_start
    return bytes.fromhex(_CLUSTER) + _size(len(cluster) + frame_bytes) + cluster


def _element(name: str, content: bytes | int) -> bytes:
    if isinstance(content, int):
        content = content.to_bytes(max(1, -(-content.bit_length() // 8)), "big")
    return bytes.fromhex(name) + _size(len(content)) + content


def _size(count: int) -> bytes:
    """Return a number of bytes as a number of eight bytes."""
    return (1 << 56 | count).to_bytes(8, "big")
