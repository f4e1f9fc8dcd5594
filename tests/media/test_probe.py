from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import NotAVideoError, NoVideoStreamError, UnreadableError
from annotate.media.probe import Stream, parse_description, probe
from tests.clips import H264, file_url, make_from_images, make_pattern, run_ffmpeg


def test_size_frame_rate_and_duration(empty_clip: Path) -> None:
    video = probe(empty_clip)
    assert (video.width_px, video.height_px, video.frame_rate, video.stream) == (160, 120, 25.0, 0)
    assert video.duration_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("name", "timecode"), [("a.mov", "01:00:00;02"), ("a.mkv", "01:00:00;02"), ("a.mxf", "10:00:00:00")]
)
def test_the_start_timecode_is_that_of_the_file(tmp_path: Path, name: str, timecode: str) -> None:
    path = tmp_path / name
    rate, codec = ("25", "mpeg2video") if name.endswith("mxf") else ("30000/1001", "mpeg4")
    run_ffmpeg("-f", "lavfi", "-i", f"testsrc=d=0.2:r={rate}:s=160x120", "-c:v", codec, "-timecode", timecode, path)
    assert probe(path).timecode == timecode


def test_pixels_are_stretched_to_squares(tmp_path: Path) -> None:
    wide = make_pattern(tmp_path / "wide.mp4", filters="setsar=4/3")
    narrow = make_pattern(tmp_path / "narrow.mp4", filters="setsar=8/9")
    assert (probe(wide).width_px, probe(wide).height_px) == (213, 120)
    assert (probe(narrow).width_px, probe(narrow).height_px) == (160, 135)


@pytest.mark.parametrize("degrees", ["90.00", "-90.00", "270.00"])
def test_rotation_swaps_width_and_height(degrees: str) -> None:
    text = f"""Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:a.mov':
  Duration: 00:01:02.50, start: 0.000000, bitrate: 100 kb/s
  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 160x120 [SAR 1:1 DAR 4:3], 1k fps, 25 tbr (default)
    Side data:
      displaymatrix: rotation of {degrees} degrees
  Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp, 69 kb/s (default)
"""
    video = parse_description(Path("a.mov"), text)
    assert (video.width_px, video.height_px, video.duration_s, video.frame_rate) == (120, 160, 62.5, 1000.0)


def test_cover_art_and_streams_without_size_are_skipped() -> None:
    text = """Input #0, matroska, from 'file:a.mkv':
  Duration: N/A, start: 0.000000, bitrate: N/A
  Stream #0:0: Video: png, rgba(pc), 600x600, 90k tbr, 90k tbn (attached pic)
  Stream #0:1[0x100]: Video: h264, none, 90k tbr, 90k tbn
  Stream #0:2(eng): Video: vp9 (Profile 0), yuv420p(tv), 640x360, SAR 1:1 DAR 16:9, 29.97 fps, 29.97 tbr, 1k tbn (default)
  Stream #0:3: Video: vp9 (Profile 0), yuv420p(tv), 320x180, 25 fps, 25 tbr, 1k tbn
"""
    video = parse_description(Path("a.mkv"), text)
    assert (video.stream, video.width_px, video.height_px, video.frame_rate) == (2, 640, 360, 29.97)
    assert video.duration_s is None


def test_audio_with_cover_art_is_not_a_video(tmp_path: Path, face_image: Path) -> None:
    path = tmp_path / "song.mp4"
    inputs = ("-f", "lavfi", "-i", "sine=duration=1", "-i", face_image, "-map", "0", "-map", "1")
    run_ffmpeg(*inputs, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-disposition:v", "attached_pic", "-c:a", "aac", path)
    with pytest.raises(NoVideoStreamError) as raised:
        probe(path)
    assert raised.value.path == path
    assert "audio" in raised.value.problem


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "-dash.mp4", "ünï çødé 视频.mp4", "two\nlines.mp4", "100%d.mp4", "'quoted\".mp4"]
)
def test_files_with_any_name_can_be_opened(
    empty_clip: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(empty_clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)).width_px == 160


def test_files_that_are_not_videos_are_rejected(tmp_path: Path) -> None:
    text, empty, missing = (tmp_path / name for name in ("text.mp4", "empty.mp4", "missing.mp4"))
    text.write_text("this is not a video\n" * 100)
    empty.touch()
    for path, error, word in (
        (text, NotAVideoError, "text file"),
        (empty, UnreadableError, "empty"),
        (missing, UnreadableError, "no such file"),
        (tmp_path, UnreadableError, "directory"),
    ):
        with pytest.raises(error) as raised:
            probe(path)
        assert raised.value.path == path
        assert word in raised.value.problem


def test_a_playlist_named_as_a_video_opens_nothing(empty_clip: Path, tmp_path: Path) -> None:
    playlist, script = tmp_path / "list.mp4", tmp_path / "script.mp4"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{empty_clip}\n#EXT-X-ENDLIST\n")
    script.write_text(f"ffconcat version 1.0\nfile '{empty_clip}'\n")
    for path in (playlist, script):
        with pytest.raises(NotAVideoError):
            probe(path)


def test_a_file_without_its_index_cannot_be_opened(face_image: Path, tmp_path: Path) -> None:
    whole = make_from_images(tmp_path / "whole.mp4", [(face_image, 1)], options=H264)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(NotAVideoError) as raised:
        probe(cut)
    assert raised.value.path == cut
    assert "moov atom not found" in raised.value.problem


def test_a_container_without_streams_has_no_video() -> None:
    text = "Input #0, avi, from 'file:hollow.avi':\n  Duration: N/A, bitrate: N/A\nCodec AVOption max_pixels x\n"
    with pytest.raises(NoVideoStreamError) as raised:
        parse_description(Path("hollow.avi"), text)
    assert raised.value.path == Path("hollow.avi")
    assert "damaged" in raised.value.remedy


def test_the_first_video_stream_is_used(tmp_path: Path) -> None:
    small, large = make_pattern(tmp_path / "small.mp4"), make_pattern(tmp_path / "large.mp4", size="320x240")
    both = tmp_path / "both.mkv"
    run_ffmpeg("-i", small, "-i", large, "-map", "1", "-map", "0", "-c", "copy", file_url(both))
    assert probe(both).width_px == 320


@pytest.mark.parametrize(
    ("pixels", "is_full_range"),
    [
        ("yuvj420p(pc, bt470bg/unknown/unknown)", True),
        ("yuvj422p", True),
        ("yuv420p(pc, bt709, progressive)", True),
        ("yuv420p10le(10 bpc, pc, bt2020nc/bt2020/arib-std-b67)", True),
        ("yuva420p(pc)", True),
        ("yuv420p(tv, smpte170m)", False),
        ("yuv420p", False),
        ("gbrp(pc, gbr/unknown/unknown)", False),
        ("rgba(pc)", False),
    ],
)
def test_full_range_is_that_of_luma_and_chroma(pixels: str, is_full_range: bool) -> None:
    text = f"Input #0, matroska,webm, from 'file:a.mkv':\n  Stream #0:0: Video: h264 (High), {pixels}, 160x120, 25 fps\n"
    assert parse_description(Path("a.mkv"), text).is_full_range == is_full_range


def test_all_streams_are_listed_with_their_codecs() -> None:
    text = """Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:a.mov':
  Duration: 00:00:02.00, start: 0.000000, bitrate: 100 kb/s
  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 160x120, 25 fps
  Stream #0:1[0x2](deu): Audio: pcm_s16le (sowt / 0x74776F73), 44100 Hz, mono, s16, 705 kb/s
  Stream #0:2[0x3](eng): Data: none (tmcd / 0x64636D74)
  Stream #0:3[0x4](eng): Data: bin_data (text / 0x74786574), 0 kb/s
  Stream #0:4[0x0]: Video: mjpeg (Baseline), yuvj420p(pc), 600x600, 90k tbr, 90k tbn (attached pic)
"""
    assert parse_description(Path("a.mov"), text).streams == (
        Stream(0, "video", "h264"),
        Stream(1, "audio", "pcm_s16le"),
        Stream(2, "data", "tmcd"),
        Stream(3, "data", "text"),
        Stream(4, "video", "mjpeg", is_cover=True),
    )
