"""The program as a library."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.analysis.tools import Tools
from annotate.results.table import to_table
from annotate.settings import Limits, Settings, available_cores


def annotate_video(
    path: str | os.PathLike[str], settings: Settings | None = None, tools: Tools | None = None
) -> pd.DataFrame:
    """Annotate one video and return its report as a table; nothing is written.

    One row per face and block, ordered by start, then face, with the columns of the CSV report (see the README); a video
    without faces gives a table without rows. ``tools`` keeps the model and the detector from one video to the next.

    Raises:
        MediaError: the file is no video that can be used.
        ModelError: the settings' model does not keep the contract.
        FFmpegError: there is no usable ffmpeg.
    """
    analysis = Analysis.open(Path(path), settings, tools=tools)
    return to_table(analyze(analysis, threading.Semaphore(available_cores() - 1)), analysis.classifier.contract.class_names)


def iterate_annotations(
    path: str | os.PathLike[str], settings: Settings | None = None, tools: Tools | None = None
) -> Iterator[Annotation]:
    """Yield annotations of one video as its blocks complete: a face's own in order, faces as they come.

    The decoder ends when the iterator is closed or dropped. It uses one thread, so that a damaged video gives the same
    result every time. Parameters and errors as for `annotate_video`, those of opening at once.
    """
    return iter(Analysis.open(Path(path), settings, limits=Limits(threads=1), tools=tools))
