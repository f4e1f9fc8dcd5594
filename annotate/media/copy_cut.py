"""Cut spans out of videos without encoding: from the last key frame before them, in the packets of the file."""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path
from typing import Any

import ffmpeg

from annotate.errors import DecodingError, OutputError
from annotate.media.containers import COPY, MATROSKA, MP4, codec_option
from annotate.media.cut import Cut
from annotate.media.decode import SEEKABLE_CONTAINERS
from annotate.media.encode import muxer_options, packet_progress, write_outputs
from annotate.media.ffmpeg import LOG_LEVEL, build_command, ffmpeg_process, memory_options, restricted_input
from annotate.media.packets import PacketTime, order_packets
from annotate.media.probe import Stream, Video, probe
from annotate.media.skipping import read_lines
from annotate.settings import ONE_CORE, Limits
from annotate.span import MS_PER_S, Span

_US_PER_S = 1_000_000
_AFTER_KEY_S = 0.002
"""Packets are sought this much after the key frame, since its time is rounded."""

_ONE_FRAME_MS = 40


def copied_container(video: Video) -> str:
    """Return the container of copied clips: MP4 if it supports the video and the first audio stream, else Matroska."""
    return MP4 if all(codec_option(stream, MP4) == COPY for stream in _streams(video)) else MATROSKA


def copy_cut(video: Video, span: Span, target: Path, *, has_sound: bool = True, limits: Limits = ONE_CORE) -> Cut:
    """Write the packets of a span to ``target``, .mp4 or .mkv in an empty folder; return the span that they cover.

    It begins at the last key frame at or before the start of the span, or at the first one, and ends with the first frame
    after the end, or a few later. The first audio stream is copied too, unless ``has_sound`` is false.

    Raises:
        DecodingError: the video has no key frame there, or cannot be read.
        OutputError: the disk is full, or ffmpeg cannot copy how the container crops the frame.
        FFmpegError: ffmpeg could not be started.
    """
    if video.cropping is not None and not video.ffmpeg.copies_cropping:
        problem = f"its container crops the frame, which ffmpeg {video.ffmpeg.version} does not copy"
        raise OutputError(problem, "cut it without --copy, or use ffmpeg 7.1 or newer", path=video.display_path)
    zero_us = round(video.zero_s * _US_PER_S)
    key_us = _key_frame_us(video, span, limits)
    sought_s = (key_us + zero_us) / _US_PER_S + _AFTER_KEY_S
    wanted_s = max(0.0, span.end_s - key_us / _US_PER_S) + _AFTER_KEY_S
    source = restricted_input(fflags="+genpts", ss=f"{sought_s:.6f}", t=f"{wanted_s:.6f}", max_pixels=limits.max_pixels)
    timing = {"output_ts_offset": _AFTER_KEY_S, "copypriorss:a": 0}
    streams = [source[str(stream.index)] for stream in _streams(video)[: 2 if has_sound else 1]]
    options = {"c": COPY, "strict": "experimental", **timing, **muxer_options(target.suffix[1:]), "map_chapters": -1}
    outputs = ffmpeg.merge_outputs(ffmpeg.output(*streams, target.name, **options), packet_progress(source, video))
    write_outputs(outputs, video, target, video.ffmpeg.path, limits)
    start_ms = round(key_us * MS_PER_S / _US_PER_S)
    return Cut(Span(start_ms, start_ms + _length_ms(probe(target, limits.max_pixels, ffmpeg=video.ffmpeg), limits)))


def _streams(video: Video) -> list[Stream]:
    """Return the streams to copy: the video stream, and the first audio stream."""
    chosen = [stream for stream in video.streams if stream.index == video.stream]
    return [*chosen, *video.audio[:1]]


def _key_frame_us(video: Video, span: Span, limits: Limits) -> int:
    """Return the time of the last key frame at or before the start of a span, else of the first one, on a player's clock."""
    zero_us, start_us = round(video.zero_s * _US_PER_S), span.start_ms * _US_PER_S // MS_PER_S
    sought_us = [start_us + zero_us, 0] if video.container in SEEKABLE_CONTAINERS else [0]
    for sought in sought_us:
        packets = _list_packets(video, sought / _US_PER_S, (start_us + zero_us - sought) / _US_PER_S + 1, limits)
        keys_us = [packet.start_us + sought - zero_us for packet in packets if packet.is_key]
        before_us = [key_us for key_us in keys_us if key_us < start_us + _US_PER_S / MS_PER_S]
        if before_us or (keys_us and not sought):
            return max(0, before_us[-1] if before_us else keys_us[0])
    problem = f"no key frame could be found at {span.start_s:g} s"
    raise DecodingError(problem, "cut it without --copy", path=video.display_path)


def _length_ms(clip: Video, limits: Limits) -> int:
    """Return how long the frames of a copied clip are shown."""
    times_us = [packet.start_us for packet in _list_packets(clip, 0, None, limits)]
    if len(times_us) < 2:
        return _ONE_FRAME_MS
    intervals_us = [later - earlier for earlier, later in itertools.pairwise(times_us)]
    return round((times_us[-1] - times_us[0] + statistics.median_low(intervals_us)) * MS_PER_S / _US_PER_S)


def _list_packets(video: Video, sought_s: float, length_s: float | None, limits: Limits) -> list[PacketTime]:
    """Return when the frames are shown whose packets are read from a time on; times count from there."""
    options: dict[str, Any] = {} if length_s is None else {"t": f"{length_s:.6f}"}
    if sought_s:
        options["ss"] = f"{sought_s:.6f}"
    source = restricted_input(fflags="+genpts", max_pixels=limits.max_pixels, **options)
    streams = [source[str(number)] for number in (video.stream, *(stream.index for stream in video.audio))]
    output = ffmpeg.output(*streams, "pipe:1", format="framecrc", codec=COPY, copyinkf=None)
    global_options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", LOG_LEVEL, *memory_options(video.pixels))
    command = build_command(output.global_args(*global_options), video.path.absolute(), video.ffmpeg.path)
    with ffmpeg_process(command) as process:
        assert process.stdout is not None
        lines = read_lines(process.stdout, video, limits.stall_timeout_s)
        return list(order_packets(lines, from_start=False))
