"""The Python API: annotate one video, and tell the state of an archive."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.analysis.tools import Tools
from annotate.archive.scan import scan
from annotate.archive.status import statuses
from annotate.results.baseline import add_baseline, check_baseline
from annotate.results.table import to_table
from annotate.settings import ALL_FRAMES, Limits, Settings, available_cores
from annotate.storage.base import parse_path, parse_paths


def annotate_video(
    path: str | os.PathLike[str], settings: Settings | None = None, tools: Tools | None = None
) -> pd.DataFrame:
    """Annotate one video and return the table; write nothing.

    The table has one row per face track and block of 20 frames (every ``settings.hop`` frames), ordered by start, then face,
    with the columns of ``*.emotions.csv`` (see annotate/results/README.md). A video without faces gives a table without
    rows. Pass the same ``tools`` to several calls to load the model and the detector only once.

    Raises:
        MediaError: the file is not a usable video.
        ModelError: the model of the settings is invalid.
        FFmpegError: ffmpeg is missing or too old.
        SettingsError: the settings have a baseline, and no class of the model is neutral.
    """
    analysis = Analysis.open(Path(path), settings, tools=tools)
    class_names, baseline = analysis.classifier.contract.class_names, analysis.settings.baseline
    check_baseline(baseline, class_names)
    annotations = analyze(analysis, threading.Semaphore(available_cores() - 1))
    return add_baseline(to_table(annotations, class_names, hop=analysis.settings.hop), baseline, analysis.settings.hop)


def iterate_annotations(
    path: str | os.PathLike[str], settings: Settings | None = None, tools: Tools | None = None
) -> Iterator[Annotation]:
    """Yield the annotations of one video as blocks are completed, in order for each face but not across faces.

    The decoder stops when the iterator is closed or deleted. It uses one thread, so that a damaged video gives the same
    result every time. The settings' baseline, which needs all blocks of a face, adds nothing here. If the settings leave
    frames out, the whole video is analyzed by the call. Parameters and errors are those of `annotate_video`; errors of
    opening are raised by the call.
    """
    analysis = Analysis.open(Path(path), settings, limits=Limits(threads=1), tools=tools)
    return iter(analysis) if analysis.settings.decode == ALL_FRAMES else iter(analyze(analysis))


def status(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], output_dir: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Return the state of every video below one or more files or directories; decode nothing.

    The columns are those of ``annotate status --json``: ``path``, ``state`` (``annotated``, ``no_faces``, ``older``,
    ``stale``, ``failed`` or ``missing``), ``reason``, ``version`` and ``time``. ``output_dir`` is the folder of the outputs
    if they are not beside the videos.

    Raises:
        SettingsError: an address in object storage is invalid.
    """
    target = None if output_dir is None else parse_path(output_dir)
    found = statuses(scan(parse_paths(paths), output_dir=target).ordered())
    columns = ["path", "state", "reason", "version", "time"]
    return pd.DataFrame([one.to_json() for one in found], columns=columns, dtype=object)  # names may be no valid texts
