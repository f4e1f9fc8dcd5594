"""Timelines as opentimelineio reads them."""

from __future__ import annotations

from dataclasses import replace

import opentimelineio as otio
import pytest

from annotate.emotions.labels import EMOTIONS
from annotate.emotions.palette import COLORS
from annotate.results.formats.otio import MARKER_COLORS, write
from tests.results.reports import make_report


def clip_of(**options: object) -> otio.schema.Clip:
    """Return the only clip of the hand-made report."""
    text = write(make_report(**options), "en")  # type: ignore[arg-type]
    assert text is not None
    (clip,) = otio.adapters.read_from_string(text, "otio_json").find_clips()
    return clip


def milliseconds(span: otio.opentime.TimeRange) -> tuple[int, int]:
    """Return start and end in milliseconds."""
    return tuple(round(1000 * time.to_seconds()) for time in (span.start_time, span.end_time_exclusive()))


def test_times_count_from_the_start_timecode() -> None:
    report = make_report()
    later = replace(report, meta=replace(report.meta, timecode="01:00:00:00"))
    timelines = [otio.adapters.read_from_string(write(each, "en") or "", "otio_json") for each in (report, later)]
    clips = [next(iter(timeline.find_clips())) for timeline in timelines]
    for before, after in zip(clips[0].markers, clips[1].markers, strict=True):
        shift = after.marked_range.start_time - before.marked_range.start_time
        assert shift.to_seconds() == 3600
    assert clips[1].source_range.start_time.to_seconds() == 3600
    assert clips[1].media_reference.available_range == clips[1].source_range


def test_one_marker_per_cue() -> None:
    markers = clip_of().markers
    found = [(marker.name, *milliseconds(marker.marked_range)) for marker in markers if "face 2" in marker.name]
    assert found == [("face 2: anger", 2000, 2901), ("face 2: surprise", 4000, 5999)]
    assert (markers[0].name, milliseconds(markers[0].marked_range)[0]) == ("face 1: happiness", 0)
    assert dict(markers[0].metadata["annotate"]) == {
        "face_id": 1,
        "emotion": "happiness",
        "colour": COLORS["happiness"],
    }


def test_every_emotion_has_its_own_color() -> None:
    known = {name for name in dir(otio.schema.MarkerColor) if name.isupper()}
    assert tuple(MARKER_COLORS) == EMOTIONS
    assert len(set(MARKER_COLORS.values())) == len(EMOTIONS)
    assert set(MARKER_COLORS.values()) <= known
    assert clip_of().markers[0].color == "YELLOW"


def test_the_video_is_linked_by_its_relative_path() -> None:
    clip = clip_of(video="../films/a b.mp4")
    assert clip.media_reference.target_url == "./../films/a%20b.mp4"
    assert clip.duration().to_seconds() == pytest.approx(6)
    assert clip.name == "movie.mp4"
