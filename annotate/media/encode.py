"""Write rendered videos (subtitles drawn into frames, or added as tracks) and browser proxies.

Each is written to an otherwise empty folder, in which ffmpeg runs, so that filter options contain no file names of users.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ffmpeg

from annotate.errors import DecodingError, OutputError
from annotate.media.containers import COPY, MATROSKA, MP4, codec_option, is_kept_when_burning, subtitle_encoder
from annotate.media.decode import MediaProgress
from annotate.media.decoding_command import clock_output, deinterlace, shift_clock, shown_part
from annotate.media.decoding_report import DecodingReport, collect_warnings
from annotate.media.ffmpeg import (
    H264_ENCODER,
    LIBASS,
    LOG_LEVEL,
    PROTOCOLS,
    build_command,
    ffmpeg_process,
    memory_options,
    restricted_input,
    wait_for_output,
)
from annotate.media.probe import Stream, Video
from annotate.settings import ONE_CORE, Limits

FONT = "DejaVu Sans"
"""The font of subtitles. A subset is included, since libass draws nothing, not even boxes, without a font."""

_FONTS = Path(__file__).parent / "fonts"
_TICKS_PER_S = 720_000
"""The encoder's time base: a common multiple of usual time bases and frame rates, so that times stay exact."""

QUALITY, PRESET = 18, "medium"
"""libx264's constant rate factor for visually lossless frames, and its default preset."""

_PROXY_QUALITY, _PROXY_PRESET, _PROXY_LONG_SIDE_PX = 23, "veryfast", 1920

_ENCODER_THREADS = 4
"""Fixed, since the frames that libx264 writes depend on its number of threads, and must not depend on the machine."""

AUDIO_CODEC, AUDIO_BITRATE = "aac", "192k"
_READ_BYTES = 1 << 16
STRICTLY_INCREASING = "if(isnan(PREV_OUTPTS),PTS,max(PTS,PREV_OUTPTS+1))"
"""setpts expression: of two frames with the same time the second comes a tick later, as in decoding for analysis."""

_PROGRESS_OUTPUT = {"format": "framecrc", "flush_packets": 1}
"""ffmpeg writes a line per frame to a pipe, so that it exits when the reading process has died."""

_TIME_BASE, _STAMP = re.compile(rb"#tb 0: (\d+)/(\d+)"), re.compile(rb"\d+, *(-?\d+),")
_NO_SPACE = "No space left on device"


@dataclass(frozen=True)
class Subtitles:
    """A subtitle track to add: its text, format (``kind``: ``srt`` or ``ass``), language (ISO 639-2) and title."""

    text: str
    kind: str
    language: str
    title: str


def burn(
    video: Video,
    ass_track: str | None,
    target: Path,
    *,
    changes_size: bool = False,
    limits: Limits = ONE_CORE,
    progress: MediaProgress | None = None,
) -> DecodingReport:
    """Write the video to ``target``, with the text of an ASS track, if given, drawn into the frames.

    ``target`` is .mp4 or .mkv, in an empty folder. Frames are encoded as H.264 and keep their resolution, pixel shape and
    times; they are upright, and interlaced ones are deinterlaced. With ``changes_size``, frames of another shape get black
    bars, since those of a file have one size. Audio, subtitles, chapters and metadata are copied where the container
    supports them; other audio is encoded as AAC. Return the decoder's warnings.

    Raises:
        DecodingError: the video cannot be decoded to its end, or the decoder hung.
        OutputError: the disk is full.
        FFmpegError: no ffmpeg with libass and libx264 was found.
    """
    renderer = video.ffmpeg.renderer
    container = target.suffix[1:]
    source, chain = _open(video, limits)
    if ass_track is not None:
        chain = draw_track(chain, video, ass_track, target.parent, video.zero_s)
    if changes_size:
        chain = chain.filter("scale", video.width_px, video.height_px, force_original_aspect_ratio="decrease")
        chain = chain.filter("pad", video.width_px, video.height_px, "(ow-iw)/2", "(oh-ih)/2")
    is_odd = (video.width_px | video.height_px) & 1
    halves = chain.filter("format", "yuv444p" if is_odd else "yuv420p").split()
    kept = [stream for stream in video.streams if is_kept_when_burning(stream, container)]
    options: dict[str, Any] = {
        **h264_options(QUALITY, PRESET),
        "c:t": COPY,
        **codec_options(kept, container),
    }
    rendered = ffmpeg.output(
        halves[0], *(source[str(stream.index)] for stream in kept), str(target.name), **options, **muxer_options(container)
    )
    outputs = ffmpeg.merge_outputs(rendered, clock_output(source, video), frame_progress(halves[1]))
    return write_outputs(outputs, video, target, renderer.path, limits, progress)


def _open(video: Video, limits: Limits) -> tuple[Any, Any]:
    """Return the input, and its frames with strictly increasing times."""
    source = restricted_input(threads=limits.threads, max_pixels=limits.max_pixels)
    return source, deinterlace(shown_part(source, video), video).filter("setpts", STRICTLY_INCREASING)


def h264_options(quality: int, preset: str) -> dict[str, Any]:
    """Return the options that encode frames as H.264 without changing their times."""
    return {
        "c:v": H264_ENCODER,
        "crf": quality,
        "preset": preset,
        "threads:v": _ENCODER_THREADS,
        "fps_mode": "passthrough",
        "enc_time_base:v": f"1:{_TICKS_PER_S}",
    }


def frame_progress(frames: Any) -> Any:
    """Return an output of one line per frame; frames are passed to it by reference."""
    return frames.output("pipe:1", vcodec="wrapped_avframe", fps_mode="passthrough", **_PROGRESS_OUTPUT)


def packet_progress(source: Any, video: Video) -> Any:
    """Return an output of one line per packet of the video stream of an input."""
    return ffmpeg.output(source[str(video.stream)], "pipe:1", codec=COPY, **_PROGRESS_OUTPUT)


def draw_track(chain: Any, video: Video, ass_track: str, folder: Path, zero_s: float) -> Any:
    """Add the drawing of a track to a filter chain; write the files that it needs to ``folder``.

    The clock of the track is zero at the time ``zero_s`` of the chain.
    """
    (folder / "track.ass").write_text(ass_track, encoding="utf-8")
    shutil.copytree(_FONTS, folder / "fonts", copy_function=shutil.copyfile)
    size = f"{video.width_px}x{video.height_px}"
    chain = shift_clock(chain, -zero_s).filter(LIBASS, filename="track.ass", fontsdir="fonts", original_size=size)
    return shift_clock(chain, zero_s)


def mux(
    video: Video,
    tracks: Sequence[Subtitles],
    target: Path,
    *,
    limits: Limits = ONE_CORE,
    progress: MediaProgress | None = None,
) -> DecodingReport:
    """Write the video's streams, copied, and subtitle ``tracks`` to ``target``, .mp4 or .mkv in an empty folder.

    Streams that the container does not support are dropped (see `annotate.media.containers`). Players show the first of
    ``tracks`` by default if the video has no subtitles. Return ffmpeg's warnings.

    Raises:
        DecodingError: the video cannot be read to its end, or the container does not support its streams.
        OutputError: the disk is full.
        FFmpegError: ffmpeg could not be started.
    """
    container = target.suffix[1:]
    source = restricted_input(fflags="+genpts", max_pixels=limits.max_pixels)
    kept = [stream for stream in video.streams if codec_option(stream, container)]
    options: dict[str, Any] = {"c": COPY, **codec_options(kept, container)}
    added, metadata = [], []
    first = sum(stream.kind == "subtitle" for stream in kept)
    for number, track in enumerate(tracks, first):
        name = f"track{number}.{track.kind}"
        (target.parent / name).write_text(track.text, encoding="utf-8")
        added.append(ffmpeg.input(f"file:{name}", format=track.kind, protocol_whitelist=PROTOCOLS)["s"])
        options[f"c:s:{number}"] = subtitle_encoder(container) if track.kind == "srt" else COPY
        for name, value in (("language", track.language), ("title", track.title), ("handler_name", track.title)):
            metadata += [f"-metadata:s:s:{number}", f"{name}={value}"]
        options[f"disposition:s:{number}"] = "default" if number == 0 else "0"
    streams = [source[str(stream.index)] for stream in kept]
    muxed = ffmpeg.output(*streams, *added, str(target.name), **options, **muxer_options(container))
    outputs = ffmpeg.merge_outputs(muxed, packet_progress(source, video))
    return write_outputs(outputs, video, target, video.ffmpeg.path, limits, progress, metadata)


def muxer_options(container: str) -> dict[str, Any]:
    """Return the options of all written files, which are the same to the byte in every run."""
    muxer = {MP4: {"format": "mp4", "movflags": "+faststart"}, MATROSKA: {"format": "matroska"}}[container]
    return {"map_metadata": 0, "fflags": "+bitexact", "max_muxing_queue_size": 9999, **muxer}


def codec_options(streams: Sequence[Stream], container: str) -> dict[str, Any]:
    """Return the codec options of all audio and subtitle streams."""
    options: dict[str, Any] = {}
    for kind, letter in (("audio", "a"), ("subtitle", "s")):
        for number, stream in enumerate(stream for stream in streams if stream.kind == kind):
            codec = codec_option(stream, container)
            options[f"c:{letter}:{number}"] = codec or AUDIO_CODEC
            if not codec:
                options[f"b:{letter}:{number}"] = AUDIO_BITRATE
    return options


def write_outputs(
    outputs: Any,
    video: Video,
    target: Path,
    program: str,
    limits: Limits,
    progress: MediaProgress | None = None,
    metadata: Sequence[str] = (),
) -> DecodingReport:
    """Run the ffmpeg ``program`` in the target's folder until it ends; call ``progress`` with the seconds done so far.

    One of ``outputs`` is `frame_progress` or `packet_progress`, by which an ffmpeg that hangs is known.
    ``metadata`` are further options of the target; they repeat options, which ffmpeg-python does not support.

    Raises:
        DecodingError: it failed, or wrote no line of progress for the time of ``limits``.
        OutputError: the disk is full.
    """
    options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", LOG_LEVEL, "-y")
    outputs = outputs.global_args(*options, *memory_options(video.pixels))
    source = video.path.absolute()
    command = build_command(outputs, source, program)
    before_target = command.index(target.name)
    command[before_target:before_target] = metadata
    report = DecodingReport()
    read_stderr = functools.partial(collect_warnings, report=report, video=video, path=source)
    with ffmpeg_process(command, read_stderr, folder=target.parent) as process:
        assert process.stdout is not None
        for done_s in _read_progress(process.stdout, video, limits.stall_timeout_s):
            if progress is not None:
                progress(done_s)
        process.wait()
    if process.returncode:
        raise encoding_error(video, target, report, process.returncode)
    return report


def _read_progress(pipe: IO[bytes], video: Video, stall_timeout_s: float) -> Iterator[float]:
    """Yield the seconds of video done so far, from framecrc lines: the time base, then stream, dts, pts per frame."""
    tick_s, rest = 0.0, b""
    while True:
        wait_for_output(pipe, video.display_path, stall_timeout_s)
        read = pipe.read(_READ_BYTES)
        if not read:
            return
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            if match := _TIME_BASE.match(line):
                tick_s = int(match[1]) / int(match[2])
        if lines and (match := _STAMP.match(lines[-1])):
            yield max(0.0, int(match[1]) * tick_s)


def encoding_error(video: Video, target: Path, report: DecodingReport, status: int) -> DecodingError | OutputError:
    """Return the error for an ffmpeg that ended with a status other than 0."""
    if any(_NO_SPACE in line for line in report.warnings):
        return OutputError(f"cannot be written ({_NO_SPACE})", "free disk space and run it again", path=target.parent.parent)
    cause = next(iter(report.warnings), f"ffmpeg exited with status {status}").replace("\n", " ")
    problem = f"ffmpeg could not process the whole video ({cause})"
    return DecodingError(problem, "check whether the file is damaged", path=video.display_path)


def make_proxy(
    video: Video, target: Path, *, limits: Limits = ONE_CORE, progress: MediaProgress | None = None
) -> DecodingReport:
    """Write a version of the video that every browser plays to ``target``, .mp4 in an empty folder.

    Frames keep their times and are H.264 in 4:2:0 with square pixels, upright, deinterlaced where interlaced, with even
    sides and at most 1920 pixels along the longer one. The first audio stream becomes AAC in stereo. Raises the errors of
    `burn`.
    """
    renderer = video.ffmpeg.renderer
    source, chain = _open(video, limits)
    chain = chain.filter("scale", *proxy_size_px(video)).filter("setsar", 1)
    halves = chain.filter("format", "yuv420p").split()
    audio = [stream for stream in video.streams if stream.kind == "audio"][:1]
    options: dict[str, Any] = {
        **h264_options(_PROXY_QUALITY, _PROXY_PRESET),
        **({"c:a": AUDIO_CODEC, "b:a": AUDIO_BITRATE, "ac": 2} if audio else {}),
    }
    proxy = ffmpeg.output(
        halves[0], *(source[str(stream.index)] for stream in audio), str(target.name), **options, **muxer_options(MP4)
    )
    outputs = ffmpeg.merge_outputs(proxy, frame_progress(halves[1]))
    return write_outputs(outputs, video, target, renderer.path, limits, progress)


def proxy_size_px(video: Video) -> tuple[int, int]:
    """Return width and height of a proxy's frames.

    >>> proxy_size_px(Video(Path("a.avi"), 0, 3840, 2160, None, None))
    (1920, 1080)
    >>> proxy_size_px(Video(Path("a.avi"), 0, 161, 121, None, None))
    (160, 120)
    """
    factor = min(1.0, _PROXY_LONG_SIDE_PX / max(video.width_px, video.height_px))
    width, height = (max(2, int(side * factor) // 2 * 2) for side in (video.width_px, video.height_px))
    return width, height
