"""Settings, which decide the result of annotating one video, and limits, which do not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from annotate.errors import SettingsError

MIN_MIN_FACE, MAX_MIN_FACE = 0.02, 0.9


NO_HWACCEL = "none"
CPU = "cpu"
PROVIDERS = {CPU: "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""Names of --provider -> onnxruntime's."""

AUTOMATIC_THREADS = 0
"""One decoding thread per core."""


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Limits:
    """Options that bound the means of decoding and classifying; they do not decide the result."""

    threads: int = 1
    """Decoding threads."""

    stall_timeout_s: float = 60.0
    """A decoder that delivers nothing for longer than this is killed."""

    max_pixels: int = 40_000_000
    """Videos with larger frames are refused; the default is enough for 8K."""

    hwaccel: str = NO_HWACCEL
    """ffmpeg's method of decoding by hardware, one that works here (see `annotate.media.hwaccel.choose_hwaccel`)."""

    provider: str = CPU
    """The provider that runs the model, a key of ``PROVIDERS``; probabilities may differ in the sixth digit between them."""


ONE_CORE = Limits()
ALL_CORES = Limits(AUTOMATIC_THREADS)


@dataclass(frozen=True)
class Settings:
    """Options that change the annotations. How much runs at once, formats and languages are not among them.

    Raises:
        SettingsError: a value is outside its range.
    """

    min_face: float = 0.15
    """Smallest face to find, as a fraction of the image's shorter side."""

    detection_interval_ms: int = 250
    """There is a detection pass once in every such step of time, and at the first and last frame of a shot."""

    search_interval_ms: int = 2000
    """In every such step, and at both ends of a shot, the whole image is searched; else the places of known faces."""

    max_frame_rate: float = 30.0
    """Sources more than a frame a second faster are thinned to at most this many frames a second."""

    track_timeout_ms: int = 1000
    """A track ends when its face has not been detected for longer than this."""

    track_overlap: float = 0.3
    """Least intersection over union of a face's box with the last of its track."""

    min_track_frames: int = 5
    """Shorter tracks are dropped."""

    gap_ms: int = 1000
    """Tracks end where no frame is shown for longer than this, if that is unusual for the video."""

    chunk_s: int = 300
    """Length of a chunk. At every such step of a video's time shots begin anew, so that a chunk's annotations do not depend
    on the frames before it, and chunks can be analyzed at once. Five minutes are a whole number of blocks at usual rates."""

    model: Path | None = None
    """ONNX file under the model's contract; None for the one that is installed with the program."""

    def __post_init__(self) -> None:
        if not MIN_MIN_FACE <= self.min_face <= MAX_MIN_FACE:
            raise SettingsError(f"min_face must lie between {MIN_MIN_FACE} and {MAX_MIN_FACE}, not {self.min_face}")
        for name in (
            "detection_interval_ms",
            "search_interval_ms",
            "max_frame_rate",
            "track_timeout_ms",
            "min_track_frames",
            "gap_ms",
            "chunk_s",
        ):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be greater than 0, not {getattr(self, name)}")
        if not 0 < self.track_overlap < 1:
            raise SettingsError(f"track_overlap must lie between 0 and 1, not {self.track_overlap}")
