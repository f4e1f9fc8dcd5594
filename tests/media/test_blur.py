"""Blurred videos: nothing remains in the regions, frames keep their times, and which streams and tags are kept."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.errors import DecodingError, OutputError
from annotate.media.blur import CELLS, WHOLE_FRAME, Kept, Region, blur, blur_region
from annotate.media.decode import Frame
from annotate.media.ffmpeg import Renderer
from annotate.media.probe import probe
from annotate.media.stills import read_still
from annotate.settings import Limits
from tests.clips import H264, encode_once, make_frames_at, make_pattern, run_ffmpeg
from tests.media.test_encode import description, draws, make_gray, make_rich, samples, starts_ms, streams

LEFT_HALF: Region = (-0.5, -0.5, 1.0, 2.0)


def blurred(
    path: Path, extension: str = "mp4", *, regions: Callable[[Frame], list[Region] | None], **options: object
) -> Path:
    """Blur regions of a video."""
    folder = path.parent / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    target = folder / f"blurred.{extension}"
    blur(probe(path), regions, target, **options)  # type: ignore[arg-type]
    return target


def left_half(frame: Frame) -> list[Region]:
    return [LEFT_HALF]


def nothing(frame: Frame) -> list[Region]:
    return []


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("region", "left", "top", "cells", "cell_px"),
    [
        ((0.25, 0.25, 0.5, 0.5), 80, 80, (CELLS, CELLS), 40),
        ((-0.2, 0.1, 0.4, 0.4), 0, 32, (CELLS, 2), 32),
        ((0.5, 0.5, 0.03, 0.03), 160, 160, (2, 2), 5),
        (WHOLE_FRAME, 0, 0, (CELLS, CELLS), 80),
    ],
)
def test_only_the_means_of_a_few_cells_remain(
    region: Region, left: int, top: int, cells: tuple[int, int], cell_px: int
) -> None:
    """Pixels that are shuffled within the cells give the same result, and those around the region stay."""
    plane, random = noise(320, 320), np.random.default_rng(2)
    shuffled, inside = plane.copy(), np.zeros_like(plane, bool)
    for row, column in np.ndindex(*cells):
        y, x = top + row * cell_px, left + column * cell_px
        cell = slice(y, y + cell_px), slice(x, x + cell_px)
        shuffled[cell] = random.permutation(plane[cell].ravel()).reshape(cell_px, cell_px)
        inside[cell] = True
    before = plane.copy()
    blur_region([plane, shuffled], region)
    assert np.array_equal(plane, np.where(inside, shuffled, before))
    assert plane[inside].std() < before[inside].std() / 3


def test_a_region_at_the_edge_has_cells_as_large_as_elsewhere() -> None:
    inner, cut = noise(1, 400).repeat(400, 0), noise(1, 400).repeat(400, 0)
    blur_region([inner], (0.25, 0.0, 0.5, 1.0))
    blur_region([cut], (-0.375, 0.0, 0.5, 1.0))
    assert np.unique(cut[0, :50]).size == 1
    assert np.unique(inner[0, 100:300]).size > 4


@draws
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_variable_rates_keep_every_time(tmp_path: Path, extension: str) -> None:
    times_ms = [100, 141, 182, 183, 500, 1100, 1101, 1600, 2999]
    clip = make_frames_at(tmp_path / f"variable.{extension}", times_ms)
    progress: list[float] = []
    path = blurred(clip, extension, regions=left_half, progress=progress.append)
    assert starts_ms(path) == starts_ms(clip)
    assert progress == sorted(progress)
    assert len(progress) == len(times_ms)
    image, source = (read_still(name, 1550).astype(int) for name in (path, clip))
    assert abs(image - source)[:, 84:].mean() < 5
    assert image[:, :78].std(axis=(0, 1)).max() < source[:, :78].std(axis=(0, 1)).max() / 2


@draws
def test_a_late_start_odd_sides_and_colors_are_kept(tmp_path: Path) -> None:
    """Video starts 0.4 s after audio, in a container that starts at 100 s."""
    clip, odd = tmp_path / "late.ts", tmp_path / "odd.mkv"
    colors = ("-vf", "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv")
    video = make_gray(tmp_path / "video.mp4", duration_s=1, size="160x120", options=(*H264, *colors))
    audio = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1.4")
    run_ffmpeg("-itsoffset", "0.4", "-i", video, *audio, "-c:v", "copy", "-c:a", "mp2", "-output_ts_offset", "100", clip)
    path = blurred(clip, regions=nothing)
    assert starts_ms(path) == pytest.approx(starts_ms(clip), abs=1)
    assert streams(path) == [("video", "h264"), ("audio", "aac")]
    assert probe(path).colors == probe(clip).colors == ("bt709", "bt709", "bt709")
    make_pattern(odd, duration_s=0.2, filters="format=yuv444p,scale=161:121,setsar=1", options=("-c:v", "ffv1"))
    path = blurred(odd, regions=nothing)
    assert (probe(path).width_px, probe(path).height_px, probe(path).frame_rate) == (161, 121, 25)
    assert abs(read_still(path, 0).astype(int) - read_still(odd, 0)).mean() < 6


@draws
def test_a_frame_without_known_regions_is_blurred_whole(tmp_path: Path) -> None:
    clip = make_pattern(tmp_path / "clip.mp4", duration_s=0.4)
    path = blurred(clip, regions=lambda frame: None if frame.span.start_ms == 200 else [])
    spread = [read_still(path, time_ms).std() / read_still(clip, time_ms).std() for time_ms in (160, 200, 240)]
    assert spread[1] < 0.75 < 0.9 < min(spread[0], spread[2])


@draws
def test_frames_of_another_shape_get_black_bars(tmp_path: Path) -> None:
    parts = [make_gray(tmp_path / f"{size}.ts", duration_s=0.4, size=size) for size in ("160x120", "120x160")]
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    path = blurred(clip, regions=nothing)
    image = read_still(path, starts_ms(path)[-1])
    assert image.shape == (120, 160, 3)
    assert image[:, :34].max() < 20
    assert abs(image[:, 38:120].astype(int) - 0x60).max() < 8


def with_images(folder: Path, extension: str) -> Path:
    """Make a clip with sound, subtitles, a chapter, a place, a cover and, in Matroska, an attached file."""
    rich, cover, path = make_rich(folder, extension), folder / "cover.png", folder / f"images.{extension}"
    encode_once(cover, "-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", "1", "-update", "1")
    options: tuple[str | Path, ...] = ("-map", "0", "-c", "copy", "-metadata", "location=+48.8577+002.295/")
    if extension == "mp4":
        run_ffmpeg("-i", rich, "-i", cover, *options, "-map", "1", "-disposition:v:1", "attached_pic", path)
    else:
        (folder / "letters.ttf").write_bytes(b"letters")
        attached = [("cover.png", "image/png"), ("letters.ttf", "font/ttf")]
        for number, (name, kind) in enumerate(attached):
            options += ("-attach", folder / name, f"-metadata:s:t:{number}", f"mimetype={kind}")
        run_ffmpeg("-i", rich, *options, "-metadata", "coverart=iVBORw0KGgo", path)
    return path


@draws
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_images_are_dropped_and_the_rest_is_kept_unless_unwanted(tmp_path: Path, extension: str) -> None:
    clip = with_images(tmp_path, extension)
    before = description(clip)
    assert "(attached pic)" in before
    assert "48.8577" in before
    path = blurred(clip, extension, regions=nothing)
    after = description(path)
    assert [kind for kind, _ in streams(path) if kind != "data"] == ["video", "audio", "audio", "subtitle"]
    assert np.array_equal(samples(path), samples(clip))
    assert all(text in after for text in ("48.8577", "A film", "First", "(deu)"))
    assert "iVBORw0KGgo" not in after
    path = blurred(clip, extension, regions=nothing, kept=Kept(sound=False, metadata=False))
    after = description(path)
    assert streams(path)[0][0] == "video"
    assert [kind for kind, _ in streams(path)] == ["video", "subtitle"]
    assert not re.search(r"48\.8577|(?i:a film|somebody|location|chapter|deu|ita\b|iVBOR)", after)
    content = path.read_bytes()
    assert not [name for name in (b"48.8577", b"A film", b"iVBORw0KGgo", b"\x89PNG", b"letters") if name in content]


@draws
def test_errors_of_an_encoder_that_hangs_or_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_pattern(tmp_path / "clip.mp4", duration_s=2, size="640x360")
    script = tmp_path / "ffmpeg"
    monkeypatch.setattr("annotate.media.ffmpeg.find_renderer", lambda usual: Renderer(str(script)))
    for line, error, cause in (
        ("exec sleep 60", DecodingError, "0.5 s"),
        ("echo 'No space left on device' >&2; exit 1", OutputError, "(No space left on device)"),
    ):
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
        with pytest.raises(error) as raised:
            blurred(clip, regions=nothing, limits=Limits(stall_timeout_s=0.5))
        assert cause in raised.value.problem
