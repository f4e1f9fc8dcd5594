"""Many videos, and a very long one: nothing may grow with either."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from annotate.archive.stored_report import read_report
from annotate.results.meta import read_meta
from tests.clips import H264, SAMPLES, file_url, make_face_picture, make_from_pictures, run_ffmpeg
from tests.reliability.archives import RUN_OPTIONS, count_statuses, leavings, outputs_of, read_log
from tests.reliability.processes import Sample, running, watching
from tests.reliability.row import Faults, Options, Row, listed, say

_VIDEOS, _QUICK_VIDEOS = 2000, 20
_FRAMES = 8
_MANY_TIMEOUT_S = 7200.0
_SHORT_CLIPS = {
    "mp4": H264,
    "mkv": H264,
    "avi": ("-c:v", "mpeg4", "-q:v", "3"),
    "ts": H264,
    "webm": ("-c:v", "libvpx", "-b:v", "1M"),
}
_MORE_DESCRIPTORS = 4
"""A video that is being handed over may need some for a moment."""

_LONG_S, _QUICK_LONG_S = 36_000, 360
_LONG_RATE = 5
_LONG_TIMEOUT_S = 7200.0
_LONG_MIN_FACE = "0.6"
_LONG_FILTERS = f"crop=240:240:194:76,scale=144:144,fps={_LONG_RATE}"
"""Cuts a sample down to its face, so that looking for it costs little."""

_MORE_MEMORY = 1.1
_WARMING_SHARE = 0.1
_MEGABYTE = 1e6


def many(options: Options) -> Row:
    """Many short videos: all are annotated, then all skipped, and nothing is held for longer than its video."""
    folder = options.room("many")
    count = _QUICK_VIDEOS if options.quick else _VIDEOS
    archive = _make_many(folder, count)
    faults = Faults("many")
    first_s, samples = _run_many(archive, folder, {"annotated": count}, faults)
    faults.expect(len(outputs_of(archive)) == 3 * count, f"{len(outputs_of(archive))} outputs instead of {3 * count}")
    second_s, _ = _run_many(archive, folder, {"up_to_date": count}, faults)
    faults.expect(not leavings(archive), f"temporary files left: {leavings(archive)}")
    kept = _warm(samples)
    for what, values in (
        ("descriptors of the main process", [sample.main_descriptors for sample in kept]),
        ("descriptors of a worker", [sample.worker_descriptors for sample in kept]),
        ("processes", [sample.processes for sample in kept]),
    ):
        first, last = _edges(values)
        faults.expect(last <= first + _MORE_DESCRIPTORS, f"{what} grew from {first} to {last}")
    seen = (
        f"annotated in {first_s:.0f} s, skipped in {second_s:.1f} s; descriptors of the main process "
        f"{_range(kept, lambda sample: sample.main_descriptors)}, of a worker "
        f"{_range(kept, lambda sample: sample.worker_descriptors)}, processes "
        f"{_range(kept, lambda sample: sample.processes)}; most memory of the main process "
        f"{_megabytes([sample.main_bytes for sample in kept])}, of a worker "
        f"{_megabytes([sample.worker_bytes for sample in kept])} (first and last quarter)"
    )
    return faults.row(f"{count} short videos, then the same again: all done, all skipped, nothing grows", seen)


def long(options: Options) -> Row:
    """A very long video: its times are right to the end, and memory does not grow."""
    folder = options.room("long")
    length_s = _QUICK_LONG_S if options.quick else _LONG_S
    video = _make_long(folder, length_s)
    faults = Faults("long")
    begun_s = time.monotonic()
    with running(["--jobs", "1", "--min-face", _LONG_MIN_FACE, video], folder) as run, watching(run) as samples:
        status = run.wait(_LONG_TIMEOUT_S)
        faults.expect(status == 0, f"the run ended with {status}", run.errors)
    took_s = time.monotonic() - begun_s
    meta = read_meta(video.with_suffix(".emotions.meta.json"))
    table = read_report(video.with_suffix(".emotions.csv")).table
    end_s, frames = float(table["end_time"].max()), int(table["end_frame"].max()) + 1
    faults.expect(end_s == length_s, f"the last row ends at {end_s:.3f} s instead of {length_s:.3f} s")
    faults.expect(frames == length_s * _LONG_RATE, f"{frames} frames instead of {length_s * _LONG_RATE}")
    faults.expect(meta is not None and meta.duration_s == length_s, f"the meta file tells {meta and meta.duration_s} s")
    kept = _warm(samples)
    for what, values in (
        ("the worker", [sample.worker_bytes for sample in kept]),
        ("the decoder", [sample.decoder_bytes for sample in kept]),
    ):
        first, last = _edges(values)
        grew = f"{first / _MEGABYTE:.0f} to {last / _MEGABYTE:.0f} MB"
        faults.expect(last <= first * _MORE_MEMORY, f"memory of {what} grew from {grew}")
    seen = (
        f"{len(table)} rows, the last ends at {end_s:.3f} s; {length_s / took_s:.0f}x real time; most memory of the worker "
        f"{_megabytes([sample.worker_bytes for sample in kept])}, of the decoder "
        f"{_megabytes([sample.decoder_bytes for sample in kept])} (first and last quarter)"
    )
    asked = f"a video of {length_s / 3600:g} h at {_LONG_RATE} frames a second: times right to the millisecond, memory flat"
    return faults.row(asked, seen)


def _make_many(folder: Path, count: int) -> Path:
    archive = folder / "archive"
    archive.mkdir()
    face = make_face_picture(folder / "face.png", filters="crop=ih:ih")
    for ending, codec in _SHORT_CLIPS.items():
        clip = folder / f"short.{ending}"
        make_from_pictures(clip, [(face, _FRAMES / 25)], size=(180, 180), options=codec)
    for number in range(count):
        ending = list(_SHORT_CLIPS)[number % len(_SHORT_CLIPS)]
        _link(folder / f"short.{ending}", archive / f"{number:05d}.{ending}")
    return archive


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _run_many(archive: Path, folder: Path, expected: dict[str, int], faults: Faults) -> tuple[float, Sequence[Sample]]:
    """Runs over the archive; gives the seconds it takes, and samples."""
    log = folder / f"log of {listed(expected)}"
    begun_s = time.monotonic()
    with running([*RUN_OPTIONS, "--quiet", "--log", log, archive], folder) as run, watching(run) as samples:
        status = run.wait(_MANY_TIMEOUT_S)
        took_s = time.monotonic() - begun_s
        faults.expect(status == 0, f"a run ended with {status}", run.errors[-4000:])
    statuses = count_statuses(read_log(log))
    faults.expect(statuses == expected, f"{listed(statuses)} instead of {listed(expected)}")
    say(f"many: {listed(statuses)} in {took_s:.1f} s")
    return took_s, samples


def _make_long(folder: Path, length_s: int) -> Path:
    loop, video = folder / "loop.mp4", folder / "long.mp4"
    run_ffmpeg("-i", SAMPLES / "portrait.mp4", "-vf", _LONG_FILTERS, "-an", *H264, file_url(loop))
    run_ffmpeg("-stream_loop", "-1", "-i", loop, "-c", "copy", "-t", str(length_s), file_url(video))
    return video


def _warm(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples after the start, when models are loaded and buffers are filled."""
    begun = next((number for number, sample in enumerate(samples) if sample.decoder_bytes), 0)
    return samples[begun + int(len(samples) * _WARMING_SHARE) + 1 :]


def _edges(values: Sequence[int]) -> tuple[int, int]:
    """The maximum over the first quarter and over the last."""
    quarter = max(1, len(values) // 4)
    return max(values[:quarter], default=0), max(values[-quarter:], default=0)


def _range(samples: Sequence[Sample], of: Callable[[Sample], int]) -> str:
    values = [of(sample) for sample in samples]
    return f"{min(values, default=0)} to {max(values, default=0)}"


def _megabytes(values: Sequence[int]) -> str:
    first, last = _edges(values)
    return f"{first / _MEGABYTE:.0f} and {last / _MEGABYTE:.0f} MB"
