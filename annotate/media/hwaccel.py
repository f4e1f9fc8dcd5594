"""Decoding by graphics hardware: which of ffmpeg's ways works on this machine."""

from __future__ import annotations

import functools
import subprocess

from annotate.errors import SettingsError
from annotate.media.ffmpeg import find_ffmpeg, runnable
from annotate.settings import NO_HWACCEL

AUTOMATIC = "auto"

_TIMEOUT_S = 30


@functools.cache
def known_hwaccels() -> tuple[str, ...]:
    """The ways that the ffmpeg at hand was built with, such as ``vaapi``, ``cuda`` or ``videotoolbox``.

    Raises:
        FFmpegError: there is no usable ffmpeg.
    """
    lines = _ask("-hwaccels").stdout.decode("utf-8", "replace").splitlines()
    return tuple(line.strip() for line in lines[1:] if line.strip())


def choose_hwaccel(asked: str) -> str:
    """The way to decode when ``asked`` is: itself, the first that works if it is ``auto``, ``none`` if none does.

    Raises:
        SettingsError: the ffmpeg at hand does not know it.
        FFmpegError: there is no usable ffmpeg.
    """
    if asked == NO_HWACCEL:
        return NO_HWACCEL
    if asked != AUTOMATIC and asked not in known_hwaccels():
        known = ", ".join((AUTOMATIC, NO_HWACCEL, *known_hwaccels()))
        raise SettingsError(f"--hwaccel {asked}: this ffmpeg does not know it; choose from {known}")
    tried = known_hwaccels() if asked == AUTOMATIC else (asked,)
    return next((name for name in tried if _works(name)), NO_HWACCEL)


def _works(name: str) -> bool:
    """Whether a device of this kind can be opened."""
    picture = ("-f", "lavfi", "-i", "color=size=64x64:duration=0.1", "-frames:v", "1", "-f", "null", "-")
    return _ask("-init_hw_device", name, *picture).returncode == 0


def _ask(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [find_ffmpeg().path, "-nostdin", "-hide_banner", "-loglevel", "error", *arguments]
    with runnable(command):
        try:
            return subprocess.run(  # noqa: S603
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, b"", b"")
