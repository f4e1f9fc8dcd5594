"""Advanced SubStation Alpha for VLC, mpv and ffmpeg: boxes that follow the faces, written with pysubs2.

A box is a drawn square, placed and scaled by override tags. The tags ``\\move`` and ``\\t`` are linear in time, like the
boxes between two detections.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile

import pysubs2
from pysubs2.formats.substation import MAX_REPRESENTABLE_TIME

from annotate.emotions.palette import BLACK, color, text_color
from annotate.faces.box import Box
from annotate.results.boxes import Segment
from annotate.results.cues import any_overlap
from annotate.results.formats.srt import label
from annotate.results.intervals import ClippedBlock
from annotate.results.report import Report
from annotate.span import Span

_SQUARE = "m 0 0 l 100 0 100 100 0 100"
"""100 pixels wide, so that a scale in percent is a size in pixels."""

_FONT_SHARE, _LINE_SHARE = 1 / 18, 1 / 150
"""Font height and line width, as shares of the frame's shorter side."""

_LETTER_SHARE = 0.55
"""Upper bound of the width of a letter, as a share of the font height."""

FONT = "Arial"
"""Font of labels, if the player has it."""

_BAR_LINES = 3
"""Height of a bar, in line widths of a box."""

_BOX_LAYER, _LABEL_LAYER, _BACKGROUND_LAYER, _BAR_LAYER = 0, 1, 2, 3
_OUTLINED, _FILLED = 1, 3
"""Values of BorderStyle: an outline, and a filled rectangle behind the text."""

_UPPER_LEFT, _LOWER_LEFT = 7, 1
_BACKGROUND_STYLE = "ground"
_TRANSPARENT, _HALF = 255, 128


@dataclass(frozen=True)
class Canvas:
    """The displayed frame, in pixels."""

    width_px: int
    height_px: int

    @property
    def font_px(self) -> int:
        """Font height."""
        return max(1, round(min(self.width_px, self.height_px) * _FONT_SHARE))

    @property
    def line_px(self) -> int:
        """Line width of boxes, and margin around the text of labels."""
        return max(1, round(min(self.width_px, self.height_px) * _LINE_SHARE))

    def label_corner(self, box: Box, text: str) -> tuple[float, float]:
        """Return the lower left corner of label text above a box, shifted to stay within the frame."""
        text_px = len(text) * self.font_px * _LETTER_SHARE
        x = max(2 * self.line_px, min(box.x, self.width_px - text_px - 2 * self.line_px))
        y = max(self.font_px + 2 * self.line_px, min(box.y - 2 * self.line_px, self.height_px - 2 * self.line_px))
        return x, y

    @property
    def bar_px(self) -> int:
        """Height of a bar."""
        return _BAR_LINES * self.line_px

    def bar_of(self, box: Box, share: float = 1.0) -> Box:
        """Return a bar over ``share`` (0..1) of the width of a box, below it or shifted up to stay within the frame."""
        y = min(box.y + box.height + 2 * self.line_px, self.height_px - self.bar_px - self.line_px)
        return Box(box.x, y, max(1.0, box.width * share), self.bar_px)


def write(report: Report, language: str) -> str | None:
    """Return a report as ASS text, None without cues. The format has hundredths of a second and ends at ten hours."""
    return draw(report, language)


def draw(report: Report, language: str, *, font: str = FONT, with_bars: bool = False) -> str | None:
    """Return ASS text as `write` does, in a given font; ``with_bars`` adds face numbers and a bar below each box.

    The bar shows the probability of the emotion for each block; the full width of the box is 1.
    """
    cues = report.block_cues
    if not cues:
        return None
    canvas = Canvas(report.meta.width_px, report.meta.height_px)
    numbered = with_bars or any_overlap(cues)
    faces = report.blocks_by_face
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
        file.styles[_label_style(emotion)] = _style(canvas, emotion, _FILLED, font)
        if with_bars:
            file.styles[_bar_style(emotion)] = _square_style(color(emotion), 0, font)
    if with_bars:
        file.styles[_BACKGROUND_STYLE] = _square_style(BLACK, _HALF, font)
    for cue in cues:
        (line,) = cue.lines
        text = label(line, language, report, numbered=numbered)
        for segment in report.placed_boxes.segments(line.face_id, cue.span):
            if segment.span.end_ms <= MAX_REPRESENTABLE_TIME:
                file.events += _draw(canvas, segment, line.emotion, text)
                if with_bars:
                    file.events += _draw_bars(canvas, segment, line.emotion, faces[line.face_id])
    notice = "\n".join(filter(None, (report.meta.program, report.notice)))
    return file.to_string("ass", header_notice=notice) if file.events else None


def _draw(canvas: Canvas, segment: Segment, emotion: str, text: str) -> Iterator[pysubs2.SSAEvent]:
    """Yield a box and its label during a segment."""
    first, last = segment.first, segment.last
    yield _draw_square(segment, _BOX_LAYER, _box_style(emotion))
    position = _move_tag(canvas.label_corner(first, text), canvas.label_corner(last, text))
    yield _event(segment, _LABEL_LAYER, _label_style(emotion), f"{{{position}}}{escaped(text)}")


def _draw_bars(canvas: Canvas, segment: Segment, emotion: str, blocks: Sequence[ClippedBlock]) -> Iterator[pysubs2.SSAEvent]:
    """Yield the background of a bar during a segment, and one bar per block of the face."""
    background = Segment(segment.span, canvas.bar_of(segment.first), canvas.bar_of(segment.last))
    yield _draw_square(background, _BACKGROUND_LAYER, _BACKGROUND_STYLE)
    first = max(0, bisect_right(blocks, segment.span.start_ms, key=lambda block: block.span.start_ms) - 1)
    later = takewhile(lambda block: block.span.start_ms < segment.span.end_ms, islice(blocks, first + 1, None))
    during = [blocks[first], *later]
    times_ms = [segment.span.start_ms, *(block.span.start_ms for block in during[1:]), segment.span.end_ms]
    for block, (start_ms, end_ms) in zip(during, pairwise(times_ms), strict=True):
        share = block.probabilities[emotion]
        bars = (canvas.bar_of(_box_at(segment, time_ms), share) for time_ms in (start_ms, end_ms))
        yield _draw_square(Segment(Span(start_ms, end_ms), *bars), _BAR_LAYER, _bar_style(emotion))


def _box_at(segment: Segment, time_ms: int) -> Box:
    return segment.first.interpolate(segment.last, (time_ms - segment.span.start_ms) / segment.span.duration_ms)


def _draw_square(segment: Segment, layer: int, style: str) -> pysubs2.SSAEvent:
    """Return the square with the position, size and motion of a segment."""
    first, last = segment.first, segment.last
    position = _move_tag((first.x, first.y), (last.x, last.y))
    return _event(segment, layer, style, f"{{{position}{_scale_tags(first, last)}\\p1}}{_SQUARE}")


def _event(segment: Segment, layer: int, style: str, text: str) -> pysubs2.SSAEvent:
    return pysubs2.SSAEvent(start=segment.span.start_ms, end=segment.span.end_ms, layer=layer, style=style, text=text)


def _move_tag(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return the override tag that places the corner of an event and moves it linearly."""
    first, last = (f"{x:.0f},{y:.0f}" for x, y in (start, end))
    return f"\\pos({first})" if first == last else f"\\move({first},{last})"


def _scale_tags(start: Box, end: Box) -> str:
    """Return the override tags that scale the square to the size of a box and change it linearly."""
    first, last = (f"\\fscx{box.width:.0f}\\fscy{box.height:.0f}" for box in (start, end))
    return first if first == last else f"{first}\\t({last})"


def _style(canvas: Canvas, emotion: str, border: int, font: str) -> pysubs2.SSAStyle:
    is_label = border == _FILLED
    return pysubs2.SSAStyle(
        fontname=font,
        fontsize=canvas.font_px,
        primarycolor=to_color(text_color(emotion), 0 if is_label else _TRANSPARENT),
        outlinecolor=to_color(color(emotion)),
        backcolor=to_color(BLACK, _TRANSPARENT if is_label else _HALF),
        borderstyle=border,
        outline=canvas.line_px,
        shadow=0 if is_label else max(1, canvas.line_px // 2),
        alignment=pysubs2.Alignment(_LOWER_LEFT if is_label else _UPPER_LEFT),
        marginl=0,
        marginr=0,
        marginv=0,
    )


def _square_style(rgb: str, transparency: int, font: str) -> pysubs2.SSAStyle:
    """Return the style of a filled square; the format requires a font even without text."""
    return pysubs2.SSAStyle(
        fontname=font,
        primarycolor=to_color(rgb, transparency),
        borderstyle=_OUTLINED,
        outline=0,
        shadow=0,
        alignment=pysubs2.Alignment(_UPPER_LEFT),
        marginl=0,
        marginr=0,
        marginv=0,
    )


def to_color(rgb: str, transparency: int = 0) -> pysubs2.Color:
    """Return a color of the palette, with a transparency from 0 to 255."""
    red, green, blue = bytes.fromhex(rgb[1:])
    return pysubs2.Color(red, green, blue, transparency)


def _box_style(emotion: str) -> str:
    return f"{_style_name(emotion)} box"


def _label_style(emotion: str) -> str:
    return f"{_style_name(emotion)} label"


def _bar_style(emotion: str) -> str:
    return f"{_style_name(emotion)} bar"


def _style_name(emotion: str) -> str:
    """Return an emotion as part of a style name, without commas, which separate fields."""
    return re.sub(r"[^\w-]", "-", emotion)


def escaped(text: str) -> str:
    """Return text in which nothing is an override tag.

    >>> escaped("{fear}" + chr(92) + "N")
    '(fear)/N'
    """
    return text.translate({ord("{"): "(", ord("}"): ")", ord("\\"): "/"})
