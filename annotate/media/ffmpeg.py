"""The ffmpeg program: find one that is new enough, build its command lines and run it."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import select
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from annotate.errors import DecodingError, FFmpegError

MIN_VERSION = (5, 1)
"""The first release with ``-fps_mode``."""

LIBASS, H264_ENCODER = "ass", "libx264"
"""The filter that draws subtitles into pictures, and the encoder of the result."""

_VERSION = re.compile(r"^ffmpeg version (n?(\d+)\.(\d+)\S*|\S+)")
_TIMEOUT_S = 30

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FFmpeg:
    """A usable ffmpeg: its path and the version it states."""

    path: str
    version: str


@functools.cache
def find_ffmpeg() -> FFmpeg:
    """The system's ffmpeg if it is new enough, else the one that imageio-ffmpeg installs.

    Raises:
        FFmpegError: there is neither.
    """
    found = []
    system = shutil.which("ffmpeg")
    for path in (system, _bundled()):
        if path is None:
            continue
        version = _version(path)
        if version is None:
            found.append(f"{path} does not run")
        elif not _is_new_enough(version):
            found.append(f"{path} is version {version}")
        else:
            logger.info("using ffmpeg %s at %s", version, path)
            return FFmpeg(path, version)
    needed = ".".join(map(str, MIN_VERSION))
    trouble = "; ".join(found) or "none was found"
    raise FFmpegError(
        f"ffmpeg {needed} or newer is needed, but {trouble}: install it, "
        "or run `pip install --force-reinstall imageio-ffmpeg`"
    )


@dataclass(frozen=True)
class Renderer:
    """An ffmpeg that draws subtitles into pictures; ``remark`` says why it is not the one that is used otherwise, if so."""

    path: str
    remark: str = ""


@functools.cache
def find_renderer() -> Renderer:
    """The ffmpeg of `find_ffmpeg` if it has libass and libx264, else the one that imageio-ffmpeg installs if that has.

    Raises:
        FFmpegError: there is none that has both.
    """
    usual = find_ffmpeg().path
    trouble: list[str] = []
    for path in dict.fromkeys((usual, _bundled())):
        if path is None:
            continue
        missing = _missing_for_rendering(path)
        if not missing:
            found = (
                f"{'; '.join(trouble)}, without which no boxes are drawn; using the one that imageio-ffmpeg brings, {path}"
            )
            return Renderer(path, found if trouble else "")
        trouble.append(f"{path} lacks {missing}")
    raise FFmpegError(
        f"{'; '.join(trouble)}: install an ffmpeg that was built with libass and libx264, "
        "or run `pip install --force-reinstall imageio-ffmpeg`"
    )


def _missing_for_rendering(path: str) -> str:
    """Which of libass and libx264 an ffmpeg lacks, in words; empty if none."""
    lists = (("-filters", LIBASS, "libass"), ("-encoders", H264_ENCODER, "libx264"))
    missing = []
    for option, name, library in lists:
        try:
            answer = subprocess.run(  # noqa: S603
                [path, "-hide_banner", option],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
            listed = answer.stdout.decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError):
            listed = ""
        if not re.search(rf"^ \S+\s+{name}\s", listed, re.MULTILINE):
            missing.append(library)
    return " and ".join(missing)


@contextlib.contextmanager
def runnable(command: Sequence[str]) -> Iterator[None]:
    """Around the start of ``command``, whose program may be gone since it was found: runs take days.

    Raises:
        FFmpegError: it does not start.
    """
    try:
        yield
    except OSError as error:
        raise FFmpegError(f"{command[0]}: cannot be started any more ({error.strerror}); install it and run again") from None


def _bundled() -> str | None:
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


def _version(path: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603
            [path, "-version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.match(answer.stdout.decode("utf-8", "replace"))
    return match[1] if match else None


def _is_new_enough(version: str) -> bool:
    """Builds from development branches state no number; they are taken as new."""
    match = re.match(r"n?(\d+)\.(\d+)", version)
    return match is None or (int(match[1]), int(match[2])) >= MIN_VERSION


CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi,mpeg,mpegvideo,flv,live_flv,asf,asf_o,gif,ogg,h264,hevc,m4v,dv,"
    "mjpeg,mxf,mxf_opatom,nut,rm,wtv,ivf,gxf,obu,av1,yuv4mpegpipe,vc1,dirac"
)
"""Demuxers that read pictures from the one file they are given: no playlists, no scripts, no lists of pictures."""

PROTOCOLS = "file"

MAX_STREAMS = 256
"""Files with more are refused; a whole television transponder has about a hundred."""

MAX_BLOCK_BYTES = 64_000_000
"""The largest piece of memory ffmpeg may take at once, pictures aside: attachments are read into memory whole."""

_MAX_BYTES_PER_PIXEL = 8

_INPUT = "file:INPUT"

_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")


def open_input(**options: Any) -> Any:
    """ffmpeg-python's input, restricted to the containers and protocols above; `command_line` says which file it is.

    The white lists must stand before ``-i``, where ffmpeg-python puts an input's options.
    """
    return ffmpeg.input(
        _INPUT, format_whitelist=CONTAINERS, protocol_whitelist=PROTOCOLS, max_streams=MAX_STREAMS, **options
    )


def memory_options(pixels: int = 0) -> tuple[str, str]:
    """Global options by which ffmpeg takes no piece of memory larger than pictures of ``pixels`` pixels need.

    >>> memory_options(1920 * 1080)
    ('-max_alloc', '80588800')
    """
    return "-max_alloc", str(MAX_BLOCK_BYTES + _MAX_BYTES_PER_PIXEL * pixels)


def command_line(outputs: Any, path: Path, program: str = "") -> list[str]:
    """The arguments that run ffmpeg-python's ``outputs`` on the local file ``path``, by the ffmpeg at ``program`` if given.

    The name is put in at the end, since ffmpeg-python takes none that is not UTF-8; ``file:`` keeps names like
    ``a:b.mp4`` or ``-x.mp4`` from being read as anything but names.

    Raises:
        FFmpegError: there is no usable ffmpeg.
    """
    command = outputs.compile(cmd=program or find_ffmpeg().path)
    return [f"file:{path}" if argument == _INPUT else argument for argument in command]


def without_addresses(line: str) -> str:
    """A line of ffmpeg's, without the memory addresses that differ from run to run.

    >>> without_addresses("[h264 @ 0x55e0c0] no frame!")
    '[h264] no frame!'
    """
    return _ADDRESS.sub("", line.strip())


_JOIN_TIMEOUT_S = 5


@contextlib.contextmanager
def working(
    command: Sequence[str],
    complaints: Callable[[IO[bytes]], None] | None = None,
    *,
    folder: Path | None = None,
    inherited: tuple[int, ...] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs ``command`` while the block lasts, whose standard output is to be read there.

    A session of its own keeps a Ctrl-C in the terminal from looking like the end of the video. ``complaints`` reads the
    standard error to its end, in a thread, since a full pipe would stop the program; without it nobody hears them.
    ``folder`` is where it runs, ``inherited`` are descriptors that it may use.

    Raises:
        FFmpegError: the program is gone since it was found.
    """
    with runnable(command):
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if complaints is None else subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pass_fds=inherited,
        )
    listener = None
    if complaints is not None:
        listener = threading.Thread(target=complaints, args=(process.stderr,), daemon=True)
        listener.start()
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if listener is not None:
            listener.join(_JOIN_TIMEOUT_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for_output(pipe: IO[bytes], path: Path, stall_timeout_s: float, option: str = " (--stall-timeout)") -> None:
    """Returns when there is something to read about the video at ``path``, or the pipe has come to its end.

    ``option`` is what allows for more, where there is one.

    Raises:
        DecodingError: nothing came for so many seconds.
    """
    if os.name == "posix" and not select.select([pipe], [], [], stall_timeout_s)[0]:
        raise DecodingError(
            f"{path}: the decoder gave nothing for {stall_timeout_s:g} s and was ended; "
            f"the file is damaged, or its disk slow{option}"
        )
