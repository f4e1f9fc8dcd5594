"""Subtitles in the style of captioners (``--style caption``): SubRip, WebVTT and ASS.

``[left: smiling]``, at the top of the picture, or at the bottom where a face is at the top and the bottom is free.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from html import escape

import pysubs2
from pysubs2.formats.substation import MAX_REPRESENTABLE_TIME

from annotate.emotions.labels import caption_word
from annotate.emotions.palette import BLACK
from annotate.faces.box import Box
from annotate.results.caption_rules import MAX_LETTERS
from annotate.results.captions import Caption, Onset, find_onsets, make_captions
from annotate.results.formats.ass import FONT, Canvas, escaped, to_color
from annotate.results.formats.srt import to_subrip
from annotate.results.intervals import ClippedBlock
from annotate.results.meta import Meta
from annotate.results.places import places
from annotate.results.report import Report
from annotate.results.timecode import DEFAULT_RATE
from annotate.span import MS_PER_S, Span
from annotate.text import shorten

_LINE_SHARE, _LETTER_SHARE, _MARGIN_SHARE = 0.08, 0.04, 0.035
"""Upper bounds of the height of a line and the width of a letter, and the margin, in players, as shares of the height."""

_SAME = 1.01
"""Ratio of areas up to which the top covers as little of faces as the bottom."""

_TOP, _BOTTOM = "{\\an8}", "{\\an2}"
_STYLE = "caption"
_OPAQUE, _HALF = 0, 128


def write_srt(report: Report, language: str) -> str | None:
    """Return captions as SubRip text with the tag for the top that players know, None if there is nothing to say."""
    events = [_event(caption, r"\N", _TOP if at_top else "") for caption, at_top in _placed(report, language)]
    return to_subrip(events, keep_ssa_tags=True) if events else None


def write_vtt(report: Report, language: str) -> str | None:
    """Return captions as WebVTT text, None if there is nothing to say."""
    import webvtt
    from webvtt.models import Timestamp

    captions = []
    for caption, at_top in _placed(report, language):
        start, end = (str(Timestamp.from_seconds(seconds)) for seconds in (caption.span.start_s, caption.span.end_s))
        text = "\n".join(escape(line, quote=False) for line in caption.lines)
        captions.append(webvtt.Caption(start, end, text, settings="line:0" if at_top else None))
    return f"{webvtt.WebVTT(captions=captions).content}\n" if captions else None


def write_ass(report: Report, language: str) -> str | None:
    """Return captions as ASS text, None if there is nothing to say; what begins after ten hours is left out."""
    canvas = Canvas(report.meta.width_px, report.meta.height_px)
    file = pysubs2.SSAFile()
    file.info |= {"PlayResX": str(canvas.width_px), "PlayResY": str(canvas.height_px), "WrapStyle": "0"}
    file.info |= {"ScaledBorderAndShadow": "yes", "YCbCr Matrix": "None"}
    file.styles.clear()
    file.styles[_STYLE] = pysubs2.SSAStyle(
        fontname=FONT,
        fontsize=canvas.font_px,
        primarycolor=pysubs2.Color(255, 255, 255, _OPAQUE),
        outlinecolor=to_color(BLACK, _HALF),
        backcolor=to_color(BLACK, _HALF),
        borderstyle=3,
        outline=canvas.line_px,
        shadow=0,
        marginl=2 * canvas.line_px,
        marginr=2 * canvas.line_px,
        marginv=canvas.font_px // 2,
    )
    for caption, at_top in _placed(report, language):
        if caption.span.end_ms <= MAX_REPRESENTABLE_TIME:
            event = _event(caption, r"\N", _TOP if at_top else _BOTTOM)
            event.style = _STYLE
            file.events.append(event)
    return file.to_string("ass", header_notice=report.meta.program) if file.events else None


def captions_of(report: Report, language: str) -> list[Caption]:
    """Return the captions of a report."""
    view = _View(report)
    onsets = find_onsets(report.blocks_by_lane.values())
    return make_captions(onsets, lambda said, ms: _lines(view, language, said, ms), frame_ms(report.meta), report.end_ms)


def frame_ms(meta: Meta) -> float:
    """Return the mean length of a frame; that of a usual video if some were not decoded."""
    if "decode" in meta.settings or not meta.frames or not meta.duration_s:
        return MS_PER_S / DEFAULT_RATE
    return meta.duration_s * MS_PER_S / meta.frames


class _View:
    """Which faces are in the picture when, and where."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._blocks = sorted(report.blocks, key=lambda block: block.span)
        self._longest_ms = max((block.span.duration_ms for block in self._blocks), default=0)

    def blocks(self, span: Span) -> Iterator[ClippedBlock]:
        """Yield the blocks that overlap a span."""
        first = bisect_left(self._blocks, span.start_ms - self._longest_ms, key=lambda block: block.span.start_ms)
        for block in self._blocks[first:]:
            if block.span.start_ms >= span.end_ms:
                return
            if block.span & span:
                yield block

    def boxes_at(self, time_ms: int) -> dict[int, Box]:
        """Return the boxes of the faces in the picture at a time."""
        found = {block.face_id for block in self.blocks(Span(time_ms, time_ms + 1))}
        boxes = {face_id: self.report.placed_boxes.at(face_id, time_ms) for face_id in found}
        return {face_id: box for face_id, box in boxes.items() if box is not None}

    def covered_px(self, region: Box, span: Span) -> float:
        """Return how much of faces a region covers, as the sum of areas at some times of a span."""
        total = 0.0
        for block in self.blocks(span):
            during = block.span & span
            for time_ms in (during.start_ms, (during.start_ms + during.end_ms) // 2, during.end_ms):
                box = self.report.placed_boxes.at(block.face_id, time_ms)
                total += 0.0 if box is None else _common_px(box, region)
        return total


def _lines(view: _View, language: str, onsets: Sequence[Onset], time_ms: int) -> tuple[tuple[Onset, str], ...]:
    """Return the lines of onsets from left to right, with names, or places where several faces are in the picture."""
    report = view.report
    time_ms = max(time_ms, *(onset.span.start_ms for onset in onsets))
    boxes = view.boxes_at(time_ms)
    for onset in onsets:
        box = report.placed_boxes.at(onset.face_id, time_ms)
        if box is not None:
            boxes.setdefault(onset.face_id, box)
    where = places(boxes, language)
    in_order = sorted(onsets, key=lambda onset: list(where).index(onset.face_id) if onset.face_id in where else -1)
    lines = []
    for onset in in_order:
        who = report.names.get(onset.face_id) or where.get(onset.face_id, "")
        what = caption_word(onset.emotion, language)
        who = shorten(who, max(1, MAX_LETTERS - len(f"[: {what}]"))) if who else ""
        lines.append((onset, _one_line(f"[{who}: {what}]" if who else f"[{what}]")))
    return tuple(lines)


def _placed(report: Report, language: str) -> Iterator[tuple[Caption, bool]]:
    """Yield the captions of a report with whether each stands at the top."""
    view = _View(report)
    width_px, height_px = report.meta.width_px, report.meta.height_px
    for caption in captions_of(report, language):
        top, bottom = caption_regions(caption.lines, width_px, height_px)
        above = view.covered_px(top, caption.span)
        yield caption, above == 0 or above <= _SAME * view.covered_px(bottom, caption.span)


def caption_regions(lines: Sequence[str], width_px: int, height_px: int) -> tuple[Box, Box]:
    """Return what lines cover at most at the top, and at the bottom, in players that wrap what is too long."""
    letter_px = _LETTER_SHARE * height_px
    widest_px = max(len(line) for line in lines) * letter_px
    rows = sum(max(1, -(-round(len(line) * letter_px) // max(1, width_px))) for line in lines)
    width, height = min(float(width_px), widest_px), height_px * (rows * _LINE_SHARE + _MARGIN_SHARE)
    left = (width_px - width) / 2
    return Box(left, 0, width, height), Box(left, height_px - height, width, height)


def _common_px(one: Box, other: Box) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, width) * max(0.0, height)


def _event(caption: Caption, separator: str, tag: str) -> pysubs2.SSAEvent:
    text = tag + separator.join(map(escaped, caption.lines))
    return pysubs2.SSAEvent(start=caption.span.start_ms, end=caption.span.end_ms, text=text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
