"""Decoding that leaves frames out: what is yielded instead, with times and numbers of the whole video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotate.media.decode import Frame, decode
from annotate.media.decoding_command import FrameChoice
from annotate.media.decoding_report import DecodingReport
from annotate.media.packets import PacketTime, order_packets
from annotate.media.probe import Stream, Video, parse_description, probe
from annotate.media.sampling import Sampling
from annotate.media.sizing import Stamp
from annotate.media.skipping import BY_CODEC, INTERLACED, UnmatchedTimesError, fill_in, why_whole
from annotate.settings import ALL_FRAMES, KEY, REFERENCE
from tests.clips import make_frames_at, make_pattern, run_ffmpeg

B_FRAMES = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0")
MPEG2 = ("-c:v", "mpeg2video", "-bf", "2", "-g", "15", "-q:v", "3")
OPEN_GOP = ("-c:v", "libx264", "-preset", "veryfast", "-x264-params", "open-gop=1:keyint=25")
VIDEO = Video(Path("a.mp4"), 0, 160, 120, None, None, streams=(Stream(0, "video", "h264"),))


@pytest.fixture(scope="module")
def b_frames(media: Path) -> Path:
    """Three seconds with B-frames, of which some are references, and a key frame every second."""
    return make_pattern(media / "b_frames.mp4", duration_s=3, options=B_FRAMES)


def decode_in(mode: str, path: Path, start_s: int = 0) -> list[Frame]:
    return list(decode(probe(path), (160, 120), choice=FrameChoice(mode), start_s=start_s))


def shown(frames: Sequence[Frame]) -> list[tuple[object, ...]]:
    return [(frame.index, frame.last_index, frame.span, frame.displayed_px, frame.start_us) for frame in frames]


def check_repeats(frames: Sequence[Frame], whole: Sequence[Frame]) -> list[Frame]:
    """Check that decoded frames look as in the ``whole`` video, and others like the one before; return the decoded ones."""
    assert shown(frames) == shown(whole)
    decoded: list[Frame] = []
    for frame, same in zip(frames, whole, strict=True):
        if frame.shown_us is None:
            assert (frame.image == same.image).all()
            decoded.append(frame)
        elif decoded:
            assert frame.image is decoded[-1].image
            assert frame.shown_us == decoded[-1].start_us
    return decoded


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", B_FRAMES),
        ("open.ts", OPEN_GOP),
        ("a.ts", MPEG2),
        ("a.mkv", ("-c:v", "libx265", "-preset", "ultrafast", "-bf", "3", "-x265-params", "log-level=error")),
    ],
)
def test_reference_frames_are_decoded_and_shown_until_the_next(tmp_path: Path, name: str, options: Sequence[str]) -> None:
    path = make_pattern(tmp_path / name, duration_s=3, options=options)
    decoded = check_repeats(decode_in(REFERENCE, path), decode_in(ALL_FRAMES, path))
    assert 15 < len(decoded) < 60


def test_key_frames_are_decoded_and_shown_until_the_next(b_frames: Path) -> None:
    decoded = check_repeats(decode_in(KEY, b_frames), decode_in(ALL_FRAMES, b_frames))
    assert [(frame.index, frame.span.start_ms) for frame in decoded] == [(0, 0), (25, 1000), (50, 2000)]


@pytest.mark.parametrize("mode", [REFERENCE, KEY])
def test_frames_before_the_first_decoded_one_count(tmp_path: Path, b_frames: Path, mode: str) -> None:
    """A file that was cut between key frames: what its edit list hides counts neither with nor without frames left out."""
    cut = tmp_path / "cut.mp4"
    run_ffmpeg("-ss", "0.48", "-i", b_frames, "-c", "copy", cut)
    frames, whole = decode_in(mode, cut), decode_in(ALL_FRAMES, cut)
    assert shown(frames) == shown(whole)
    decoded = [frame for frame in frames if frame.shown_us is None]
    assert mode == REFERENCE or [(frame.index, frame.span.start_ms) for frame in decoded] == [(13, 520), (38, 1520)]


@pytest.mark.parametrize("name", ["late.ts", "late.mkv", "late.mp4"])
def test_frames_that_start_after_the_audio_keep_their_times(tmp_path: Path, b_frames: Path, name: str) -> None:
    audio = ("-f", "lavfi", "-i", "sine=duration=3.5")
    timing = ("-output_ts_offset", "100") if name == "late.ts" else ()
    path = tmp_path / name
    run_ffmpeg("-itsoffset", "0.4", "-i", b_frames, *audio, "-c:v", "copy", "-c:a", "mp2", *timing, path)
    whole = decode_in(ALL_FRAMES, path)
    assert 400 <= whole[0].span.start_ms < 420
    for mode, count in ((KEY, 3), (REFERENCE, 40)):
        frames = decode_in(mode, path)
        assert shown(frames) == shown(whole)
        assert abs(sum(frame.shown_us is None for frame in frames) - count) <= count // 3


def test_frames_of_a_variable_rate_keep_their_times(tmp_path: Path) -> None:
    times_ms = [0, 41, 82, 123, 400, 1000, 1001, 1500, 2999]
    path = make_frames_at(tmp_path / "variable.mkv", times_ms, options=B_FRAMES)
    frames = decode_in(KEY, path)
    assert [frame.span.start_ms for frame in frames] == times_ms
    assert shown(frames) == shown(decode_in(ALL_FRAMES, path))


def test_decoding_from_the_middle_shows_what_decoding_from_the_start_does(b_frames: Path) -> None:
    whole = {frame.start_us: frame for frame in decode_in(REFERENCE, b_frames)}
    late = [frame for frame in decode_in(REFERENCE, b_frames, start_s=2) if frame.span.start_ms >= 2000]
    assert len(late) == 25
    for frame in late:
        same = whole[frame.start_us]
        assert (frame.span, frame.shown_us) == (same.span, same.shown_us)
        assert (frame.image == same.image).all()


def test_a_video_without_frames_to_leave_out_is_as_it_is(empty_clip: Path) -> None:
    frames, whole = decode_in(REFERENCE, empty_clip), decode_in(ALL_FRAMES, empty_clip)
    assert len(check_repeats(frames, whole)) == len(whole)


@pytest.mark.parametrize(
    ("mode", "name", "options"),
    [
        (KEY, "a.avi", ("-c:v", "mpeg4", "-bf", "2", "-g", "25")),
        (REFERENCE, "a.avi", ("-c:v", "mpeg4", "-bf", "2", "-g", "25")),
        (REFERENCE, "a.mpg", MPEG2),
        (KEY, "open.ts", OPEN_GOP),
    ],
)
def test_times_that_no_packet_has_are_an_error(tmp_path: Path, mode: str, name: str, options: Sequence[str]) -> None:
    """AVI and program streams do not state all times; decoders give key frames of open groups the times of others."""
    path = make_pattern(tmp_path / name, duration_s=3, options=options)
    with pytest.raises(UnmatchedTimesError) as raised:
        decode_in(mode, path)
    assert raised.value.path == path


@pytest.mark.parametrize("mode", [REFERENCE, KEY])
def test_videos_that_are_decoded_whole(mode: str) -> None:
    assert why_whole(VIDEO, mode) == ""
    assert why_whole(replace(VIDEO, is_interlaced=True), mode) == INTERLACED
    assert why_whole(replace(VIDEO, streams=(Stream(0, "video", "av1"),)), mode) == BY_CODEC
    assert why_whole(replace(VIDEO, is_interlaced=True), ALL_FRAMES) == ""


def test_all_frames_are_yielded_where_none_are_left_out(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "a.mkv", options=("-c:v", "ffv1"))
    report = DecodingReport()
    frames = list(decode(probe(path), (160, 120), choice=FrameChoice(KEY), report=report))
    assert [frame.shown_us for frame in frames] == [None] * 25


@pytest.mark.parametrize(
    ("details", "is_interlaced"),
    [
        ("h264 (High), yuv420p(tv, bt709, top first), 720x576", True),
        ("mpeg2video (Main), yuv420p(tv, bottom coded first (swapped)), 720x576", True),
        ("h264 (High), yuv420p(tv, bt709, progressive), 720x576", False),
    ],
)
def test_interlaced_video_is_known_by_its_header(details: str, is_interlaced: bool) -> None:
    text = f"Input #0, mpegts, from 'a.ts':\n  Stream #0:0: Video: {details}, 25 fps\n"
    assert parse_description(Path("a.ts"), text).is_interlaced is is_interlaced


def test_packets_are_ordered_by_when_they_are_shown() -> None:
    """The first packet cannot be decoded, and the second but last is hidden."""
    lines = ["#tb 0: 1/1000", "0, -80, 0, 40, 9, 0x0, F=0x0", "1, 0, 7, 40, 9, 0x0", "0, -40, 40, 40, 9, 0x0"]
    lines += ["0, 0, 160, 40, 9, 0x0, F=0x0", "0, 80, 80, 40, 9, 0x0, F=0x0", "0, 120, 120, 40, 9, 0x0, F=0x4"]
    lines += ["0, 160, 240, 40, 9, 0x0, S=1, 8, 0x0"]
    ordered = list(order_packets(lines))
    assert ordered == [PacketTime(40_000, True), *(PacketTime(ms * 1000, ms == 240) for ms in (80, 160, 240))]
    assert list(order_packets(lines, from_start=False)) == [PacketTime(0, False), *ordered]


def test_a_key_frame_that_is_not_decoded_is_an_error() -> None:
    packets = [PacketTime(0, True), PacketTime(40, True), PacketTime(80, True)]
    pictures = [(Stamp(0, 40, 160, 120), "first"), (Stamp(80, 40, 160, 120), "third")]
    assert [picture for _, picture in fill_in(pictures, iter(packets), VIDEO)] == ["first", "first", "third"]
    for given in (pictures, pictures[:1]):
        with pytest.raises(UnmatchedTimesError):
            list(fill_in(given, iter(packets), VIDEO, only_keys=True))


UNPYRAMIDED = (*B_FRAMES[:3], "veryfast", "-bf", "2", "-b_strategy", "0", "-crf", "30", "-x264-params", "b-pyramid=none")


@pytest.mark.parametrize("is_sampled", [False, True])
def test_only_unreferenced_frames_are_left_unsmoothed(media: Path, is_sampled: bool) -> None:
    path = make_pattern(media / "unsmoothed.mp4", duration_s=2, options=UNPYRAMIDED)
    sampling = Sampling(0.12, 0.02) if is_sampled else None
    smooth, rough = (
        list(decode(probe(path), (160, 120), choice=FrameChoice(sampling=sampling, is_smoothed=is_smoothed)))
        for is_smoothed in (True, False)
    )
    assert shown(rough) == shown(smooth)
    differences = [np.abs(one.image.astype(int) - other.image) for one, other in zip(rough, smooth, strict=True)]
    is_same = [not difference.any() for difference in differences]
    referenced = [frame.index % 3 == 0 for frame in smooth if frame.shown_us is None]
    own = [same for same, frame in zip(is_same, smooth, strict=True) if frame.shown_us is None]
    assert all(same for same, is_referenced in zip(own, referenced, strict=True) if is_referenced)
    assert all(is_same) == is_sampled, "every third frame is sampled, and every third one is referenced"
    assert max(difference.mean() for difference in differences) < 3
