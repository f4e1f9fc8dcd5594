"""Write images: GIFs of short videos, and text drawn onto an image, with the font that is included."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from annotate.errors import OutputError, write_error
from annotate.media.decoding_command import deinterlace, shift_clock, shown_part
from annotate.media.encode import draw_track, frame_progress, write_outputs
from annotate.media.ffmpeg import LOG_LEVEL, PROTOCOLS, restricted_input, run_command
from annotate.media.probe import Video
from annotate.settings import ONE_CORE, Limits

GIF_RATE = Fraction(25, 2)
"""Frames per second of GIFs; one is shown for 8 hundredths of a second, the unit of the format."""

GIF_LONG_SIDE_PX = 480
"""Maximum length of the longer side of GIFs."""

_PALETTE, _IMAGE = "palette.png", "image.rgb"


def make_gif(video: Video, target: Path, *, limits: Limits = ONE_CORE) -> None:
    """Write a video as a GIF to ``target``, in a folder for files of its own; it repeats for ever and has no sound.

    It has 256 colors, which are chosen for the whole video first.

    Raises:
        DecodingError: the video cannot be decoded to its end.
        OutputError: the disk is full.
    """
    for name in (_PALETTE, target.name):
        source = restricted_input(threads=limits.threads, max_pixels=limits.max_pixels)
        chain = shift_clock(deinterlace(shown_part(source, video), video), -video.zero_s)
        chain = chain.filter("fps", f"{GIF_RATE.numerator}/{GIF_RATE.denominator}", start_time=0)
        chain = chain.filter("scale", *gif_size_px(video), flags="lanczos").filter("setsar", 1)
        halves = chain.split()
        if name == _PALETTE:
            output = halves[0].filter("palettegen").output(name, format="image2", update=1, **{"frames:v": 1})
        else:
            palette = ffmpeg.input(f"file:{_PALETTE}", format="png_pipe", protocol_whitelist=PROTOCOLS)
            drawn = ffmpeg.filter([halves[0], palette], "paletteuse", dither="bayer", bayer_scale=4)
            output = drawn.output(name, format="gif", fflags="+bitexact")
        outputs = ffmpeg.merge_outputs(output, frame_progress(halves[1]))
        write_outputs(outputs, video, target.with_name(name), video.ffmpeg.renderer.path, limits)


def gif_size_px(video: Video) -> tuple[int, int]:
    """Return width and height of the GIF of a video.

    >>> gif_size_px(Video(Path("a.mp4"), 0, 1920, 1080, None, None))
    (480, 270)
    """
    factor = min(1.0, GIF_LONG_SIDE_PX / max(video.width_px, video.height_px))
    return max(1, round(video.width_px * factor)), max(1, round(video.height_px * factor))


def draw_image(image: NDArray[np.uint8], ass_track: str, folder: Path, canvas: Video) -> bytes:
    """Return an image (height, width, 3) uint8 RGB with the text of an ASS track drawn onto it, as PNG.

    Files that are needed are written to ``folder``; ``canvas`` has the size of the image, and the ffmpeg that draws.

    Raises:
        OutputError: it cannot be written.
        FFmpegError: no ffmpeg with libass was found.
    """
    path = folder / _IMAGE
    try:
        path.write_bytes(image.tobytes())
    except OSError as error:
        raise write_error(path, error) from error
    shape = (canvas.width_px, canvas.height_px)
    source = ffmpeg.input(f"file:{path.name}", format="rawvideo", pixel_format="rgb24", video_size=shape)
    chain = draw_track(source["v"], canvas, ass_track, folder, 0.0)
    output = chain.output("pipe:1", format="image2pipe", vcodec="png", fflags="+bitexact", **{"frames:v": 1})
    options = ("-nostdin", "-hide_banner", "-loglevel", LOG_LEVEL)
    command = output.global_args(*options).compile(cmd=canvas.ffmpeg.renderer.path)
    result = run_command(command, folder=folder)
    if result.returncode or not result.stdout:
        cause = result.stderr.decode("utf-8", "replace").strip() or "no image"
        raise OutputError(f"ffmpeg could not draw a sheet ({cause})", "update ffmpeg", path=folder)
    return result.stdout
