"""Settings, which affect the annotations of a video, and limits, which do not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from annotate.errors import SettingsError

MIN_MIN_FACE, MAX_MIN_FACE = 0.02, 0.9


NO_HWACCEL = "none"
CPU = "cpu"
PROVIDERS = {CPU: "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""onnxruntime execution provider for each value of --provider."""

YUNET, HOG = "yunet", "dlib"
DETECTORS = {YUNET: "YuNet 2023mar", HOG: "dlib HOG"}
"""Name and version of the face detector for each value of --detector."""

NO_BASELINE, FIRST_SECONDS, MEDIAN = "none", "first-seconds", "median"
BASELINES = (NO_BASELINE, FIRST_SECONDS, MEDIAN)
"""Values of --baseline: the part of a face track that its baseline is taken from."""

LARGEST_FACE, FIRST_FACE, ANY_FACE = "largest", "first", "any"
FACE_RULES = (LARGEST_FACE, FIRST_FACE, ANY_FACE)
"""Values of agree --face: the face that counts at each moment, if several are visible and the coding names none: the
largest, the one whose track appeared first, or any that has the coded emotion (the largest if none has)."""

ALL_FRAMES, REFERENCE, KEY = "all", "reference", "key"
DECODE_MODES = (ALL_FRAMES, REFERENCE, KEY)
"""Values of --decode: all frames, those that others are predicted from, or only those that are coded alone."""

WHOLE_BLOCK = 20
"""Value of --hop with which blocks follow each other: each begins where the one before ends."""

AUTOMATIC_THREADS = 0
"""Enough decoding threads to keep all cores busy."""


def available_cores() -> int:
    """Return the number of CPU cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Limits:
    """Options of decoding and classification that do not affect the annotations."""

    threads: int = 1
    """Number of decoding threads, or `AUTOMATIC_THREADS`."""

    stall_timeout_s: float = 60.0
    """The decoder is killed after this time without output."""

    max_pixels: int = 40_000_000
    """Videos with larger frames are refused; the default allows 8K."""

    hwaccel: str = NO_HWACCEL
    """Hardware decoding method of ffmpeg, tested to work (see `annotate.media.hwaccel.choose_hwaccel`)."""

    provider: str = CPU
    """Device that runs the model, a key of `PROVIDERS`; probabilities may differ in the third digit between devices."""


ONE_CORE = Limits()
ALL_CORES = Limits(AUTOMATIC_THREADS)


@dataclass(frozen=True)
class Settings:
    """Options that affect the annotations; parallelism, formats and languages do not.

    Raises:
        SettingsError: a value is out of range.
    """

    detector: str = YUNET
    """Face detector, one of `DETECTORS`."""

    min_face: float = 0.15
    """Minimum height of a face, from brow to chin, as a fraction of the shorter side of the frame."""

    detection_interval_ms: int = 250
    """Time between detection passes, of which some are left out while faces hardly move; the first and last frame of a shot
    are always searched."""

    search_interval_ms: int = 2000
    """Time between searches of the whole frame, also done at both ends of a shot; other detection passes search only
    around known faces."""

    max_frame_rate: float = 30.0
    """Videos that exceed this by more than one frame per second are reduced to at most this frame rate."""

    track_timeout_ms: int = 1500
    """A track ends when its face was not detected for longer than this."""

    track_overlap: float = 0.3
    """Minimum intersection over union of a detection with the last box of its track."""

    min_track_frames: int = 5
    """Tracks with fewer frames are dropped."""

    gap_ms: int = 1000
    """Tracks end at a gap between frames longer than this, if that is unusual for the video."""

    chunk_s: int = 300
    """Length of a chunk. A new shot starts with each chunk, so that chunks do not depend on earlier frames and can be
    analyzed in parallel. Five minutes are a whole number of blocks at common frame rates."""

    model: Path | None = None
    """ONNX file that follows the model contract; None for the installed model."""

    baseline: str = NO_BASELINE
    """Baseline of each face that the table's additional columns are relative to, one of `BASELINES`
    (see `annotate.results.baseline`); the other columns do not depend on it."""

    decode: str = ALL_FRAMES
    """Frames that are decoded, one of `DECODE_MODES` (see `annotate.media.skipping`)."""

    hop: int = WHOLE_BLOCK
    """Frames from the start of a block to that of the next, 1 to `WHOLE_BLOCK`; with fewer, blocks overlap."""

    persons: bool = False
    """Whether face tracks of one person get one number, in the last column of the table."""

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise SettingsError(f"detector must be one of {', '.join(DETECTORS)}, not {self.detector}")
        if self.baseline not in BASELINES:
            raise SettingsError(f"baseline must be one of {', '.join(BASELINES)}, not {self.baseline}")
        if self.decode not in DECODE_MODES:
            raise SettingsError(f"decode must be one of {', '.join(DECODE_MODES)}, not {self.decode}")
        if not MIN_MIN_FACE <= self.min_face <= MAX_MIN_FACE:
            raise SettingsError(f"min_face must be between {MIN_MIN_FACE} and {MAX_MIN_FACE}, not {self.min_face}")
        if not 1 <= self.hop <= WHOLE_BLOCK:
            raise SettingsError(f"hop must be between 1 and {WHOLE_BLOCK}, not {self.hop}")
        if self.decode == KEY and self.hop != WHOLE_BLOCK:
            problem = f"hop {self.hop} and decode {KEY} cannot be combined (key frames are seconds apart)"
            raise SettingsError(problem, "leave out one of them")
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
            raise SettingsError(f"track_overlap must be between 0 and 1, not {self.track_overlap}")
