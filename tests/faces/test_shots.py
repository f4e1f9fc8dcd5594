from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotate.faces.shots import limit_frame_rate, mark_shots, show_own_shot, structural_distance
from annotate.media.decode import BLACK, Frame, decode
from annotate.media.decoding_command import FrameChoice
from annotate.media.probe import probe
from annotate.media.sampling import Sampling
from annotate.span import Span
from tests.clips import make_face_image, make_from_images, make_pattern

GRAY = np.full((60, 80), 120, np.uint8)


def frames_at(times_ms: Iterable[int], image: NDArray[np.uint8] = GRAY) -> list[Frame]:
    stamps = [*times_ms]
    ends = [*stamps[1:], stamps[-1] + 40]
    return [
        Frame(index, index, Span(start, end), image) for index, (start, end) in enumerate(zip(stamps, ends, strict=True))
    ]


def stamps_of(rate: float, count: int) -> list[int]:
    return [round(number * 1000 / rate) for number in range(count)]


@pytest.mark.parametrize("rate", [5, 23.976, 25, 29.97, 30, 31])
def test_usual_rates_are_not_reduced(rate: float) -> None:
    frames = frames_at(stamps_of(rate, 200))
    assert list(limit_frame_rate(frames, rate, 30)) == frames


@pytest.mark.parametrize(("rate", "analyzed_rate"), [(50, 25), (59.94, 29.97), (60, 30), (120, 30), (240, 30)])
def test_high_rates_are_reduced(rate: float, analyzed_rate: float) -> None:
    kept = list(limit_frame_rate(frames_at(stamps_of(rate, 1000)), rate, 30))
    seconds = 1000 / rate
    assert len(kept) == pytest.approx(seconds * analyzed_rate, abs=2)


def test_bursts_in_a_source_of_low_rate_are_kept() -> None:
    frames = frames_at(time_ms + jitter for time_ms in range(0, 4000, 80) for jitter in (0, 10))
    assert list(limit_frame_rate(frames, 25.0, 30)) == frames


@given(st.lists(st.integers(1, 200), min_size=1, max_size=60))
def test_kept_frames_cover_the_whole_time(intervals: list[int]) -> None:
    frames = frames_at(np.cumsum(intervals).tolist())
    kept = list(limit_frame_rate(frames, None, 30))
    assert kept[0].span.start_ms == frames[0].span.start_ms
    assert kept[-1].span.end_ms == frames[-1].span.end_ms
    assert [frame.span.end_ms for frame in kept[:-1]] == [frame.span.start_ms for frame in kept[1:]]
    assert [frame.last_index + 1 for frame in kept[:-1]] == [frame.index for frame in kept[1:]]
    assert all(frame.span.duration_ms >= 32 for frame in kept[:-1])


def test_distance_of_images() -> None:
    random = np.random.default_rng(0)
    first, second = (random.normal(120, 40, (30, 40)).astype(np.float32) for _ in range(2))
    assert structural_distance(first, first) == pytest.approx(0, abs=1e-6)
    assert structural_distance(first, second) == pytest.approx(1, abs=0.1)
    assert structural_distance(first, 240 - first) == pytest.approx(2, abs=0.1)
    assert structural_distance(first, first * 1.6 + 30) < 0.15
    assert structural_distance(np.full((30, 40), 16, np.float32), np.full((30, 40), 235, np.float32)) == 0


EVERY_FRAME, EVERY_FOURTH = None, Sampling(0.16, 0.02)


def shot_starts(path: Path, sampling: Sampling | None = EVERY_FRAME) -> list[int]:
    video = probe(path)
    frames = decode(video, (video.width_px, video.height_px), choice=FrameChoice(sampling=sampling))
    return [frame.index for frame, begins in mark_shots(frames, 1000) if begins]


@pytest.mark.parametrize("sampling", [EVERY_FRAME, EVERY_FOURTH])
def test_hard_cuts_are_found_to_the_frame(tmp_path: Path, face_image: Path, sampling: Sampling | None) -> None:
    mirrored = make_face_image(tmp_path / "mirrored.png", filters="hflip,crop=iw*0.7:ih*0.7:0:ih*0.1")
    images = [(face_image, 1.0), (mirrored, 0.6), (face_image, 0.4)]
    assert shot_starts(make_from_images(tmp_path / "cuts.mp4", images), sampling) == [0, 25, 40]


@pytest.mark.parametrize("sampling", [EVERY_FRAME, EVERY_FOURTH])
def test_cuts_between_shots_that_look_alike_are_found(tmp_path: Path, sampling: Sampling | None) -> None:
    framed = "crop=220:260:200:40"
    level, leaning = (
        make_face_image(tmp_path / f"{number}.png", filters=filters)
        for number, filters in enumerate((framed, f"{framed},rotate=0.2:c=gray"))
    )
    path = make_from_images(tmp_path / "alike.mp4", [(level, 0.6), (leaning, 0.6), (level, 0.6)])
    assert shot_starts(path, sampling) == [0, 15, 30]


@pytest.mark.parametrize("sampling", [EVERY_FRAME, EVERY_FOURTH])
def test_motion_noise_flash_and_fade_are_not_cuts(tmp_path: Path, face_image: Path, sampling: Sampling | None) -> None:
    for number, filters in enumerate(
        [
            "noise=alls=30:allf=t",
            "eq=brightness='if(between(n,10,12),0.3,0)':eval=frame",
            "fade=in:0:25,fade=out:25:25",
            "rotate='0.15*sin(n/3)'",
            "eq=contrast='if(between(n,20,21),3,1)':brightness='if(between(n,20,21),0.2,0)':eval=frame",
            "eq=contrast='if(between(n,20,21),0.3,1)':eval=frame",
            "crop=iw*0.8:ih*0.8:'if(lt(n,20),0,iw*0.05)':'if(lt(n,20),0,ih*0.04)'",
        ]
    ):
        path = make_from_images(tmp_path / f"{number}.mp4", [(face_image, 2)], filters=filters)
        assert shot_starts(path, sampling) == [0], filters
    assert shot_starts(make_pattern(tmp_path / "pattern.mp4", duration_s=4, size="320x240"), sampling) == [0]


def test_an_unusual_gap_begins_a_shot() -> None:
    steady = list(range(0, 2000, 40))
    times = [*steady, 3500, 3540, 4400, 4440]
    assert [frame.span.start_ms for frame, begins in mark_shots(frames_at(times), 1000) if begins] == [0, 3500]


def test_a_gap_is_relative_to_the_usual_interval() -> None:
    times = [0, 2000, 4000, 6000, 11500, 13500, 20500]
    assert [frame.span.start_ms for frame, begins in mark_shots(frames_at(times), 1000) if begins] == [0, 20500]


def shown_brightness(own: dict[int, int], shots: set[int], count: int) -> list[int]:
    """Return the brightness that frames show, of which those in ``own`` have an image; ``shots`` begin at these frames."""
    marked, latest = [], 0
    for index in range(count):
        latest = index if index in own else latest
        image = np.full((2, 2), own[latest], np.uint8)
        shown_us = None if index == latest else latest * 1000
        marked.append(
            (
                Frame(index, index, Span(index, index + 1), image, None, start_us=index * 1000, shown_us=shown_us),
                index in shots,
            )
        )
    shown = list(show_own_shot(marked))
    assert [(frame.index, begins) for frame, begins in shown] == [(frame.index, begins) for frame, begins in marked]
    assert [frame.index for frame, _ in shown if frame.shown_us is None] == [index for index in own if index < count]
    return [int(frame.image[0, 0]) for frame, _ in shown]


def test_no_frame_shows_another_shot() -> None:
    own = {0: 100, 4: 104, 8: 108, 12: 112}
    assert shown_brightness(own, {0}, 14) == [100] * 4 + [104] * 4 + [108] * 4 + [112] * 2
    assert shown_brightness(own, {0, 6}, 14) == [100] * 4 + [104] * 2 + [108] * 6 + [112] * 2
    assert shown_brightness(own, {0, 4}, 10) == [100] * 4 + [104] * 4 + [108] * 2
    assert shown_brightness(own, {0, 5, 7}, 10) == [100] * 4 + [104, BLACK, BLACK] + [108] * 3
    assert shown_brightness(own, {0, 13}, 14) == [100] * 4 + [104] * 4 + [108] * 4 + [112, BLACK]
