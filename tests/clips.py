"""Clips made on the spot with ffmpeg, so that tests know what they hold to the millisecond."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pysubs2
import pytest

from annotate.media.ffmpeg import find_ffmpeg

SAMPLES = Path(__file__).parent.parent / "sample_videos"
SHARED_CLIPS = Path(__file__).parent.parent.parent / "shared" / "clips"

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "18", "-pix_fmt", "yuv420p")


def run_ffmpeg(*arguments: str | Path, timeout_s: float = 120) -> None:
    """Runs ffmpeg with ``arguments`` and fails with what it said."""
    command = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-y", "-loglevel", "error", *map(str, arguments)]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)
    assert answer.returncode == 0, answer.stderr


def ask_ffmpeg(*arguments: str | Path, folder: Path | None = None) -> bytes:
    """What ffmpeg writes to its standard output; whatever it says it fails with."""
    command = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-loglevel", "warning", *map(str, arguments), "-"]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, cwd=folder)
    assert (answer.returncode, answer.stderr) == (0, b"")
    return answer.stdout


def read_cues(path: Path) -> list[tuple[int, int, str]]:
    """Start and end in milliseconds and plain text of a subtitle file's cues, as ffmpeg understands them."""
    text = ask_ffmpeg("-i", file_url(path), "-f", "srt").decode()
    cues = pysubs2.SSAFile.from_string(text, format_="srt")
    return [(cue.start, cue.end, cue.plaintext) for cue in cues]


def file_url(path: Path) -> str:
    """A path as ffmpeg reads it whatever stands in it."""
    return f"file:{path}"


def make_pattern(
    path: Path,
    *,
    duration_s: float = 1.0,
    rate: str = "25",
    size: str = "160x120",
    filters: str = "null",
    options: Sequence[str] = H264,
) -> Path:
    """A moving test picture without faces."""
    source = f"testsrc2=size={size}:rate={rate}:duration={duration_s}"
    run_ffmpeg("-f", "lavfi", "-i", source, "-vf", filters, *options, file_url(path))
    return path


def make_frames_at(path: Path, times_ms: Sequence[int], *, face: Path | None = None, options: Sequence[str] = H264) -> Path:
    """One frame at each of the times: of a test picture, or of a still."""
    chosen = "+".join(f"eq(n\\,{time_ms})" for time_ms in times_ms)
    last_s = (max(times_ms) + 1) / 1000
    source = (
        ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=1000")
        if face is None
        else ("-loop", "1", "-framerate", "1000", "-i", face)
    )
    timing = ("-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-video_track_timescale", "1000")
    filters = f"trim=duration={last_s},select='{chosen}'"
    run_ffmpeg(*source, "-vf", filters, *timing, *options, file_url(path))
    return path


def make_face_picture(path: Path, *, sample: str = "portrait.mp4", time_s: float = 1.0, filters: str = "null") -> Path:
    """A still of a face, taken from a sample video."""
    run_ffmpeg("-ss", str(time_s), "-i", SAMPLES / sample, "-vf", filters, "-frames:v", "1", "-update", "1", path)
    return path


def make_from_pictures(
    path: Path,
    pictures: Sequence[tuple[Path, float]],
    *,
    rate: str = "25",
    size: tuple[int, int] = (320, 240),
    filters: str = "null",
    options: Sequence[str] = H264,
) -> Path:
    """Stills shown one after the other with hard cuts between them, each for so many seconds."""
    inputs: list[str | Path] = []
    parts = []
    width, height = size
    for number, (picture, duration_s) in enumerate(pictures):
        inputs += ["-loop", "1", "-framerate", rate, "-t", str(duration_s), "-i", picture]
        parts.append(f"[{number}]scale={width}:{height},setsar=1,format=yuv420p[p{number}]")
    joined = "".join(f"[p{number}]" for number in range(len(pictures)))
    graph = ";".join(parts) + f";{joined}concat=n={len(pictures)}:v=1,{filters}[out]"
    run_ffmpeg(*inputs, "-filter_complex", graph, "-map", "[out]", *options, file_url(path))
    return path


def remember_started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The programs that are started from now on, as they are."""
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def remember(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(start(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr("annotate.media.ffmpeg.subprocess.Popen", remember)
    return started
