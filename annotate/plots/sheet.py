"""A contact sheet of a video's highlights: the face in its surroundings, framed, with emotion, confidence and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.labels import word
from annotate.emotions.palette import color, ink
from annotate.errors import ReportError
from annotate.faces.box import Box
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import Video, probe
from annotate.media.stills import read_still
from annotate.plots.figures import TEXT_PT, WIDTH_IN, new_figure, text_width_in
from annotate.plots.highlights import Moment, highlights
from annotate.results.meta import is_unchanged
from annotate.results.report import Report
from annotate.settings import ALL_CORES, Limits
from annotate.span import MS_PER_S
from annotate.text import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_MOMENTS = 12
"""Number of moments that are shown by default."""

_MIN_COLUMNS, _MAX_COLUMNS = 3, 4
_SHAPE = 4 / 3
_MARGIN_IN, _GAP_IN, _ROW_GAP_IN = 0.04, 0.1, 0.12
_STRIP_IN, _LINE_IN, _BAR_IN = 0.18, 0.015, 0.045
_SURROUNDINGS = 2.4
"""Height of the part of a frame that is shown, in heights of the face's box, if the frame is so high."""

_MARGIN = 1.15
"""The same where a face nearly fills the frame."""

_IMAGE_PX = 420
"""The part that is shown is read no higher than this."""

_ROUNDING = 0.02
"""A shape that is meant to be the sheet's is off by no more."""

_GROUND = "#202020"


def draw_sheet(
    report: Report,
    video_path: Path,
    language: str = "en",
    most: int = MAX_MOMENTS,
    *,
    limits: Limits = ALL_CORES,
    ffmpeg: FFmpeg | None = None,
) -> Figure:
    """Return the sheet as a figure, to be encoded under the same `annotate.plots.figures.style`.

    Frames are read by ``ffmpeg``, which is looked for if not given.

    Raises:
        ReportError: there are no faces, or the video is gone or another one.
        MediaError: a frame cannot be decoded.
        FFmpegError: there is no usable ffmpeg.
    """
    moments = highlights(report, most)
    if not moments:
        raise ReportError("no faces, so there are no frames to show", path=video_path)
    try:
        if not is_unchanged(report.meta.source, video_path):
            problem = "has changed since it was annotated"
            raise ReportError(problem, f"run `annotate {video_path}` first", path=video_path)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}), so there are no frames"
        raise ReportError(problem, "plot its timeline, without --frames", path=video_path) from None
    video = probe(video_path, limits.max_pixels, ffmpeg=ffmpeg)
    columns = columns_of(len(moments))
    rows = math.ceil(len(moments) / columns)
    across = max(columns, _MIN_COLUMNS)
    cell_in = (WIDTH_IN - 2 * _MARGIN_IN - (across - 1) * _GAP_IN) / across
    picture_in = cell_in / _SHAPE
    row_in = picture_in + _STRIP_IN + _LINE_IN + _BAR_IN
    height_in = 2 * _MARGIN_IN + rows * row_in + (rows - 1) * _ROW_GAP_IN
    figure = new_figure(height_in, 2 * _MARGIN_IN + columns * cell_in + (columns - 1) * _GAP_IN)
    numbered = len({moment.face_id for moment in moments}) > 1
    for number, moment in enumerate(moments):
        row, column = divmod(number, columns)
        x_in = _MARGIN_IN + column * (cell_in + _GAP_IN)
        y_in = height_in - _MARGIN_IN - row * (row_in + _ROW_GAP_IN) - picture_in
        _draw_picture(_axes(figure, x_in, y_in, cell_in, picture_in), report, video, moment, limits)
        strip = _axes(figure, x_in, y_in - (row_in - picture_in), cell_in, row_in - picture_in)
        _draw_strip(strip, moment, language, cell_in, numbered=numbered)
    return figure


def columns_of(moments: int) -> int:
    """Return the number of columns for so many moments: three or four, the one that leaves less room at the end, or one row.

    >>> [columns_of(moments) for moments in (1, 4, 5, 6, 7, 9, 12)]
    [1, 4, 3, 3, 4, 3, 4]
    """
    if moments <= _MAX_COLUMNS:
        return moments
    return min(_MAX_COLUMNS, _MIN_COLUMNS, key=lambda columns: -moments % columns)


def _axes(figure: Figure, x_in: float, y_in: float, width_in: float, height_in: float) -> Axes:
    """Return bare axes at a place in inches."""
    across_in, down_in = figure.get_size_inches()
    axes: Axes = figure.add_axes((x_in / across_in, y_in / down_in, width_in / across_in, height_in / down_in))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes


def _draw_picture(axes: Axes, report: Report, video: Video, moment: Moment, limits: Limits) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    box = report.boxes.at(moment.face_id, moment.time_ms)
    if box is None:
        box = Box(0, 0, video.width_px, video.height_px)
    part = surroundings(box, video.width_px, video.height_px)
    image, scale = _read(video, moment.time_ms, part, limits)
    height_px, width_px = image.shape[:2]
    axes.set_facecolor(_GROUND)
    axes.imshow(image, extent=(0, width_px, height_px, 0), interpolation="antialiased", aspect="auto", zorder=1)
    shape = width_px / height_px / _SHAPE
    across, down = (max(1, 1 / shape), max(1, shape)) if abs(shape - 1) > _ROUNDING else (1, 1)
    axes.set_xlim(width_px * (1 - across) / 2, width_px * (1 + across) / 2)
    axes.set_ylim(height_px * (1 + down) / 2, height_px * (1 - down) / 2)
    framed = Box(box.x - part.x, box.y - part.y, box.width, box.height).scaled(scale)
    axes.add_patch(
        Rectangle(
            (framed.x, framed.y),
            framed.width,
            framed.height,
            fill=False,
            edgecolor=color(moment.emotion),
            linewidth=1.6,
            joinstyle="miter",
            path_effects=[withStroke(linewidth=2.6, foreground="#00000080")],
            zorder=2,
        )
    )


def surroundings(box: Box, width_px: int, height_px: int) -> Box:
    """Return the part of a frame that is shown: the face with a good deal around it, in the sheet's shape where possible.

    >>> surroundings(Box(300, 200, 150, 150), 1280, 720)
    Box(x=135.0, y=95.0, width=480.0, height=360.0)
    """
    height = min(height_px, max(_SURROUNDINGS * box.height, width_px / _SHAPE / 3))
    width = min(width_px, height * _SHAPE)
    height = min(height, max(width / _SHAPE, _MARGIN * box.height))
    x = min(max(box.x + box.width / 2 - width / 2, 0), width_px - width)
    y = min(max(box.y + box.height / 2 - height / 2, 0), height_px - height)
    return Box(x, y, width, height)


def _read(video: Video, time_ms: int, part: Box, limits: Limits) -> tuple[NDArray[np.uint8], float]:
    """Return a part of a frame, and its scale."""
    scale = min(1.0, _IMAGE_PX / part.height)
    still = read_still(video.path, time_ms, height_px=max(1, round(video.height_px * scale)), limits=limits, video=video)
    scale = still.shape[0] / video.height_px
    top, left = round(part.y * scale), round(part.x * scale)
    bottom, right = round((part.y + part.height) * scale), round((part.x + part.width) * scale)
    return still[top : max(bottom, top + 1), left : max(right, left + 1)], scale


def _draw_strip(axes: Axes, moment: Moment, language: str, width_in: float, *, numbered: bool) -> None:
    """Draw emotion and time on the emotion's color, and below a bar of the confidence."""
    from matplotlib.patches import Rectangle

    bottom_in = _BAR_IN + _LINE_IN
    axes.set_xlim(0, width_in)
    axes.set_ylim(0, bottom_in + _STRIP_IN)
    axes.add_patch(Rectangle((0, bottom_in), width_in, _STRIP_IN, facecolor=color(moment.emotion), edgecolor="none"))
    axes.add_patch(Rectangle((0, 0), width_in, _BAR_IN, facecolor="#3A3A3A", edgecolor="none"))
    axes.add_patch(
        Rectangle((0, 0), width_in * moment.confidence, _BAR_IN, facecolor=color(moment.emotion), edgecolor="none")
    )
    time = clock(moment.time_ms / MS_PER_S, 1)
    name = word(moment.emotion, language)
    text = f"{moment.face_id}: {name}" if numbered else name
    size_pt = _fitting_pt((f"{text} {moment.confidence:.2f}", time), width_in)
    y_in = bottom_in + _STRIP_IN / 2
    options: dict[str, Any] = {"color": ink(moment.emotion), "va": "center_baseline", "size": size_pt}
    axes.text(0.05, y_in, f"{text} {moment.confidence:.2f}", ha="left", **options)
    axes.text(width_in - 0.05, y_in, time, ha="right", **options)


def _fitting_pt(texts: Sequence[str], width_in: float) -> float:
    """Return the usual size of letters, or a smaller one where texts side by side would not fit."""
    needed_in = sum(text_width_in(text, TEXT_PT) for text in texts) + 0.2
    return TEXT_PT * min(1.0, width_in / needed_in)
