"""How a file is handed to ffmpeg so that it can open that file and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ffmpeg

from annotate.media.binary import find_ffmpeg

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
