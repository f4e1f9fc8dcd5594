"""OpenTimelineIO for video editors: the video as a clip with one marker per cue of a face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import opentimelineio as otio

from annotate.emotions.palette import color
from annotate.results.intervals import ClippedBlock
from annotate.results.report import EXCLUDED, Report
from annotate.results.table import AUTHOR, MACHINE, SOURCE
from annotate.span import MS_PER_S, Span

MARKER_COLORS: Mapping[str, str] = MappingProxyType(
    {
        "anger": "ORANGE",
        "disgust": "GREEN",
        "fear": "PURPLE",
        "happiness": "YELLOW",
        "neutral": "WHITE",
        "sadness": "BLUE",
        "surprise": "CYAN",
    }
)
"""Marker color of each emotion: the one closest to the palette among those that editors support."""

_OTHER_COLOR, _EXCLUDED_COLOR = "BLACK", "RED"


def write(report: Report, language: str) -> str | None:
    """Return a report as OTIO text with times in milliseconds from the video's start timecode, None without faces.

    Excluded time has markers too.
    """
    cues = report.face_cues
    if not cues and not report.excluded:
        return None
    start_ms = round(report.clock.first * MS_PER_S / report.clock.rate)
    whole = _range(Span(0, report.end_ms), start_ms)
    media = otio.schema.ExternalReference(report.video_url, available_range=whole)
    clip = otio.schema.Clip(report.meta.source.name, media, source_range=whole)
    decided = {face_id: [block for block in blocks if block.machine] for face_id, blocks in report.blocks_by_face.items()}
    for cue in cues:
        (line,) = cue.lines
        marker = otio.schema.Marker(f"{report.lane(line.face_id)}: {line.emotion}", _range(cue.span, start_ms))
        marker.color = MARKER_COLORS.get(line.emotion, _OTHER_COLOR)
        person = report.persons.get(line.face_id)
        marker.metadata["annotate"] = {
            "face_id": line.face_id,
            "emotion": line.emotion,
            "colour": color(line.emotion),
            **({} if person is None else {"person": person.number, "name": person.name}),
            **_source(decided.get(line.face_id, ()), cue.span),
        }
        clip.markers.append(marker)
    for face_id, spans in report.excluded.items():
        for span in spans:
            marker = otio.schema.Marker(f"{report.lane(face_id)}: {EXCLUDED}", _range(span, start_ms), _EXCLUDED_COLOR)
            marker.metadata["annotate"] = {"face_id": face_id, EXCLUDED: True}
            clip.markers.append(marker)
    track = otio.schema.Track("faces", kind=otio.schema.TrackKind.Video)
    track.append(clip)
    timeline = otio.schema.Timeline(report.meta.source.name)
    timeline.tracks.append(track)
    text: str = otio.adapters.write_to_string(timeline, "otio_json")
    return f"{text}\n"


def _source(decided: Sequence[ClippedBlock], span: Span) -> dict[str, Any]:
    """Return who says what stands in a cue, if people decided on any part of it, and what the machine says there."""
    during = [block for block in decided if block.span & span]
    if not during:
        return {}
    machine = [
        {"start_time": block.span.start_s, "end_time": block.span.end_s, "emotion": block.machine} for block in during
    ]
    return {SOURCE: AUTHOR, MACHINE: machine}


def _range(span: Span, start_ms: int) -> otio.opentime.TimeRange:
    times_ms = (start_ms + span.start_ms, span.duration_ms)
    start, duration = (otio.opentime.RationalTime(ms, MS_PER_S) for ms in times_ms)
    return otio.opentime.TimeRange(start, duration)
