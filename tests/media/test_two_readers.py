"""Tables agree with ffprobe, which reads the packets of a file and decodes nothing.

The environment variable ``CLIPS`` may name a folder with more videos to compare.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from annotate.archive.discover import VIDEO_EXTENSIONS
from annotate.archive.stored_report import read_report
from annotate.results.meta import read_meta
from tests.clips import H264, SAMPLES, make_frames_at, make_from_images
from tests.ffprobe import NEEDS_FFPROBE, ProbedVideo, probe_packets
from tests.runs import annotate

CLIPS = os.environ.get("CLIPS")
ROUNDING_MS = 1


def videos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix[1:].lower() in VIDEO_EXTENSIONS)


def check_agreement(path: Path) -> ProbedVideo:
    """Annotate a video and compare times, number of frames and length with its packets; return these."""
    assert [outcome.reason for outcome in annotate([path])] == [""]
    probed = probe_packets(path)
    meta = read_meta(path.with_suffix(".emotions.meta.json"))
    assert probed is not None
    assert meta is not None
    assert meta.frames == len(probed.starts_ms)
    assert abs(meta.duration_s * 1000 - probed.end_ms) <= probed.late_interval_ms
    table = read_report(path.with_suffix(".emotions.csv")).table
    ends_ms = (*probed.starts_ms[1:], round(meta.duration_s * 1000))
    for row in table.itertuples():
        start_ms, end_ms = round(row.start_time * 1000), round(row.end_time * 1000)
        assert end_ms - start_ms > 0
        if probed.has_times:
            assert abs(start_ms - probed.starts_ms[row.start_frame]) <= ROUNDING_MS
            assert abs(end_ms - ends_ms[row.end_frame]) <= ROUNDING_MS
    return probed


@NEEDS_FFPROBE
@pytest.mark.parametrize("sample", videos(SAMPLES), ids=lambda path: path.name)
def test_tables_of_samples_agree_with_packets(sample: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy2(sample, tmp_path))
    assert len(check_agreement(path).starts_ms) > 20


@NEEDS_FFPROBE
@pytest.mark.parametrize(
    ("extension", "options"),
    [
        ("mp4", H264),
        ("mp4", ("-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p")),
        ("mkv", H264),
        ("ts", (*H264, "-bf", "0")),
        ("flv", ("-c:v", "flv1")),
        ("avi", ("-c:v", "mpeg4")),
        ("ogg", ("-c:v", "libtheora", "-q:v", "7")),
        ("gif", ()),
    ],
)
def test_tables_of_containers_agree_with_packets(
    extension: str, options: tuple[str, ...], face_image: Path, tmp_path: Path
) -> None:
    path = make_from_images(
        tmp_path / f"clip.{extension}", [(face_image, 2)], filters="noise=alls=6:allf=t", options=options
    )
    assert len(check_agreement(path).starts_ms) == 50


@NEEDS_FFPROBE
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_tables_of_variable_frame_rates_agree_with_packets(extension: str, face_image: Path, tmp_path: Path) -> None:
    times_ms = [0, 41, 82, 123, 400, 600, 601, 800, 1100, 1900, *range(1950, 3000, 35)]
    path = make_frames_at(tmp_path / f"clip.{extension}", times_ms, face=face_image)
    assert list(check_agreement(path).starts_ms) == times_ms


@NEEDS_FFPROBE
@pytest.mark.parametrize("clip", videos(Path(CLIPS)) if CLIPS else [], ids=lambda path: path.name)
def test_tables_of_clips_agree_with_packets(clip: Path, tmp_path: Path) -> None:
    check_agreement(Path(shutil.copy2(clip, tmp_path)))
