"""Tools that are used for one video after another: the ffmpeg program, loaded models and detectors."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path

from annotate.emotions.classifier import Classifier, load_classifier
from annotate.faces.detect import FaceDetector, load_detector
from annotate.media.ffmpeg import FFmpeg, Renderer, find_ffmpeg
from annotate.media.hwaccel import choose_hwaccel
from annotate.settings import CPU


class Tools:
    """Finds and loads each tool when it is first asked for, and keeps it; one for a worker process or a run."""

    def __init__(self) -> None:
        self._classifiers: dict[tuple[Path | None, str], Classifier] = {}
        self._hwaccels: dict[str, str] = {}
        self._of_thread = threading.local()

    @cached_property
    def ffmpeg(self) -> FFmpeg:
        """The ffmpeg that decodes.

        Raises:
            FFmpegError: there is no usable one.
        """
        return find_ffmpeg()

    @property
    def renderer(self) -> Renderer:
        """The ffmpeg that draws into frames.

        Raises:
            FFmpegError: there is none that can.
        """
        return self.ffmpeg.renderer

    def hwaccel(self, asked: str) -> str:
        """Return the method of decoding to use here when ``asked`` is asked for. Errors as for `choose_hwaccel`."""
        if asked not in self._hwaccels:
            self._hwaccels[asked] = choose_hwaccel(asked, self.ffmpeg)
        return self._hwaccels[asked]

    def classifier(self, model: Path | None = None, provider: str = CPU) -> Classifier:
        """Return the model in a file, or the installed one, ready to run on ``provider``.

        Raises:
            ModelError: the file does not keep the contract.
            SettingsError: the provider cannot be had.
        """
        key = (model, provider)
        if key not in self._classifiers:
            self._classifiers[key] = load_classifier(model, provider)
        return self._classifiers[key]

    def face_detector(self, min_face: float) -> FaceDetector:
        """Return a detector of faces of at least ``min_face`` of the image's shorter side, for use by this thread only.

        dlib's own part keeps the image it searches and takes a sixth of a second to load: there is one for each thread.
        """
        if not hasattr(self._of_thread, "detector"):
            self._of_thread.detector = load_detector()
        return FaceDetector(min_face, self._of_thread.detector)
