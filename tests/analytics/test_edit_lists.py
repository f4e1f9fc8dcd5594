"""Edit lists and playlists, read back by other libraries."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import opentimelineio as otio
import pycmx
import pytest

from annotate.analytics.edit_lists import common_rate, divided, frame_rate, to_edl, to_m3u, to_otio
from annotate.analytics.fcpxml import to_fcpxml
from annotate.analytics.moments import Moment
from annotate.analytics.read import ReportSummary
from annotate.emotions.labels import EMOTIONS
from annotate.errors import OutputError
from annotate.span import Span

NTSC = 30000 / 1001
AWKWARD = "a #1 % 日本\n\x1b.mp4"


def moment(
    name: str,
    start_ms: int,
    end_ms: int,
    *,
    folder: str = "/archive",
    frames: int = 250,
    duration_ms: int = 10_000,
    timecode: str = "",
) -> Moment:
    """Return a moment of fear of face 2."""
    path = Path(folder) / name
    report = ReportSummary(
        path.with_suffix(".emotions.csv"), str(path), path, duration_ms, frames, EMOTIONS, timecode=timecode
    )
    return Moment(report, 2, Span(start_ms, end_ms), "fear", 0.725)


MOMENTS = [moment("a.mp4", 1000, 3480), moment("b.mkv", 3_599_960, 3_601_000), moment(AWKWARD, 0, 10)]
"""Frames at 25 frames/s: 25 to 87, 89999 to 90025, and a single frame."""


def test_edl_follows_cmx_3600() -> None:
    lines = to_edl(MOMENTS, 25.0).splitlines()
    assert lines[:8] == [
        "TITLE: moments",
        "FCM: NON-DROP FRAME",
        "001  AX       V     C        00:00:01:00 00:00:03:12 01:00:00:00 01:00:02:12",
        "* FROM CLIP NAME: a.mp4",
        "* COMMENT: fear, face 2, confidence 0.72",
        "002  AX       V     C        00:59:59:24 01:00:01:00 01:00:02:12 01:00:03:13",
        "* FROM CLIP NAME: b.mkv",
        "* COMMENT: fear, face 2, confidence 0.72",
    ]
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("rate", [25.0, 24000 / 1001, 30.0, 60.0])
def test_edl_is_read_by_opentimelineio(rate: float) -> None:
    timeline = otio.adapters.read_from_string(to_edl(MOMENTS, rate), "cmx_3600", rate=rate)
    clips = list(timeline.find_clips())
    assert [clip.name for clip in clips] == ["a.mp4", "b.mkv", r"a #1 % 日本\n\x1b.mp4"]
    for clip, original in zip(clips, MOMENTS, strict=True):
        found = clip.source_range
        assert found.start_time.to_seconds() == pytest.approx(original.span.start_s, abs=0.51 / rate)
        assert found.end_time_exclusive().to_seconds() == pytest.approx(original.span.end_s, abs=1 / rate)
    assert [len(track) for track in timeline.tracks] == [len(clips)], "the record timeline has gaps"


def test_edl_is_read_by_pycmx() -> None:
    edl = pycmx.parse_cmx3600(io.StringIO(to_edl(MOMENTS, 25.0)))
    edits = [edit for event in edl.events for edit in event.edits]
    assert [(edit.source_in, edit.source_out, edit.record_in, edit.record_out) for edit in edits] == [
        ("00:00:01:00", "00:00:03:12", "01:00:00:00", "01:00:02:12"),
        ("00:59:59:24", "01:00:01:00", "01:00:02:12", "01:00:03:13"),
        ("00:00:00:00", "00:00:00:01", "01:00:03:13", "01:00:03:14"),
    ]
    assert [edit.clip_name for edit in edits] == ["a.mp4", "b.mkv", r"a #1 % 日本\n\x1b.mp4"]
    assert edl.title == "moments"


DAY_MS = 24 * 3_600_000


@pytest.mark.parametrize(("rate", "frames"), [(25.0, 24 * 3600 * 25), (NTSC, 24 * 6 * 17_982)])
def test_the_last_timecode_of_an_edl_is_the_last_frame_of_a_day(rate: float, frames: int) -> None:
    last = [moment("a.mp4", round(1000 * (frames - 30) / rate), round(1000 * (frames - 1) / rate))]
    line = to_edl(last, rate).splitlines()[2]
    assert line.split()[5] == f"23:59:59{';' if rate == NTSC else ':'}{round(rate) - 1}"
    beyond = [moment("a.mp4", 0, 1000), moment("a.mp4", round(1000 * (frames - 30) / rate), round(1000 * frames / rate))]
    with pytest.raises(OutputError) as caught:
        to_edl(beyond, rate)
    assert "24:00" in caught.value.problem or "24:01" in caught.value.problem
    assert ".otio" in caught.value.remedy


def test_moments_of_more_than_23_hours_together_are_refused() -> None:
    parts = [moment("a.mp4", 0, DAY_MS // 2), moment("b.mp4", 0, DAY_MS // 2 - 3_600_000 - 40)]
    assert to_edl(parts, 25.0).splitlines()[5].split()[-1] == "23:59:59:24"
    with pytest.raises(OutputError) as caught:
        to_edl([*parts, moment("c.mp4", 0, 40)], 25.0)
    assert "23 hours" in caught.value.problem


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("", ["00:01:00;02", "00:01:01;02"]),
        ("10:00:00;00", ["10:01:00;02", "10:01:01;02"]),
        ("10:00:00:00", ["10:01:00:00", "10:01:01:00"]),
    ],
    ids=["none", "drop-frame", "non-drop-frame"],
)
def test_ntsc_timecodes_are_drop_frame_unless_the_file_says_otherwise(start: str, expected: list[str]) -> None:
    """The frame at 60.06 s is the 1800th, whose number in drop-frame timecode is 1802."""
    lines = to_edl([moment("a.mp4", 60_060, 61_061, timecode=start)], NTSC).splitlines()
    assert lines[1] == "FCM: DROP FRAME"
    assert lines[2].split()[4:6] == expected
    assert lines[2].split()[6] == "01:00:00;00"


def test_lists_count_from_the_start_timecode_of_a_file() -> None:
    moments = [moment("a.mp4", 1000, 3480, timecode="10:00:00:05"), moment("b.mp4", 1000, 2000)]
    edl = to_edl(moments, 25.0)
    assert [line.split()[4] for line in edl.splitlines() if line[0] == "0"] == ["10:00:01:05", "00:00:01:00"]
    clips = list(otio.adapters.read_from_string(to_otio(moments), "otio_json").find_clips())
    assert [clip.source_range.start_time.value for clip in clips] == [900_030, 25]
    available = clips[0].media_reference.available_range
    assert (available.start_time.value, available.duration.value) == (900_005, 250)
    root = ElementTree.fromstring(to_fcpxml(moments))
    assert [asset.attrib["start"] for asset in root.iter("asset")] == ["180001/5s", "0s"]
    assert [clip.attrib["start"] for clip in root.iter("asset-clip")] == ["180006/5s", "1s"]


@pytest.mark.parametrize(("rate", "frame"), [(NTSC, "1001/30000s"), (25.0, "1/25s"), (24000 / 1001, "1001/24000s")])
def test_fcpxml_has_clips_back_to_back_in_whole_frames(rate: float, frame: str) -> None:
    text = to_fcpxml(MOMENTS, rate)
    root = ElementTree.fromstring(text)
    assert (root.tag, root.attrib["version"]) == ("fcpxml", "1.10")
    assert "<!DOCTYPE fcpxml>" in text
    formats = {each.attrib["id"]: each.attrib["frameDuration"] for each in root.iter("format")}
    assert list(formats.values()) == [frame]
    assets = {each.attrib["id"]: each for each in root.iter("asset")}
    assert all(each.attrib["format"] in formats for each in assets.values())
    end = Fraction(0)
    clips = list(root.iter("asset-clip"))
    for clip, original in zip(clips, MOMENTS, strict=True):
        start, duration, offset = (seconds_of(clip.attrib[name]) for name in ("start", "duration", "offset"))
        assert offset == end
        assert float(start) == pytest.approx(original.span.start_s, abs=0.51 / rate)
        assert all(value % seconds_of(frame) == 0 for value in (start, duration, offset))
        source = assets[clip.attrib["ref"]].find("media-rep")
        assert source is not None
        assert unquote(urlsplit(source.attrib["src"]).path) == str(original.report.video_path)
        (marker,) = clip.iter("marker")
        assert marker.attrib["value"] == "fear, face 2, confidence 0.72"
        end += duration
    (sequence,) = root.iter("sequence")
    assert seconds_of(sequence.attrib["duration"]) == end
    assert sequence.attrib["tcFormat"] == ("DF" if rate == NTSC else "NDF")


def seconds_of(text: str) -> Fraction:
    """Return a time of FCPXML."""
    return Fraction(text.removesuffix("s"))


def test_events_are_divided_over_lists() -> None:
    parts = divided([MOMENTS[0]] * 2000)
    assert [len(part) for part in parts] == [999, 999, 2]
    assert len(divided([])) == 1


def test_otio_timeline_round_trip() -> None:
    timeline = otio.adapters.read_from_string(to_otio(MOMENTS), "otio_json")
    clips = list(timeline.find_clips())
    assert [clip.name for clip in clips][:2] == [
        "a.mp4: fear, face 2, confidence 0.72",
        "b.mkv: fear, face 2, confidence 0.72",
    ]
    assert [(clip.source_range.start_time.value, clip.source_range.duration.value) for clip in clips] == [
        (25, 62),
        (89_999, 26),
        (0, 1),
    ]
    assert {clip.source_range.duration.rate for clip in clips} == {25.0}
    assert [unquote(urlsplit(clip.media_reference.target_url).path) for clip in clips] == [
        "/archive/a.mp4",
        "/archive/b.mkv",
        f"/archive/{AWKWARD}",
    ]
    assert dict(clips[0].metadata["annotate"]) == {"face_id": 2, "emotion": "fear", "confidence": 0.725}
    assert clips[0].media_reference.available_range.duration.to_seconds() == 10.0


def test_otio_clips_have_their_videos_rate_or_the_given_one() -> None:
    mixed = [moment("a.mp4", 1000, 2000), moment("b.mp4", 1000, 2000, frames=600)]
    for rate, expected in ((None, [25.0, 60.0]), (24.0, [24.0, 24.0])):
        clips = otio.adapters.read_from_string(to_otio(mixed, rate), "otio_json").find_clips()
        assert [clip.source_range.start_time.rate for clip in clips] == expected
    assert all(clip.source_range.start_time.to_seconds() == 1.0 for clip in clips)


def test_m3u_has_start_and_stop_times_for_vlc() -> None:
    assert to_m3u(MOMENTS[:1]) == (
        "#EXTM3U\n"
        "#EXTINF:2,a.mp4: fear, face 2, confidence 0.72\n"
        "#EXTVLCOPT:start-time=1.000\n"
        "#EXTVLCOPT:stop-time=3.480\n"
        "file:///archive/a.mp4\n"
    )


def test_m3u_entries_are_ascii_urls_for_any_name_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = to_m3u([moment(AWKWARD, 0, 1000, folder="in here")]).splitlines()
    assert len(lines) == 5
    assert unquote(urlsplit(lines[4]).path) == str(tmp_path / "in here" / AWKWARD)
    assert lines[4].isascii()


@pytest.mark.parametrize(
    ("frames", "duration_ms", "rate"),
    [(250, 10_000, 25.0), (300, 10_010, NTSC), (7193, 300_000, 24000 / 1001), (600, 10_000, 60.0), (0, 10_000, 25.0)],
)
def test_frame_rate_is_the_nearest_with_timecodes(frames: int, duration_ms: int, rate: float) -> None:
    assert frame_rate(moment("a.mp4", 0, 1, frames=frames, duration_ms=duration_ms).report) == rate


def test_common_rate_is_the_most_frequent_and_the_slower_on_a_tie() -> None:
    slow, fast = moment("a.mp4", 0, 1), moment("b.mp4", 0, 1, frames=500)
    assert [common_rate(found) for found in ([], [slow, fast], [slow, fast, fast])] == [25.0, 25.0, 50.0]
