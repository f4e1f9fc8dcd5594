"""Cut spans out of videos, exact to the frame, and join them.

Frames are decoded as for the analysis, so that a clip starts with the frame that is displayed at the start of its span, by
the clock of tables. They are piped to the encoder with their times, and audio is decoded to the sample.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import ffmpeg

from annotate.errors import DecodingError, write_error
from annotate.media.blur import DISPLAYED_SIZE, RegionsAt, write_frame
from annotate.media.containers import MP4
from annotate.media.decode import SEEKABLE_CONTAINERS, Frame, MediaProgress, decode
from annotate.media.decoding_command import clock_output
from annotate.media.decoding_report import DecodingReport, collect_warnings
from annotate.media.encode import (
    AUDIO_BITRATE,
    AUDIO_CODEC,
    PRESET,
    QUALITY,
    STRICTLY_INCREASING,
    draw_track,
    encoding_error,
    h264_options,
    muxer_options,
)
from annotate.media.ffmpeg import (
    LOG_LEVEL,
    PROTOCOLS,
    build_command,
    ffmpeg_process,
    memory_options,
    restricted_input,
    wait_for_output,
    write_input,
)
from annotate.media.probe import Video
from annotate.media.sizing import Sizing
from annotate.media.timed_frames import header
from annotate.settings import ONE_CORE, Limits
from annotate.span import MS_PER_S, Span

SAMPLE_RATE, SAMPLE_BYTES = 48_000, 4
"""Samples per second of audio in clips, and bytes of one, of two channels of 16 bits."""

_US_PER_MS = 1000
_LEADS_S = (0, 10)
"""Decoding starts this much before a span; where a frame is held for longer, at the start of the file."""

_READ_BYTES = 1 << 16
_SOUND = "sound.pcm"


@dataclass(frozen=True)
class Cut:
    """The span of the source that a clip shows, which ends with the video at the latest."""

    span: Span
    warning_count: int = 0


def cut(
    video: Video,
    span: Span,
    target: Path,
    *,
    ass_track: str | None = None,
    regions_at: RegionsAt | None = None,
    has_sound: bool = True,
    limits: Limits = ONE_CORE,
    progress: MediaProgress | None = None,
) -> Cut:
    """Write what a player shows during a span to ``target``, .mp4 in an empty folder.

    The first frame is the one displayed at the start of the span, and is shown as long as from there. Frames are encoded as
    H.264 with their times, upright, deinterlaced, with square pixels; those of another shape than the first get black bars.
    ``ass_track``, by the clock of the source, is drawn into them, and the regions that ``regions_at`` returns are blurred.
    The first audio stream becomes AAC in stereo. ``progress`` is called with the seconds of the clip.

    Raises:
        DecodingError: no frame can be decoded, or the decoder or encoder hung or failed.
        OutputError: the disk is full.
        FFmpegError: no ffmpeg with libass and libx264 was found.
    """
    return join([Part(video, span)], target, ass_track, regions_at, has_sound, limits=limits, progress=progress)[0]


@dataclass(frozen=True)
class Part:
    """A span of a video that is joined to others."""

    video: Video
    span: Span


def join(
    parts: Sequence[Part],
    target: Path,
    ass_track: str | None = None,
    regions_at: RegionsAt | None = None,
    has_sound: bool = True,
    *,
    size_px: tuple[int, int] | None = None,
    limits: Limits = ONE_CORE,
    progress: MediaProgress | None = None,
) -> list[Cut]:
    """Write parts of videos one after the other to ``target``, as `cut` does, with black bars where shapes differ.

    Frames have ``size_px``, or else the size of the first video. Parts without audio are silent if others have some. The
    clock of ``ass_track`` is that of the first part's source.
    """
    first = parts[0].video
    size_px = size_px or (first.width_px, first.height_px)
    shown = replace(first, width_px=size_px[0], height_px=size_px[1])
    sounds = [part.video.audio[0].index if part.video.audio and has_sound else None for part in parts]
    has_sounds = any(index is not None for index in sounds)
    begun = _begin(parts[0], limits)
    with contextlib.closing(begun.frames):
        if has_sounds:
            starts = [begun.first.span.start_ms, *(part.span.start_ms for part in parts[1:])]
            spans = [Span(start_ms, part.span.end_ms) for part, start_ms in zip(parts, starts, strict=True)]
            _write_sound(target.with_name(_SOUND), parts, spans, sounds, limits)
        encoding = DecodingReport()
        command = _encoder(shown, target, ass_track, begun.first.span.start_ms, has_sounds)
        read_stderr = functools.partial(collect_warnings, report=encoding, video=first, path=first.path.absolute())
        with ffmpeg_process(command, read_stderr, folder=target.parent, takes_input=True) as process:
            assert process.stdin is not None
            write = functools.partial(write_input, name=first.display_path, stall_timeout_s=limits.stall_timeout_s)
            cuts: list[Cut] = []
            with contextlib.suppress(BrokenPipeError):
                write(process.stdin, header(*size_px, first.frame_rate))
                done_ms = 0
                for number, part in enumerate(parts):
                    own = begun if number == 0 else _begin(part, limits)
                    start_ms = own.first.span.start_ms
                    zero_us, shown_ms = own.first.start_us - done_ms * _US_PER_MS, 0
                    with contextlib.closing(own.frames):
                        for frame in own:
                            regions = () if regions_at is None else regions_at(frame)
                            write_frame(process.stdin, write, frame, regions, zero_us, shown)
                            shown_ms = frame.span.end_ms - start_ms
                            if progress is not None:
                                progress((done_ms + shown_ms) / MS_PER_S)
                    cuts.append(Cut(Span(start_ms, start_ms + shown_ms), own.report.warning_count))
                    done_ms += part.span.end_ms - start_ms if number == 0 else part.span.duration_ms
            process.stdin.close()
            process.wait()
    if process.returncode:
        raise encoding_error(first, target, encoding, process.returncode)
    return cuts


@dataclass(frozen=True)
class _Begun:
    """Frames whose decoding has begun, with the first one."""

    first: Frame
    frames: Generator[Frame, None, None]
    report: DecodingReport

    def __iter__(self) -> Iterator[Frame]:
        yield self.first
        yield from self.frames


def _begin(part: Part, limits: Limits) -> _Begun:
    report = DecodingReport()
    frames = frames_in(part.video, part.span, limits=limits, report=report)
    first = next(frames, None)
    if first is None:
        problem = f"no frame could be decoded at {part.span.start_s:g} s"
        raise DecodingError(problem, "check whether the file is damaged", path=part.video.display_path)
    return _Begun(first, frames, report)


def frames_in(
    video: Video,
    span: Span,
    size: Sizing | tuple[int, int] = DISPLAYED_SIZE,
    *,
    limits: Limits = ONE_CORE,
    report: DecodingReport | None = None,
) -> Generator[Frame, None, None]:
    """Yield the frames that are displayed during a span, each clipped to it; none where the video has none.

    Decoding starts shortly before the span where the file is seekable, else at its start; errors as for
    `annotate.media.decode.decode`.
    """
    leads_s = _LEADS_S if video.container in SEEKABLE_CONTAINERS else ()
    starts_s = dict.fromkeys([*(max(0, span.start_ms // MS_PER_S - lead_s) for lead_s in leads_s), 0])
    for start_s in starts_s:
        frames = decode(video, size, limits=limits, report=report, start_s=start_s)
        with contextlib.closing(frames):
            try:
                first = next(frames, None)
            except DecodingError:  # the last frame of the video may be held from long before
                if start_s:
                    continue
                raise
            if first is None or (start_s and first.span.start_ms > span.start_ms):
                continue
            for frame in itertools.chain([first], frames):
                if frame.span.start_ms >= span.end_ms:
                    return
                if clipped := frame.span & span:
                    late_us = (clipped.start_ms - frame.span.start_ms) * _US_PER_MS
                    yield replace(frame, span=clipped, start_us=frame.start_us + late_us)
            return


def _encoder(shown: Video, target: Path, ass_track: str | None, start_ms: int, has_sound: bool) -> list[str]:
    """Return the command that encodes frames from its stdin, and audio from a file beside the target."""
    frames = ffmpeg.input("pipe:0", format="matroska", protocol_whitelist="pipe", fpsprobesize=0)["v"]
    colors = shown.colors
    named = {"colorspace": colors.matrix, "color_primaries": colors.primaries, "color_trc": colors.transfer}
    chain = frames.filter("setpts", STRICTLY_INCREASING).filter("setparams", range="limited", **named)
    if ass_track is not None:
        chain = draw_track(chain, shown, ass_track, target.parent, -start_ms / MS_PER_S)
    is_odd = (shown.width_px | shown.height_px) & 1
    chain = chain.filter("format", "yuv444p" if is_odd else "yuv420p")
    options: dict[str, Any] = {**h264_options(QUALITY, PRESET), **muxer_options(MP4), "map_metadata": -1}
    streams = [chain]
    if has_sound:
        sound = {"format": "s16le", "ar": SAMPLE_RATE, "ac": 2, "protocol_whitelist": PROTOCOLS}
        streams.append(ffmpeg.input(f"file:{_SOUND}", **sound)["a"])
        options |= {"c:a": AUDIO_CODEC, "b:a": AUDIO_BITRATE}
    output = ffmpeg.output(*streams, target.name, **options)
    global_options = ("-hide_banner", "-nostats", "-loglevel", LOG_LEVEL, "-y", *memory_options(shown.pixels))
    return build_command(output.global_args(*global_options), target, shown.ffmpeg.renderer.path)


def _write_sound(
    path: Path, parts: Sequence[Part], spans: Sequence[Span], streams: Sequence[int | None], limits: Limits
) -> None:
    """Write the audio of parts of videos one after the other, as long as their spans to the sample."""
    try:
        with path.open("wb") as file:
            for part, span, stream in zip(parts, spans, streams, strict=True):
                size_bytes = span.duration_ms * SAMPLE_RATE // MS_PER_S * SAMPLE_BYTES
                left_bytes = size_bytes
                if stream is not None:
                    for content in _read_sound(part.video, span, stream, limits):
                        file.write(content[:left_bytes])
                        left_bytes -= len(content[:left_bytes])
                _write_silence(file, left_bytes)
    except OSError as error:
        raise write_error(path, error) from error


def _write_silence(file: IO[bytes], size_bytes: int) -> None:
    while size_bytes > 0:
        size_bytes -= file.write(bytes(min(size_bytes, _READ_BYTES)))


def _read_sound(video: Video, span: Span, stream: int, limits: Limits) -> Iterator[bytes]:
    """Yield the samples of an audio stream during a span, with silence before its start and in its gaps.

    A copy of video and audio to nowhere makes times count from the container's start.
    """
    is_seekable = video.container in SEEKABLE_CONTAINERS
    sought_s = max(0, span.start_ms // MS_PER_S - 1) if is_seekable else 0
    start_s = span.start_s - sought_s + video.zero_s
    seek: dict[str, Any] = {"ss": sought_s} if sought_s else {}
    source = restricted_input(t=f"{start_s + span.duration_s + 1:.3f}", max_pixels=limits.max_pixels, **seek)
    sound = source[str(stream)].filter("aresample", SAMPLE_RATE, **{"async": 1, "first_pts": 0})
    sound = sound.filter("atrim", start=f"{start_s:.6f}", end=f"{start_s + span.duration_s:.6f}")
    samples = sound.filter("aformat", channel_layouts="stereo").output("pipe:1", format="s16le", acodec="pcm_s16le")
    global_options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "quiet", *memory_options(video.pixels))
    outputs = ffmpeg.merge_outputs(samples, clock_output(source, video)).global_args(*global_options)
    with ffmpeg_process(build_command(outputs, video.path.absolute(), video.ffmpeg.path)) as process:
        assert process.stdout is not None
        while True:
            wait_for_output(process.stdout, video.display_path, limits.stall_timeout_s)
            content = process.stdout.read(_READ_BYTES)
            if not content:
                return
            yield content
