"""Tools shared between videos: the ffmpeg program, loaded models and face detectors."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from annotate.emotions.classifier import Classifier, load_classifier
from annotate.faces.detection import Detector
from annotate.faces.detectors import load_detector
from annotate.media.ffmpeg import FFmpeg, Renderer, find_ffmpeg
from annotate.media.hwaccel import choose_hwaccel
from annotate.settings import CPU

Tool = TypeVar("Tool")


class Tools:
    """Finds or loads each tool on first use and keeps it; create one per process or run."""

    def __init__(self) -> None:
        self._classifiers: dict[tuple[Path | None, str], Classifier] = {}
        self._hwaccels: dict[str, str] = {}
        self._kept: dict[type[Any], Any] = {}
        self._thread_local = threading.local()

    @cached_property
    def ffmpeg(self) -> FFmpeg:
        """The ffmpeg that decodes.

        Raises:
            FFmpegError: no usable ffmpeg was found.
        """
        return find_ffmpeg()

    @property
    def renderer(self) -> Renderer:
        """The ffmpeg that draws subtitles into frames.

        Raises:
            FFmpegError: no ffmpeg with libass and libx264 was found.
        """
        return self.ffmpeg.renderer

    def hwaccel(self, requested: str) -> str:
        """Return the hardware decoding method for the value of --hwaccel. Raises the errors of `choose_hwaccel`."""
        if requested not in self._hwaccels:
            self._hwaccels[requested] = choose_hwaccel(requested, self.ffmpeg)
        return self._hwaccels[requested]

    def classifier(self, model: Path | None = None, provider: str = CPU) -> Classifier:
        """Return the classifier of a model file, or of the installed model, running on ``provider``.

        Raises:
            ModelError: the file is not a valid model.
            SettingsError: the provider is not available.
        """
        key = (model, provider)
        if key not in self._classifiers:
            self._classifiers[key] = load_classifier(model, provider)
        return self._classifiers[key]

    def keep(self, kind: type[Tool]) -> Tool:
        """Return the tool of a class of the packages above, made on first use."""
        if kind not in self._kept:
            self._kept[kind] = kind()
        tool: Tool = self._kept[kind]
        return tool

    def face_detector(self, name: str, min_face: float) -> Detector:
        """Return this thread's detector (see `annotate.faces.detectors.load_detector`).

        A detector may hold the image it searches, so threads cannot share it; it takes a sixth of a second to load.

        Raises:
            ModelError: the detector's network is missing.
        """
        detectors: dict[tuple[str, float], Detector] = self._thread_local.__dict__.setdefault("detectors", {})
        if (name, min_face) not in detectors:
            detectors[name, min_face] = load_detector(name, min_face)
        return detectors[name, min_face]
