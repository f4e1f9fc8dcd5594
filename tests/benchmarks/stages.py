"""Where the time of one video goes: ``python -m tests.benchmarks.stages VIDEO``, a JSON line (see throughput.py)."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from annotate.analysis import pipeline
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.emotions.classifier import Classifier
from annotate.faces import blocks
from annotate.faces.detect import FaceDetector
from annotate.media.decode import Frame
from annotate.results.table import format_table, to_table
from annotate.settings import ONE_CORE
from annotate.storage.local.files import write_atomic

_Result = TypeVar("_Result")


class Stages:
    """Processor seconds of this process by stage, and the seconds it waited for the decoder."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.first_frame: float | None = None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds what the block takes to a stage."""
        begun_s = time.thread_time()
        try:
            yield
        finally:
            self.seconds[stage] += time.thread_time() - begun_s

    def wrapped(self, stage: str, function: Callable[..., _Result]) -> Callable[..., _Result]:
        """A function whose calls are added to a stage."""

        def call(*arguments: Any, **options: Any) -> _Result:
            with self.timed(stage):
                return function(*arguments, **options)

        return call

    def waiting(self, decode: Callable[..., Generator[Frame, None, None]]) -> Callable[..., Generator[Frame, None, None]]:
        """``decode``, with the time that its reader spends in it."""

        def frames(*arguments: Any, **options: Any) -> Generator[Frame, None, None]:
            source = decode(*arguments, **options)
            try:
                while True:
                    begun_s, own_s = time.perf_counter(), time.thread_time()
                    frame = next(source, None)
                    read_s = time.thread_time() - own_s
                    self.seconds["read"] += read_s
                    self.seconds["waiting"] += time.perf_counter() - begun_s - read_s
                    if frame is None:
                        return
                    self.first_frame = self.first_frame or time.time()
                    yield frame
            finally:
                source.close()

        return frames


def measure(path: Path, began: float) -> dict[str, float]:
    """Analyze a video with one core, and write its table, with every stage timed."""
    stages = Stages()
    with (
        mock.patch.object(FaceDetector, "_search", stages.wrapped("detect", FaceDetector._search)),
        mock.patch.object(blocks, "_pixels", stages.wrapped("crop", blocks._pixels)),
        mock.patch.object(blocks, "take_patch", stages.wrapped("crop", blocks.take_patch)),
        mock.patch.object(Classifier, "__call__", stages.wrapped("classify", Classifier.__call__)),
        mock.patch.object(pipeline, "decode", stages.waiting(pipeline.decode)),
        tempfile.TemporaryDirectory() as folder,
    ):
        analysis = Analysis.open(path, limits=ONE_CORE)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun_s = time.process_time()
        annotations = analyze(analysis)
        with stages.timed("write"):
            table = to_table(annotations, analysis.classifier.contract.class_names)
            write_atomic(Path(folder) / "report.csv", format_table(table))
        whole_s = time.process_time() - begun_s
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
        "first frame": stages.first_frame - began,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), float(sys.argv[2]))))
