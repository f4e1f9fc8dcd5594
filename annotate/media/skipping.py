"""Leave frames out in decoding, and find when they are shown, from packets that are read without decoding them.

Frames that others are predicted from are decoded as always, so that none looks different for what is left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, TypeVar

import ffmpeg

from annotate.errors import DecodingError
from annotate.media.ffmpeg import (
    LOG_LEVEL,
    build_command,
    ffmpeg_process,
    memory_options,
    restricted_input,
    wait_for_output,
)
from annotate.media.packets import PacketTime, order_packets
from annotate.media.probe import Video
from annotate.media.sizing import Stamp
from annotate.settings import ALL_FRAMES, KEY, REFERENCE

UNREFERENCED = "noref"
"""ffmpeg's name of the frames that no other is predicted from."""

SKIPPED_FRAMES = {REFERENCE: UNREFERENCED, KEY: "nokey"}
"""ffmpeg's name of the frames that are left out in each mode.

Not ``bidir``: it leaves out B-frames that others are predicted from, as H.264 and HEVC have them.
"""

_CODECS = {
    REFERENCE: frozenset(("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4")),
    KEY: frozenset(("h264", "mpeg1video", "mpeg2video", "mpeg4")),
}
"""Codecs that have one packet per frame, and of which every version of ffmpeg leaves out the same frames. Key frames of HEVC
alone have wrong times in some."""

BY_CODEC, INTERLACED, TIMES, DAMAGED, NOTHING = "codec", "interlaced", "times", "damaged", "nothing"
"""Reasons for which all frames are decoded nevertheless, as recorded in sidecars: the codec is none of those above; a frame
is two fields, which may be two packets; frames have other times than packets; the decoder warned; no frame could be left
out."""

_ROUNDING_US = 1
_PIPE_BYTES = 1 << 16

Picture = TypeVar("Picture")


class UnmatchedTimesError(DecodingError):
    """A decoded frame has another time than all packets, so that it is unknown which frames were left out."""


def why_whole(video: Video, mode: str) -> str:
    """Return why all frames of a video are decoded in a ``mode``, as far as its header tells; empty if they are not."""
    if mode == ALL_FRAMES:
        return ""
    if video.codec not in _CODECS[mode]:
        return BY_CODEC
    return INTERLACED if video.is_interlaced else ""


def leaves_out(video: Video, mode: str) -> bool:
    """Return whether frames of a video are left out in a ``mode``, one of `annotate.settings.DECODE_MODES`."""
    return mode != ALL_FRAMES and not why_whole(video, mode)


@contextlib.contextmanager
def repeat_pictures(
    pictures: Iterator[tuple[Stamp, Picture]],
    video: Video,
    copied: Sequence[int],
    sought_s: int,
    mode: str,
    stall_timeout_s: float,
) -> Iterator[Iterator[tuple[Stamp, Picture]]]:
    """Provide the pictures of a decoding, and in place of those left out the one before, at the times of their packets.

    The packets are those of another process, which reads the file alongside; its inputs are those of the decoding, so that
    both have the same clock.
    """
    if not leaves_out(video, mode):
        yield pictures
        return
    options = {"ss": sought_s} if sought_s else {}
    source = restricted_input(**options)
    streams = [source[str(number)] for number in copied or (video.stream,)]
    output = ffmpeg.output(*streams, "pipe:1", format="framecrc", codec="copy", copyinkf=None)
    global_options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", LOG_LEVEL, *memory_options(video.pixels))
    command = build_command(output.global_args(*global_options), video.path, video.ffmpeg.path)
    with ffmpeg_process(command) as process:
        assert process.stdout is not None
        packets = order_packets(read_lines(process.stdout, video, stall_timeout_s), from_start=not sought_s)
        yield fill_in(pictures, packets, video, only_keys=mode == KEY, from_start=not sought_s)


def fill_in(
    pictures: Iterable[tuple[Stamp, Picture]],
    packets: Iterator[PacketTime],
    video: Video,
    *,
    only_keys: bool = False,
    from_start: bool = True,
) -> Iterator[tuple[Stamp, Picture]]:
    """Yield a picture for every packet: the decoded one, or that before it; ``from_start``, the first one also before it.

    Raises:
        UnmatchedTimesError: a picture has a time that no packet has, or ``only_keys`` and they are not those of key frames.
    """
    error = UnmatchedTimesError("frames have other times than packets", "decode all frames", path=video.display_path)
    shown: tuple[Stamp, Picture] | None = None
    for stamp, picture in pictures:
        if shown is None and from_start:
            shown = stamp, picture
        packet: PacketTime | None = None
        for packet in packets:
            if packet.start_us >= stamp.start_us - _ROUNDING_US:
                break
            if only_keys and packet.is_key:
                raise error
            if shown is not None:
                yield _repeat(shown, packet)
        if packet is None or abs(packet.start_us - stamp.start_us) > _ROUNDING_US or (only_keys and not packet.is_key):
            raise error
        shown = replace(stamp, lost=0), picture
        yield shown
    if shown is not None:
        for packet in packets:
            if only_keys and packet.is_key:
                raise error
            yield _repeat(shown, packet)


def _repeat(shown: tuple[Stamp, Picture], packet: PacketTime) -> tuple[Stamp, Picture]:
    stamp, picture = shown
    shown_us = stamp.start_us if stamp.shown_us is None else stamp.shown_us
    return replace(stamp, start_us=packet.start_us, lost=0, shown_us=shown_us, is_left_out=True), picture


def read_lines(pipe: IO[bytes], video: Video, stall_timeout_s: float) -> Iterator[str]:
    """Yield the lines of a program's output; raise `DecodingError` if it hangs."""
    rest = b""
    while True:
        wait_for_output(pipe, video.display_path, stall_timeout_s)
        content = pipe.read(_PIPE_BYTES)
        if not content:
            return
        *lines, rest = (rest + content).split(b"\n")
        yield from (line.decode("ascii", "replace") for line in lines)
