"""Advanced SubStation Alpha for VLC, mpv and ffmpeg: boxes that follow the faces, by pysubs2.

A box is a square that a line's overrides place and scale: ``\\move`` and ``\\t`` change both linearly, as boxes between two
detections do.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile

import pysubs2
from pysubs2.formats.substation import MAX_REPRESENTABLE_TIME

from annotate.emotions.palette import BLACK, color, ink
from annotate.faces.box import Box
from annotate.results.boxes import Segment
from annotate.results.cues import are_together
from annotate.results.formats.srt import label
from annotate.results.intervals import Piece
from annotate.results.report import Report
from annotate.span import Span

_SQUARE = "m 0 0 l 100 0 100 100 0 100"
"""100 pixels wide, so that a scale in percent is a width in pixels."""

_FONT_SHARE, _LINE_SHARE = 1 / 18, 1 / 150
"""Height of letters and width of lines, as shares of the frame's shorter side."""

_LETTER_SHARE = 0.55
"""Width of letters, on the wide side, as a share of their height."""

FONT = "Arial"
"""The font of labels, where a player has it."""

_BAR_LINES = 3
"""Height of a bar, in widths of a box's line."""

_BOX_LAYER, _LABEL_LAYER, _GROUND_LAYER, _BAR_LAYER = 0, 1, 2, 3
_OUTLINED, _ON_A_GROUND = 1, 3
"""Kinds of border: a line around, and a rectangle behind."""

_UPPER_LEFT, _LOWER_LEFT = 7, 1
_GROUND_STYLE = "ground"
_TRANSPARENT, _HALF = 255, 128


@dataclass(frozen=True)
class Canvas:
    """The frame that is drawn on, in pixels as it is displayed."""

    width_px: int
    height_px: int

    @property
    def font_px(self) -> int:
        """Height of a line of letters."""
        return max(1, round(min(self.width_px, self.height_px) * _FONT_SHARE))

    @property
    def line_px(self) -> int:
        """Width of a box's line, and of the margin around a label's letters."""
        return max(1, round(min(self.width_px, self.height_px) * _LINE_SHARE))

    def label_corner(self, box: Box, text: str) -> tuple[float, float]:
        """Return the lower left corner of a label's letters: above a box, moved so far that all is in the frame."""
        text_px = len(text) * self.font_px * _LETTER_SHARE
        x = max(2 * self.line_px, min(box.x, self.width_px - text_px - 2 * self.line_px))
        y = max(self.font_px + 2 * self.line_px, min(box.y - 2 * self.line_px, self.height_px - 2 * self.line_px))
        return x, y

    @property
    def bar_px(self) -> int:
        """Height of a bar."""
        return _BAR_LINES * self.line_px

    def bar_of(self, box: Box, share: float = 1.0) -> Box:
        """Return a bar over a ``share`` (0..1) of a box's width: right below its line, or within it where the frame ends."""
        y = min(box.y + box.height + 2 * self.line_px, self.height_px - self.bar_px - self.line_px)
        return Box(box.x, y, max(1.0, box.width * share), self.bar_px)


def write(report: Report, language: str) -> str | None:
    """Return a report as an ASS file, None without cues. Times are in hundredths of a second, and end at ten hours."""
    return draw(report, language)


def draw(report: Report, language: str, *, font: str = FONT, with_bars: bool = False) -> str | None:
    """Return the same with labels in another font, and, ``with_bars``, every face's number and a bar below its box.

    The bar shows the probability of the emotion that the label names, block by block: the whole width is 1.
    """
    cues = report.face_cues
    if not cues:
        return None
    canvas = Canvas(report.meta.width_px, report.meta.height_px)
    numbered = with_bars or are_together(cues)
    faces = report.pieces_by_face
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
        file.styles[_box_style(emotion)] = _style(canvas, emotion, _OUTLINED, font)
        file.styles[_label_style(emotion)] = _style(canvas, emotion, _ON_A_GROUND, font)
        if with_bars:
            file.styles[_bar_style(emotion)] = _bar(color(emotion), 0, font)
    if with_bars:
        file.styles[_GROUND_STYLE] = _bar(BLACK, _HALF, font)
    for cue in cues:
        (line,) = cue.lines
        text = label(line, language, numbered=numbered)
        for segment in report.boxes.segments(line.face_id, cue.span):
            if segment.span.end_ms <= MAX_REPRESENTABLE_TIME:
                file.events += _draw(canvas, segment, line.emotion, text)
                if with_bars:
                    file.events += _draw_bars(canvas, segment, line.emotion, faces[line.face_id])
    return file.to_string("ass", header_notice=report.meta.program) if file.events else None


def _draw(canvas: Canvas, segment: Segment, emotion: str, text: str) -> Iterator[pysubs2.SSAEvent]:
    """Yield a box and its label over a segment."""
    first, last = segment.first, segment.last
    yield _draw_square(segment, _BOX_LAYER, _box_style(emotion))
    placed = _moved(canvas.label_corner(first, text), canvas.label_corner(last, text))
    yield _event(segment, _LABEL_LAYER, _label_style(emotion), f"{{{placed}}}{_plain(text)}")


def _draw_bars(canvas: Canvas, segment: Segment, emotion: str, pieces: Sequence[Piece]) -> Iterator[pysubs2.SSAEvent]:
    """Yield a bar's background over a segment, and the bar in each of the face's blocks then.

    A block goes on until the next begins, and the first begins with the cue: cues may be longer than their pieces.
    """
    ground = Segment(segment.span, canvas.bar_of(segment.first), canvas.bar_of(segment.last))
    yield _draw_square(ground, _GROUND_LAYER, _GROUND_STYLE)
    first = max(0, bisect_right(pieces, segment.span.start_ms, key=lambda piece: piece.span.start_ms) - 1)
    later = takewhile(lambda piece: piece.span.start_ms < segment.span.end_ms, islice(pieces, first + 1, None))
    during = [pieces[first], *later]
    times_ms = [segment.span.start_ms, *(piece.span.start_ms for piece in during[1:]), segment.span.end_ms]
    for piece, (start_ms, end_ms) in zip(during, pairwise(times_ms), strict=True):
        share = piece.probabilities[emotion]
        bars = (canvas.bar_of(_box_at(segment, time_ms), share) for time_ms in (start_ms, end_ms))
        yield _draw_square(Segment(Span(start_ms, end_ms), *bars), _BAR_LAYER, _bar_style(emotion))


def _box_at(segment: Segment, time_ms: int) -> Box:
    return segment.first.towards(segment.last, (time_ms - segment.span.start_ms) / segment.span.duration_ms)


def _draw_square(segment: Segment, layer: int, style: str) -> pysubs2.SSAEvent:
    """Return the square, scaled and moved."""
    first, last = segment.first, segment.last
    placed = _moved((first.x, first.y), (last.x, last.y))
    return _event(segment, layer, style, f"{{{placed}{_scaled(first, last)}\\p1}}{_SQUARE}")


def _event(segment: Segment, layer: int, style: str, text: str) -> pysubs2.SSAEvent:
    return pysubs2.SSAEvent(start=segment.span.start_ms, end=segment.span.end_ms, layer=layer, style=style, text=text)


def _moved(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return an override that puts a line's corner somewhere, and moves it linearly."""
    here, there = (f"{x:.0f},{y:.0f}" for x, y in (start, end))
    return f"\\pos({here})" if here == there else f"\\move({here},{there})"


def _scaled(first: Box, last: Box) -> str:
    """Return overrides that give the square a box's size, and change it linearly."""
    here, there = (f"\\fscx{box.width:.0f}\\fscy{box.height:.0f}" for box in (first, last))
    return here if here == there else f"{here}\\t({there})"


def _style(canvas: Canvas, emotion: str, border: int, font: str) -> pysubs2.SSAStyle:
    is_label = border == _ON_A_GROUND
    return pysubs2.SSAStyle(
        fontname=font,
        fontsize=canvas.font_px,
        primarycolor=_color(ink(emotion), 0 if is_label else _TRANSPARENT),
        outlinecolor=_color(color(emotion)),
        backcolor=_color(BLACK, _TRANSPARENT if is_label else _HALF),
        borderstyle=border,
        outline=canvas.line_px,
        shadow=0 if is_label else max(1, canvas.line_px // 2),
        alignment=pysubs2.Alignment(_LOWER_LEFT if is_label else _UPPER_LEFT),
        marginl=0,
        marginr=0,
        marginv=0,
    )


def _bar(rgb: str, transparency: int, font: str) -> pysubs2.SSAStyle:
    """Return the style of a filled square; the format asks for a font even where nothing is written."""
    return pysubs2.SSAStyle(
        fontname=font,
        primarycolor=_color(rgb, transparency),
        borderstyle=_OUTLINED,
        outline=0,
        shadow=0,
        alignment=pysubs2.Alignment(_UPPER_LEFT),
        marginl=0,
        marginr=0,
        marginv=0,
    )


def _color(rgb: str, transparency: int = 0) -> pysubs2.Color:
    red, green, blue = bytes.fromhex(rgb[1:])
    return pysubs2.Color(red, green, blue, transparency)


def _box_style(emotion: str) -> str:
    return f"{_style_name(emotion)} box"


def _label_style(emotion: str) -> str:
    return f"{_style_name(emotion)} label"


def _bar_style(emotion: str) -> str:
    return f"{_style_name(emotion)} bar"


def _style_name(emotion: str) -> str:
    """Return an emotion as part of a style's name: no commas, which separate fields."""
    return re.sub(r"[^\w-]", "-", emotion)


def _plain(text: str) -> str:
    """Return text in which nothing is an override.

    >>> _plain("{fear}" + chr(92) + "N")
    '(fear)/N'
    """
    return text.translate({ord("{"): "(", ord("}"): ")", ord("\\"): "/"})
