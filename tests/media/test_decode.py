from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotate.errors import DecodingError, MediaError, TooLargeError
from annotate.media import sizing
from annotate.media.decode import Frame, decode
from annotate.media.decoding_command import FrameChoice
from annotate.media.decoding_report import DecodingReport
from annotate.media.encode import burn
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import Video, probe
from annotate.media.sampling import Sampling
from annotate.media.stills import read_still
from annotate.settings import Limits
from tests.clips import H264, file_url, make_frames_at, make_from_images, make_pattern, record_processes, run_ffmpeg


def decode_all(path: Path, report: DecodingReport | None = None) -> list[Frame]:
    video = probe(path)
    return list(decode(video, (video.width_px, video.height_px), report=report))


def starts_ms(path: Path) -> list[int]:
    return [frame.span.start_ms for frame in decode_all(path)]


def test_constant_frame_rate(empty_clip: Path) -> None:
    report = DecodingReport()
    frames = decode_all(empty_clip, report)
    assert [frame.span.start_ms for frame in frames] == list(range(0, 1000, 40))
    assert [frame.index for frame in frames] == list(range(25))
    assert frames[-1].span.end_ms == report.end_ms == 1000
    assert (report.frames, report.warning_count) == (25, 0)
    assert frames[0].image.shape == (120, 160)


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_a_variable_frame_rate_keeps_every_timestamp(tmp_path: Path, extension: str) -> None:
    times_ms = [0, 41, 82, 123, 400, 1000, 1001, 1500, 2999]
    path = make_frames_at(tmp_path / f"variable.{extension}", times_ms)
    frames = decode_all(path)
    assert [frame.span.start_ms for frame in frames] == times_ms
    assert [frame.span.end_ms for frame in frames[:-1]] == times_ms[1:]


def test_video_that_starts_after_the_audio_keeps_its_offset(tmp_path: Path) -> None:
    """Audio starts at 0, video at 0.5 s."""
    path = tmp_path / "late.mp4"
    video = make_pattern(tmp_path / "video.mp4")
    audio = ("-f", "lavfi", "-i", "sine=duration=1.5")
    run_ffmpeg("-itsoffset", "0.5", "-i", video, *audio, "-c:v", "copy", "-c:a", "aac", path)
    assert starts_ms(path) == list(range(500, 1500, 40))


def test_transport_stream_with_offset(tmp_path: Path) -> None:
    """The container does not start at 0 but with its audio, which MP2 encoders start 481 samples early."""
    path = tmp_path / "late.ts"
    video = make_pattern(tmp_path / "video.mp4")
    audio = ("-f", "lavfi", "-i", "sine=duration=1.5")
    timing = ("-output_ts_offset", "100")
    run_ffmpeg("-itsoffset", "0.4", "-i", video, *audio, "-c:v", "copy", "-c:a", "mp2", *timing, path)
    assert starts_ms(path) == list(range(411, 1411, 40))


def test_frames_hidden_by_an_edit_list_are_skipped(tmp_path: Path) -> None:
    """A file that was cut between key frames without re-encoding contains frames that its edit list hides."""
    whole = make_pattern(tmp_path / "whole.mp4", duration_s=4, options=(*H264, "-g", "50"))
    cut = tmp_path / "cut.mp4"
    run_ffmpeg("-ss", "1", "-i", whole, "-c", "copy", cut)
    assert starts_ms(cut) == list(range(0, 3000, 40))


def test_rotated_frames_are_upright(tmp_path: Path) -> None:
    """A phone's clip is stored sideways, with a rotation matrix; the bright half must be at the top."""
    sideways, phone = tmp_path / "sideways.mp4", tmp_path / "phone.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "color=white:s=80x120:d=0.2", "-vf", "pad=160:120:0:0:black", *H264, sideways)
    data = bytearray(sideways.read_bytes())
    rotation = b"".join(
        value.to_bytes(4, "big", signed=True) for value in (0, 65536, 0, -65536, 0, 0, 120 << 16, 0, 1 << 30)
    )
    track = data.index(b"tkhd")
    identity = b"".join(value.to_bytes(4, "big", signed=True) for value in (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30))
    matrix = data.index(identity, track)
    data[matrix : matrix + len(rotation)] = rotation
    phone.write_bytes(data)
    image = decode_all(phone)[0].image
    assert image.shape == (160, 120)
    assert image[20:60].mean() > 200
    assert image[100:140].mean() < 50


def test_frames_have_square_pixels(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "wide.mp4", filters="setsar=2/1")
    assert decode_all(path)[0].image.shape == (120, 320)


def test_frames_are_scaled_to_the_requested_size(empty_clip: Path) -> None:
    frames = list(decode(probe(empty_clip), (81, 61)))
    assert {(frame.image.shape, frame.chroma.shape) for frame in frames} == {((61, 81), (2, 31, 41))}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ten_bit.mkv", ("-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-qp", "10")),
        ("full_range.avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "2")),
        ("broadcast.ts", ("-c:v", "mpeg2video", "-pix_fmt", "yuv422p", "-q:v", "2")),
        ("moving.gif", ()),
        ("lossless.mkv", ("-c:v", "ffv1", "-pix_fmt", "gbrp")),
    ],
)
def test_luma_is_eight_bit_limited_range(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    """Black is 16 and white 235, for any bit depth, range and pixel format of the source."""
    path = tmp_path / name
    run_ffmpeg("-f", "lavfi", "-i", "color=black:s=64x96:r=10:d=1", "-vf", "pad=128:96:0:0:white", *options, path)
    image = decode_all(path)[5].image
    assert image.dtype == np.uint8
    assert abs(float(image[:, 8:56].mean()) - 16) < 1
    assert abs(float(image[:, 72:120].mean()) - 235) < 3


def test_full_range_is_converted_alike_by_every_ffmpeg(tmp_path: Path) -> None:
    """Each level of luma has the nearest one in limited range; scalers of ffmpeg 5.1 and 9.0 differ by one level."""
    path, ramp = tmp_path / "ramp.mkv", "geq=lum='mod(X,256)':cb='mod(X,256)':cr=128,setparams=range=full"
    coding = ("-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuvj420p")
    run_ffmpeg("-f", "lavfi", "-i", "color=black:s=256x64:r=10:d=0.5,format=yuvj420p", "-vf", ramp, *coding, path)
    levels = np.arange(256)
    for sampling in (None, Sampling(0.2, 0.05)):
        frame = next(decode(probe(path), (256, 64), choice=FrameChoice(sampling=sampling)))
        assert (frame.image == np.floor(16.5 + levels * 219 / 255)).all()
        assert (frame.chroma[0] == np.floor(128.5 + (levels[:128] - 128) * 224 / 255)).all()
        assert (frame.chroma[1] == 128).all()


@pytest.mark.parametrize(
    ("name", "pixels", "color", "differences"),
    [
        ("red.mkv", "yuv420p", "red", (90, 240)),
        ("blue.mkv", "gbrp", "blue", (240, 110)),
        ("gray.mkv", "gray", "red", (128, 128)),
    ],
)
def test_chroma_is_blue_and_red_difference(
    tmp_path: Path, name: str, pixels: str, color: str, differences: tuple[int, int]
) -> None:
    """The values are those of ITU-R BT.601."""
    path, source = tmp_path / name, f"color={color}:s=64x96:r=10:d=0.2"
    run_ffmpeg("-f", "lavfi", "-i", source, "-c:v", "ffv1", "-pix_fmt", pixels, path)
    chroma = decode_all(path)[1].chroma
    assert (chroma.dtype, chroma.shape) == (np.uint8, (2, 48, 32))
    assert np.ptp(chroma, axis=(1, 2)).max() <= 1
    assert chroma.mean((1, 2)) == pytest.approx(differences, abs=1.5)


def test_interlaced_frames_are_deinterlaced(tmp_path: Path) -> None:
    """A bar that moves between the two fields of a frame has combed edges unless the frame is deinterlaced."""
    path = tmp_path / "tape.mpg"
    bar = "geq=lum='if(between(mod(X-mod(N*40,640)+720,720),0,79),235,16)':cb=128:cr=128"
    fields = f"{bar},tinterlace=interleave_top,setfield=tff"
    source = "color=black:s=720x576:r=50:d=0.6"
    coding = ("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "2")
    run_ffmpeg("-f", "lavfi", "-i", source, "-vf", fields, *coding, path)
    frames = decode_all(path)
    combed = [np.abs(np.diff(frame.image.astype(int), axis=0)).mean() for frame in frames[2:-2]]
    assert np.diff([frame.span.start_ms for frame in frames]).tolist() == [40] * (len(frames) - 1)
    assert max(combed) < 10


@pytest.mark.parametrize("size", ["161x121", "2x2", "17x200"])
def test_odd_sizes(tmp_path: Path, size: str) -> None:
    width, height = map(int, size.split("x"))
    options = ("-c:v", "ffv1", "-pix_fmt", "yuv444p")
    path = make_pattern(tmp_path / "odd.mkv", filters=f"scale={width}:{height}", duration_s=0.2, options=options)
    frames = decode_all(path)
    assert {frame.image.shape for frame in frames} == {(height, width)}
    assert {frame.chroma.shape for frame in frames} == {(2, (height + 1) // 2, (width + 1) // 2)}


def test_a_single_frame_lasts_its_own_duration(tmp_path: Path) -> None:
    frames = decode_all(make_pattern(tmp_path / "one.mp4", duration_s=0.1, rate="10"))
    assert [(frame.span.start_ms, frame.span.end_ms) for frame in frames] == [(0, 100)]


def test_no_frame_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "none.mp4"
    source = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1", "-f", "lavfi", "-i", "sine=duration=1")
    run_ffmpeg(*source, *H264, "-c:a", "aac", path)
    video = Video(path, 1, 160, 120, 1.0, 25.0)
    with pytest.raises(DecodingError) as raised:
        list(decode(video, (160, 120)))
    assert raised.value.path == path
    assert "no frame" in raised.value.problem
    with pytest.raises(DecodingError) as raised:
        list(decode(probe(path), (160, 120), start_s=100))
    assert "no frame" in raised.value.problem
    assert "status" not in raised.value.problem  # ffmpeg succeeds


def test_equal_warnings_in_a_row_are_counted_one_by_one(tmp_path: Path) -> None:
    """ffmpeg would otherwise write "Last message repeated 9 times"."""
    path = make_pattern(tmp_path / "damaged.avi", size="64x48", options=("-c:v", "mpeg2video", "-g", "5"))
    first_slice, damaged = b"\0\0\1\1", b"\0\0\0\0"
    parts = path.read_bytes().split(first_slice)
    path.write_bytes(first_slice.join([*parts[:6], damaged.join(parts[6:16]), *parts[16:]]))
    report = DecodingReport()
    list(decode(probe(path), (64, 48), report=report))
    assert report.warning_count == sum(report.warnings.values()) >= 9
    assert not [line for line in report.warnings if "repeated" in line]


def test_damage_is_reported_and_the_other_frames_are_decoded(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "damaged.ts", duration_s=4, size="320x240", options=(*H264, "-g", "25"))
    data, rng = bytearray(path.read_bytes()), random.Random(1)
    for quarter in (1, 2, 3):  # in 1 of 100 places ffmpeg leaves a frame out and says nothing
        place = len(data) * quarter // 4
        data[place : place + 4000] = rng.randbytes(4000)
    path.write_bytes(data)
    report = DecodingReport()
    frames = decode_all(path, report)
    assert 60 < len(frames) < 100
    assert report.warning_count > 0
    assert all("0x" not in line for line in report.warnings)


def test_a_truncated_file_is_decoded_to_its_end(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "cut.mkv", duration_s=4, size="320x240")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = decode_all(path)
    assert 30 < len(frames) < 70
    assert [frame.span.start_ms for frame in frames] == [40 * frame.index for frame in frames]


def test_frames_keep_their_size_when_that_of_the_video_changes(tmp_path: Path) -> None:
    parts = [make_pattern(tmp_path / f"{size}.ts", size=size) for size in ("160x120", "320x240")]
    path = tmp_path / "concatenated.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = decode_all(path)
    assert {frame.image.shape for frame in frames} == {(120, 160)}
    assert len(frames) in (49, 50)
    assert [frame.span.start_ms % 40 for frame in frames] == [0] * len(frames)
    late = frames[-1]
    first_of_second = next(frame for frame in frames if frame.span.start_ms >= 1000)
    assert late.span.end_ms == 2000
    assert first_of_second.span.start_ms == 1000


def running_children() -> list[str]:
    result = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "stat=,comm="], capture_output=True, text=True, check=False
    )
    return [line for line in result.stdout.splitlines() if "ffmpeg" in line]


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads the process table")
def test_closing_the_generator_ends_ffmpeg(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "long.mp4", duration_s=20)
    video = probe(path)
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    frames = decode(video, (160, 120))
    next(frames)
    assert running_children()
    frames.close()
    assert not running_children()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert threading.active_count() == threads


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads the process table")
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_closing_the_generator_early_ends_its_threads(empty_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_slowly(lines: Iterator[str]) -> Iterator[sizing.Row]:
        for row in sizing.rows(lines):
            time.sleep(0.02)
            yield row

    monkeypatch.setattr("annotate.media.decode.rows", read_slowly)
    before = threading.active_count()
    frames = decode(probe(empty_clip), (160, 120))
    next(frames)
    frames.close()
    assert threading.active_count() == before


def test_ffmpeg_runs_in_its_own_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_pattern(tmp_path / "long.mp4", duration_s=20)
    video = probe(path)
    started = record_processes(monkeypatch)
    frames = decode(video, (160, 120))
    next(frames)
    assert os.getsid(started[0].pid) == started[0].pid != os.getsid(0)
    frames.close()


def test_a_slow_consumer_gets_every_frame(face_image: Path, tmp_path: Path) -> None:
    path = make_from_images(tmp_path / "slow.mp4", [(face_image, 1)], size=(640, 480))
    video = probe(path)
    indices = []
    for frame in decode(video, (640, 480)):
        indices.append(frame.index)
        if frame.index < 3:
            time.sleep(0.1)
    assert indices == list(range(25))


def test_special_characters_in_names_have_no_meaning(
    empty_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.mp4", "-y.mp4", "x\ny.mp4"):
        Path(name).write_bytes(empty_clip.read_bytes())
        assert len(decode_all(Path(name))) == 25
    assert file_url(Path("a:b.mp4")) == "file:a:b.mp4"


def test_a_decoder_that_hangs_is_stopped(empty_clip: Path, tmp_path: Path) -> None:
    """The ffmpeg opens its outputs and then does nothing."""
    hanging = tmp_path / "ffmpeg"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    video = replace(probe(empty_clip), ffmpeg=FFmpeg(str(hanging), "5.1"))
    started_s = time.monotonic()
    with pytest.raises(DecodingError) as raised:
        list(decode(video, (160, 120), limits=Limits(stall_timeout_s=0.3)))
    assert raised.value.path == empty_clip
    assert "0.3 s" in raised.value.problem
    assert "--stall-timeout" in raised.value.remedy
    assert time.monotonic() - started_s < 30


def test_errors_and_warnings_name_the_display_path(tmp_path: Path) -> None:
    """A video in object storage is decoded as a temporary file."""
    text, clip, url = tmp_path / "text.mp4", make_pattern(tmp_path / "clip.mp4"), "s3://archive/film.mp4"
    text.write_text("no video")
    damaged, report = replace(probe(clip, display_path=url), path=text), DecodingReport()
    (tmp_path / "work").mkdir()
    for attempt in (
        lambda: probe(tmp_path / "missing.mp4", display_path=url),
        lambda: probe(text, display_path=url),
        lambda: probe(clip, 100, display_path=url),
        lambda: next(decode(damaged, (160, 120), report=report)),
        lambda: read_still(text, 0, video=damaged),
        lambda: burn(damaged, None, tmp_path / "work" / "rendered.mp4"),
    ):
        with pytest.raises(MediaError) as raised:
            attempt()
        assert raised.value.path == url
        assert str(tmp_path) not in str(raised.value)
    assert any(url in line for line in report.warnings)
    assert not any(str(tmp_path) in line for line in report.warnings)
    assert probe(clip).display_path == clip


def test_frames_that_are_too_large_are_rejected(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "large.mp4", size="640x480", duration_s=0.1)
    assert probe(path, max_pixels=640 * 480).width_px == 640
    with pytest.raises(TooLargeError) as raised:
        probe(path, max_pixels=640 * 480 - 1)
    assert raised.value.path == path
    assert "307,199 pixels" in raised.value.problem
    assert "--max-pixels" in raised.value.remedy
