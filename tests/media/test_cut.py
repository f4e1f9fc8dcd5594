"""Clips: which frames they show and when, to the frame and at key frames, and that sound stays in sync."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate.errors import DecodingError
from annotate.media.copy_cut import copied_container, copy_cut
from annotate.media.cut import Part, cut, frames_in, join
from annotate.media.encode import FONT
from annotate.media.images import make_gif
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.results.formats.ass import draw
from annotate.settings import Limits
from annotate.span import Span
from tests.clips import SAMPLES, ask_ffmpeg, file_url, run_ffmpeg
from tests.media.counted import LOSSLESS, end_ms, ffmpeg, make_counted, numbers, sound, tone_ms
from tests.media.test_encode import draws, has_color, make_gray
from tests.results.reports import make_report

EVERY_TEN = ("-g", "1000", "-force_key_frames", "expr:eq(mod(n,10),0)")
GROUPS = (*LOSSLESS, *EVERY_TEN)
"""A key frame every 400 ms."""


def work(path: Path, name: str = "clip.mp4") -> Path:
    """Return a file in a new folder."""
    path.mkdir()
    return path / name


@draws
@pytest.mark.parametrize(
    ("name", "times", "starts_ms", "options"),
    [
        ("rate.mp4", "N*1001/30000", [round(number * 1001 / 30) for number in range(60)], LOSSLESS),
        ("held.mkv", "N/25+gte(N\\,30)*2.4", [40 * number + 2400 * (number >= 30) for number in range(60)], LOSSLESS),
        ("late.ts", "N/25", [40 * number for number in range(60)], (*GROUPS, "-output_ts_offset", "100")),
    ],
)
def test_a_clip_shows_what_a_player_shows_during_its_span(
    tmp_path: Path, name: str, times: str, starts_ms: list[int], options: tuple[str, ...]
) -> None:
    """Spans begin at a frame, and far into a frame that is held: it is found by decoding from further back."""
    clip = make_counted(tmp_path / name, times=times, options=options)
    video = probe(clip, ffmpeg=ffmpeg())
    ends_ms = [*starts_ms[1:], end_ms(clip)]
    for number, span in enumerate((Span(starts_ms[20], starts_ms[35] - 7), Span(starts_ms[30] - 3, 10_000))):
        target = work(tmp_path / str(number))
        made = cut(video, span, target)
        expected = [
            (max(0, start_ms - span.start_ms), index)
            for index, (start_ms, own_end_ms) in enumerate(zip(starts_ms, ends_ms, strict=True))
            if start_ms < span.end_ms and own_end_ms > span.start_ms
        ]
        found = numbers(target)
        assert [index for _, index in found] == [index for _, index in expected]
        assert [start_ms for start_ms, _ in found] == pytest.approx([start_ms for start_ms, _ in expected], abs=1)
        shown = Span(span.start_ms, min(span.end_ms, ends_ms[-1]))
        assert (made.span.start_ms, made.span.end_ms) == pytest.approx((shown.start_ms, shown.end_ms), abs=1)


@draws
def test_sound_is_in_sync_to_the_sample(tmp_path: Path) -> None:
    plain = make_counted(tmp_path / "plain.mp4", tone_s=1.2, options=(*GROUPS, "-c:a", "aac"))
    target = work(tmp_path / "out")
    cut(probe(plain, ffmpeg=ffmpeg()), Span(800, 1600), target)
    assert numbers(target)[0] == (0, 20)
    assert tone_ms(target) == pytest.approx(400, abs=3)
    assert len(sound(target)) / 48 == pytest.approx(800, abs=25)
    cut(probe(plain, ffmpeg=ffmpeg()), Span(800, 1600), work(tmp_path / "silent"), has_sound=False)
    assert not probe(tmp_path / "silent/clip.mp4").audio
    late = tmp_path / "late.ts"  # audio begins 0.2 s after the frames, in a container that starts at 100 s
    options = ("-map", "0:v", "-map", "1:a", "-c", "copy", "-muxdelay", "0", "-output_ts_offset", "100")
    run_ffmpeg("-i", plain, "-itsoffset", "0.2", "-i", plain, *options, late)
    cut(probe(late), Span(800, 1600), work(tmp_path / "late"))
    assert numbers(tmp_path / "late/clip.mp4")[0][1] == 20
    assert tone_ms(tmp_path / "late/clip.mp4") == pytest.approx(600, abs=4)


@draws
def test_a_rotated_clip_of_variable_rate_is_upright(tmp_path: Path) -> None:
    phone, target = Path(shutil.copy(SAMPLES / "phone.mov", tmp_path)), work(tmp_path / "out")
    made = cut(probe(phone), Span(2000, 2600), target)
    clip = probe(target, ffmpeg=ffmpeg())
    assert ((clip.width_px, clip.height_px), made.span) == ((360, 640), Span(2000, 2600))
    for time_ms in (0, 590):
        difference = read_still(target, time_ms).astype(int) - read_still(phone, 2000 + time_ms)
        assert abs(difference).mean() < 3


@draws
def test_boxes_are_drawn_by_the_clock_of_the_source(tmp_path: Path) -> None:
    track, target = draw(make_report(), "en", font=FONT), work(tmp_path / "out")
    cut(probe(make_gray(tmp_path / "gray.mp4")), Span(1960, 2120), target, ass_track=track)
    drawn = [has_color(read_still(target, time_ms), "anger")[:, 500:].any() for time_ms in (0, 40, 120)]
    assert drawn == [False, True, True]


@draws
def test_parts_of_different_shape_and_sound_are_joined(tmp_path: Path) -> None:
    loud = make_counted(tmp_path / "loud.mp4", tone_s=0, options=(*LOSSLESS, "-c:a", "aac"))
    tall = make_counted(tmp_path / "tall.mkv", size="48x64", times="N/20")
    progress: list[float] = []
    parts = [Part(probe(tall), Span(500, 1000)), Part(probe(loud), Span(400, 800)), Part(probe(tall), Span(0, 300))]
    target = work(tmp_path / "out")
    cuts = join(parts, target, size_px=(64, 48), progress=progress.append)
    assert [one.span for one in cuts] == [part.span for part in parts]
    starts_ms = [*range(0, 500, 50), *range(500, 900, 40), *range(900, 1200, 50)]
    assert numbers(target) == [*zip(starts_ms, [*range(10, 20), *range(10, 20), *range(6)], strict=True)]
    assert (progress[-1], end_ms(target)) == (1.2, pytest.approx(1200, abs=5))
    loudness = [abs(sound(target)[48 * start : 48 * end]).max() for start, end in ((0, 470), (530, 870), (930, 1180))]
    assert (loudness[0] < 0.1, loudness[1] > 0.5, loudness[2] < 0.1) == (True, True, True)
    image = read_still(target, 200)
    assert image[:, :10].max() < 20 < image[:, 30:34].min()


def test_a_span_without_frames_is_an_error(tmp_path: Path) -> None:
    clip = make_counted(tmp_path / "plain.mp4")
    with pytest.raises(DecodingError):
        cut(probe(clip, ffmpeg=ffmpeg()), Span(9000, 9500), work(tmp_path / "out"))


@pytest.mark.parametrize(
    ("name", "options", "container"),
    [
        ("b_frames.mp4", ("-c:v", "libx264", "-bf", "2", "-crf", "4", *EVERY_TEN, "-c:a", "aac"), "mp4"),
        ("vp8.mkv", ("-c:v", "libvpx", "-b:v", "2M", *EVERY_TEN, "-c:a", "libvorbis"), "mkv"),
        ("late.ts", (*GROUPS, "-c:a", "mp2", "-output_ts_offset", "100"), "mkv"),
    ],
)
def test_copied_clips_begin_at_a_key_frame_and_say_where(
    tmp_path: Path, name: str, options: tuple[str, ...], container: str
) -> None:
    clip = make_counted(tmp_path / name, tone_s=1.2, options=(*options, "-pix_fmt", "yuv420p", "-sc_threshold", "0"))
    video = probe(clip, ffmpeg=ffmpeg())
    assert copied_container(video) == container
    source = numbers(clip)
    zero_ms = source[0][0]  # of MPEG-TS with B-frames
    keys = key_frames(clip)
    for number, span in enumerate((Span(1000, 1500), Span(50 + zero_ms, 300))):
        key = max(index for index in keys if source[index][0] <= span.start_ms)
        target = work(tmp_path / str(number), f"clip.{container}")
        made = copy_cut(video, span, target)
        found = numbers(target)
        first = source[key][0]
        assert made.span.start_ms == pytest.approx(first, abs=1)
        assert found[0][1] == pytest.approx(key, abs=1)
        last = next(index for start_ms, index in reversed(source) if start_ms < span.end_ms)
        assert {index for _, index in found} >= {*range(key + 1, last)}
        assert span.end_ms <= made.span.end_ms <= span.end_ms + 250
        assert end_ms(target) == pytest.approx(made.span.duration_ms, abs=45)
        if number == 0:
            assert tone_ms(target) + made.span.start_ms == pytest.approx(tone_ms(clip), abs=60)
    copy_cut(video, Span(0, 100), tmp_path / "1" / f"silent.{container}", has_sound=False)
    assert not probe(tmp_path / "1" / f"silent.{container}").audio


def key_frames(path: Path) -> list[int]:
    """Return the numbers of the key frames, in the order in which frames are shown."""
    lines = ask_ffmpeg("-i", file_url(path), "-map", "0:v", "-c", "copy", "-f", "framecrc").decode().splitlines()
    packets = [line.split(",") for line in lines if not line.startswith("#")]
    return [
        index for index, packet in enumerate(sorted(packets, key=lambda one: int(one[2]))) if "F=0x0" not in "".join(packet)
    ]


def test_a_copy_that_hangs_is_stopped(tmp_path: Path) -> None:
    clip = make_counted(tmp_path / "clip.mp4", frames=10, options=GROUPS)
    video, hanging = probe(clip, ffmpeg=ffmpeg()), tmp_path / "ffmpeg"
    hanging.write_text(f'#!/bin/sh\ncase "$*" in *cut.mp4*) exec sleep 60;; esac\nexec "{video.ffmpeg.path}" "$@"\n')
    hanging.chmod(0o755)
    video = replace(video, ffmpeg=replace(video.ffmpeg, path=str(hanging)))
    with pytest.raises(DecodingError) as raised:
        copy_cut(video, Span(0, 400), work(tmp_path / "own", "cut.mp4"), limits=Limits(stall_timeout_s=0.3))
    assert (raised.value.path, "0.3 s" in raised.value.problem) == (clip, True)


def test_a_decoder_without_frames_gives_none(empty_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.media.cut.decode", lambda *args, **options: (frame for frame in ()))
    assert list(frames_in(probe(empty_clip), Span(2000, 3000))) == []


@draws
def test_a_gif_lasts_as_long_as_its_video(tmp_path: Path) -> None:
    clip = make_counted(tmp_path / "clip.mp4", size="640x360", frames=30)
    gif = work(tmp_path / "out", "clip.gif")
    make_gif(probe(clip, ffmpeg=ffmpeg()), gif)
    with Image.open(gif) as image:
        assert (image.size, image.info["loop"]) == ((480, 270), 0)
        shown = []
        for number in range(image.n_frames):
            image.seek(number)
            shown.append((image.info["duration"], np.asarray(image.convert("L")).mean()))
    assert sum(duration_ms for duration_ms, _ in shown) == pytest.approx(1200, abs=40)
    brightness = [level for _, level in shown]
    assert brightness == sorted(brightness)
