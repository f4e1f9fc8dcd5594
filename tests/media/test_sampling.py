"""Decoding that delivers the pictures of some frames, and a thumbnail of every one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from annotate.media.decode import Frame, decode
from annotate.media.decoding_command import FrameChoice
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import probe
from annotate.media.sampling import THUMBNAIL_PX, Sampling, read_sampled
from annotate.media.sizing import Row, Sizing, Stamp
from annotate.settings import ALL_FRAMES, REFERENCE
from tests.clips import H264, make_frames_at, make_pattern
from tests.media.test_other_files import BUNDLED_FFMPEG, PATH_FFMPEG, TWO_FFMPEGS
from tests.media.test_skipping import B_FRAMES, MPEG2, shown

EVERY_FOURTH = Sampling(0.16, 0.02)


def decode_sampled(
    path: Path, sampling: Sampling | None, program: str = BUNDLED_FFMPEG, mode: str = ALL_FRAMES, start_s: int = 0
) -> list[Frame]:
    choice = FrameChoice(mode, sampling=sampling)
    return list(decode(probe(path, ffmpeg=FFmpeg(program, "")), (160, 120), choice=choice, start_s=start_s))


def check_sample(frames: Sequence[Frame], whole: Sequence[Frame]) -> list[int]:
    """Check that frames have the times of the ``whole`` video and the sample's pictures; return the sampled indices."""
    assert shown(frames) == shown(whole)
    sample: list[Frame] = []
    for frame, same in zip(frames, whole, strict=True):
        if frame.shown_us is None:
            assert (frame.image == same.image).all()
            sample.append(frame)
        assert frame.image is sample[-1].image
        assert frame.shown_us in (None, sample[-1].start_us)
    return [frame.index for frame in sample]


@pytest.mark.parametrize(
    ("name", "rate", "filters", "options"),
    [
        ("a.mp4", "25", "null", B_FRAMES),
        ("a.ts", "25", "null", MPEG2),
        ("interlaced.mp4", "50", "tinterlace=interleave_top,fieldorder=tff", (*H264, "-flags", "+ildct+ilme")),
        ("late.mkv", "25", "setpts=PTS+5/TB", H264),
    ],
)
def test_every_fourth_frame_has_a_picture(
    tmp_path: Path, name: str, rate: str, filters: str, options: Sequence[str]
) -> None:
    path = make_pattern(tmp_path / name, duration_s=2, rate=rate, filters=filters, options=options)
    whole = decode_sampled(path, None)
    assert check_sample(decode_sampled(path, EVERY_FOURTH), whole) == list(range(0, len(whole), 4))


@TWO_FFMPEGS
def test_samples_do_not_depend_on_the_ffmpeg(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "a.mp4", duration_s=2, rate="30000/1001")
    sampling = Sampling(4 / 29.97, 0.5 / 29.97)
    bundled, other = (decode_sampled(path, sampling, program) for program in (BUNDLED_FFMPEG, PATH_FFMPEG))
    assert [frame.shown_us for frame in bundled] == [frame.shown_us for frame in other]
    assert [frame.index for frame in bundled if frame.shown_us is None] == list(range(0, 60, 4))


def test_slow_stretches_have_a_picture_of_every_frame(tmp_path: Path) -> None:
    times_ms = [*range(0, 800, 40), *range(800, 4000, 200), *range(4000, 4400, 40)]
    path = make_frames_at(tmp_path / "a.mp4", times_ms)
    sample = check_sample(decode_sampled(path, EVERY_FOURTH), decode_sampled(path, None))
    assert [times_ms[index] for index in sample] == [*range(0, 800, 160), *range(800, 4000, 200), 4000, 4160, 4320]


@pytest.mark.parametrize("mode", [ALL_FRAMES, REFERENCE])
def test_decoding_from_the_middle_has_the_same_sample(tmp_path: Path, mode: str) -> None:
    path = make_pattern(tmp_path / "a.mp4", duration_s=5, rate="30", options=B_FRAMES)
    sampling = Sampling(4 / 30, 0.5 / 30)
    start_ms = 3000
    whole, part = (
        [frame for frame in decode_sampled(path, sampling, mode=mode, start_s=start_s) if frame.span.start_ms >= start_ms]
        for start_s in (0, 3)
    )
    assert [(frame.start_us, frame.shown_us) for frame in part] == [(frame.start_us, frame.shown_us) for frame in whole]
    assert all((frame.image == same.image).all() for frame, same in zip(part, whole, strict=True))
    assert {frame.shown_us is None for frame in part} == {True, False}


def test_frames_that_are_left_out_have_no_thumbnail(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "a.mp4", duration_s=2, options=B_FRAMES)
    frames = decode_sampled(path, EVERY_FOURTH, mode=REFERENCE)
    decoded = {frame.index for frame in decode_sampled(path, None, mode=REFERENCE) if frame.shown_us is None}
    assert {frame.index for frame in frames if frame.was_decoded} == decoded
    assert {frame.index for frame in frames if frame.thumbnail is not None} == decoded
    assert 0 < sum(frame.shown_us is None for frame in frames) < len(decoded) < len(frames)


def test_thumbnails_are_pixels_of_the_frame_itself(tmp_path: Path) -> None:
    shade = "geq=lum='40+4*N+if(gt(X,W/2),20,0)':cb=128:cr=128"
    path = make_pattern(tmp_path / "a.mp4", filters=shade, options=(*H264, "-qp", "0"))
    whole = decode_sampled(path, None)
    for frame, same in zip(decode_sampled(path, EVERY_FOURTH), whole, strict=True):
        assert frame.thumbnail is not None
        assert frame.thumbnail.shape == (THUMBNAIL_PX, THUMBNAIL_PX)
        half = THUMBNAIL_PX // 2
        assert np.unique(frame.thumbnail[:, :half]).tolist() == [same.image[0, 0]] == [40 + 4 * frame.index]
        assert np.unique(frame.thumbnail[:, half + 1 :]).tolist() == [same.image[0, -1]]


def test_pictures_that_change_their_size_keep_their_own(tmp_path: Path) -> None:
    for name, size, shift in (("a.ts", "160x120", "0"), ("b.ts", "120x160", "1")):
        options = (*H264, "-bf", "0", "-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", shift)
        make_pattern(tmp_path / name, size=size, options=options)
    path = tmp_path / "turned.ts"
    path.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    video = probe(path, ffmpeg=FFmpeg(BUNDLED_FFMPEG, ""))
    frames, whole = (
        list(decode(video, Sizing(1080, 4000, 0.0), choice=FrameChoice(sampling=sampling)))
        for sampling in (EVERY_FOURTH, None)
    )
    assert shown(frames) == shown(whole)
    assert [frame.image.shape for frame in frames if frame.shown_us is None][-1] == (160, 120)
    assert {(frame.image.shape, frame.displayed_px) for frame in frames} == {
        ((120, 160), (160, 120)),
        ((160, 120), (120, 160)),
    }


def test_a_frame_without_its_picture_shows_the_one_before() -> None:
    stamps = [Stamp(us, 40, 0, 6) for us in (0, 40, 80, 120)]
    selected = iter([Row(0, 40, 8), Row(80, 40, 9)])
    frames = list(read_sampled(iter(stamps), selected, lambda stamp: stamp.start_us))
    assert [(stamp.start_us, stamp.width_px, stamp.shown_us, picture) for stamp, picture in frames] == [
        (0, 8, None, 0),
        (40, 8, 0, 0),
        (80, 9, None, 80),
        (120, 9, 80, 80),
    ]
