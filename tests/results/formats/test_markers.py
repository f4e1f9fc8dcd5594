"""Lists of markers for Premiere Pro and DaVinci Resolve."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from annotate.emotions.labels import EMOTIONS
from annotate.results.formats.markers import RESOLVE_COLORS, write_premiere, write_resolve
from tests.results.reports import make_report


def test_markers_count_from_the_start_timecode() -> None:
    report = make_report()
    later = replace(report, meta=replace(report.meta, timecode="10:00:00:00"))
    premiere = list(csv.DictReader(io.StringIO(write_premiere(later, "en") or ""), delimiter="\t"))
    resolve = list(csv.DictReader(io.StringIO(write_resolve(later, "en") or "")))
    cues = report.face_cues
    assert len(premiere) == len(resolve) == len(cues)
    for cue, one, other in zip(cues, premiere, resolve, strict=True):
        assert one["Marker Name"] == other["Name"] == f"face {cue.lines[0].face_id}: {cue.lines[0].emotion}"
        seconds, frames = divmod(round(cue.span.start_ms / 40), 25)
        assert one["In"] == other["Start TC"] == f"10:00:{seconds:02d}:{frames:02d}"
        assert one["Duration"] == other["Duration"] < "00:00:06:00"
        assert other["Color"] == RESOLVE_COLORS[cue.lines[0].emotion]
    assert set(RESOLVE_COLORS) == set(EMOTIONS)
    assert len(set(RESOLVE_COLORS.values())) == len(EMOTIONS)
