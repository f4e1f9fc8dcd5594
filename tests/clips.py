"""Clips made by ffmpeg during the test run, so that their content is known to the millisecond.

Within a test run each clip is encoded once: `keep_clips` provides a folder, and `encode_once` copies a clip from there that
was made with the same arguments before. Every test gets its own file, which it may change.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
import pysubs2
import pytest

from annotate.media.ffmpeg import find_ffmpeg

SAMPLES = Path(__file__).parent.parent / "sample_videos"
SHARED_CLIPS = Path(__file__).parent.parent.parent / "shared" / "clips"

CLIP_FOLDER = "ANNOTATE_TEST_CLIPS"
"""Environment variable with the folder of the clips made so far; without it, each clip is encoded again."""

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "18", "-pix_fmt", "yuv420p")

_REPEATED = "loop=loop=-1:size=1"
"""Filter that repeats an image forever; it is decoded and scaled once, unlike with `-loop 1`."""


def run_ffmpeg(*arguments: str | Path, timeout_s: float = 120) -> None:
    """Run ffmpeg with ``arguments``; on failure, fail the test with its error output."""
    command = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-y", "-loglevel", "error", *map(str, arguments)]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)
    assert result.returncode == 0, result.stderr


def ask_ffmpeg(*arguments: str | Path, folder: Path | None = None, program: str | None = None) -> bytes:
    """Return what ffmpeg writes to stdout; fail the test if it prints any warning or error."""
    command = [program or find_ffmpeg().path, "-hide_banner", "-nostdin", "-loglevel", "warning", *map(str, arguments), "-"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, cwd=folder)
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout


_TIMES = re.compile(r"^\d+:\d\d:\d\d,\d{3} --> \d+:\d\d:\d\d,\d{3}$", re.MULTILINE)


def read_cues(path: Path) -> list[tuple[int, int, str]]:
    """Return start and end in milliseconds and plain text of the cues of a subtitle file, as read by a new ffmpeg.

    Version 5.1 reads no cues of a WebVTT file with a STYLE block.
    """
    text = ask_ffmpeg("-i", file_url(path), "-f", "srt", program=imageio_ffmpeg.get_ffmpeg_exe()).decode()
    texts = [cue.plaintext for cue in pysubs2.SSAFile.from_string(text, format_="srt")]
    times = [[_to_ms(time) for time in line.split(" --> ")] for line in _TIMES.findall(text)]
    return [(start_ms, end_ms, label) for (start_ms, end_ms), label in zip(times, texts, strict=True)]


def _to_ms(time: str) -> int:
    """Return an SRT time in milliseconds; pysubs2 reads two digits of the hours only."""
    hours, minutes, seconds = time.replace(",", ".").split(":")
    return round(1000 * (3600 * int(hours) + 60 * int(minutes) + float(seconds)))


def file_url(path: Path) -> str:
    """Return a path as a URL that ffmpeg never takes for another protocol."""
    return f"file:{path}"


@contextmanager
def keep_clips() -> Iterator[None]:
    """Keep the clips made in this context, and delete them at the end."""
    with tempfile.TemporaryDirectory(prefix="clips-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(CLIP_FOLDER, folder)
        yield


def encode_once(path: Path, *arguments: str | Path) -> Path:
    """Make ``path`` with ffmpeg, or copy a clip that was made with equal arguments and inputs before.

    ``arguments`` are all but the last one, the output. Input files are compared by content.
    """
    folder = os.environ.get(CLIP_FOLDER)
    if folder is None:
        run_ffmpeg(*arguments, file_url(path))
        return path
    kept = Path(folder) / f"{_digest(arguments)}{path.suffix}"
    if kept.exists():
        shutil.copyfile(kept, path)
        return path
    run_ffmpeg(*arguments, file_url(path))
    unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
    shutil.copyfile(path, unfinished)
    unfinished.replace(kept)
    return path


def _digest(arguments: Sequence[str | Path]) -> str:
    digest = hashlib.sha256()
    for argument in map(str, arguments):
        file = Path(argument.removeprefix("file:"))
        part = file.read_bytes() if os.path.isfile(file) else os.fsencode(argument)
        digest.update(b"%d:%s" % (len(part), part))
    return digest.hexdigest()


def make_pattern(
    path: Path,
    *,
    duration_s: float = 1.0,
    rate: str = "25",
    size: str = "160x120",
    filters: str = "null",
    options: Sequence[str] = H264,
) -> Path:
    """Make a clip of a moving test pattern without faces."""
    source = f"testsrc2=size={size}:rate={rate}:duration={duration_s}"
    return encode_once(path, "-f", "lavfi", "-i", source, "-vf", filters, *options)


def make_frames_at(path: Path, times_ms: Sequence[int], *, face: Path | None = None, options: Sequence[str] = H264) -> Path:
    """Make a clip with one frame at each time, of a test pattern or of an image of a face."""
    selected = "+".join(f"eq(n\\,{time_ms})" for time_ms in times_ms)
    last_s = (max(times_ms) + 1) / 1000
    source: tuple[str | Path, ...] = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=1000")
    if face is not None:
        source = ("-framerate", "1000", "-i", face)
    timing = ("-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-video_track_timescale", "1000")
    repeated = "" if face is None else f"{_REPEATED},"
    filters = f"{repeated}trim=duration={last_s},select='{selected}'"
    return encode_once(path, *source, "-vf", filters, *timing, *options)


def make_face_image(path: Path, *, sample: str = "portrait.mp4", time_s: float = 1.0, filters: str = "null") -> Path:
    """Make an image of a face from a frame of a sample video."""
    return encode_once(path, "-ss", str(time_s), "-i", SAMPLES / sample, "-vf", filters, "-frames:v", "1", "-update", "1")


def make_from_images(
    path: Path,
    images: Sequence[tuple[Path, float]],
    *,
    rate: str = "25",
    size: tuple[int, int] = (320, 240),
    filters: str = "null",
    options: Sequence[str] = H264,
) -> Path:
    """Make a clip that shows images one after the other, each for a duration in seconds, with hard cuts."""
    inputs: list[str | Path] = []
    parts = []
    width, height = size
    for number, (image, duration_s) in enumerate(images):
        inputs += ["-framerate", rate, "-i", image]
        repeated = f"{_REPEATED},trim=duration={duration_s}"
        parts.append(f"[{number}]scale={width}:{height},setsar=1,format=yuv420p,{repeated}[p{number}]")
    joined = "".join(f"[p{number}]" for number in range(len(images)))
    graph = ";".join(parts) + f";{joined}concat=n={len(images)}:v=1,{filters}[out]"
    return encode_once(path, *inputs, "-filter_complex", graph, "-map", "[out]", *options)


def record_processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Return a list that records every ffmpeg process started from now on."""
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def record(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr("annotate.media.ffmpeg.subprocess.Popen", record)
    return started
