"""WebVTT for browsers: a cue stands at its face and has a class for its emotion (W3C, "WebVTT", 2019), by webvtt-py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import webvtt
from webvtt.models import Timestamp

from annotate.emotions.palette import color, ink
from annotate.faces.box import Box
from annotate.results.boxes import BoxPaths
from annotate.results.cues import MIN_CUE_MS, Cue, are_together
from annotate.results.formats.srt import label
from annotate.results.report import Report
from annotate.span import Span

_LINE_SHARE, _LETTER_SHARE = 0.07, 0.03
"""Height of a cue and width of its letters as browsers draw them, on the wide side: shares of a frame's shorter side."""

_MAX_SHIFT, _STEP_MS = 0.5, 100
"""A cue follows its face when that has moved by more than this share of its width, which is measured so often."""


@dataclass(frozen=True)
class CueRegion:
    """The region where cues may stand: the displayed frame."""

    width_px: int
    height_px: int

    def settings(self, box: Box | None, text: str) -> str:
        """Return cue settings that put ``text`` above a box, moved so far that it does not leave the frame.

        The text ends where the box does: a cue aligned at its end reaches from the frame's left edge to its position.
        Browsers do not agree where other cues begin, since some move a cue to the left by a share of its own width.
        """
        corner = self.corner(box)
        if corner is None:
            return ""
        position = max(min(1.0, len(text) * self.letter_share), corner[1])
        return f"line:{corner[0]:.1%} position:{position:.1%} align:end"

    def corner(self, box: Box | None) -> tuple[float, float] | None:
        """Return where a cue above a box begins and ends: shares of the frame's height and width, None without a box."""
        if box is None or not self.width_px or not self.height_px:
            return None
        line_share = _LINE_SHARE * min(self.width_px, self.height_px) / self.height_px
        line = min(max(0.0, box.y / self.height_px - line_share), 1 - line_share)
        return line, min((box.x + box.width) / self.width_px, 1.0)

    @property
    def letter_share(self) -> float:
        """The width of a letter as a share of the frame's."""
        return _LETTER_SHARE * min(self.width_px, self.height_px) / self.width_px if self.width_px else 0.0


def write(report: Report, language: str) -> str | None:
    """Return a report as a WebVTT file, None without cues."""
    cues = report.face_cues
    if not cues:
        return None
    numbered = are_together(cues)
    region = CueRegion(report.meta.width_px, report.meta.height_px)
    parts = []
    for cue in cues:
        (line,) = cue.lines
        text = label(line, language, numbered=numbered)
        tagged = f"<c.{class_name(line.emotion)}>{escape(text, quote=False)}</c>"
        parts += [(span, line.face_id, tagged, region.settings(box, text)) for span, box in stays(cue, report.boxes)]
    captions = [_caption(span, tagged, settings) for span, _, tagged, settings in sorted(parts)]
    emotions = sorted({line.emotion for cue in cues for line in cue.lines})
    return f"{webvtt.WebVTT(captions=captions, styles=[webvtt.Style(_style(emotions))]).content}\n"


def stays(cue: Cue, boxes: BoxPaths) -> Iterator[tuple[Span, Box | None]]:
    """Yield a cue in parts, none shorter than a cue may be, over each of which its face stays about where it was first."""
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


def class_name(emotion: str) -> str:
    """Return an emotion as the name of a class in cues and in their style.

    >>> class_name("fear"), class_name("2>1, I guess")
    ('fear', '_2-1--I-guess')
    """
    return re.sub(r"^(?=-?\d)", "_", re.sub(r"[^\w-]", "-", emotion))


def _caption(span: Span, text: str, settings: str) -> webvtt.Caption:
    start, end = (str(Timestamp.from_seconds(seconds)) for seconds in (span.start_s, span.end_s))
    return webvtt.Caption(start, end, text, settings=settings or None)


def _style(emotions: Sequence[str]) -> str:
    rules = (
        f"::cue(.{class_name(emotion)}) {{ background-color: {color(emotion)}; color: {ink(emotion)}; }}"
        for emotion in emotions
    )
    return "\n".join(("::cue { background-color: transparent; }", *rules))


def _distance(box: Box, other: Box) -> float:
    return max(abs(box.x - other.x), abs(box.y - other.y))
