"""Videos whose pictures change their size midway, and how large pictures are decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotate.analysis.chunks import ChunkEnd, ChunkMerger
from annotate.analysis.pipeline import Analysis
from annotate.archive.stored_report import read_report
from annotate.batch.rendering import choose_boxes_rendering
from annotate.media.decode import Frame, decode
from annotate.media.ffmpeg import FFmpeg
from annotate.media.picture_size import PictureSize
from annotate.media.probe import probe
from annotate.media.sizing import Sizing
from annotate.media.stills import read_still
from annotate.results.boxes import parse_boxes
from annotate.results.meta import read_meta
from annotate.settings import ONE_CORE
from tests.clips import H264, SAMPLES, ask_ffmpeg, make_pattern, run_ffmpeg
from tests.media.test_other_files import BUNDLED_FFMPEG, PATH_FFMPEG, TWO_FFMPEGS
from tests.runs import annotate

SIZING = Sizing(300, 16_384, 0.03)
TURN_MS = 1000


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of 640 x 360 pixels for a second, then of 360 x 640, as of a phone that is turned."""
    folder = tmp_path_factory.mktemp("turned")
    cut = ("-t", "1", "-i", SAMPLES / "portrait.mp4", "-an", *H264, "-bf", "0", "-muxdelay", "0", "-muxpreload", "0")
    run_ffmpeg(*cut, folder / "a.ts")
    run_ffmpeg(*cut, "-vf", "crop=202:360:220:0,scale=360:640", "-output_ts_offset", "1", folder / "b.ts")
    path = folder / "turned.ts"
    path.write_bytes((folder / "a.ts").read_bytes() + (folder / "b.ts").read_bytes())
    return path


def decoded(path: Path, program: str = BUNDLED_FFMPEG) -> list[Frame]:
    return list(decode(probe(path, ffmpeg=FFmpeg(program, "")), SIZING))


def test_each_part_is_decoded_in_its_own_shape(turned: Path) -> None:
    frames = decoded(turned)
    assert {(frame.displayed_px, frame.image.shape) for frame in frames if frame.span.start_ms < TURN_MS} == {
        ((640, 360), (300, 533))
    }
    assert {(frame.displayed_px, frame.image.shape) for frame in frames if frame.span.start_ms >= TURN_MS} == {
        ((360, 640), (533, 300))
    }
    counted = [index for frame in frames for index in range(frame.index, frame.last_index + 1)]
    assert counted == list(range(50))
    assert [frame.span.end_ms for frame in frames][:-1] == [frame.span.start_ms for frame in frames][1:]
    assert frames[-1].span.end_ms == 2000


@TWO_FFMPEGS
def test_parts_do_not_depend_on_the_ffmpeg(turned: Path) -> None:
    assert PATH_FFMPEG is not None
    for frame, other in zip(decoded(turned), decoded(turned, PATH_FFMPEG), strict=True):
        assert (frame.index, frame.last_index, frame.span, frame.displayed_px) == (
            (other.index, other.last_index, other.span, other.displayed_px)
        )
        assert np.array_equal(frame.image, other.image)


def test_boxes_are_in_the_pixels_of_the_picture_then_shown(turned: Path, tmp_path: Path) -> None:
    path = tmp_path / "turned.ts"
    path.write_bytes(turned.read_bytes())
    (outcome,) = annotate([path])
    assert outcome.faces == 2
    meta = read_meta(tmp_path / "turned.emotions.meta.json")
    assert meta is not None
    assert (meta.width_px, meta.height_px, meta.frames, meta.faces) == (640, 360, 50, 2)
    assert meta.size_changes == (PictureSize(TURN_MS, 360, 640),)
    assert (meta.size_px_at(999), meta.size_px_at(1000)) == ((640, 360), (360, 640))
    first, second = (
        [item.box for face_id, item in parse_boxes((tmp_path / "turned.emotions.boxes.csv").read_bytes()) if face_id == face]
        for face in (1, 2)
    )
    scale = 360 / 202  # of the second part, which begins at x = 220 of the first
    (x, y), (later_x, later_y) = ((box.x + box.width / 2, box.y + box.height / 2) for box in (first[0], second[0]))
    assert later_x == pytest.approx((x - 220) * scale, abs=15)
    assert later_y == pytest.approx(y * scale, abs=25)
    rendering = choose_boxes_rendering(probe(path), read_report(tmp_path / "turned.emotions.csv"), "en", "mp4", ONE_CORE)
    (tmp_path / "out").mkdir()
    rendered, _ = rendering.make(tmp_path / "out", lambda _: None)
    still = read_still(rendered, 1500).astype(int)
    assert still.shape == (360, 640, 3)
    assert still[:, :210].max() < 40
    assert still[:, 430:].max() < 40
    assert _is_yellow(still[:, 210:430]).any(1).nonzero()[0].max() > 360 * (second[0].y + second[0].height) / 640 - 5


def _is_yellow(pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return (pixels[..., 0] > 200) & (pixels[..., 1] > 180) & (pixels[..., 2] < 110)


def test_pixels_that_are_not_square_keep_the_shape_of_the_beginning(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.ts", "b.ts")]
    for number, (path, size) in enumerate(zip(paths, ("176x144", "352x288"), strict=True)):
        options = ("-vf", "setsar=16/11", *H264, "-output_ts_offset", str(number))
        make_pattern(path, duration_s=1, size=size, options=options)
    (tmp_path / "c.ts").write_bytes(b"".join(path.read_bytes() for path in paths))
    assert {(frame.displayed_px, frame.image.shape) for frame in decoded(tmp_path / "c.ts")} == {((256, 144), (144, 256))}


@pytest.mark.parametrize("size", ["1890x1080", "1080x1920", "600x301", "40x20000", "309x400", "310x400"])
def test_ffmpeg_computes_the_same_sizes(size: str) -> None:
    width, height = map(int, size.split("x"))
    sides = [side.replace(",", "\\,").replace(";", "\\;") for side in SIZING.expressions]
    source = ("-f", "lavfi", "-i", f"nullsrc=size={size}:duration=0.04", "-frames:v", "1")
    for side, expected in zip(sides, SIZING.size_px(width, height), strict=True):
        row = ask_ffmpeg(*source, "-vf", f"format=gray,scale={side}:1,setsar=1", "-f", "rawvideo")
        assert len(row) == expected


def test_sizes_of_chunks_are_merged() -> None:
    sizes = [PictureSize(0, 640, 360), PictureSize(900, 360, 640), PictureSize(1000, 360, 640), PictureSize(2000, 640, 360)]
    merger = ChunkMerger(0.3)
    ends = [ChunkEnd(25, 1000, 0, 0, 960, None, False, tuple(part)) for part in (sizes[:2], sizes[2:3], sizes[3:])]
    assert not list(merger.merge(ends))
    assert merger.sizes == [sizes[0], sizes[1], sizes[3]]


def test_a_video_of_one_size_has_one_size() -> None:
    analysis = Analysis.open(SAMPLES / "no_face.mp4")
    assert not list(analysis)
    assert analysis.sizes == [PictureSize(0, analysis.video.width_px, analysis.video.height_px)]
