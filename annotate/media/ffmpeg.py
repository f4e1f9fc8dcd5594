"""Find an ffmpeg that is new enough, build its command lines and run it."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import select
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from annotate.errors import DecodingError, FFmpegError

MIN_VERSION = (5, 1)
"""The first release with ``-fps_mode``."""

_COPIES_CROPPING = (7, 1)
"""The first release that reads and writes the cropping of containers."""

LIBASS, H264_ENCODER = "ass", "libx264"
"""ffmpeg's names of the filter that draws subtitles and of the encoder, both needed for rendering."""

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi,mpeg,mpegvideo,flv,live_flv,asf,asf_o,gif,ogg,h264,hevc,m4v,dv,"
    "mjpeg,mxf,mxf_opatom,nut,rm,wtv,ivf,gxf,obu,av1,yuv4mpegpipe,vc1,dirac"
)
"""Demuxers that read a single file: no playlists, scripts or image sequences."""

PROTOCOLS = "file"

LOG_LEVEL = "repeat+error"
"""Every line is written, so that those of one component can be counted."""

MAX_STREAMS = 256
"""Maximum number of streams of a file; a whole television transponder has about a hundred."""

MAX_BLOCK_BYTES = 64_000_000
"""Maximum size of one memory allocation of ffmpeg, apart from frames: attachments are read into memory whole."""

_PASSING = re.compile(
    r"Input/output error|No space left|Cannot allocate memory|Stale file handle|Permission denied|No such file"
    r"|Transport endpoint|temporarily unavailable|Too many open files|timed out|Host is down|No such device"
)
"""Messages of ffmpeg about the machine or the disk, not the file."""

_KILLED = (-9, -15)
"""Exit statuses of a process that was ended by SIGKILL or SIGTERM."""

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
    """A usable ffmpeg: its path and its version string."""

    path: str
    version: str

    @property
    def copies_cropping(self) -> bool:
        """Whether copies of a stream keep the cropping that its container states."""
        return _is_at_least(self.version, _COPIES_CROPPING)

    @cached_property
    def renderer(self) -> Renderer:
        """The ffmpeg that draws subtitles into frames when this one decodes; see `find_renderer`."""
        return find_renderer(self)


@dataclass(frozen=True)
class Renderer:
    """An ffmpeg that can draw subtitles into frames; ``remark`` says why the decoding ffmpeg is not used, or is empty."""

    path: str
    remark: str = ""


def find_ffmpeg() -> FFmpeg:
    """Return the ffmpeg on the PATH if it is new enough, else the one of imageio-ffmpeg; run each to get its version.

    Raises:
        FFmpegError: neither is usable.
    """
    rejected = []
    for path in (shutil.which("ffmpeg"), _bundled()):
        if path is None:
            continue
        version = _version(path)
        if version is None:
            rejected.append(f"{path} fails to run")
        elif not _is_at_least(version, MIN_VERSION):
            rejected.append(f"{path} is version {version}")
        else:
            logger.info("using ffmpeg %s at %s", version, path)
            return FFmpeg(path, version)
    required = ".".join(map(str, MIN_VERSION))
    found = f" ({'; '.join(rejected)})" if rejected else ""
    raise FFmpegError(f"no ffmpeg {required} or newer was found{found}", f"install ffmpeg, or {_REINSTALL}")


def find_renderer(decoder: FFmpeg) -> Renderer:
    """Return ``decoder`` if it has libass and libx264, else the ffmpeg of imageio-ffmpeg if that has both.

    Raises:
        FFmpegError: neither has both.
    """
    rejected: list[str] = []
    for path in dict.fromkeys((decoder.path, _bundled())):
        if path is None:
            continue
        missing = _missing_for_rendering(path)
        if missing:
            rejected.append(f"{path} lacks {missing}")
        elif rejected:
            return Renderer(path, f"{'; '.join(rejected)}; rendering with the ffmpeg of imageio-ffmpeg instead ({path})")
        else:
            return Renderer(path)
    remedy = f"install an ffmpeg built with libass and libx264, or {_REINSTALL}"
    raise FFmpegError(f"no ffmpeg can draw subtitles ({'; '.join(rejected)})", remedy)


def restricted_input(**options: Any) -> Any:
    """Return an ffmpeg-python input that is restricted to `CONTAINERS` and `PROTOCOLS`.

    `build_command` inserts the file. The allowlists must precede ``-i``, where ffmpeg-python puts an input's options.
    """
    return ffmpeg.input(
        _INPUT, format_whitelist=CONTAINERS, protocol_whitelist=PROTOCOLS, max_streams=MAX_STREAMS, **options
    )


def memory_options(pixels: int = 0) -> tuple[str, str]:
    """Return global options that limit the size of one memory allocation to what frames of ``pixels`` pixels need.

    >>> memory_options(1920 * 1080)
    ('-max_alloc', '80588800')
    """
    return "-max_alloc", str(MAX_BLOCK_BYTES + _MAX_BYTES_PER_PIXEL * pixels)


def build_command(outputs: Any, path: Path, program: str) -> list[str]:
    """Return the command with which ``program`` makes ffmpeg-python's ``outputs`` from the local file ``path``.

    The path is inserted last, since ffmpeg-python rejects paths that are not UTF-8. The prefix ``file:`` keeps ffmpeg from
    parsing names like ``a:b.mp4`` or ``-x.mp4`` as protocols or options.
    """
    command = outputs.compile(cmd=program)
    return [f"file:{path}" if argument == _INPUT else argument for argument in command]


def run_command(
    command: Sequence[str], timeout_s: float = _TIMEOUT_S, *, folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a short command in ``folder`` to its end, and return its exit status and output.

    Raises:
        FFmpegError: the program could not be started.
        subprocess.TimeoutExpired: it took longer than ``timeout_s``.
    """
    with _translate_spawn_error(command):
        return subprocess.run(  # noqa: S603
            command,
            cwd=folder,
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
    takes_input: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` in ``folder`` during the ``with`` block, and kill it at the end of the block.

    The block must read the process's stdout. The process gets its own session, so that a Ctrl-C in the terminal does not
    look like the end of the video. ``read_stderr`` runs in a thread and must read stderr to its end, since a full pipe would
    block the process; without it stderr is discarded. ``inherited`` are file descriptors for the process. With
    ``takes_input``, the block writes to the process's stdin (`write_input`).

    Raises:
        FFmpegError: the program could not be started.
    """
    with _translate_spawn_error(command):
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
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
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for_output(pipe: IO[bytes], name: object, stall_timeout_s: float, option: str = "--stall-timeout") -> None:
    """Wait until the pipe has data or is at its end.

    ``name`` is the video in error messages, ``option`` the command-line option that sets the timeout, or empty.

    Raises:
        DecodingError: there was no data for ``stall_timeout_s``.
    """
    if os.name == "posix" and not select.select([pipe], [], [], stall_timeout_s)[0]:
        raise stalled_error(name, stall_timeout_s, option)


def stalled_error(name: object, stall_timeout_s: float, option: str = "--stall-timeout") -> DecodingError:
    """Return the error of a decoder that hung; the parameters are those of `wait_for_output`."""
    problem = f"the decoder hung and was stopped (no output for {stall_timeout_s:g} s)"
    remedy = "check the file and its disk" + (f", or raise {option}" if option else "")
    return DecodingError(problem, remedy, path=name).passing()


def is_passing(status: int, lines: Iterable[str]) -> bool:
    """Return whether ffmpeg failed for a reason that may pass: it was killed (out of memory), or the disk is at fault.

    ``status`` is its exit status, ``lines`` are those of its stderr.

    >>> is_passing(1, ["Invalid data found"]), is_passing(-9, []), is_passing(1, ["a.mp4: Input/output error"])
    (False, True, True)
    """
    return status in _KILLED or any(map(_PASSING.search, lines))


def write_input(pipe: IO[bytes], content: bytes | memoryview, name: object, stall_timeout_s: float) -> None:
    """Write all of ``content`` to a process's stdin, unbuffered.

    Raises:
        DecodingError: the process took nothing for ``stall_timeout_s``; ``name`` is the video.
        BrokenPipeError: the process has ended.
    """
    rest = memoryview(content)
    if os.name == "posix":
        os.set_blocking(pipe.fileno(), False)
    while rest:
        if os.name == "posix" and not select.select([], [pipe], [], stall_timeout_s)[1]:
            problem = f"the encoder hung and was stopped (it took nothing for {stall_timeout_s:g} s)"
            raise DecodingError(problem, "check the file and its disk, or raise --stall-timeout", path=name)
        rest = rest[pipe.write(rest) or 0 :]


def clean_line(line: str, path: Path, display_path: object) -> str:
    """Return a line of ffmpeg's output without memory addresses, which differ in every run, and with ``path`` replaced.

    >>> clean_line("[h264 @ 0x55e0c0] /tmp/copy.mp4: no frame!", Path("/tmp/copy.mp4"), "s3://archive/a.mp4")
    '[h264] s3://archive/a.mp4: no frame!'
    """
    return _ADDRESS.sub("", line.strip()).replace(str(path), str(display_path))


@contextlib.contextmanager
def _translate_spawn_error(command: Sequence[str]) -> Iterator[None]:
    """Raise `FFmpegError` if ``command`` does not start; its program may be deleted or replaced during runs of days."""
    try:
        yield
    except OSError as error:
        problem = f"cannot be started ({error.strerror})"
        raise FFmpegError(problem, "install ffmpeg and run it again", path=command[0]) from None


def _bundled() -> str | None:
    """Return the path of the ffmpeg of imageio-ffmpeg; None if it has none."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


def _stdout(command: Sequence[str]) -> str | None:
    """Return the stdout of a command; None if it does not start or fails."""
    try:
        result = run_command(command)
    except (FFmpegError, subprocess.SubprocessError):
        return None
    return None if result.returncode else result.stdout.decode("utf-8", "replace")


def _version(path: str) -> str | None:
    match = _VERSION.match(_stdout([path, "-version"]) or "")
    return match[1] if match else None


def _is_at_least(version: str, minimum: tuple[int, int]) -> bool:
    """Return whether a version is at least ``minimum``; development builds without a number are taken as new."""
    match = re.match(r"n?(\d+)\.(\d+)", version)
    return match is None or (int(match[1]), int(match[2])) >= minimum


def _missing_for_rendering(path: str) -> str:
    """Return the libraries of libass and libx264 that an ffmpeg lacks, joined by "and"; empty if it has both."""
    lists = (("-filters", LIBASS, "libass"), ("-encoders", H264_ENCODER, "libx264"))
    missing = []
    for option, name, library in lists:
        listed = _stdout([path, "-hide_banner", option]) or ""
        if not re.search(rf"^ \S+\s+{name}\s", listed, re.MULTILINE):
            missing.append(library)
    return " and ".join(missing)
