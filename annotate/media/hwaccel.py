"""Decoding by graphics hardware: which of ffmpeg's methods works on this machine."""

from __future__ import annotations

import subprocess

from annotate.errors import SettingsError
from annotate.media.ffmpeg import FFmpeg, find_ffmpeg, run_to_end
from annotate.settings import NO_HWACCEL

AUTOMATIC = "auto"


def known_hwaccels(ffmpeg: FFmpeg) -> tuple[str, ...]:
    """Return the methods that an ffmpeg was built with, such as ``vaapi``, ``cuda`` or ``videotoolbox``.

    Raises:
        FFmpegError: it is gone since it was found.
    """
    lines = _run(ffmpeg, "-hwaccels").stdout.decode("utf-8", "replace").splitlines()
    return tuple(line.strip() for line in lines[1:] if line.strip())


def choose_hwaccel(asked: str, ffmpeg: FFmpeg | None = None) -> str:
    """Return the method to use when ``asked`` is asked for: itself, or the first that works for ``auto``, if any does.

    ``none`` if not. Without an ``ffmpeg`` one is looked for.

    Raises:
        SettingsError: the ffmpeg does not know it.
        FFmpegError: there is no usable ffmpeg.
    """
    if asked == NO_HWACCEL:
        return NO_HWACCEL
    ffmpeg = find_ffmpeg() if ffmpeg is None else ffmpeg
    known = known_hwaccels(ffmpeg)
    if asked != AUTOMATIC and asked not in known:
        choice = ", ".join((AUTOMATIC, NO_HWACCEL, *known))
        raise SettingsError(f"--hwaccel {asked}: this ffmpeg does not know it", f"choose from {choice}")
    tried = known if asked == AUTOMATIC else (asked,)
    return next((name for name in tried if _works(ffmpeg, name)), NO_HWACCEL)


def _works(ffmpeg: FFmpeg, name: str) -> bool:
    """Return whether a device of this kind can be opened."""
    frame = ("-f", "lavfi", "-i", "color=size=64x64:duration=0.1", "-frames:v", "1", "-f", "null", "-")
    return _run(ffmpeg, "-init_hw_device", name, *frame).returncode == 0


def _run(ffmpeg: FFmpeg, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [ffmpeg.path, "-nostdin", "-hide_banner", "-loglevel", "error", *arguments]
    try:
        return run_to_end(command)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, b"", b"")
