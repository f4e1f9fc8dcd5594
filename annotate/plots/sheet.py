"""Draw a sheet of a video's highlights: frames cropped around the face, with its box, emotion, confidence and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotate.emotions.labels import emotion_word
from annotate.emotions.palette import color, text_color
from annotate.errors import ReportError
from annotate.faces.box import Box
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import Video, probe
from annotate.media.stills import read_still
from annotate.plots.figures import TEXT_PT, WIDTH_IN, new_figure, shorten_to_width, text_width_in
from annotate.plots.highlights import Highlight, choose_highlights
from annotate.results.meta import is_unchanged
from annotate.results.report import Report
from annotate.settings import ALL_CORES, Limits
from annotate.span import MS_PER_S
from annotate.text import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_HIGHLIGHTS = 12
"""Default maximum number of highlights on a sheet."""

_MIN_COLUMNS, _MAX_COLUMNS = 3, 4
_ASPECT = 4 / 3
_MARGIN_IN, _GAP_IN, _ROW_GAP_IN = 0.04, 0.1, 0.12
_STRIP_IN, _LINE_IN, _BAR_IN = 0.18, 0.015, 0.045
_CROP_SCALE = 2.4
"""Height of the crop in heights of the face box, where the frame is high enough."""

_MIN_CROP_SCALE = 1.15
"""Minimum height of the crop in heights of the face box."""

_MAX_CROP_PX = 420
"""Maximum height of a crop in pixels; larger ones are scaled down."""

_ASPECT_TOLERANCE = 0.02
"""A crop whose aspect ratio differs less from `_ASPECT` is stretched to it instead of padded."""

_BACKGROUND = "#202020"


def draw_sheet(
    report: Report,
    video_path: Path,
    language: str = "en",
    max_highlights: int = MAX_HIGHLIGHTS,
    *,
    limits: Limits = ALL_CORES,
    ffmpeg: FFmpeg | None = None,
) -> Figure:
    """Return the sheet as a figure; draw and encode it within one `annotate.plots.figures.plot_style` context.

    Frames are read by ``ffmpeg``, or by the ffmpeg found on the system if it is None.

    Raises:
        ReportError: there are no faces, or the video cannot be read or has changed since it was annotated.
        MediaError: a frame cannot be decoded.
        FFmpegError: no usable ffmpeg was found.
    """
    highlights = choose_highlights(report, max_highlights)
    if not highlights:
        raise ReportError("no faces found in this video, so no sheet to draw", path=video_path)
    try:
        if not is_unchanged(report.meta.source, video_path):
            problem = "changed since it was annotated"
            raise ReportError(problem, f"run `annotate {video_path}` again", path=video_path)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ReportError(problem, "plot its timeline instead, without --frames", path=video_path) from None
    video = probe(video_path, limits.max_pixels, ffmpeg=ffmpeg)
    columns = column_count(len(highlights))
    rows = math.ceil(len(highlights) / columns)
    full_columns = max(columns, _MIN_COLUMNS)
    cell_in = (WIDTH_IN - 2 * _MARGIN_IN - (full_columns - 1) * _GAP_IN) / full_columns
    frame_in = cell_in / _ASPECT
    row_in = frame_in + _STRIP_IN + _LINE_IN + _BAR_IN
    height_in = 2 * _MARGIN_IN + rows * row_in + (rows - 1) * _ROW_GAP_IN
    figure = new_figure(height_in, 2 * _MARGIN_IN + columns * cell_in + (columns - 1) * _GAP_IN)
    labels = {highlight.face_id: report.label(highlight.face_id) for highlight in highlights}
    with_labels = len(set(labels.values())) > 1 or bool(report.names)
    for number, highlight in enumerate(highlights):
        row, column = divmod(number, columns)
        x_in = _MARGIN_IN + column * (cell_in + _GAP_IN)
        y_in = height_in - _MARGIN_IN - row * (row_in + _ROW_GAP_IN) - frame_in
        _draw_frame(_axes(figure, x_in, y_in, cell_in, frame_in), report, video, highlight, limits)
        strip = _axes(figure, x_in, y_in - (row_in - frame_in), cell_in, row_in - frame_in)
        _draw_strip(strip, highlight, language, cell_in, label=labels[highlight.face_id] if with_labels else "")
    return figure


def column_count(highlights: int) -> int:
    """Return the number of columns: one row for up to four highlights, else three or four, leaving fewer cells empty.

    >>> [column_count(highlights) for highlights in (1, 4, 5, 6, 7, 9, 12)]
    [1, 4, 3, 3, 4, 3, 4]
    """
    if highlights <= _MAX_COLUMNS:
        return highlights
    return min(_MAX_COLUMNS, _MIN_COLUMNS, key=lambda columns: -highlights % columns)


def _axes(figure: Figure, x_in: float, y_in: float, width_in: float, height_in: float) -> Axes:
    """Return axes without ticks and spines at a position in inches."""
    figure_width_in, figure_height_in = figure.get_size_inches()
    axes: Axes = figure.add_axes(
        (x_in / figure_width_in, y_in / figure_height_in, width_in / figure_width_in, height_in / figure_height_in)
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes


def _draw_frame(axes: Axes, report: Report, video: Video, highlight: Highlight, limits: Limits) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    box = report.placed_boxes.at(highlight.face_id, highlight.time_ms)
    if box is None:
        box = Box(0, 0, video.width_px, video.height_px)
    crop = crop_around(box, video.width_px, video.height_px)
    image, scale = _read_crop(video, highlight.time_ms, crop, limits)
    height_px, width_px = image.shape[:2]
    axes.set_facecolor(_BACKGROUND)
    axes.imshow(image, extent=(0, width_px, height_px, 0), interpolation="antialiased", aspect="auto", zorder=1)
    relative = width_px / height_px / _ASPECT
    is_padded = abs(relative - 1) > _ASPECT_TOLERANCE
    pad_x, pad_y = (max(1, 1 / relative), max(1, relative)) if is_padded else (1, 1)
    axes.set_xlim(width_px * (1 - pad_x) / 2, width_px * (1 + pad_x) / 2)
    axes.set_ylim(height_px * (1 + pad_y) / 2, height_px * (1 - pad_y) / 2)
    in_crop = Box(box.x - crop.x, box.y - crop.y, box.width, box.height).scaled(scale)
    axes.add_patch(
        Rectangle(
            (in_crop.x, in_crop.y),
            in_crop.width,
            in_crop.height,
            fill=False,
            edgecolor=color(highlight.emotion),
            linewidth=1.6,
            joinstyle="miter",
            path_effects=[withStroke(linewidth=2.6, foreground="#00000080")],
            zorder=2,
        )
    )


def crop_around(box: Box, width_px: int, height_px: int) -> Box:
    """Return the crop of a frame around a face box, with the aspect ratio `_ASPECT` where the frame is large enough.

    >>> crop_around(Box(300, 200, 150, 150), 1280, 720)
    Box(x=135.0, y=95.0, width=480.0, height=360.0)
    """
    height = min(height_px, max(_CROP_SCALE * box.height, width_px / _ASPECT / 3))
    width = min(width_px, height * _ASPECT)
    height = min(height, max(width / _ASPECT, _MIN_CROP_SCALE * box.height))
    center_x, center_y = box.center
    x = min(max(center_x - width / 2, 0), width_px - width)
    y = min(max(center_y - height / 2, 0), height_px - height)
    return Box(x, y, width, height)


def _read_crop(video: Video, time_ms: int, crop: Box, limits: Limits) -> tuple[NDArray[np.uint8], float]:
    """Return the cropped frame, and its scale relative to the video."""
    scale = min(1.0, _MAX_CROP_PX / crop.height)
    still = read_still(video.path, time_ms, height_px=max(1, round(video.height_px * scale)), limits=limits, video=video)
    scale = still.shape[0] / video.height_px
    top, left = round(crop.y * scale), round(crop.x * scale)
    bottom, right = round((crop.y + crop.height) * scale), round((crop.x + crop.width) * scale)
    return still[top : max(bottom, top + 1), left : max(right, left + 1)], scale


def _draw_strip(axes: Axes, highlight: Highlight, language: str, width_in: float, *, label: str) -> None:
    """Draw whose face it is (``label``), emotion, confidence and time on the color of the emotion, and a confidence bar."""
    from matplotlib.patches import Rectangle

    bottom_in = _BAR_IN + _LINE_IN
    axes.set_xlim(0, width_in)
    axes.set_ylim(0, bottom_in + _STRIP_IN)
    axes.add_patch(Rectangle((0, bottom_in), width_in, _STRIP_IN, facecolor=color(highlight.emotion), edgecolor="none"))
    axes.add_patch(Rectangle((0, 0), width_in, _BAR_IN, facecolor="#3A3A3A", edgecolor="none"))
    axes.add_patch(
        Rectangle((0, 0), width_in * highlight.confidence, _BAR_IN, facecolor=color(highlight.emotion), edgecolor="none")
    )
    time = clock(highlight.time_ms / MS_PER_S, 1)
    name = emotion_word(highlight.emotion, language)
    text = f"{shorten_to_width(label, width_in / 3, TEXT_PT)}: {name}" if label else name
    size_pt = _fitting_pt((f"{text} {highlight.confidence:.2f}", time), width_in)
    y_in = bottom_in + _STRIP_IN / 2
    options: dict[str, Any] = {"color": text_color(highlight.emotion), "va": "center_baseline", "size": size_pt}
    axes.text(0.05, y_in, f"{text} {highlight.confidence:.2f}", ha="left", **options)
    axes.text(width_in - 0.05, y_in, time, ha="right", **options)


def _fitting_pt(texts: Sequence[str], width_in: float) -> float:
    """Return the font size at which texts fit side by side, at most `TEXT_PT`."""
    needed_in = sum(text_width_in(text, TEXT_PT) for text in texts) + 0.2
    return TEXT_PT * min(1.0, width_in / needed_in)
