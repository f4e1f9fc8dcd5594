"""Finding an ffmpeg that is new enough."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import imageio_ffmpeg

from annotate.errors import FFmpegError

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
