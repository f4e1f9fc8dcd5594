"""Advanced SubStation Alpha for VLC, mpv and ffmpeg: boxes that follow the faces, by pysubs2.

A box is a square drawn once, of which a line's overrides say where it is and how far it is stretched: ``\\move`` and ``\\t``
change both evenly, as boxes between two detections do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pysubs2
from pysubs2.formats.substation import MAX_REPRESENTABLE_TIME

from annotate.emotions.palette import BLACK, colour, ink
from annotate.faces.box import Box
from annotate.tracks.boxes import Segment
from annotate.tracks.cues import are_together
from annotate.tracks.report import Report
from annotate.tracks.subtitles import label

_SQUARE = "m 0 0 l 100 0 100 100 0 100"
"""100 pixels wide, so that a scale in percent is a width in pixels."""

_FONT_SHARE, _LINE_SHARE = 1 / 18, 1 / 150
"""Height of letters and width of lines, as shares of the picture's shorter side."""

_LETTER_SHARE = 0.55
"""Width of letters, on the wide side, as a share of their height."""

_BOX_LAYER, _LABEL_LAYER = 0, 1
_OUTLINED, _ON_A_GROUND = 1, 3
"""Kinds of border: a line around, and a rectangle behind."""

_UPPER_LEFT, _LOWER_LEFT = 7, 1
_TRANSPARENT, _HALF = 255, 128


@dataclass(frozen=True)
class Canvas:
    """The picture that is drawn on, in pixels as it is displayed."""

    width_px: int
    height_px: int

    @property
    def font_px(self) -> int:
        """Height of a line of letters."""
        return max(1, round(min(self.width_px, self.height_px) * _FONT_SHARE))

    @property
    def line_px(self) -> int:
        """Width of a box's line, and of what is around a label's letters."""
        return max(1, round(min(self.width_px, self.height_px) * _LINE_SHARE))

    def label_corner(self, box: Box, text: str) -> tuple[float, float]:
        """Where the lower left corner of a label's letters is: above a box, moved so far that all is in the picture."""
        text_px = len(text) * self.font_px * _LETTER_SHARE
        x = max(2 * self.line_px, min(box.x, self.width_px - text_px - 2 * self.line_px))
        y = max(self.font_px + 2 * self.line_px, min(box.y - 2 * self.line_px, self.height_px - 2 * self.line_px))
        return x, y


def write(report: Report, language: str) -> str | None:
    """A report as an ASS file, None without cues. Times are in hundredths of a second, and end at ten hours."""
    cues = report.face_cues
    if not cues:
        return None
    canvas = Canvas(report.meta.width_px, report.meta.height_px)
    numbered = are_together(cues)
    file = pysubs2.SSAFile()
    file.info |= {
        "PlayResX": str(canvas.width_px),
        "PlayResY": str(canvas.height_px),
        "WrapStyle": "2",
        "ScaledBorderAndShadow": "yes",
        "YCbCr Matrix": "None",
    }
    file.styles.clear()
    for emotion in sorted({line.emotion for cue in cues for line in cue.lines}):
        file.styles[_box_style(emotion)] = _style(canvas, emotion, _OUTLINED)
        file.styles[_label_style(emotion)] = _style(canvas, emotion, _ON_A_GROUND)
    for cue in cues:
        (line,) = cue.lines
        text = label(line, language, numbered=numbered)
        for segment in report.boxes.segments(line.face_id, cue.span):
            if segment.span.end_ms <= MAX_REPRESENTABLE_TIME:
                file.events += _draw(canvas, segment, line.emotion, text)
    return file.to_string("ass", header_notice=report.meta.program) if file.events else None


def _draw(canvas: Canvas, segment: Segment, emotion: str, text: str) -> Iterator[pysubs2.SSAEvent]:
    """A box and its label over an even stretch of a face's way."""
    first, last = segment.first, segment.last
    way = _moved((first.x, first.y), (last.x, last.y))
    yield _event(segment, _BOX_LAYER, _box_style(emotion), f"{{{way}{_stretched(first, last)}\\p1}}{_SQUARE}")
    way = _moved(canvas.label_corner(first, text), canvas.label_corner(last, text))
    yield _event(segment, _LABEL_LAYER, _label_style(emotion), f"{{{way}}}{_plain(text)}")


def _event(segment: Segment, layer: int, style: str, text: str) -> pysubs2.SSAEvent:
    return pysubs2.SSAEvent(start=segment.span.start_ms, end=segment.span.end_ms, layer=layer, style=style, text=text)


def _moved(start: tuple[float, float], end: tuple[float, float]) -> str:
    """An override that puts a line's corner somewhere, and moves it on evenly."""
    here, there = (f"{x:.0f},{y:.0f}" for x, y in (start, end))
    return f"\\pos({here})" if here == there else f"\\move({here},{there})"


def _stretched(first: Box, last: Box) -> str:
    """Overrides that give the square a box's size, and change it evenly."""
    here, there = (f"\\fscx{box.width:.0f}\\fscy{box.height:.0f}" for box in (first, last))
    return here if here == there else f"{here}\\t({there})"


def _style(canvas: Canvas, emotion: str, border: int) -> pysubs2.SSAStyle:
    is_label = border == _ON_A_GROUND
    return pysubs2.SSAStyle(
        fontname="Arial",
        fontsize=canvas.font_px,
        primarycolor=_colour(ink(emotion), 0 if is_label else _TRANSPARENT),
        outlinecolor=_colour(colour(emotion)),
        backcolor=_colour(BLACK, _TRANSPARENT if is_label else _HALF),
        borderstyle=border,
        outline=canvas.line_px,
        shadow=0 if is_label else max(1, canvas.line_px // 2),
        alignment=pysubs2.Alignment(_LOWER_LEFT if is_label else _UPPER_LEFT),
        marginl=0,
        marginr=0,
        marginv=0,
    )


def _colour(rgb: str, transparency: int = 0) -> pysubs2.Color:
    red, green, blue = bytes.fromhex(rgb[1:])
    return pysubs2.Color(red, green, blue, transparency)


def _box_style(emotion: str) -> str:
    return f"{_style_name(emotion)} box"


def _label_style(emotion: str) -> str:
    return f"{_style_name(emotion)} label"


def _style_name(emotion: str) -> str:
    """An emotion as part of a style's name: no commas, which separate fields."""
    return re.sub(r"[^\w-]", "-", emotion)


def _plain(text: str) -> str:
    """Text in which nothing is an override.

    >>> _plain("{fear}" + chr(92) + "N")
    '(fear)/N'
    """
    return text.translate({ord("{"): "(", ord("}"): ")", ord("\\"): "/"})
