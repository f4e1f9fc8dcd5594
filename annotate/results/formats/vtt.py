"""WebVTT (W3C, 2019) for browsers: cues at their faces, with a class per emotion, written with webvtt-py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import webvtt
from webvtt.models import Timestamp

from annotate.emotions.palette import color, text_color
from annotate.faces.box import Box
from annotate.results.boxes import BoxTrajectories
from annotate.results.cues import MIN_CUE_MS, Cue, any_overlap
from annotate.results.formats.srt import label
from annotate.results.report import Report
from annotate.span import Span

_LINE_SHARE, _LETTER_SHARE = 0.07, 0.03
"""Upper bounds of the height of a cue and the width of a letter in browsers, as shares of the frame's shorter side."""

_MAX_SHIFT, _STEP_MS = 0.5, 100
"""A cue is split when its face has moved by more than this share of its width, checked at this interval."""


@dataclass(frozen=True)
class CueRegion:
    """The region for cues: the displayed frame."""

    width_px: int
    height_px: int

    def settings(self, box: Box | None, text: str) -> str:
        """Return cue settings that put ``text`` above a box, shifted to stay within the frame.

        The text ends at the right side of the box: a cue with ``align:end`` extends from the left edge of the frame to its
        position. Browsers place other alignments differently, some shifting a cue left by a share of its width.
        """
        corner = self.corner(box)
        if corner is None:
            return ""
        position = max(min(1.0, len(text) * self.letter_share), corner[1])
        return f"line:{corner[0]:.1%} position:{position:.1%} align:end"

    def corner(self, box: Box | None) -> tuple[float, float] | None:
        """Return top and right end of a cue above a box, as shares of frame height and width; None without a box."""
        if box is None or not self.width_px or not self.height_px:
            return None
        line_share = _LINE_SHARE * min(self.width_px, self.height_px) / self.height_px
        line = min(max(0.0, box.y / self.height_px - line_share), 1 - line_share)
        return line, min((box.x + box.width) / self.width_px, 1.0)

    @property
    def letter_share(self) -> float:
        """Width of a letter as a share of the frame width."""
        return _LETTER_SHARE * min(self.width_px, self.height_px) / self.width_px if self.width_px else 0.0


def write(report: Report, language: str) -> str | None:
    """Return a report as WebVTT text, None without cues."""
    cues = report.face_cues
    if not cues:
        return None
    numbered = any_overlap(cues)
    region = CueRegion(report.meta.width_px, report.meta.height_px)
    parts = []
    for cue in cues:
        (line,) = cue.lines
        text = label(line, language, report, numbered=numbered)
        tagged = f"<c.{css_class(line.emotion)}>{escape(text, quote=False)}</c>"
        placed = split_at_movement(cue, report.placed_boxes)
        parts += [(span, line.face_id, tagged, region.settings(box, text)) for span, box in placed]
    captions = [_caption(span, tagged, settings) for span, _, tagged, settings in sorted(parts)]
    emotions = sorted({line.emotion for cue in cues for line in cue.lines})
    notes = [report.notice] if report.notice else []
    document = webvtt.WebVTT(captions=captions, styles=[webvtt.Style(_style(emotions))], header_comments=notes)
    return f"{document.content}\n"


def split_at_movement(cue: Cue, boxes: BoxTrajectories) -> Iterator[tuple[Span, Box | None]]:
    """Split a cue where its face moves far, into parts of at least `MIN_CUE_MS`; yield each with its first box."""
    face_id = cue.lines[0].face_id
    start_ms, end_ms = cue.span.start_ms, cue.span.end_ms
    first, time_ms = boxes.at(face_id, start_ms), start_ms + MIN_CUE_MS
    while first is not None and time_ms <= end_ms - MIN_CUE_MS:
        box = boxes.at(face_id, time_ms)
        if box is not None and _distance(first, box) > _MAX_SHIFT * first.width:
            yield Span(start_ms, time_ms), first
            start_ms, first, time_ms = time_ms, box, time_ms + MIN_CUE_MS
        else:
            time_ms += _STEP_MS
    yield Span(start_ms, end_ms), first


def css_class(emotion: str) -> str:
    """Return the CSS class of an emotion.

    >>> css_class("fear"), css_class("2>1, I guess")
    ('fear', '_2-1--I-guess')
    """
    return re.sub(r"^(?=-?\d)", "_", re.sub(r"[^\w-]", "-", emotion))


def _caption(span: Span, text: str, settings: str) -> webvtt.Caption:
    start, end = (str(Timestamp.from_seconds(seconds)) for seconds in (span.start_s, span.end_s))
    return webvtt.Caption(start, end, text, settings=settings or None)


def _style(emotions: Sequence[str]) -> str:
    rules = (
        f"::cue(.{css_class(emotion)}) {{ background-color: {color(emotion)}; color: {text_color(emotion)}; }}"
        for emotion in emotions
    )
    return "\n".join(("::cue { background-color: transparent; }", *rules))


def _distance(box: Box, other: Box) -> float:
    return max(abs(box.x - other.x), abs(box.y - other.y))
