"""Files of unusual structure: each ends in bounded time and memory, is accounted for, and keeps the times of its packets."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotate.archive.layout import META_ENDING, REPORT_ENDING
from annotate.archive.stored_report import read_report
from annotate.errors import ReportError
from annotate.results.meta import Meta, read_meta
from tests.clips import H264, file_url, make_face_image, run_ffmpeg
from tests.ffprobe import FFPROBE, probe_packets
from tests.reliability.archives import RUN_OPTIONS, TRACEBACK, count_statuses, find_temporary_files, read_log
from tests.reliability.damage import check_log, check_tables
from tests.reliability.processes import Run, polling, resident_bytes, running
from tests.reliability.restructure import Change, restructure
from tests.reliability.result import Failures, Options, PartResult, format_counts

_FILES, _QUICK_FILES = 3000, 48
_TIMEOUT_S = 4 * 3600.0
_STALL_TIMEOUT_S = 20
_HUNG = "the decoder hung"

_BASE_TIME_S, _BYTES_PER_S = 15.0, 10_000
"""A file may take the former, and one second for every part of the latter size, on two busy cores."""

_WORKER_LIMIT_BYTES, _DECODER_LIMIT_BYTES = 500e6, 1000e6
_MEGABYTE = 1e6
_POLL_INTERVAL_S = 0.1
_ROUNDING_S = 0.002
_MIN_FRAME_MS, _LONE_FRAME_MS = 1, 40
"""Frames last at least the former, even where their times are equal; one without a stated duration the latter."""

_JOINABLE = ("ts", "ogv")
"""Containers whose files may be joined: where times step back, the clock goes on."""

_WHOLE = "whole "

_AUDIO = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1")
_SHAPES = ("scale=320:180", "scale=180:240,setsar=4/3")
_TWO_VIDEOS = ("-map", "1:a", "-map", "0:v", "-map", "0:v")
_B_FRAMES = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p")

_CLIPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "mp4": (
        (*_B_FRAMES, "-c:a", "aac"),
        (*_TWO_VIDEOS, *H264, "-c:a", "aac"),
        (*H264, "-g", "10", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
    ),
    "mkv": (
        (*_B_FRAMES, "-c:a", "aac"),
        (*_TWO_VIDEOS, *H264, "-c:a", "pcm_s16le"),
        (*H264, "-g", "10", "-an", "-live", "1"),
    ),
    "ts": ((*H264, "-g", "10", "-bf", "0", "-c:a", "mp2"), (*_TWO_VIDEOS, "-c:v", "mpeg2video", "-c:a", "mp2")),
    "avi": (("-c:v", "mpeg4", "-q:v", "4", "-c:a", "mp2"), (*_TWO_VIDEOS, "-c:v", "mjpeg", "-c:a", "pcm_s16le")),
    "flv": (("-c:v", "flv1", "-q:v", "4", "-c:a", "adpcm_swf", "-ar", "44100"), (*_B_FRAMES, "-c:a", "aac")),
    "ogv": (("-c:v", "libtheora", "-q:v", "6", "-c:a", "flac"), ("-c:v", "libtheora", "-q:v", "3", "-an")),
    "gif": (("-an",), ("-an", "-final_delay", "100")),
}
"""Options of the clips of each container; the clips alternate between `_SHAPES`."""


def structure(options: Options) -> PartResult:
    """Annotate files whose structure was changed by rule, and the clips from which they were made."""
    folder = options.make_folder("structure")
    archive = folder / "archive"
    archive.mkdir()
    count = _QUICK_FILES if options.quick else _FILES
    kinds = _make_files(archive, _make_clips(folder), count, random.Random(options.seed))
    files = sorted(archive.iterdir())
    log = folder / "log"
    failures = Failures("structure")
    arguments: list[str | Path] = [*RUN_OPTIONS, "--stall-timeout", str(_STALL_TIMEOUT_S), "--log", log, archive]
    usage = _Usage()
    with running(arguments, folder) as run, polling(run, _POLL_INTERVAL_S, lambda: usage.note(run)):
        status = run.wait(_TIMEOUT_S)
        output = run.output + run.errors
    lines = read_log(log)
    failures.expect(status in (0, 1), f"the run ended with {status}", output[-2000:])
    failures.expect(TRACEBACK not in output, "a traceback was printed", output[-4000:])
    check_log(lines, {str(path) for path in files}, failures)
    _check_reasons(lines, failures)
    failures.expect(not find_temporary_files(archive), f"temporary files left: {find_temporary_files(archive)}")
    check_tables(archive, failures)
    _check_usage(usage, files, failures)
    with ThreadPoolExecutor() as pool:
        compared = sum(pool.map(lambda path: _check_times(path, failures), files))
    expected = (
        f"{count} files ({format_counts(kinds)}) in {', '.join(_CLIPS)}: bounded time and memory, each accounted for, "
        "times within those of the packets"
    )
    longest_s = max(map(usage.duration_s, map(str, files)))
    observed = (
        f"{len(lines)} accounted for: {format_counts(count_statuses(lines))}; at most {longest_s:.1f} s each; peak memory "
        f"of a worker {usage.worker_bytes / _MEGABYTE:.0f} MB, of a decoder {usage.decoder_bytes / _MEGABYTE:.0f} MB; "
    )
    readers = f"{compared} compared with ffprobe" if FFPROBE else "not compared with packets (no ffprobe on the PATH)"
    return failures.result(expected, observed + readers)


def _make_clips(folder: Path) -> dict[str, list[Path]]:
    face = make_face_image(folder / "face.png")
    images = ("-loop", "1", "-framerate", "25", "-t", "1", "-i", str(face))
    clips: dict[str, list[Path]] = {}
    for ending, variants in _CLIPS.items():
        clips[ending] = [folder / f"{_WHOLE}{ending} {number}.{ending}" for number in range(len(variants))]
        for number, (clip, variant) in enumerate(zip(clips[ending], variants, strict=True)):
            filters = f"{_SHAPES[number % len(_SHAPES)]},noise=alls=6:allf=t:all_seed=1"
            run_ffmpeg(*images, *_AUDIO, "-vf", filters, *variant, file_url(clip))
    return clips


def _make_files(archive: Path, clips: dict[str, list[Path]], count: int, rng: random.Random) -> dict[str, int]:
    """Write numbered files, and copies of the clips; return the number of each kind of change."""
    for clip in (path for paths in clips.values() for path in paths):
        (archive / clip.name).write_bytes(clip.read_bytes())
    sources = {ending: [path.read_bytes() for path in paths] for ending, paths in clips.items()}
    changes, endings = list(Change), list(sources)
    made: Counter[str] = Counter()
    for number in range(count):
        ending, change = endings[number % len(endings)], changes[number % len(changes)]
        content, other = rng.choice(sources[ending]), rng.choice(sources[ending])
        changed = restructure(content, ending, change, other, rng)
        (archive / f"{number:04d} {change.name.lower()}.{ending}").write_bytes(changed)
        made[change.value] += 1
    return dict(made)


@dataclass
class _Usage:
    """When ffmpeg processes of each file were first and last seen, and the largest memory of processes."""

    first_s: dict[str, float] = field(default_factory=dict)
    last_s: dict[str, float] = field(default_factory=dict)
    worker_bytes: int = 0
    decoder_bytes: int = 0

    def duration_s(self, path: str) -> float:
        """Return the time between the first and the last sight of an ffmpeg that reads a file."""
        return self.last_s.get(path, 0.0) - self.first_s.get(path, 0.0)

    def note(self, run: Run) -> None:
        """Note the present processes of a run."""
        now_s = time.monotonic()
        self.worker_bytes = max([self.worker_bytes, *map(resident_bytes, run.workers())])
        for pid in run.decoders():
            self.decoder_bytes = max(self.decoder_bytes, resident_bytes(pid))
            with contextlib.suppress(OSError):
                for argument in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    path = argument.decode().removeprefix("file:")
                    self.first_s.setdefault(path, now_s)
                    self.last_s[path] = now_s


def _check_reasons(lines: list[dict[str, Any]], failures: Failures) -> None:
    """Expect no decoder that hung, and no reason for a clip that was not changed."""
    for line in lines:
        failures.expect(_HUNG not in line["reason"], line["reason"])
        is_whole = Path(line["path"]).name.startswith(_WHOLE)
        failures.expect(not (is_whole and line["reason"]), f"{line['path']} is whole, not {line['reason']}")


def _check_usage(usage: _Usage, files: list[Path], failures: Failures) -> None:
    for path in files:
        took_s, limit_s = usage.duration_s(str(path)), _BASE_TIME_S + path.stat().st_size / _BYTES_PER_S
        failures.expect(took_s <= limit_s, f"{path.name} took {took_s:.0f} s (limit {limit_s:.0f} s)")
    for name, used, limit in (
        ("worker", usage.worker_bytes, _WORKER_LIMIT_BYTES),
        ("decoder", usage.decoder_bytes, _DECODER_LIMIT_BYTES),
    ):
        failures.expect(used <= limit, f"a {name} used {used / _MEGABYTE:.0f} MB (limit {limit / _MEGABYTE:.0f} MB)")


def _check_times(path: Path, failures: Failures) -> bool:
    """Expect rows in order and within the video, and the video within its packets; return whether ffprobe lists any."""
    meta = read_meta(path.with_suffix(META_ENDING))
    if meta is None:
        return False
    with contextlib.suppress(ReportError):
        table = read_report(path.with_suffix(REPORT_ENDING)).table
        starts, ends = table["start_time"], table["end_time"]
        failures.expect(bool((starts >= 0).all() and (ends > starts).all()), f"{path.name}: times are out of order")
        end_s = max(ends, default=0.0)
        failures.expect(end_s <= meta.duration_s + _ROUNDING_S, f"{path.name}: a row ends after the video ({end_s:.3f} s)")
    return FFPROBE is not None and _check_packets(path, meta, failures)


def _check_packets(path: Path, meta: Meta, failures: Failures) -> bool:
    probed = probe_packets(path)
    if probed is None:
        return False
    end_ms = probed.end_ms
    if path.suffix[1:] in _JOINABLE:
        end_ms = max(end_ms, probed.starts_ms[0] + probed.forward_ms)
    last_ms = max(probed.late_interval_ms, _LONE_FRAME_MS)
    limit_s = (end_ms + last_ms + probed.packets * _MIN_FRAME_MS) / 1000
    times = f"{path.name} ends at {meta.duration_s:.3f} s, its packets at {end_ms / 1000:.3f} s"
    failures.expect(meta.duration_s <= limit_s, times)
    failures.expect(meta.frames <= probed.packets, f"{path.name} has {meta.frames} frames of {probed.packets} packets")
    return True
