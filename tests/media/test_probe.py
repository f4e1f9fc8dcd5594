from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import NotAVideoError, NoVideoStreamError, UnreadableError
from annotate.media.probe import Stream, parse_description, probe
from tests.clips import H264, file_url, make_from_pictures, make_pattern, run_ffmpeg


def test_size_rate_and_length(empty_clip: Path) -> None:
    video = probe(empty_clip)
    assert (video.width_px, video.height_px, video.frame_rate, video.stream) == (160, 120, 25.0, 0)
    assert video.duration_s == pytest.approx(1.0, abs=0.01)


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    wide = make_pattern(tmp_path / "wide.mp4", filters="setsar=4/3")
    narrow = make_pattern(tmp_path / "narrow.mp4", filters="setsar=8/9")
    assert (probe(wide).width_px, probe(wide).height_px) == (213, 120)
    assert (probe(narrow).width_px, probe(narrow).height_px) == (160, 135)


@pytest.mark.parametrize("degrees", ["90.00", "-90.00", "270.00"])
def test_rotation_turns_the_size(degrees: str) -> None:
    text = f"""Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:a.mov':
  Duration: 00:01:02.50, start: 0.000000, bitrate: 100 kb/s
  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 160x120 [SAR 1:1 DAR 4:3], 1k fps, 25 tbr (default)
    Side data:
      displaymatrix: rotation of {degrees} degrees
  Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp, 69 kb/s (default)
"""
    video = parse_description(Path("a.mov"), text)
    assert (video.width_px, video.height_px, video.duration_s, video.frame_rate) == (120, 160, 62.5, 1000.0)


def test_cover_art_and_streams_without_size_are_passed_over() -> None:
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


def test_sound_with_cover_art_has_no_pictures(tmp_path: Path, face_picture: Path) -> None:
    path = tmp_path / "song.mp4"
    sound = ("-f", "lavfi", "-i", "sine=duration=1", "-i", face_picture, "-map", "0", "-map", "1")
    run_ffmpeg(*sound, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-disposition:v", "attached_pic", "-c:a", "aac", path)
    with pytest.raises(NoVideoStreamError, match=r"song\.mp4: holds sound but no pictures"):
        probe(path)


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "-dash.mp4", "ünï çødé 视频.mp4", "two\nlines.mp4", "100%d.mp4", "'quoted\".mp4"]
)
def test_any_name_opens(empty_clip: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(empty_clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)).width_px == 160


def test_what_is_no_video(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("this is not a video\n" * 100)
    empty.touch()
    with pytest.raises(NotAVideoError, match=r"text\.mp4: not a video"):
        probe(text)
    with pytest.raises(UnreadableError, match=r"empty\.mp4: the file is empty"):
        probe(empty)
    with pytest.raises(UnreadableError, match=r"missing\.mp4: no such file"):
        probe(tmp_path / "missing.mp4")
    with pytest.raises(UnreadableError, match="is a directory"):
        probe(tmp_path)


def test_a_playlist_dressed_as_video_opens_nothing(empty_clip: Path, tmp_path: Path) -> None:
    playlist, script = tmp_path / "list.mp4", tmp_path / "script.mp4"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{empty_clip}\n#EXT-X-ENDLIST\n")
    script.write_text(f"ffconcat version 1.0\nfile '{empty_clip}'\n")
    for path in (playlist, script):
        with pytest.raises(NotAVideoError):
            probe(path)


def test_the_end_of_a_file_cut_off(face_picture: Path, tmp_path: Path) -> None:
    whole = make_from_pictures(tmp_path / "whole.mp4", [(face_picture, 1)], options=H264)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(NotAVideoError, match=r"cut\.mp4: not a video that can be opened .*moov atom not found"):
        probe(cut)


def test_a_container_whose_streams_are_gone() -> None:
    text = "Input #0, avi, from 'file:hollow.avi':\n  Duration: N/A, bitrate: N/A\nCodec AVOption max_pixels x\n"
    with pytest.raises(NoVideoStreamError, match=r"hollow\.avi: holds no readable video stream; it may be damaged"):
        parse_description(Path("hollow.avi"), text)


def test_the_first_of_two_video_streams(tmp_path: Path) -> None:
    small, large = make_pattern(tmp_path / "small.mp4"), make_pattern(tmp_path / "large.mp4", size="320x240")
    both = tmp_path / "both.mkv"
    run_ffmpeg("-i", small, "-i", large, "-map", "1", "-map", "0", "-c", "copy", file_url(both))
    assert probe(both).width_px == 320


def test_streams_are_told_with_their_codecs() -> None:
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
