"""Timecodes, as OpenTimelineIO counts them."""

from __future__ import annotations

import opentimelineio as otio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.results.timecode import FRAME_RATES, NTSC_RATES, Clock


@given(st.sampled_from(FRAME_RATES), st.data())
def test_timecodes_are_those_of_opentimelineio(rate: float, data: st.DataObject) -> None:
    clock = Clock.of(rate)
    frame = data.draw(st.integers(0, clock.day_frames - 1))
    time = otio.opentime.RationalTime(frame, rate)
    assert clock.timecode(frame) == otio.opentime.to_timecode(time, rate, clock.is_drop)
    assert clock.is_drop == (rate in NTSC_RATES)
    assert Clock.of(rate, clock.timecode(frame)).first == frame


@pytest.mark.parametrize("start", ["", "1:00", "soon"])
def test_a_video_without_a_timecode_starts_at_zero(start: str) -> None:
    assert Clock.of(25.0, start).first == 0
