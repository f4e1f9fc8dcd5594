"""Files as other programs write them: what fails a video, what counts as damage, and where time ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from annotate.analysis.parallel import count_chunks
from annotate.analysis.pipeline import Analysis
from annotate.media.decode import is_about_frames
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import Stream, Video, probe
from annotate.settings import Settings
from tests.clips import H264, file_url, make_pattern, run_ffmpeg


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Two seconds of video without audio, 50 frames."""
    return make_pattern(tmp_path / "base.mp4", duration_s=2, options=(*H264, "-bf", "2"))


def analyze(path: Path) -> tuple[int, int, float, dict[str, int]]:
    """Return number of frames, end in milliseconds, missing seconds and warnings."""
    analysis = Analysis.open(path)
    list(analysis)
    decoding = analysis.decoding
    return decoding.frames, decoding.end_ms, round(analysis.missing_s, 3), dict(decoding.warnings)


def with_audio(base: Path, path: Path, source: str = "sine=440:d=2", options: tuple[str, ...] = ("-c:a", "aac")) -> Path:
    run_ffmpeg("-i", base, "-f", "lavfi", "-i", source, "-map", "0:v", "-map", "1:a", "-c:v", "copy", *options, path)
    return path


def test_a_broken_cover_does_not_fail_a_video(base: Path, tmp_path: Path) -> None:
    (tmp_path / "junk.jpg").write_bytes(bytes(range(256)) * 20)
    attached = ("-attach", tmp_path / "junk.jpg", "-metadata:s:t", "mimetype=image/jpeg")
    run_ffmpeg("-i", base, "-c", "copy", *attached, tmp_path / "cover.mkv")
    assert analyze(tmp_path / "cover.mkv") == (50, 2000, 0.0, {})


def test_audio_without_parameters_does_not_fail_a_video(base: Path, tmp_path: Path) -> None:
    content = with_audio(base, tmp_path / "av.mp4").read_bytes()
    at = content.rindex(b"stsd")
    (tmp_path / "broken.mp4").write_bytes(content[:at] + b"free" + content[at + 4 :])
    frames, end_ms, missing_s, warnings = analyze(tmp_path / "broken.mp4")
    assert (frames, end_ms, missing_s, warnings) == (50, 2000, 0.0, {})


@pytest.mark.parametrize("name", ["long.mp4", "long.mov"])
def test_audio_longer_than_the_frames_is_no_damage(base: Path, tmp_path: Path, name: str) -> None:
    path = with_audio(base, tmp_path / name, "sine=440:d=6")
    assert (probe(path).duration_s or 0) > 5.9
    assert analyze(path) == (50, 2000, 0.0, {})


def test_frames_that_begin_late_keep_their_time(base: Path, tmp_path: Path) -> None:
    late = ("-f", "lavfi", "-i", "sine=440:d=12", "-itsoffset", "10", "-i", base, "-map", "1:v", "-map", "0:a")
    run_ffmpeg(*late, "-c:v", "copy", "-c:a", "aac", tmp_path / "late.mp4")
    assert analyze(tmp_path / "late.mp4") == (50, 12_000, 0.0, {})


def test_joined_transport_streams_are_no_damage(base: Path, tmp_path: Path) -> None:
    run_ffmpeg("-i", base, "-c", "copy", tmp_path / "a.ts")
    run_ffmpeg("-i", base, "-c", "copy", "-output_ts_offset", "7200", tmp_path / "b.ts")
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    assert analyze(joined) == (100, 4000, 0.0, {})


def test_a_held_last_image_lasts_as_long_as_it_is_shown(base: Path, tmp_path: Path) -> None:
    run_ffmpeg("-i", base, "-vf", "fps=10", "-final_delay", "300", tmp_path / "held.gif")
    assert analyze(tmp_path / "held.gif") == (20, 4900, 0.0, {})


def test_warnings_about_audio_do_not_count(base: Path, tmp_path: Path) -> None:
    path = with_audio(base, tmp_path / "odd.mkv", "sine=440:d=2,asetnsamples=16", ("-c:a", "pcm_s16le"))
    assert analyze(path) == (50, 2000, 0.0, {})


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


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv", "cut.mxf"])
def test_a_file_that_is_cut_off_is_damaged_and_the_rest_is_missing(tmp_path: Path, name: str) -> None:
    options = ("-c:v", "mpeg2video", "-q:v", "2") if name.endswith("mxf") else (*H264, "-g", "5", "-movflags", "+faststart")
    whole = make_pattern(tmp_path / f"whole{Path(name).suffix}", duration_s=4, options=options)
    (tmp_path / name).write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    frames, end_ms, missing_s, _ = analyze(tmp_path / name)
    assert 25 < frames < 75
    assert 1 < missing_s < 3
    assert missing_s == pytest.approx(4 - end_ms / 1000, abs=0.05)


@pytest.mark.parametrize(("duration_s", "chunks"), [(1e12, 1), (360_000.0, 1), (None, 1), (2.0, 1)])
def test_a_length_in_a_header_makes_no_chunks(base: Path, duration_s: float | None, chunks: int) -> None:
    video = Video(base, 0, 160, 120, duration_s, None, container="mov,mp4,m4a,3gp,3g2,mj2")
    assert count_chunks(video, Settings(chunk_s=300)) == chunks


def test_a_gap_in_time_is_not_face_time(tmp_path: Path, face_clip: Path) -> None:
    gap = "setpts='if(lt(N,25),PTS,PTS+93600/TB)'"
    run_ffmpeg("-i", face_clip, "-vf", gap, "-fps_mode", "vfr", *H264, file_url(tmp_path / "gap.mkv"))
    spans = [(each.span.start_ms, each.span.end_ms) for each in Analysis.open(tmp_path / "gap.mkv")]
    assert {(start_ms, end_ms) for start_ms, end_ms in spans if end_ms < 2000} == {(0, 800), (200, 1000)}
    assert all(end_ms - start_ms == 800 for start_ms, end_ms in spans)
    assert max(end_ms for _, end_ms in spans) == 93_602_000


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs a second ffmpeg on PATH")
def test_a_second_ffmpeg_gives_the_same_frames(base: Path, tmp_path: Path) -> None:
    import imageio_ffmpeg

    path = with_audio(base, tmp_path / "av.mkv")
    ends = set()
    for program in (shutil.which("ffmpeg") or "", imageio_ffmpeg.get_ffmpeg_exe()):
        analysis = Analysis.open(path)
        analysis.video = probe(path, ffmpeg=FFmpeg(program, ""))
        list(analysis)
        ends.add((analysis.decoding.frames, analysis.decoding.end_ms))
    assert len(ends) == 1
    assert ends <= {(50, 2000), (50, 2023)}  # as the ffmpeg that writes the file places the priming of audio
