"""Rendered videos: with subtitles drawn into the frames, with tracks of subtitles beside them, or for browsers to play.

All are written to a folder that is empty but for them, where ffmpeg runs, so that no file name of a user's stands in the
options of a filter.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ffmpeg

from annotate.errors import DecodingError, OutputError
from annotate.media.containers import COPY, MATROSKA, MP4, coding, is_kept_in_burning, text_codec
from annotate.media.decode import DecodingReport, collect_warnings, deinterlaced
from annotate.media.ffmpeg import (
    H264_ENCODER,
    LIBASS,
    PROTOCOLS,
    command_line,
    ffmpeg_process,
    memory_options,
    open_input,
    wait_for_output,
)
from annotate.media.probe import Stream, Video
from annotate.settings import ONE_CORE, Limits

FONT = "DejaVu Sans"
"""The font of subtitles; a part of it comes with the program, since without any font libass draws nothing, no box either."""

Progress = Callable[[float], None]
"""Called with the seconds of video done so far."""

_FONTS = Path(__file__).parent / "fonts"
_CLOCK_PER_S = 720_000
"""Ticks of the encoder's clock: a common multiple of usual containers' ones and frame rates, so that no time is rounded."""

_QUALITY, _PRESET = 18, "medium"
"""libx264's constant rate factor at which hardly anybody sees a difference, and its usual preset."""

_PROXY_QUALITY, _PROXY_PRESET, _PROXY_LONG_SIDE_PX = 23, "veryfast", 1920

_ENCODER_THREADS = 4
"""The same everywhere: with another number libx264 gives other frames, and a result is not to depend on the machine."""

_SOUND_CODEC, _SOUND_RATE = "aac", "192k"
_READ_BYTES = 1 << 16
_LATER = "if(isnan(PREV_OUTPTS),PTS,max(PTS,PREV_OUTPTS+1))"
"""Times of frames; of two at one time the second comes a tick later, as when frames are analyzed."""

_PROGRESS_OUTPUT = {"format": "framecrc", "flush_packets": 1}
"""ffmpeg writes a line per frame to a pipe, so that it ends if nobody is left at the other end."""

_TIME_BASE, _STAMP = re.compile(rb"#tb 0: (\d+)/(\d+)"), re.compile(rb"\d+, *(-?\d+),")
_NO_SPACE = "No space left on device"


@dataclass(frozen=True)
class Subtitles:
    """A track to be added: its text, its kind (``srt`` or ``ass``), language (ISO 639-2) and title."""

    text: str
    kind: str
    language: str
    title: str


def burn(
    video: Video, substation: str | None, target: Path, *, limits: Limits = ONE_CORE, progress: Progress | None = None
) -> DecodingReport:
    """Write ``target``, .mp4 or .mkv, the only file in its folder: the video with an ASS track, if any, drawn into it.

    Frames are encoded as H.264 and keep their resolution, shape and times; they are upright, and deinterlaced where they
    are interlaced. Sound, subtitles, chapters and metadata are kept: copied if the container takes them, sound that it does
    not take as AAC. Warnings of the decoder are returned.

    Raises:
        DecodingError: the video cannot be decoded to its end, or the decoder hung.
        OutputError: there is no space left.
        FFmpegError: there is no ffmpeg with libass and libx264.
    """
    renderer = video.ffmpeg.renderer
    container = target.suffix[1:]
    source, chain = _opened(video, limits)
    if substation is not None:
        chain = _drawn_into(chain, video, substation, target.parent)
    odd = (video.width_px | video.height_px) & 1
    halves = chain.filter("format", "yuv444p" if odd else "yuv420p").split()
    kept = [stream for stream in video.streams if is_kept_in_burning(stream, container)]
    options: dict[str, Any] = {
        **_encoding(_QUALITY, _PRESET),
        "c:t": COPY,
        **_codings(kept, container),
    }
    rendered = ffmpeg.output(
        halves[0], *(source[str(stream.index)] for stream in kept), str(target.name), **options, **_common(container)
    )
    clock = ffmpeg.output(source["v"], source["a?"], "pipe:2", format="null", codec="copy")
    outputs = ffmpeg.merge_outputs(rendered, clock, _progress_output(halves[1]))
    return _run(outputs, video, target, renderer.path, limits, progress)


def _opened(video: Video, limits: Limits) -> tuple[Any, Any]:
    """Return an input, and its frames at the times at which they are shown."""
    source = open_input(threads=limits.threads, max_pixels=limits.max_pixels)
    return source, deinterlaced(source, video).filter("setpts", _LATER)


def _encoding(quality: int, preset: str) -> dict[str, Any]:
    """Return options by which frames become H.264, and keep their times."""
    return {
        "c:v": H264_ENCODER,
        "crf": quality,
        "preset": preset,
        "threads:v": _ENCODER_THREADS,
        "fps_mode": "passthrough",
        "enc_time_base:v": f"1:{_CLOCK_PER_S}",
    }


def _progress_output(frames: Any) -> Any:
    """Return an output with a line for each frame, which it gets by reference."""
    return frames.output("pipe:1", vcodec="wrapped_avframe", fps_mode="passthrough", **_PROGRESS_OUTPUT)


def _drawn_into(chain: Any, video: Video, substation: str, folder: Path) -> Any:
    """Return a chain of filters that ends with the drawing of a track, whose files are put into the folder."""
    (folder / "track.ass").write_text(substation, encoding="utf-8")
    shutil.copytree(_FONTS, folder / "fonts", copy_function=shutil.copyfile)
    shape = f"{video.width_px}x{video.height_px}"
    return chain.filter(LIBASS, filename="track.ass", fontsdir="fonts", original_size=shape)


def mux(
    video: Video,
    tracks: Sequence[Subtitles],
    target: Path,
    *,
    limits: Limits = ONE_CORE,
    progress: Progress | None = None,
) -> DecodingReport:
    """Write ``target``, .mp4 or .mkv, the only file in its folder: the video's streams as they are, and ``tracks``.

    Streams that the container does not take are left out (see `annotate.media.containers`). The first of the tracks is
    shown by itself if the video has no subtitles.

    Raises:
        DecodingError: the video cannot be read to its end, or the container does not take its streams.
        OutputError: there is no space left.
        FFmpegError: ffmpeg is gone since it was found.
    """
    container = target.suffix[1:]
    source = open_input(fflags="+genpts", max_pixels=limits.max_pixels)
    kept = [stream for stream in video.streams if coding(stream, container)]
    options: dict[str, Any] = {"c": COPY, **_codings(kept, container)}
    further, metadata = [], []
    first = sum(stream.kind == "subtitle" for stream in kept)
    for number, track in enumerate(tracks, first):
        name = f"track{number}.{track.kind}"
        (target.parent / name).write_text(track.text, encoding="utf-8")
        further.append(ffmpeg.input(f"file:{name}", format=track.kind, protocol_whitelist=PROTOCOLS)["s"])
        options[f"c:s:{number}"] = text_codec(container) if track.kind == "srt" else COPY
        for name, value in (("language", track.language), ("title", track.title), ("handler_name", track.title)):
            metadata += [f"-metadata:s:s:{number}", f"{name}={value}"]
        options[f"disposition:s:{number}"] = "default" if number == 0 else "0"
    streams = [source[str(stream.index)] for stream in kept]
    muxed = ffmpeg.output(*streams, *further, str(target.name), **options, **_common(container))
    done = ffmpeg.output(source[str(video.stream)], "pipe:1", codec=COPY, **_PROGRESS_OUTPUT)
    return _run(ffmpeg.merge_outputs(muxed, done), video, target, video.ffmpeg.path, limits, progress, metadata)


def _common(container: str) -> dict[str, Any]:
    """Return options of all rendered videos: nothing in them differs from one run to the next."""
    muxer = {MP4: {"format": "mp4", "movflags": "+faststart"}, MATROSKA: {"format": "matroska"}}[container]
    return {"map_metadata": 0, "fflags": "+bitexact", "max_muxing_queue_size": 9999, **muxer}


def _codings(streams: Sequence[Stream], container: str) -> dict[str, Any]:
    """Return an option for every stream of sound or subtitles."""
    options: dict[str, Any] = {}
    for kind, letter in (("audio", "a"), ("subtitle", "s")):
        for number, stream in enumerate(stream for stream in streams if stream.kind == kind):
            how = coding(stream, container)
            options[f"c:{letter}:{number}"] = how or _SOUND_CODEC
            if not how:
                options[f"b:{letter}:{number}"] = _SOUND_RATE
    return options


def _run(
    outputs: Any,
    video: Video,
    target: Path,
    program: str,
    limits: Limits,
    progress: Progress | None,
    metadata: Sequence[str] = (),
) -> DecodingReport:
    """Run ffmpeg in the target's folder until it ends, and call ``progress`` with the seconds that are done.

    ``metadata`` are further options of the target, which may stand there more than once: ffmpeg-python takes each once.
    """
    options = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+error", "-y")
    outputs = outputs.global_args(*options, *memory_options(video.pixels))
    source = video.path.absolute()
    command = command_line(outputs, source, program)
    place = command.index(target.name)
    command[place:place] = metadata
    report = DecodingReport()
    read_stderr = functools.partial(collect_warnings, report=report, video=video, path=source)
    with ffmpeg_process(command, read_stderr, folder=target.parent) as process:
        assert process.stdout is not None
        for done_s in _times(process.stdout, video, limits.stall_timeout_s):
            if progress is not None:
                progress(done_s)
        process.wait()
    if process.returncode:
        raise _failure(video, target, report, process.returncode)
    return report


def _times(pipe: IO[bytes], video: Video, stall_timeout_s: float) -> Iterator[float]:
    """Yield seconds of video that are done, from lines of framecrc: the time base first, then stream, dts, pts per frame."""
    tick_s, rest = 0.0, b""
    while True:
        wait_for_output(pipe, video.shown_as, stall_timeout_s)
        read = pipe.read(_READ_BYTES)
        if not read:
            return
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            if match := _TIME_BASE.match(line):
                tick_s = int(match[1]) / int(match[2])
        if lines and (match := _STAMP.match(lines[-1])):
            yield max(0.0, int(match[1]) * tick_s)


def _failure(video: Video, target: Path, report: DecodingReport, status: int) -> DecodingError | OutputError:
    if any(_NO_SPACE in line for line in report.warnings):
        return OutputError(f"cannot be written ({_NO_SPACE})", "make room, and run again", path=target.parent.parent)
    reason = next(iter(report.warnings), f"ffmpeg ended with status {status}").replace("\n", " ")
    problem = f"no whole copy could be made ({reason})"
    return DecodingError(problem, "the file is damaged, or holds what ffmpeg cannot copy", path=video.shown_as)


def make_proxy(video: Video, target: Path, *, limits: Limits = ONE_CORE, progress: Progress | None = None) -> DecodingReport:
    """Write ``target``, an .mp4 that every browser plays, the only file in its folder.

    Frames keep their times and shape; they are H.264 in 4:2:0, upright, deinterlaced where they are interlaced, of even
    sides and at most 1920 pixels along the longer one. The first sound is AAC in stereo. Errors as for `burn`.
    """
    renderer = video.ffmpeg.renderer
    source, chain = _opened(video, limits)
    chain = chain.filter("scale", *proxy_size_px(video)).filter("setsar", 1)
    halves = chain.filter("format", "yuv420p").split()
    sounds = [stream for stream in video.streams if stream.kind == "audio"][:1]
    options: dict[str, Any] = {
        **_encoding(_PROXY_QUALITY, _PROXY_PRESET),
        **({"c:a": _SOUND_CODEC, "b:a": _SOUND_RATE, "ac": 2} if sounds else {}),
    }
    proxy = ffmpeg.output(
        halves[0], *(source[str(stream.index)] for stream in sounds), str(target.name), **options, **_common(MP4)
    )
    outputs = ffmpeg.merge_outputs(proxy, _progress_output(halves[1]))
    return _run(outputs, video, target, renderer.path, limits, progress)


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
