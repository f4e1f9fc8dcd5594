"""Many videos, and a very long one: memory, descriptors and processes must not grow."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from annotate.archive.stored_report import read_report
from annotate.results.meta import read_meta
from tests.clips import H264, SAMPLES, file_url, make_face_image, make_from_images, run_ffmpeg
from tests.reliability.archives import RUN_OPTIONS, count_statuses, find_temporary_files, read_log, read_outputs
from tests.reliability.processes import Sample, running, sampling
from tests.reliability.result import Failures, Options, PartResult, format_counts, print_line

_VIDEOS, _QUICK_VIDEOS = 2000, 20
_FRAMES = 8
_OUTPUTS_PER_VIDEO = 4
"""Table, boxes, subtitles and sidecar."""

_MANY_TIMEOUT_S = 7200.0
_SHORT_CLIPS = {
    "mp4": H264,
    "mkv": H264,
    "avi": ("-c:v", "mpeg4", "-q:v", "3"),
    "ts": H264,
    "webm": ("-c:v", "libvpx", "-b:v", "1M"),
}
_MAX_EXTRA_DESCRIPTORS = 4
"""Handing over a video briefly needs a few more descriptors."""

_LONG_S, _QUICK_LONG_S = 36_000, 360
_LONG_RATE = 5
_LONG_TIMEOUT_S = 7200.0
_LONG_MIN_FACE = "0.6"
_LONG_FILTERS = f"crop=240:240:194:76,scale=144:144,fps={_LONG_RATE}"
"""Crop a sample to its face, so that detection is fast."""

_MAX_MEMORY_GROWTH = 1.1
_WARMUP_SHARE = 0.1
_MEGABYTE = 1e6


def many(options: Options) -> PartResult:
    """Annotate many short videos, then skip them all; descriptors and processes must not grow."""
    folder = options.make_folder("many")
    count = _QUICK_VIDEOS if options.quick else _VIDEOS
    archive = _make_many(folder, count)
    failures = Failures("many")
    first_s, samples = _run_many(archive, folder, {"annotated": count}, failures)
    outputs = len(read_outputs(archive))
    failures.expect(outputs == _OUTPUTS_PER_VIDEO * count, f"{outputs} outputs instead of {_OUTPUTS_PER_VIDEO * count}")
    second_s, _ = _run_many(archive, folder, {"up_to_date": count}, failures)
    failures.expect(not find_temporary_files(archive), f"temporary files left: {find_temporary_files(archive)}")
    samples_after_warmup = _after_warmup(samples)
    for what, values in (
        ("descriptors of the main process", [sample.main_descriptors for sample in samples_after_warmup]),
        ("descriptors of a worker", [sample.worker_descriptors for sample in samples_after_warmup]),
        ("processes", [sample.processes for sample in samples_after_warmup]),
    ):
        first, last = _quarter_maxima(values)
        failures.expect(last <= first + _MAX_EXTRA_DESCRIPTORS, f"{what} grew from {first} to {last}")
    result = (
        f"annotated in {first_s:.0f} s, skipped in {second_s:.1f} s; descriptors of the main process "
        f"{_range(samples_after_warmup, lambda sample: sample.main_descriptors)}, of a worker "
        f"{_range(samples_after_warmup, lambda sample: sample.worker_descriptors)}, processes "
        f"{_range(samples_after_warmup, lambda sample: sample.processes)}; peak memory of the main process "
        f"{_megabytes([sample.main_bytes for sample in samples_after_warmup])}, of a worker "
        f"{_megabytes([sample.worker_bytes for sample in samples_after_warmup])} (first and last quarter)"
    )
    return failures.result(f"{count} short videos, then the same again: all done, all skipped, nothing grows", result)


def long(options: Options) -> PartResult:
    """Annotate a very long video: times are exact to the end, and memory does not grow."""
    folder = options.make_folder("long")
    length_s = _QUICK_LONG_S if options.quick else _LONG_S
    video = _make_long(folder, length_s)
    failures = Failures("long")
    start_s = time.monotonic()
    with running(["--jobs", "1", "--min-face", _LONG_MIN_FACE, video], folder) as run, sampling(run) as samples:
        status = run.wait(_LONG_TIMEOUT_S)
        failures.expect(status == 0, f"the run ended with {status}", run.errors)
    took_s = time.monotonic() - start_s
    meta = read_meta(video.with_suffix(".emotions.meta.json"))
    table = read_report(video.with_suffix(".emotions.csv")).table
    end_s, frames = float(table["end_time"].max()), int(table["end_frame"].max()) + 1
    failures.expect(end_s == length_s, f"the last row ends at {end_s:.3f} s instead of {length_s:.3f} s")
    failures.expect(frames == length_s * _LONG_RATE, f"{frames} frames instead of {length_s * _LONG_RATE}")
    failures.expect(meta is not None and meta.duration_s == length_s, f"the sidecar has {meta and meta.duration_s} s")
    samples_after_warmup = _after_warmup(samples)
    for what, values in (
        ("the worker", [sample.worker_bytes for sample in samples_after_warmup]),
        ("the decoder", [sample.decoder_bytes for sample in samples_after_warmup]),
    ):
        first, last = _quarter_maxima(values)
        grew = f"{first / _MEGABYTE:.0f} to {last / _MEGABYTE:.0f} MB"
        failures.expect(last <= first * _MAX_MEMORY_GROWTH, f"memory of {what} grew from {grew}")
    result = (
        f"{len(table)} rows, the last ends at {end_s:.3f} s; {length_s / took_s:.0f}x real time; peak memory of the worker "
        f"{_megabytes([sample.worker_bytes for sample in samples_after_warmup])}, of the decoder "
        f"{_megabytes([sample.decoder_bytes for sample in samples_after_warmup])} (first and last quarter)"
    )
    expected = (
        f"a video of {length_s / 3600:g} h at {_LONG_RATE} frames per second: times exact to the millisecond, memory flat"
    )
    return failures.result(expected, result)


def _make_many(folder: Path, count: int) -> Path:
    archive = folder / "archive"
    archive.mkdir()
    face = make_face_image(folder / "face.png", filters="crop=ih:ih")
    for ending, codec in _SHORT_CLIPS.items():
        clip = folder / f"short.{ending}"
        make_from_images(clip, [(face, _FRAMES / 25)], size=(180, 180), options=codec)
    for number in range(count):
        ending = list(_SHORT_CLIPS)[number % len(_SHORT_CLIPS)]
        _link(folder / f"short.{ending}", archive / f"{number:05d}.{ending}")
    return archive


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _run_many(archive: Path, folder: Path, expected: dict[str, int], failures: Failures) -> tuple[float, Sequence[Sample]]:
    """Annotate the archive; return the duration in seconds and samples."""
    log = folder / f"log of {format_counts(expected)}"
    start_s = time.monotonic()
    with running([*RUN_OPTIONS, "--quiet", "--log", log, archive], folder) as run, sampling(run) as samples:
        status = run.wait(_MANY_TIMEOUT_S)
        took_s = time.monotonic() - start_s
        failures.expect(status == 0, f"a run ended with {status}", run.errors[-4000:])
    statuses = count_statuses(read_log(log))
    failures.expect(statuses == expected, f"{format_counts(statuses)} instead of {format_counts(expected)}")
    print_line(f"many: {format_counts(statuses)} in {took_s:.1f} s")
    return took_s, samples


def _make_long(folder: Path, length_s: int) -> Path:
    loop, video = folder / "loop.mp4", folder / "long.mp4"
    run_ffmpeg("-i", SAMPLES / "portrait.mp4", "-vf", _LONG_FILTERS, "-an", *H264, file_url(loop))
    run_ffmpeg("-stream_loop", "-1", "-i", loop, "-c", "copy", "-t", str(length_s), file_url(video))
    return video


def _after_warmup(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples after models are loaded and buffers filled."""
    first = next((number for number, sample in enumerate(samples) if sample.decoder_bytes), 0)
    return samples[first + int(len(samples) * _WARMUP_SHARE) + 1 :]


def _quarter_maxima(values: Sequence[int]) -> tuple[int, int]:
    """Return the maximum of the first quarter and of the last quarter."""
    quarter = max(1, len(values) // 4)
    return max(values[:quarter], default=0), max(values[-quarter:], default=0)


def _range(samples: Sequence[Sample], of: Callable[[Sample], int]) -> str:
    values = [of(sample) for sample in samples]
    return f"{min(values, default=0)} to {max(values, default=0)}"


def _megabytes(values: Sequence[int]) -> str:
    first, last = _quarter_maxima(values)
    return f"{first / _MEGABYTE:.0f} and {last / _MEGABYTE:.0f} MB"
