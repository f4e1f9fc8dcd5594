"""Files as other programs and broken transfers leave them: what fails a video, what counts as damage, where times end."""

from __future__ import annotations

import shutil
import struct
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze, analyze_in_chunks, count_chunks
from annotate.analysis.pipeline import Analysis
from annotate.batch.job import Status
from annotate.media.decode import decode
from annotate.media.decoding_report import DecodingReport, is_about_frames
from annotate.media.ffmpeg import FFmpeg, find_ffmpeg
from annotate.media.probe import Stream, Video, probe
from annotate.media.stills import read_still
from annotate.results.meta import Meta, read_meta
from annotate.settings import Settings
from tests.clips import (
    H264,
    SAMPLES,
    file_url,
    make_frames_at,
    make_from_images,
    make_pattern,
    record_processes,
    run_ffmpeg,
)
from tests.runs import annotate

WITHOUT_B_FRAMES = (*H264, "-bf", "0")
PASSTHROUGH = ("-fps_mode", "passthrough")
ONE_CHUNK_S = Settings(chunk_s=1)
MATROSKA_DURATION = b"\x44\x89\x88"
HOUR_S = 3600

PATH_FFMPEG = shutil.which("ffmpeg")
BUNDLED_FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
TWO_FFMPEGS = pytest.mark.skipif(
    PATH_FFMPEG is None or Path(PATH_FFMPEG).samefile(BUNDLED_FFMPEG), reason="needs a second ffmpeg on the PATH"
)


def tone(duration_s: float) -> tuple[str, ...]:
    return "-f", "lavfi", "-i", f"sine=frequency=440:duration={duration_s}"


def add_tone(clip: Path, path: Path, duration_s: float = 2, *options: str) -> Path:
    """Copy the video of a clip and add audio."""
    options = options or ("-c:a", "aac")
    run_ffmpeg("-i", clip, *tone(duration_s), "-map", "0:v", "-map", "1:a", "-c:v", "copy", *options, file_url(path))
    return path


def analyzed(path: Path, settings: Settings | None = None) -> tuple[Analysis, list[Annotation]]:
    analysis = Analysis.open(path, settings)
    return analysis, analyze(analysis)


def timing(path: Path) -> tuple[int, int, int]:
    """Return the number of frames and where the first one starts and the last one ends, in milliseconds."""
    video = probe(path)
    frames = list(decode(video, (video.width_px, video.height_px)))
    return len(frames), frames[0].span.start_ms, frames[-1].span.end_ms


def annotated_meta(path: Path) -> Meta:
    (outcome,) = annotate([path])
    assert outcome.status is Status.ANNOTATED, outcome.reason
    meta = read_meta(path.with_suffix(".emotions.meta.json"))
    assert meta is not None
    return meta


def has_broken_cover(clip: Path, folder: Path) -> Path:
    cover, path = folder / "cover.jpg", folder / "cover.mkv"
    cover.write_bytes(bytes(range(7, 207)) * 25)
    run_ffmpeg("-i", clip, "-c", "copy", "-attach", cover, "-metadata:s:t", "mimetype=image/jpeg", file_url(path))
    return path


def has_undescribed_audio(clip: Path, folder: Path) -> Path:
    path = add_tone(clip, folder / "audio.mp4")
    content = path.read_bytes()
    audio = content.index(b"smhd")
    path.write_bytes(content[:audio] + content[audio:].replace(b"stsd", b"free", 1))
    return path


def has_programme_without_packets(clip: Path, folder: Path) -> Path:
    path = folder / "programmes.ts"
    programmes = ("-program", "st=0", "-program", "st=1")
    run_ffmpeg("-i", clip, "-map", "0:v", "-map", "0:v", "-c", "copy", *programmes, file_url(path))
    content = path.read_bytes()
    packets = [content[start : start + 188] for start in range(0, len(content), 188)]
    pids = [int.from_bytes(packet[1:3], "big") & 0x1FFF for packet in packets]
    assert 0x101 in pids
    path.write_bytes(b"".join(packet for packet, pid in zip(packets, pids, strict=True) if pid != 0x101))
    return path


@pytest.mark.parametrize("make", [has_broken_cover, has_undescribed_audio, has_programme_without_packets])
def test_only_the_frames_can_fail_a_video(make, face_clip: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = make(face_clip, tmp_path)
    meta = annotated_meta(path)
    assert (meta.frames, meta.duration_s, meta.missing_s) == (50, 2.0, 0.0)
    analysis, annotations = analyzed(path)
    assert (annotations[0].span.start_ms, annotations[-1].span.end_ms) == (0, 2000)
    assert read_still(path, 1000, video=analysis.video).shape == (240, 320, 3)


def state_fragmented_duration(clip: Path, path: Path) -> None:
    """Set the duration in ``mdhd`` to "unknown"; it follows the times of creation and change and the time scale."""
    run_ffmpeg("-i", clip, "-c", "copy", "-movflags", "frag_keyframe+empty_moov+skip_trailer", file_url(path))
    content = bytearray(path.read_bytes())
    duration = content.index(b"mdhd") + 4 + 4 + 12
    content[duration : duration + 4] = b"\xff" * 4
    path.write_bytes(content)


def state_matroska_duration(clip: Path, path: Path, duration_s: float) -> None:
    if path != clip:
        run_ffmpeg("-i", clip, "-c", "copy", file_url(path))
    content = bytearray(path.read_bytes())
    duration = content.index(MATROSKA_DURATION) + len(MATROSKA_DURATION)
    content[duration : duration + 8] = struct.pack(">d", duration_s * 1000)
    path.write_bytes(content)


def decodings(started: list[subprocess.Popen[bytes]]) -> int:
    return sum("rawvideo" in process.args for process in started)  # type: ignore[operator]


@pytest.mark.parametrize("duration_s", [None, 100 * HOUR_S, 1e12])
def test_a_length_in_a_header_costs_nothing(
    duration_s: float | None, face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ("clip.mp4" if duration_s is None else "clip.mkv")
    if duration_s is None:
        state_fragmented_duration(face_clip, path)
    else:
        state_matroska_duration(face_clip, path, duration_s)
    if duration_s is not None:  # newer versions of ffmpeg take the length of a fragmented file from its fragments
        assert (probe(path).duration_s or 0) >= HOUR_S
    started = record_processes(monkeypatch)
    analysis = Analysis.open(path)
    annotations = analyze(analysis, threading.Semaphore(3))
    assert decodings(started) == 1
    assert (analysis.decoding.frames, analysis.decoding.end_ms, annotations[-1].span.end_ms) == (50, 2000, 2000)
    assert (analysis.missing_s, analysis.decoding.warning_count) == (0, 0)


def test_the_number_of_chunks_is_bounded_by_the_size_of_the_file(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "clip.mkv")
    video = replace(probe(path), duration_s=1e12)
    assert count_chunks(video, Settings()) == 1
    with path.open("ab") as file:
        file.truncate(10 << 20)
    assert count_chunks(video, Settings()) == 174
    assert count_chunks(replace(video, duration_s=1500), Settings()) == 5


def test_a_chunk_without_frames_ends_the_chunks_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_pattern(tmp_path / "clip.mkv", duration_s=3, size="640x360", options=(*H264, "-g", "25", "-qp", "1"))
    expected = analyzed(path, ONE_CHUNK_S)[0].decoding
    state_matroska_duration(path, path, 100 * HOUR_S)
    analysis = Analysis.open(path, ONE_CHUNK_S)
    assert count_chunks(analysis.video, ONE_CHUNK_S) > 20
    started = record_processes(monkeypatch)
    assert analyze_in_chunks(analysis, threading.Semaphore(0)) == []
    assert analysis.decoding == expected
    assert decodings(started) == 3 + 1  # three chunks, and the first one without frames


def audio_is_longer(clip: Path, folder: Path) -> Path:
    return add_tone(clip, folder / "audio.mp4", 6)


def frames_begin_late(clip: Path, folder: Path) -> Path:
    path = folder / "late.mkv"
    inputs = ("-itsoffset", "10", "-i", clip, *tone(12))
    run_ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "pcm_s16le", file_url(path))
    return path


def two_streams_are_joined(clip: Path, folder: Path) -> Path:
    parts = [folder / "first.part", folder / "second.part"]
    for part, offset_s in zip(parts, ("0", "7200"), strict=True):
        run_ffmpeg("-i", clip, "-c", "copy", "-f", "mpegts", "-output_ts_offset", offset_s, file_url(part))
    path = folder / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def last_frame_is_held(clip: Path, folder: Path) -> Path:
    path = folder / "held.gif"
    run_ffmpeg("-i", clip, "-vf", "fps=10", "-final_delay", "300", file_url(path))
    return path


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (audio_is_longer, (50, 0, 2000)),
        (frames_begin_late, (50, 10_000, 12_000)),
        (two_streams_are_joined, (100, 0, 4000)),
        (last_frame_is_held, (20, 0, 4900)),
    ],
)
def test_a_whole_file_is_not_called_damaged(make, expected, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    clip = make_pattern(tmp_path / "whole.mp4", duration_s=2, options=WITHOUT_B_FRAMES)
    path = make(clip, tmp_path)
    assert timing(path) == expected
    (outcome,) = annotate([path])
    assert (outcome.status, outcome.reason, outcome.duration_s) == (Status.NO_FACES, "", expected[2] / 1000)


@pytest.mark.parametrize("extension", ["mkv", "mov", "avi"])
def test_odd_audio_packets_are_no_warning(
    extension: str, face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = ("-c:a", "pcm_s16le", "-af", "asetnsamples=16")
    path = add_tone(face_clip, tmp_path / f"odd.{extension}", 2, *audio)
    started = record_processes(monkeypatch)
    analysis, _ = analyzed(path)
    assert (analysis.decoding.warning_count, analysis.decoding.warnings, analysis.missing_s) == (0, {}, 0)
    assert (analysis.decoding.frames, decodings(started)) == (50, 1)


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_a_gap_in_time_is_no_face_time(extension: str, face_image: Path, tmp_path: Path) -> None:
    path = tmp_path / f"gap.{extension}"
    gap = ("-vf", "setpts='if(lt(N,25),PTS,PTS+93600/TB)'", "-fps_mode", "vfr", *WITHOUT_B_FRAMES)
    clip = make_from_images(tmp_path / "whole.mkv", [(face_image, 2)], options=WITHOUT_B_FRAMES)
    run_ffmpeg("-i", clip, *gap, file_url(path))
    analysis, annotations = analyzed(path)
    assert analysis.decoding.frames == 50
    before, after = 26 * HOUR_S * 1000 + 1000, 26 * HOUR_S * 1000 + 2000
    assert {(each.span.start_ms, each.span.end_ms) for each in annotations} == {
        (0, 800),
        (200, 1000),
        (before, before + 800),
        (before + 200, after),
    }
    covered_ms = {time_ms for each in annotations for time_ms in range(each.span.start_ms, each.span.end_ms)}
    assert len(covered_ms) == 2000


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts"])
def test_the_last_block_ends_with_the_video(extension: str, face_image: Path, tmp_path: Path) -> None:
    """At a variable frame rate: two of three frames are dropped in the second half, but the last one is not held."""
    dropped = "select='lt(n,50)+not(mod(n,3))'"
    options = (*WITHOUT_B_FRAMES, *PASSTHROUGH)
    path = make_from_images(tmp_path / f"variable.{extension}", [(face_image, 3.96)], filters=dropped, options=options)
    assert timing(path) == (50 + 16, 0, 3880)
    assert probe(path).duration_s == 3.88
    assert analyzed(path)[1][-1].span.end_ms == 3880


def test_the_last_block_is_no_longer_than_usual_where_frames_are_reordered(face_image: Path, tmp_path: Path) -> None:
    """MP4 with B-frames states distances in decoding order, which tell nothing about the last frame."""
    options = ("-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", *PASSTHROUGH)
    dropped = "select='lt(n,75)+not(mod(n,3))',noise=alls=6:allf=t"
    path = make_from_images(tmp_path / "variable.mp4", [(face_image, 3.96)], filters=dropped, options=options)
    assert timing(path) == (75 + 8, 0, 3880)


def test_a_data_stream_that_starts_earlier_does_not_shift_times(face_clip: Path, tmp_path: Path) -> None:
    """The times are those of the same file without the data stream."""
    data, plain, path = tmp_path / "data.bin", tmp_path / "plain.ts", tmp_path / "data.ts"
    data.write_bytes(bytes(200))
    clip = add_tone(face_clip, tmp_path / "clip.mp4")
    late = ("-itsoffset", "0.7", "-i", clip)
    run_ffmpeg(*late, "-map", "0", "-c", "copy", file_url(plain))
    stamps = ("-bsf:d", "setts=pts=0:dts=0")
    run_ffmpeg(*late, "-f", "data", "-i", data, "-map", "0", "-map", "1:0", "-c", "copy", *stamps, file_url(path))
    assert {stream.kind for stream in probe(path).streams} == {"video", "audio", "data"}
    frames, start_ms, end_ms = timing(path)
    assert (frames, start_ms, end_ms) == timing(plain)
    assert (frames, end_ms - start_ms) == (50, 2000)
    assert start_ms < 50  # not 0 only because of the audio's priming samples


@pytest.mark.parametrize(
    ("extension", "options"),
    [
        ("mp4", (*WITHOUT_B_FRAMES, "-movflags", "faststart")),
        ("mkv", WITHOUT_B_FRAMES),
        ("webm", ("-c:v", "libvpx", "-b:v", "1M", "-deadline", "realtime", "-cpu-used", "8")),
        ("flv", ("-c:v", "flv1", "-q:v", "4")),
        ("mxf", ("-c:v", "mpeg2video", "-q:v", "4")),
    ],
)
def test_the_missing_end_of_a_cut_file_is_told(extension: str, options: tuple[str, ...], tmp_path: Path) -> None:
    path = make_pattern(tmp_path / f"cut.{extension}", duration_s=8, size="320x240", options=options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    analysis, _ = analyzed(path)
    end_s = analysis.decoding.end_s
    assert 2 < end_s < 6
    assert analysis.missing_s == pytest.approx(8 - end_s, abs=0.1)
    (outcome,) = annotate([path])
    assert f"{analysis.missing_s:.1f} s" in outcome.reason


def spans(path: Path, program: str) -> list[tuple[int, int]]:
    report = DecodingReport()
    video = probe(path, ffmpeg=FFmpeg(program, ""))
    found = [(frame.span.start_ms, frame.span.end_ms) for frame in decode(video, (32, 32), report=report)]
    assert report.warning_count == 0
    return found


def test_the_phone_clip_ends_with_its_last_frame() -> None:
    assert spans(SAMPLES / "phone.mov", find_ffmpeg().path)[-1][1] == 4008


@TWO_FFMPEGS
@pytest.mark.parametrize("name", ["phone.mov", "portrait.mp4", "cut.mp4", "two_faces.mp4"])
def test_times_of_samples_do_not_depend_on_the_ffmpeg(name: str) -> None:
    assert PATH_FFMPEG is not None
    assert spans(SAMPLES / name, PATH_FFMPEG) == spans(SAMPLES / name, BUNDLED_FFMPEG)


@TWO_FFMPEGS
@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "avi", "flv", "gif", "ogg"])
def test_times_do_not_depend_on_the_ffmpeg(extension: str, tmp_path: Path) -> None:
    assert PATH_FFMPEG is not None
    codec = {"flv": ("-c:v", "flv1"), "gif": (), "ogg": ("-c:v", "libtheora"), "avi": ("-c:v", "mpeg4")}
    path = make_pattern(tmp_path / f"clip.{extension}", rate="30000/1001", options=codec.get(extension, H264))
    assert spans(path, PATH_FFMPEG) == spans(path, BUNDLED_FFMPEG)
    if extension in ("mp4", "mkv"):
        path = make_frames_at(tmp_path / f"variable.{extension}", [0, 41, 82, 123, 400, 1000, 1001, 1500, 2999])
        assert spans(path, PATH_FFMPEG) == spans(path, BUNDLED_FFMPEG)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[h264] Invalid NAL unit size (2110 > 1260).", True),
        ("[in#0/matroska,webm] File ended prematurely", True),
        ("[mov,mp4,m4a,3gp,3g2,mj2] stream 0, offset 0x15fca: partial file", True),
        ("[mov,mp4,m4a,3gp,3g2,mj2] stream 1, offset 0x15fca: partial file", False),
        ("[mpegts] Packet corrupt (stream = 1, dts = 90000).", False),
        ("[aac] Input buffer exhausted before END element found", False),
        ("[mjpeg] No JPEG data found in image", False),
        ("[framecrc] Application provided invalid, non monotonically increasing dts to muxer", False),
        ("Error while decoding stream #0:0: Invalid data found when processing input", True),
    ],
)
def test_only_lines_about_the_frames_are_warnings(line: str, expected: bool) -> None:
    streams = (Stream(0, "video", "h264"), Stream(1, "audio", "aac"), Stream(2, "video", "mjpeg", is_cover=True))
    video = Video(Path("a.mp4"), 0, 640, 360, None, None, streams=streams, ffmpeg=FFmpeg("ffmpeg", "9"))
    assert is_about_frames(line, video) is expected
