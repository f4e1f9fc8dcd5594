"""Measure the time of each stage for one video: ``python -m tests.benchmarks.stages VIDEO START_TIME [DETECTOR]``.

Print one JSON line, for throughput.py and faces.py; START_TIME is `time.time()` when the process was started.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pandas as pd  # noqa: F401  (else its import would count as writing)

from annotate.analysis import pipeline
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.emotions.classifier import Classifier
from annotate.faces import blocks, shots
from annotate.faces.hog import HogDetector
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame
from annotate.results.table import format_table, to_table
from annotate.settings import ONE_CORE, YUNET, Settings
from annotate.storage.local.files import write_atomic

_Result = TypeVar("_Result")


class Stages:
    """CPU seconds of this process by stage, and seconds spent waiting for the decoder."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.first_frame: float | None = None
        self._running: set[str] = set()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the CPU time of the context to a stage, unless it lies within another context of that stage."""
        if stage in self._running:
            yield
            return
        start_s = time.thread_time()
        self._running.add(stage)
        try:
            yield
        finally:
            self._running.remove(stage)
            self.seconds[stage] += time.thread_time() - start_s

    def wrapped(self, stage: str, function: Callable[..., _Result]) -> Callable[..., _Result]:
        """Return ``function`` with the time of its calls added to a stage."""

        def call(*arguments: Any, **options: Any) -> _Result:
            with self.timed(stage):
                return function(*arguments, **options)

        return call

    @contextmanager
    def patched(self, stage: str, owner: type, *methods: str) -> Iterator[None]:
        """Add the time of calls of methods to a stage."""
        with ExitStack() as stack:
            for name in methods:
                stack.enter_context(mock.patch.object(owner, name, self.wrapped(stage, getattr(owner, name))))
            yield

    def waiting(self, decode: Callable[..., Generator[Frame, None, None]]) -> Callable[..., Generator[Frame, None, None]]:
        """Return ``decode`` with the time spent reading and waiting for frames added."""

        def frames(*arguments: Any, **options: Any) -> Generator[Frame, None, None]:
            source = decode(*arguments, **options)
            try:
                while True:
                    start_s, own_s = time.perf_counter(), time.thread_time()
                    frame = next(source, None)
                    read_s = time.thread_time() - own_s
                    self.seconds["read"] += read_s
                    self.seconds["waiting"] += time.perf_counter() - start_s - read_s
                    if frame is None:
                        return
                    self.first_frame = self.first_frame or time.time()
                    yield frame
            finally:
                source.close()

        return frames


def measure(path: Path, started_at: float, detector: str = YUNET) -> dict[str, float]:
    """Analyze a video on one core and write its table; return seconds per second of video by stage."""
    stages = Stages()
    with (
        stages.patched("shots", shots._Thumbnail, "of", "distance"),
        stages.patched("detect", YuNetDetector, "search", "look", "look_near"),
        stages.patched("detect", HogDetector, "search", "look", "look_near"),
        mock.patch.object(blocks, "_pixels", stages.wrapped("crop", blocks._pixels)),
        mock.patch.object(blocks, "extract_patch", stages.wrapped("crop", blocks.extract_patch)),
        mock.patch.object(Classifier, "__call__", stages.wrapped("classify", Classifier.__call__)),
        mock.patch.object(pipeline, "decode", stages.waiting(pipeline.decode)),
        tempfile.TemporaryDirectory() as folder,
    ):
        analysis = Analysis.open(path, Settings(detector=detector), limits=ONE_CORE)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start_s = time.process_time()
        annotations = analyze(analysis)
        with stages.timed("write"):
            table = to_table(annotations, analysis.classifier.contract.class_names)
            write_atomic(Path(folder) / "report.csv", format_table(table))
        whole_s = time.process_time() - start_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    decode_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    video_s = analysis.decoding.end_s
    waiting_s = stages.seconds.pop("waiting")
    stages.seconds["other"] = whole_s - sum(stages.seconds.values())
    figures = {stage: seconds / video_s for stage, seconds in stages.seconds.items()}
    assert stages.first_frame is not None
    return {
        "decode": decode_s / video_s,
        **figures,
        "waiting": waiting_s / video_s,
        "first frame": stages.first_frame - started_at,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:])))
