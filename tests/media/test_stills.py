"""Stills, compared with all frames decoded in sequence: each must be exactly the frame displayed at its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.errors import DecodingError, NotAVideoError, UnreadableError
from annotate.media.decode import decode
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import Video, probe
from annotate.media.stills import read_still
from annotate.settings import Limits
from tests.clips import H264, SAMPLES, ask_ffmpeg, file_url, make_frames_at, make_pattern, record_processes, run_ffmpeg

STEP = 3
"""Only every ``STEP``-th row and column is compared."""

LONG_GOP = ("-c:v", "libx264", "-preset", "fast", "-qp", "18", "-pix_fmt", "yuv420p", "-g", "100", "-bf", "3")


def all_frames(path: Path) -> tuple[list[tuple[int, int]], NDArray[np.uint8]]:
    """Return start and end in ms of every frame, from `decode`, and the frames (n, height, width, 3) of another command."""
    video = probe(path)
    spans = [(frame.span.start_ms, frame.span.end_ms) for frame in decode(video, (16, 16))]
    coding = ("-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-f", "rawvideo", "-pix_fmt", "rgb24")
    raw = ask_ffmpeg("-loglevel", "error", "-i", file_url(path), "-map", "0:v:0", *coding)
    frames = np.frombuffer(raw, np.uint8).reshape(-1, video.height_px, video.width_px, 3)
    assert len(frames) == len(spans)
    return spans, frames


def displayed(path: Path, times_ms: Sequence[int]) -> list[int]:
    """Return the index of the frame that equals the still at each time; check it against the frames' spans."""
    spans, frames = all_frames(path)
    frames = frames[:, ::STEP, ::STEP].astype(int)
    found = []
    for time_ms in times_ms:
        differences = abs(frames - read_still(path, time_ms)[::STEP, ::STEP]).mean(axis=(1, 2, 3))
        assert differences.min() < 0.5
        found.append(int(differences.argmin()))
    expected = [
        next((number for number, (start_ms, end_ms) in enumerate(spans) if start_ms <= time_ms < end_ms), -1)
        for time_ms in times_ms
    ]
    assert found == [number if number >= 0 else number % len(frames) for number in expected]
    return found


def test_stills_have_the_clock_of_a_player(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "constant.mp4", duration_s=3)
    video = replace(probe(path), start_s=-0.08)  # as with ffmpeg 5.1 and priming of audio
    for time_ms in (0, 39, 40, 2000, 2839):
        assert np.array_equal(read_still(path, time_ms, video=video), read_still(path, time_ms + 80))


def test_a_frame_is_displayed_until_the_next_starts(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "constant.mp4", duration_s=8, options=LONG_GOP)
    assert displayed(path, [0, 39, 40, 3000, 3039, 6480, 7990]) == [0, 0, 1, 75, 75, 162, 199]


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_frames_that_last_for_seconds_at_a_variable_rate(tmp_path: Path, extension: str) -> None:
    times_ms = [0, 41, 82, 400, 2500, 2501, 4700, 4999]
    path = make_frames_at(tmp_path / f"variable.{extension}", times_ms, options=LONG_GOP)
    assert displayed(path, [40, 41, 399, 2499, 2500, 2501, 4699, 4700]) == [0, 1, 2, 3, 4, 5, 5, 6]


def test_the_first_frame_before_the_start_and_the_last_after_the_end(tmp_path: Path) -> None:
    video = make_pattern(tmp_path / "video.mp4", duration_s=4, options=LONG_GOP)
    path = tmp_path / "late.mp4"
    audio = ("-f", "lavfi", "-i", "sine=duration=6")
    run_ffmpeg("-itsoffset", "0.5", "-i", video, *audio, "-c:v", "copy", "-c:a", "aac", path)
    _, frames = all_frames(path)
    assert np.array_equal(read_still(path, 0), read_still(path, 500))
    assert abs(read_still(path, 0).astype(int) - frames[0]).mean() < 0.5
    for time_ms in (4499, 5900, 60_000):
        assert abs(read_still(path, time_ms).astype(int) - frames[-1]).mean() < 0.5


@pytest.mark.parametrize("gop_length", [10, 1000])
def test_transport_stream_with_offset_and_distant_key_frames(tmp_path: Path, gop_length: int) -> None:
    """The container starts at 100 s with its audio; with the longer GOP only the first frame is a key frame."""
    path = tmp_path / "late.ts"
    coding = (*LONG_GOP, "-g", str(gop_length), "-sc_threshold", "0")
    video = make_pattern(tmp_path / "video.mp4", duration_s=18, rate="10", options=coding)
    audio = ("-f", "lavfi", "-i", "sine=duration=18")
    timing = ("-output_ts_offset", "100")
    run_ffmpeg("-itsoffset", "0.4", "-i", video, *audio, "-c:v", "copy", "-c:a", "mp2", *timing, path)
    assert displayed(path, [520, 16_990, 17_500]) == [1, 165, 170]


def test_a_rotated_clip_is_upright_and_keeps_its_times() -> None:
    path = SAMPLES / "phone.mov"
    assert read_still(path, 0).shape == (640, 360, 3)
    displayed(path, [500, 1999, 2049, 3900])


def test_stills_are_scaled_to_a_height_and_keep_their_colors(tmp_path: Path) -> None:
    path = tmp_path / "red.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "color=0xC02040:size=640x360:duration=1", *H264, path)
    image = read_still(path, 400, height_px=90)
    assert image.shape == (90, 160, 3)
    assert image.mean(axis=(0, 1)) == pytest.approx((0xC0, 0x20, 0x40), abs=3)


def test_pixels_are_square(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "wide.mp4", filters="setsar=2/1")
    assert read_still(path, 0).shape == (120, 320, 3)


@pytest.mark.parametrize("name", ["a:b.mp4", "-y.mp4", "it's [50%], <b>\\.mp4"])
def test_special_characters_in_names_have_no_meaning(
    empty_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(empty_clip.read_bytes())
    assert np.array_equal(read_still(Path(name), 500), read_still(empty_clip, 500))


def test_the_errors_of_files_that_are_not_videos(tmp_path: Path) -> None:
    text, missing, damaged = (tmp_path / name for name in ("text.mp4", "missing.mp4", "damaged.mp4"))
    text.write_text("no video")
    damaged.write_bytes(b"\0" * 1000)
    for path, video, error, word in (
        (text, None, NotAVideoError, "text file"),
        (missing, None, UnreadableError, "no such file"),
        (damaged, Video(damaged, 0, 160, 120, 1.0, 25.0), DecodingError, "0.5 s"),
    ):
        with pytest.raises(error) as raised:
            read_still(path, 500, video=video)
        assert raised.value.path == path
        assert word in raised.value.problem


def test_a_decoder_that_hangs_is_stopped(empty_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = tmp_path / "ffmpeg"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    video = replace(probe(empty_clip), ffmpeg=FFmpeg(str(hanging), "5.1"))
    started = record_processes(monkeypatch)
    with pytest.raises(DecodingError) as raised:
        read_still(empty_clip, 0, video=video, limits=Limits(stall_timeout_s=0.3))
    assert raised.value.path == empty_clip
    assert "0.3 s" in raised.value.problem
    assert "--" not in raised.value.remedy
    assert started[0].returncode is not None
