"""The ffmpeg program: find one that is new enough, build its command lines and run it."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import select
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from annotate.errors import DecodingError, FFmpegError

MIN_VERSION = (5, 1)
"""The first release with ``-fps_mode``."""

LIBASS, H264_ENCODER = "ass", "libx264"
"""The filter that draws subtitles into frames, and the encoder of the result."""

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi,mpeg,mpegvideo,flv,live_flv,asf,asf_o,gif,ogg,h264,hevc,m4v,dv,"
    "mjpeg,mxf,mxf_opatom,nut,rm,wtv,ivf,gxf,obu,av1,yuv4mpegpipe,vc1,dirac"
)
"""Demuxers that read video from the one file they are given: no playlists, no scripts, no lists of images."""

PROTOCOLS = "file"

MAX_STREAMS = 256
"""Files with more are refused; a whole television transponder has about a hundred."""

MAX_BLOCK_BYTES = 64_000_000
"""The largest piece of memory ffmpeg may take at once, frames aside: attachments are read into memory whole."""

_MAX_BYTES_PER_PIXEL = 8
_INPUT = "file:INPUT"
_VERSION = re.compile(r"^ffmpeg version (n?(\d+)\.(\d+)\S*|\S+)")
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")
_REINSTALL = "run `pip install --force-reinstall imageio-ffmpeg`"
_TIMEOUT_S = 30
_JOIN_TIMEOUT_S = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FFmpeg:
    """A usable ffmpeg: its path and the version it states."""

    path: str
    version: str

    @cached_property
    def renderer(self) -> Renderer:
        """The ffmpeg that draws into frames where this one decodes; see `find_renderer`."""
        return find_renderer(self)


@dataclass(frozen=True)
class Renderer:
    """An ffmpeg that draws subtitles into frames; ``remark`` says why it is not the one that decodes, if it is not."""

    path: str
    remark: str = ""


def find_ffmpeg() -> FFmpeg:
    """Return the system's ffmpeg if it is new enough, else the one that imageio-ffmpeg installs; each is started once.

    Raises:
        FFmpegError: there is neither.
    """
    rejected = []
    for path in (shutil.which("ffmpeg"), _bundled()):
        if path is None:
            continue
        version = _version(path)
        if version is None:
            rejected.append(f"{path} does not run")
        elif not _is_new_enough(version):
            rejected.append(f"{path} is version {version}")
        else:
            logger.info("using ffmpeg %s at %s", version, path)
            return FFmpeg(path, version)
    needed, found = ".".join(map(str, MIN_VERSION)), "; ".join(rejected) or "none was found"
    raise FFmpegError(f"ffmpeg {needed} or newer is needed, but {found}", f"install it, or {_REINSTALL}")


def find_renderer(usual: FFmpeg) -> Renderer:
    """Return ``usual`` if it has libass and libx264, else the ffmpeg that imageio-ffmpeg installs if that has.

    Raises:
        FFmpegError: there is none that has both.
    """
    rejected: list[str] = []
    for path in dict.fromkeys((usual.path, _bundled())):
        if path is None:
            continue
        missing = _missing_for_rendering(path)
        if missing:
            rejected.append(f"{path} lacks {missing}")
        elif rejected:
            remark = "without which no boxes are drawn; using the one that imageio-ffmpeg brings"
            return Renderer(path, f"{'; '.join(rejected)}, {remark}, {path}")
        else:
            return Renderer(path)
    remedy = f"install an ffmpeg that was built with libass and libx264, or {_REINSTALL}"
    raise FFmpegError("; ".join(rejected), remedy)


def open_input(**options: Any) -> Any:
    """Return ffmpeg-python's input, restricted to `CONTAINERS` and `PROTOCOLS`; `command_line` puts in the file.

    The white lists must stand before ``-i``, where ffmpeg-python puts an input's options.
    """
    return ffmpeg.input(
        _INPUT, format_whitelist=CONTAINERS, protocol_whitelist=PROTOCOLS, max_streams=MAX_STREAMS, **options
    )


def memory_options(pixels: int = 0) -> tuple[str, str]:
    """Return global options by which ffmpeg takes no piece of memory larger than frames of ``pixels`` pixels need.

    >>> memory_options(1920 * 1080)
    ('-max_alloc', '80588800')
    """
    return "-max_alloc", str(MAX_BLOCK_BYTES + _MAX_BYTES_PER_PIXEL * pixels)


def command_line(outputs: Any, path: Path, program: str) -> list[str]:
    """Return the arguments by which ``program`` makes ffmpeg-python's ``outputs`` of the local file ``path``.

    The name is put in at the end, since ffmpeg-python takes none that is not UTF-8; ``file:`` keeps names like
    ``a:b.mp4`` or ``-x.mp4`` from being read as anything but names.
    """
    command = outputs.compile(cmd=program)
    return [f"file:{path}" if argument == _INPUT else argument for argument in command]


def run_to_end(command: Sequence[str], timeout_s: float = _TIMEOUT_S) -> subprocess.CompletedProcess[bytes]:
    """Run ``command``, which answers soon, and return its exit status and what it wrote.

    Raises:
        FFmpegError: the program is gone since it was found.
        subprocess.TimeoutExpired: it took longer than that.
    """
    with _translate_spawn_error(command):
        return subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            timeout=timeout_s,
            check=False,
        )


@contextlib.contextmanager
def ffmpeg_process(
    command: Sequence[str],
    read_stderr: Callable[[IO[bytes]], None] | None = None,
    *,
    folder: Path | None = None,
    inherited: tuple[int, ...] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` in ``folder`` while the block lasts, which is to read its standard output.

    A session of its own keeps a Ctrl-C in the terminal from looking like the end of the video. ``read_stderr`` reads the
    standard error to its end, in a thread, since a full pipe would stop the program; without it that is discarded.
    ``inherited`` are descriptors that the program may use.

    Raises:
        FFmpegError: the program is gone since it was found.
    """
    with _translate_spawn_error(command):
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if read_stderr is None else subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pass_fds=inherited,
        )
    reader = None
    if read_stderr is not None:
        reader = threading.Thread(target=read_stderr, args=(process.stderr,), daemon=True)
        reader.start()
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if reader is not None:
            reader.join(_JOIN_TIMEOUT_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for_output(pipe: IO[bytes], name: object, stall_timeout_s: float, option: str = " (--stall-timeout)") -> None:
    """Return when there is something to read about the video called ``name``, or the pipe has come to its end.

    ``option`` is what allows for more time, where there is one.

    Raises:
        DecodingError: nothing came for ``stall_timeout_s``.
    """
    if os.name == "posix" and not select.select([pipe], [], [], stall_timeout_s)[0]:
        problem = f"the decoder gave nothing for {stall_timeout_s:g} s and was ended"
        raise DecodingError(problem, f"the file is damaged, or its disk slow{option}", path=name)


def plain_line(line: str, path: Path, shown_as: object) -> str:
    """Return a line of ffmpeg's with ``shown_as`` where it names ``path``, less memory addresses, which differ in every run.

    >>> plain_line("[h264 @ 0x55e0c0] /tmp/copy.mp4: no frame!", Path("/tmp/copy.mp4"), "s3://archive/a.mp4")
    '[h264] s3://archive/a.mp4: no frame!'
    """
    return _ADDRESS.sub("", line.strip()).replace(str(path), str(shown_as))


@contextlib.contextmanager
def _translate_spawn_error(command: Sequence[str]) -> Iterator[None]:
    """Raise `FFmpegError` if ``command`` does not start: its program may be gone since it was found, as runs take days."""
    try:
        yield
    except OSError as error:
        problem = f"cannot be started any more ({error.strerror})"
        raise FFmpegError(problem, "install it and run again", path=command[0]) from None


def _bundled() -> str | None:
    """Return the path of the ffmpeg that imageio-ffmpeg installs, if it did."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


def _stdout(command: Sequence[str]) -> str | None:
    """Return what a command writes to its standard output; None if it does not start or fails."""
    try:
        answer = run_to_end(command)
    except (FFmpegError, subprocess.SubprocessError):
        return None
    return None if answer.returncode else answer.stdout.decode("utf-8", "replace")


def _version(path: str) -> str | None:
    match = _VERSION.match(_stdout([path, "-version"]) or "")
    return match[1] if match else None


def _is_new_enough(version: str) -> bool:
    """Return whether a version will do. Builds from development branches state no number; they are taken as new."""
    match = re.match(r"n?(\d+)\.(\d+)", version)
    return match is None or (int(match[1]), int(match[2])) >= MIN_VERSION


def _missing_for_rendering(path: str) -> str:
    """Return which of libass and libx264 an ffmpeg lacks, in words; empty if none."""
    lists = (("-filters", LIBASS, "libass"), ("-encoders", H264_ENCODER, "libx264"))
    missing = []
    for option, name, library in lists:
        listed = _stdout([path, "-hide_banner", option]) or ""
        if not re.search(rf"^ \S+\s+{name}\s", listed, re.MULTILINE):
            missing.append(library)
    return " and ".join(missing)
