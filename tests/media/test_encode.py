"""Rendered videos: what is drawn where and when, which streams are kept, and that frames keep their times."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.emotions.palette import COLORS
from annotate.errors import DecodingError, OutputError
from annotate.media import encode as encode_module
from annotate.media.containers import MATROSKA, MP4
from annotate.media.decode import decode
from annotate.media.encode import FONT, Subtitles, burn, mux
from annotate.media.ffmpeg import Renderer, find_ffmpeg
from annotate.media.images import make_gif
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.results.formats.ass import Canvas, draw
from annotate.settings import Limits
from tests.clips import (
    H264,
    SAMPLES,
    ask_ffmpeg,
    encode_once,
    file_url,
    make_frames_at,
    make_pattern,
    record_processes,
    run_ffmpeg,
)
from tests.results.formats.test_ass import can_draw, extent
from tests.results.reports import box_at, make_report

GRAY = "color=0x606060:size={size}:rate=25:duration={duration}"
SRT = "1\n00:00:00,500 --> 00:00:01,500\nhappiness\n\n"
TRACK = Subtitles(SRT, "srt", "eng", "Emotions")
ON_GRAY = 90
"""Tolerance for colors of lines on gray: chroma subsampling changes lines of two pixels."""

NAME = "it's [50%], <b>;:\\ü.{extension}"

draws = pytest.mark.skipif(not can_draw(), reason="this ffmpeg has no libass")


def drawing(size_px: tuple[int, int]) -> str:
    text = draw(make_report(size_px=size_px), "en", font=FONT, with_bars=True)
    assert text is not None
    return text


def burned(path: Path, extension: str = MP4, **options: object) -> Path:
    """Draw the boxes of `make_report` into a video."""
    video = probe(path)
    folder = path.parent / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    target = folder / f"rendered.{extension}"
    burn(video, drawing((video.width_px, video.height_px)), target, **options)  # type: ignore[arg-type]
    return target


def muxed(path: Path, tracks: Sequence[Subtitles] = (TRACK,), extension: str = MP4) -> Path:
    """Add subtitle tracks to a video."""
    folder = path.parent / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    target = folder / f"rendered.{extension}"
    mux(probe(path), tracks, target)
    return target


def make_gray(path: Path, *, duration_s: float = 3, size: str = "640x360", options: Sequence[str] = H264) -> Path:
    return encode_once(path, "-f", "lavfi", "-i", GRAY.format(size=size, duration=duration_s), *options)


def with_audio(path: Path, codec: str) -> Path:
    """Make two seconds of gray video with a tone."""
    video = make_gray(path.with_name("gray.mp4"), duration_s=2)
    audio = ("-f", "lavfi", "-i", "sine=frequency=440:duration=2")
    return encode_once(path, "-i", video, *audio, "-c:v", "copy", "-c:a", codec)


def starts_ms(path: Path) -> list[int]:
    return [frame.span.start_ms for frame in decode(probe(path), (16, 16))]


def streams(path: Path) -> list[tuple[str, str]]:
    return [(stream.kind, stream.codec) for stream in probe(path).streams]


def description(path: Path) -> str:
    command = [find_ffmpeg().path, "-hide_banner", "-i", file_url(path)]
    return subprocess.run(command, capture_output=True, check=False).stderr.decode("utf-8", "replace")


def samples(path: Path) -> NDArray[np.int16]:
    """Return the samples of the first audio stream, mono at 8000 Hz."""
    options = ("-loglevel", "error", "-i", file_url(path), "-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f", "s16le")
    return np.frombuffer(ask_ffmpeg(*options), np.int16)


def has_color(image: NDArray[np.uint8], emotion: str, tolerance: int = ON_GRAY) -> NDArray[np.bool_]:
    """Return the mask of the pixels of an image (height, width, 3) that have an emotion's color."""
    expected = np.array(list(bytes.fromhex(COLORS[emotion][1:])), int)
    result: NDArray[np.bool_] = (abs(image.astype(int) - expected) < tolerance).all(axis=2)
    return result


def assert_box_is_drawn(
    path: Path, face_id: int, time_ms: int, emotion: str, size_px: tuple[int, int], tolerance: int = ON_GRAY
) -> None:
    """Check that a face's box is drawn in its place, with a bar below it as long as its probability."""
    image = read_still(path, time_ms)
    assert image.shape[:2] == (size_px[1], size_px[0])
    box, line_px = box_at(face_id, time_ms), Canvas(*size_px).line_px
    marked = has_color(image, emotion, tolerance)
    left, right, _, _ = extent(marked)
    assert (left, right) == pytest.approx((box.x, box.x + box.width), abs=3)
    side = marked[:, round(box.x) - line_px : round(box.x) + 1].any(axis=1)
    assert side[round(box.y) + 2 : round(box.y + box.height) - 2].mean() > 0.9
    bar = marked[round(box.y + box.height) + 2 * line_px + 1 : round(box.y + box.height) + 4 * line_px]
    assert bar.any(axis=0).sum() == pytest.approx(0.88 * box.width, abs=4)
    assert not marked[round(box.y + box.height) + 8 * line_px :, left:right].any()


@draws
@pytest.mark.parametrize("extension", [MP4, MATROSKA])
def test_boxes_and_bars_are_drawn_at_the_faces(tmp_path: Path, extension: str) -> None:
    progress: list[float] = []
    path = burned(make_gray(tmp_path / NAME.format(extension=extension)), extension, progress=progress.append)
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(3, abs=0.2)
    for time_ms in (0, 400, 1000, 1560):
        assert_box_is_drawn(path, 1, time_ms, "happiness", (640, 360))
    assert_box_is_drawn(path, 2, 2200, "anger", (640, 360))
    assert not has_color(read_still(path, 1960), "anger")[:, 500:].any()
    assert starts_ms(path) == list(range(0, 3000, 40))


@draws
def test_a_rotated_clip_of_variable_rate_is_upright_and_keeps_every_time(tmp_path: Path) -> None:
    phone = Path(shutil.copy(SAMPLES / "phone.mov", tmp_path))
    path = burned(phone)
    for time_ms in (500, 1000, 1500):
        assert_box_is_drawn(path, 1, time_ms, "happiness", (360, 640), 50)
    assert starts_ms(path) == starts_ms(phone)
    assert "rotation" not in description(path)


@draws
def test_boxes_come_when_a_players_clock_says_so(tmp_path: Path) -> None:
    video = replace(probe(make_gray(tmp_path / "clip.mp4")), start_s=-0.08)  # as with ffmpeg 5.1 and priming of audio
    late, usual = tmp_path / "late.mp4", burned(video.path)
    burn(video, drawing((640, 360)), late)
    for path, time_ms, is_drawn in ((usual, 1960, False), (usual, 2000, True), (late, 2040, False), (late, 2080, True)):
        assert has_color(read_still(path, time_ms), "anger")[:, 500:].any() == is_drawn


@draws
@pytest.mark.parametrize("extension", [MP4, MATROSKA])
def test_variable_rate_keeps_every_time(tmp_path: Path, extension: str) -> None:
    times_ms = [0, 41, 82, 83, 400, 1000, 1001, 1500, 2999]
    clip = make_frames_at(tmp_path / f"variable.{extension}", times_ms)
    path = burned(clip, extension)
    assert starts_ms(path) == times_ms
    difference = abs(read_still(path, 1500).astype(int) - read_still(clip, 1500)).max(axis=2)
    assert np.median(difference[:50]) < 4


@draws
@pytest.mark.parametrize("rate", ["24000/1001", "60000/1001"])
def test_rates_whose_times_are_not_whole_milliseconds(tmp_path: Path, rate: str) -> None:
    clip = make_pattern(tmp_path / "clip.mp4", rate=rate, duration_s=2)
    assert starts_ms(burned(clip)) == starts_ms(clip)
    assert starts_ms(muxed(clip)) == starts_ms(clip)


@draws
def test_a_transport_stream_keeps_its_start_and_its_audio_is_encoded(tmp_path: Path) -> None:
    """Video starts 0.4 s after audio, in a container that starts at 100 s."""
    clip = tmp_path / "late.ts"
    video = make_gray(tmp_path / "video.mp4", duration_s=2)
    audio = ("-f", "lavfi", "-i", "sine=frequency=440:duration=2.4")
    timing = ("-output_ts_offset", "100")
    run_ffmpeg("-itsoffset", "0.4", "-i", video, *audio, "-c:v", "copy", "-c:a", "mp2", *timing, clip)
    path = burned(clip)
    assert streams(path) == [("video", "h264"), ("audio", "aac")]
    assert starts_ms(path) == pytest.approx(starts_ms(clip), abs=1)  # an edit list has whole milliseconds
    assert_box_is_drawn(path, 1, 1000, "happiness", (640, 360))


@draws
@pytest.mark.parametrize(("extension", "codec"), [(MP4, "aac"), (MATROSKA, "flac"), (MATROSKA, "pcm_s16le")])
def test_audio_that_the_container_supports_is_copied(tmp_path: Path, extension: str, codec: str) -> None:
    clip = with_audio(tmp_path / f"clip.{extension}", codec)
    path = burned(clip, extension)
    assert streams(path)[1] == streams(clip)[1]
    assert np.array_equal(samples(path), samples(clip))
    assert starts_ms(path) == starts_ms(clip)


@draws
def test_audio_that_mp4_does_not_support_is_encoded(tmp_path: Path) -> None:
    clip = with_audio(tmp_path / "clip.mov", "pcm_s16le")
    path = burned(clip)
    assert streams(path)[1] == ("audio", "aac")
    assert abs(len(samples(path)) - len(samples(clip))) < 800
    assert samples(path)[4000:12000].std() == pytest.approx(samples(clip)[4000:12000].std(), rel=0.05)


@draws
def test_boxes_fit_where_pixels_are_not_square(tmp_path: Path) -> None:
    clip = make_gray(tmp_path / "wide.mp4", size="320x360", options=("-vf", "setsar=2/1", *H264))
    path = burned(clip)
    assert "320x360 [SAR 2:1" in description(path)
    assert_box_is_drawn(path, 1, 1000, "happiness", (640, 360))


@draws
def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    options = ("-vf", "format=yuv444p,scale=641:361,setsar=1", "-c:v", "ffv1")
    clip = make_gray(tmp_path / "odd.mkv", options=options)
    assert_box_is_drawn(burned(clip, MATROSKA), 1, 1000, "happiness", (641, 361))


@draws
def test_rendered_videos_are_the_same_to_the_byte_in_every_run(tmp_path: Path) -> None:
    clip = with_audio(tmp_path / "clip.mkv", "aac")
    first = burned(clip, MATROSKA).read_bytes()
    assert burned(clip, MATROSKA, limits=Limits(threads=0)).read_bytes() == first
    first = muxed(clip, extension=MATROSKA).read_bytes()
    assert muxed(clip, extension=MATROSKA).read_bytes() == first


@draws
def test_fonts_of_the_machine_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_gray(tmp_path / "clip.mp4", duration_s=1)
    expected = read_still(burned(clip), 400)
    no_fonts = tmp_path / "fonts.conf"
    no_fonts.write_text('<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>')
    monkeypatch.setenv("FONTCONFIG_FILE", str(no_fonts))
    image = read_still(burned(clip), 400)
    assert np.array_equal(image, expected)
    box = box_at(1, 400)
    label = image[round(box.y) - 22 : round(box.y) - 6, round(box.x) : round(box.x) + 90]
    assert (label.max(axis=2) < 60).any()


def make_rich(folder: Path, extension: str) -> Path:
    """Make a clip with audio in two languages, subtitles, a chapter and a title."""
    video = make_gray(folder / "gray.mp4", duration_s=2)
    (folder / "own.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nown words\n\n")
    (folder / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=A film\nartist=Somebody\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=First\n"
    )
    path = folder / f"rich.{extension}"
    tones = ("-f", "lavfi", "-i", "sine=440:duration=2", "-f", "lavfi", "-i", "sine=880:duration=2")
    inputs = ("-i", video, *tones, "-i", folder / "own.srt", "-i", folder / "chapters.txt")
    maps = [part for number in range(4) for part in ("-map", str(number))]
    languages = ("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra", "-metadata:s:s:0", "language=ita")
    text = "mov_text" if extension == MP4 else "srt"
    run_ffmpeg(
        *inputs,
        *maps,
        "-map_metadata",
        "4",
        "-map_chapters",
        "4",
        "-c:v",
        "copy",
        "-c:a",
        "aac",
        "-c:s",
        text,
        *languages,
        path,
    )
    return path


@pytest.mark.parametrize(("extension", "text", "language"), [(MP4, "mov_text", "rus"), (MATROSKA, "subrip", "eng")])
def test_tracks_are_added_and_all_else_is_kept(tmp_path: Path, extension: str, text: str, language: str) -> None:
    clip = make_rich(tmp_path, extension)
    path = muxed(clip, [Subtitles(SRT, "srt", language, "Эмоции")], extension)
    assert [stream for stream in streams(path) if stream[0] != "data"] == [*streams(clip)[:4], ("subtitle", text)]
    info = description(path)
    assert re.findall(r"Stream #0:\d+(?:\[\w+\])?\((\w+)\): (?:Audio|Subtitle)", info) == [
        "deu",
        "fra",
        "ita",
        language,
    ]
    assert "Эмоции" in info
    assert re.search(r"(?i)title +: A film", info)
    assert re.search(r"(?i)artist +: Somebody", info)
    assert re.search(r"(?i)title +: First", info)
    assert np.array_equal(samples(path), samples(clip))
    quiet = ("-loglevel", "error")
    for stream in range(3):
        md5 = ("-map", f"0:{stream}", "-c", "copy", "-f", "md5")
        assert ask_ffmpeg(*quiet, "-i", path, *md5) == ask_ffmpeg(*quiet, "-i", clip, *md5)
    added = ask_ffmpeg("-loglevel", "error", "-i", path, "-map", "0:s:1", "-f", "srt").decode()
    assert "00:00:00,500 --> 00:00:01,500\nhappiness" in added
    assert starts_ms(path) == starts_ms(clip)
    assert re.search(rf"\({language}\): Subtitle: .*\(default\)", info) is None


def test_the_only_subtitles_are_shown_by_default(tmp_path: Path) -> None:
    path = muxed(make_gray(tmp_path / NAME.format(extension="mp4"), duration_s=2))
    assert re.search(r"Subtitle: mov_text .*\(default\)", description(path))
    text = ask_ffmpeg("-loglevel", "error", "-i", file_url(path), "-f", "srt").decode()
    assert text == SRT


def test_matroska_can_have_the_boxes_as_a_track(tmp_path: Path) -> None:
    boxes = Subtitles(drawing((640, 360)), "ass", "eng", "Emotions, with boxes")
    path = muxed(make_gray(tmp_path / "clip.mkv", duration_s=2), [TRACK, boxes], MATROSKA)
    assert streams(path) == [("video", "h264"), ("subtitle", "subrip"), ("subtitle", "ass")]
    assert "Emotions, with boxes" in description(path)
    extracted = ask_ffmpeg("-loglevel", "error", "-i", path, "-map", "0:s:1", "-c", "copy", "-f", "ass").decode()
    assert extracted.count("Dialogue:") == drawing((640, 360)).count("Dialogue:")


def test_adding_tracks_keeps_rotation_and_edit_list(tmp_path: Path) -> None:
    phone = Path(shutil.copy(SAMPLES / "phone.mov", tmp_path))
    path = muxed(phone)
    assert (probe(path).width_px, probe(path).height_px) == (360, 640)
    assert starts_ms(path) == starts_ms(phone)
    whole = make_pattern(tmp_path / "whole.mp4", duration_s=4, options=(*H264, "-g", "50"))
    cut = tmp_path / "cut.mp4"
    run_ffmpeg("-ss", "1", "-i", whole, "-c", "copy", cut)
    assert starts_ms(muxed(cut)) == starts_ms(cut)


@pytest.mark.parametrize("write", [functools.partial(burn, ass_track=None), make_gif])
def test_errors_of_a_decoder_that_hangs_or_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., object]
) -> None:
    clip = make_gray(tmp_path / "clip.mp4", duration_s=1)
    video, work = probe(clip), tmp_path / "work"
    work.mkdir()
    script = tmp_path / "ffmpeg"
    monkeypatch.setattr("annotate.media.ffmpeg.find_renderer", lambda usual: Renderer(str(script)))
    for line, error, path, cause in (
        ("exec sleep 60", DecodingError, clip, "(no output for 0.3 s)"),
        ("echo 'No space left on device' >&2; exit 1", OutputError, tmp_path, "(No space left on device)"),
        ("echo 'bad header' >&2; exit 1", DecodingError, clip, "(bad header)"),
    ):
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
        with pytest.raises(error) as raised:
            write(video, target=work / "rendered.mp4", limits=Limits(stall_timeout_s=0.3))
        assert raised.value.path == path
        assert cause in raised.value.problem


@draws
def test_burning_keeps_subtitles_attachments_chapters_and_metadata(tmp_path: Path) -> None:
    rich, clip = make_rich(tmp_path, MATROSKA), tmp_path / "clip.mkv"
    (tmp_path / "letters.ttf").write_bytes(b"letters")
    attach = ("-attach", tmp_path / "letters.ttf", "-metadata:s:t", "mimetype=font/ttf")
    run_ffmpeg("-i", rich, "-map", "0", "-c", "copy", *attach, clip)
    path = burned(clip, MATROSKA)
    assert [kind for kind, _ in streams(path)] == ["video", "audio", "audio", "subtitle", "attachment"]
    info = description(path)
    assert re.findall(r"Stream #0:\d+\((\w+)\): (?:Audio|Subtitle)", info) == ["deu", "fra", "ita"]
    assert all(re.search(rf"(?i){name} +: {value}", info) for name, value in (("title", "A film"), ("title", "First")))
    assert [kind for kind, _ in streams(burned(clip)) if kind != "data"] == ["video", "audio", "audio", "subtitle"]


@pytest.mark.skipif(os.name != "posix", reason="kills a process by its ID")
@pytest.mark.parametrize("adds_tracks", [False, True])
def test_ffmpeg_exits_when_its_pipe_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adds_tracks: bool) -> None:
    """When a worker is killed, its end of the pipe is closed, and no process is left to kill ffmpeg."""
    video = probe(make_pattern(tmp_path / "clip.mp4", duration_s=20, size="640x360"))

    def close(pipe: IO[bytes], *arguments: object) -> Iterator[float]:
        pipe.read(100)
        pipe.close()
        yield 0.0
        assert started[-1].wait(30) != 0

    monkeypatch.setattr(encode_module, "_read_progress", close)
    started = record_processes(monkeypatch)
    work = tmp_path / "work"
    work.mkdir()
    render = functools.partial(mux, tracks=[]) if adds_tracks else functools.partial(burn, ass_track=None)
    with pytest.raises(DecodingError):
        render(video, target=work / "rendered.mkv")
