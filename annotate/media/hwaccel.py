"""Hardware decoding: find out which of ffmpeg's methods work on this machine."""

from __future__ import annotations

import subprocess

from annotate.errors import SettingsError
from annotate.media.ffmpeg import FFmpeg, find_ffmpeg, run_command
from annotate.settings import NO_HWACCEL

AUTOMATIC = "auto"
"""The value of --hwaccel that chooses the first method that works."""


def known_hwaccels(ffmpeg: FFmpeg) -> tuple[str, ...]:
    """Return the methods that an ffmpeg was built with, such as ``vaapi``, ``cuda`` or ``videotoolbox``.

    Raises:
        FFmpegError: ffmpeg could not be started.
    """
    lines = _run(ffmpeg, "-hwaccels").stdout.decode("utf-8", "replace").splitlines()
    return tuple(line.strip() for line in lines[1:] if line.strip())


def choose_hwaccel(requested: str, ffmpeg: FFmpeg | None = None) -> str:
    """Return the method to use for a value of --hwaccel, ``none`` if it does not work here.

    For ``auto`` it is the first method that works. An ``ffmpeg`` is searched for if none is given.

    Raises:
        SettingsError: the ffmpeg does not support the method.
        FFmpegError: no usable ffmpeg was found.
    """
    if requested == NO_HWACCEL:
        return NO_HWACCEL
    ffmpeg = find_ffmpeg() if ffmpeg is None else ffmpeg
    known = known_hwaccels(ffmpeg)
    if requested != AUTOMATIC and requested not in known:
        choices = ", ".join((AUTOMATIC, NO_HWACCEL, *known))
        raise SettingsError(f"--hwaccel {requested} is not supported by {ffmpeg.path}", f"choose from {choices}")
    candidates = known if requested == AUTOMATIC else (requested,)
    return next((name for name in candidates if _works(ffmpeg, name)), NO_HWACCEL)


def _works(ffmpeg: FFmpeg, name: str) -> bool:
    """Return whether a device for this method can be opened."""
    frame = ("-f", "lavfi", "-i", "color=size=64x64:duration=0.1", "-frames:v", "1", "-f", "null", "-")
    return _run(ffmpeg, "-init_hw_device", name, *frame).returncode == 0


def _run(ffmpeg: FFmpeg, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [ffmpeg.path, "-nostdin", "-hide_banner", "-loglevel", "error", *arguments]
    try:
        return run_command(command)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, b"", b"")
