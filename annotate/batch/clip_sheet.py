"""Contact sheets of the clips of a folder: an image of each from the middle of its moment, with what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pysubs2
from numpy.typing import NDArray

from annotate.batch.clip_folder import SHEET, ClipFolder, ClipRow
from annotate.emotions.labels import emotion_word
from annotate.emotions.palette import color
from annotate.media.encode import FONT
from annotate.media.ffmpeg import FFmpeg, find_ffmpeg
from annotate.media.images import draw_image
from annotate.media.probe import Video, probe
from annotate.media.stills import read_still
from annotate.results.meta import hash_content
from annotate.settings import ALL_CORES, Limits
from annotate.span import MS_PER_S
from annotate.storage.base import storage_for
from annotate.text import clock, printable, shorten

COLUMNS, ROWS = 4, 6
"""Images beside and below each other on a sheet."""

CELL_PX = (320, 180)
"""Width and height of an image; one of another shape gets bars."""

_GAP_PX, _CAPTION_PX, _STRIP_PX, _FONT_PX = 12, 44, 4, 18
_LETTERS = 36
"""Letters of a line that fit below an image."""

_WHITE, _DARK, _TEXT = 255, 32, pysubs2.Color(32, 32, 32)
_TOP_LEFT = 7


def write_sheets(folder: ClipFolder, language: str = "en", limits: Limits = ALL_CORES) -> list[Path]:
    """Write the contact sheets of the clips of a folder, as PNG, unless they are up to date; return their paths.

    Sheets of an earlier run that had more clips are deleted.

    Raises:
        MediaError: a clip cannot be decoded.
        OutputError: there is a file of somebody else, or it cannot be written.
    """
    rows, per_sheet = folder.rows, COLUMNS * ROWS
    ffmpeg, paths = find_ffmpeg(), []
    for number, first in enumerate(range(0, len(rows), per_sheet), 1):
        name, shown = SHEET.format(number="" if number == 1 else f"-{number}"), rows[first : first + per_sheet]
        made_from = hash_content(f"{language} {shown!r}".encode())
        if not folder.is_made_from(name, made_from):
            folder.check_replaceable(name)
            own = folder.empty_folder("sheet")
            file = own / name
            storage_for(file).write_atomic(file, _draw(shown, folder.path, language, own, ffmpeg, limits))
            folder.publish_other(name, file, made_from)
        paths.append(folder.path / name)
    written = {path.name for path in paths}
    folder.remove_others([name for name in folder.others if fnmatch(name, SHEET.format(number="*")) and name not in written])
    return paths


def size_px(clips: int) -> tuple[int, int]:
    """Return width and height of a sheet.

    >>> size_px(1), size_px(5)
    ((344, 252), (1340, 492))
    """
    columns, rows = min(COLUMNS, clips), math.ceil(clips / COLUMNS)
    return columns * (CELL_PX[0] + _GAP_PX) + _GAP_PX, rows * (_cell_height_px() + _GAP_PX) + _GAP_PX


def _cell_height_px() -> int:
    return CELL_PX[1] + _STRIP_PX + _CAPTION_PX


def _draw(rows: Sequence[ClipRow], clips: Path, language: str, own: Path, ffmpeg: FFmpeg, limits: Limits) -> bytes:
    """Return a sheet as PNG."""
    width_px, height_px = size_px(len(rows))
    image = np.full((height_px, width_px, 3), _WHITE, np.uint8)
    file = pysubs2.SSAFile()
    file.info |= {"PlayResX": str(width_px), "PlayResY": str(height_px), "WrapStyle": "2", "YCbCr Matrix": "None"}
    file.styles["Default"] = pysubs2.SSAStyle(
        fontname=FONT, fontsize=_FONT_PX, primarycolor=_TEXT, outline=0, shadow=0, alignment=pysubs2.Alignment(_TOP_LEFT)
    )
    for number, row in enumerate(rows):
        x = _GAP_PX + number % COLUMNS * (CELL_PX[0] + _GAP_PX)
        y = _GAP_PX + number // COLUMNS * (_cell_height_px() + _GAP_PX)
        bottom = y + CELL_PX[1]
        image[y:bottom, x : x + CELL_PX[0]] = _still(probe(clips / row.file, limits.max_pixels, ffmpeg=ffmpeg), row, limits)
        image[bottom : bottom + _STRIP_PX, x : x + CELL_PX[0]] = list(bytes.fromhex(color(row.emotion)[1:]))
        for line, text in enumerate(_caption(row, language)):
            top = bottom + _STRIP_PX + 2 + line * (_FONT_PX + 2)
            tags = f"{{\\pos({x},{top})\\clip({x},{bottom},{x + CELL_PX[0]},{y + _cell_height_px()})}}"
            file.events.append(pysubs2.SSAEvent(start=0, end=MS_PER_S, text=tags + _escape(text)))
    canvas = Video(own, 0, width_px, height_px, None, None, ffmpeg=ffmpeg)
    return draw_image(image, file.to_string("ass"), own, canvas)


def _still(clip: Video, row: ClipRow, limits: Limits) -> NDArray[np.uint8]:
    """Return the image of a clip in the middle of its moment, with bars where its shape differs."""
    middle_ms = (row.start_ms + row.end_ms) // 2 - row.clip_start_ms
    image = read_still(clip.path, max(0, middle_ms), limits=limits, video=clip)
    width_px, height_px = CELL_PX
    factor = min(width_px / image.shape[1], height_px / image.shape[0])
    inner = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    still = np.full((height_px, width_px, 3), _DARK, np.uint8)
    left, top = (width_px - inner[0]) // 2, (height_px - inner[1]) // 2
    still[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    return still


def _caption(row: ClipRow, language: str) -> tuple[str, str]:
    """Return the lines below an image: the video and its time; emotion, confidence and face."""
    who = row.name or (f"person {row.person}" if row.person else f"face {row.face_id}")
    time = clock(row.start_ms / MS_PER_S, 1)
    name = shorten(printable(PurePosixPath(row.video).name), _LETTERS - len(time) - 2)
    emotion = printable(emotion_word(row.emotion, language))
    return f"{name}  {time}", shorten(f"{emotion} {row.confidence:.2f}, {printable(who)}", _LETTERS)


def _escape(text: str) -> str:
    return text.translate({ord("{"): "(", ord("}"): ")", ord("\\"): "/"})
