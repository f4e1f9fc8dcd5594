"""Compare what can run YuNet: ``python -m tests.benchmarks.yunet_engines``.

OpenCV and onnxruntime find the faces of a picture of noise in one thread, each in a process of its own: seconds to load,
milliseconds for a picture, and memory of the process at the end.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import click
import cv2
import numpy as np
from tabulate import tabulate

from annotate.faces import yunet_network

SIZES_PX = ((320, 192), (640, 352), (1280, 704))
ENGINES = ("onnxruntime", "OpenCV")
_MIN_SCORE = 0.7
_RUNS = 30
_KIB = 1024


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--engine", type=click.Choice(ENGINES), help="Measure this one in this process, and print JSON.")
def main(engine: str | None) -> None:
    """Print a table of both engines."""
    if engine is not None:
        print(json.dumps(measure(engine)))
        return
    command = (sys.executable, "-m", "tests.benchmarks.yunet_engines", "--engine")
    runs = [subprocess.run([*command, name], capture_output=True, check=True, text=True) for name in ENGINES]
    rows = [[name, *json.loads(run.stdout).values()] for name, run in zip(ENGINES, runs, strict=True)]
    sizes = [f"ms at {width} x {height}" for width, height in SIZES_PX]
    print(tabulate(rows, ("engine", "s to load", *sizes, "memory, MB"), "github", floatfmt=".2f"))


def measure(engine: str) -> dict[str, float]:
    """Return the figures of one engine."""
    cv2.setNumThreads(1)
    start_s = time.perf_counter()
    find = _load(engine)
    figures = {"load": time.perf_counter() - start_s}
    for width, height in SIZES_PX:
        picture = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
        find(picture)
        start_s = time.process_time()
        for _ in range(_RUNS):
            find(picture)
        figures[f"{width}"] = (time.process_time() - start_s) / _RUNS * 1000
    return figures | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB}


def _load(engine: str) -> Callable[[Any], object]:
    if engine == "onnxruntime":
        network = yunet_network.YuNet()
        return lambda picture: network(picture, _MIN_SCORE)
    detector = cv2.FaceDetectorYN.create(str(yunet_network._path()), "", SIZES_PX[0], _MIN_SCORE)

    def find(picture: Any) -> object:
        detector.setInputSize(picture.shape[1::-1])
        return detector.detect(picture)

    return find


if __name__ == "__main__":
    main()
