"""Benchmark clips made from the sample videos, with moving grain and typical bit rates, at 25 fps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.clips import SAMPLES, file_url, run_ffmpeg

RATE = 25
_GRAIN = "noise=alls=8:allf=t"
_OFFSET_S = 4
"""Offset between the starts of samples shown side by side, so that they differ."""

_CROP_FACTOR = 2
"""Samples side by side are scaled to this many times their width, then cropped to the middle."""


@dataclass(frozen=True)
class Clip:
    """A clip that shows ``samples`` side by side, in a codec at a bit rate."""

    name: str
    samples: tuple[str, ...]
    width_px: int
    height_px: int
    megabits_per_s: int
    codec: str = "libx264"


CLIPS = (
    Clip("360p, one face", ("portrait.mp4",), 640, 360, 2),
    Clip("540p, one face", ("portrait.mp4",), 960, 540, 3),
    Clip("720p, one face", ("portrait.mp4",), 1280, 720, 5),
    Clip("1080p, three faces", ("portrait.mp4", "portrait.mp4", "portrait.mp4"), 1920, 1080, 8),
    Clip("720p, no face", ("no_face.mp4",), 1280, 720, 5),
    Clip("720p HEVC, one face", ("portrait.mp4",), 1280, 720, 5, "libx265"),
    Clip("1080p HEVC, one face", ("portrait.mp4",), 1920, 1080, 5, "libx265"),
    Clip("1080p AV1, one face", ("portrait.mp4",), 1920, 1080, 4, "libsvtav1"),
)

_PRESETS = {"libsvtav1": "8"}
"""Presets of encoders that do not call theirs ``medium``."""


def make_clip(clip: Clip, folder: Path, duration_s: float) -> Path:
    """Encode a clip of ``duration_s`` seconds; return its path."""
    path = folder / f"{clip.name.replace(', ', '_').replace(' ', '_')}.mp4"
    inputs: list[str | Path] = []
    filters = []
    width_px, height_px = clip.width_px // len(clip.samples), clip.height_px
    scaled_px = width_px if len(clip.samples) == 1 else _CROP_FACTOR * width_px
    for number, sample in enumerate(clip.samples):
        inputs += ["-ss", str(number * _OFFSET_S), "-stream_loop", "-1", "-t", str(duration_s), "-i", SAMPLES / sample]
        filters.append(
            f"[{number}:v]scale={scaled_px}:-2,crop={width_px}:ih,"
            f"pad={width_px}:{height_px}:-1:-1:gray,setsar=1,fps={RATE}[p{number}]"
        )
    joined = "".join(f"[p{number}]" for number in range(len(clip.samples)))
    stacked = f"{joined}hstack=inputs={len(clip.samples)}[s]" if len(clip.samples) > 1 else f"{joined}null[s]"
    graph = ";".join([*filters, stacked, f"[s]{_GRAIN},format=yuv420p[out]"])
    options = (
        "-c:v",
        clip.codec,
        "-preset",
        _PRESETS.get(clip.codec, "medium"),
        "-b:v",
        f"{clip.megabits_per_s}M",
        "-t",
        str(duration_s),
    )
    run_ffmpeg(*inputs, "-filter_complex", graph, "-map", "[out]", *options, file_url(path), timeout_s=1800)
    return path
