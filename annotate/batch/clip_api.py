"""The Python API of clips."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable

import pandas as pd

from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.moments import Spoken, make_query, search_moments
from annotate.batch.clip_folder import open_folder
from annotate.batch.clip_job import ClipOptions, choose_drawing
from annotate.batch.clip_reel import write_reel
from annotate.batch.clip_sheet import write_sheets
from annotate.batch.clips import check_space, make_clips_of, plan_clips
from annotate.batch.executor import InlineExecutor
from annotate.batch.job import Status
from annotate.storage.base import parse_path, parse_paths, require_local
from annotate.text import several


def make_clips(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output_dir: str | os.PathLike[str],
    emotions: str | Collection[str] = (),
    min_confidence: float = 0.0,
    min_s: float = 0.0,
    *,
    persons: str | Collection[str] = (),
    relative: bool = False,
    max_yaw_deg: float | None = None,
    min_face_px: float | None = None,
    min_quality: float | None = None,
    trials: str | os.PathLike[str] | None = None,
    baseline_trial: str | None = None,
    texts: str | Collection[str] = (),
    transcripts: str | os.PathLike[str] | None = None,
    corrections: bool = True,
    lead_in_s: float = 0.0,
    lead_out_s: float = 0.0,
    copy: bool = False,
    boxes: bool = False,
    blur: bool = False,
    sound: bool = True,
    gif: bool = False,
    sheet: bool = False,
    reel: bool = False,
) -> pd.DataFrame:
    """Cut the moments that `annotate.find_moments` finds out of their videos, as ``annotate clips`` does.

    Args:
        paths: one or more tables, videos (for their tables) or directories; local ones.
        output_dir: the folder of the clips, which is made if it is missing. Clips that are in it already stay.
        emotions, min_confidence, min_s, persons, relative, trials, baseline_trial, texts, transcripts, corrections: as
            for `annotate.find_moments`.
        max_yaw_deg, min_face_px, min_quality: limits as for `annotate.summarize`.
        lead_in_s, lead_out_s: seconds before and after each moment that its clip shows.
        copy: do not encode: clips begin at the key frame before.
        boxes, blur: draw boxes around the faces, or blur them.
        sound: whether clips have audio.
        gif: also write each clip as a GIF.
        sheet, reel: also write contact sheets of all clips of the folder, or join them in one video.

    Returns:
        A table with one row per clip in the folder, with the columns of ``clips.csv``: ``file``, ``video``, ``face_id``,
        ``emotion``, ``confidence``, ``start_time`` and ``end_time`` of the moment, ``clip_start_time`` and
        ``clip_end_time`` (in seconds), and others. Clips that cannot be made are left out, each with a `UserWarning`.

    Raises:
        SettingsError: options do not fit together, or clips of the folder were made with others; no model has such an
            emotion; a path is in object storage.
        OutputError: there is too little disk space, or another run is writing to the folder.
        FFmpegError: no usable ffmpeg was found.
    """
    drawing = choose_drawing(is_copied=copy, boxes=boxes, blur=blur)
    options = ClipOptions(lead_in_s, lead_out_s, copy, drawing, has_sound=sound, with_gif=gif)
    local, target = list(map(require_local, parse_paths(paths))), require_local(parse_path(output_dir))
    query = make_query(emotions, min_confidence, min_s, persons)
    faces = FaceFilter(max_yaw_deg, min_face_px, min_quality)
    spoken = Spoken(several(texts), transcripts)
    moments, _ = search_moments(
        local, query, faces, trials, baseline_trial, relative=relative, spoken=spoken, corrections=corrections
    )
    with open_folder(target, options.made_with()) as folder:
        plan = plan_clips(moments, folder, options, local, with_reel=reel)
        check_space(folder.path, plan.size_bytes)
        for skipped in plan.skipped:
            warnings.warn(f"skipped: {skipped}", stacklevel=2)
        for outcome in make_clips_of(plan, folder, options, InlineExecutor()):
            if outcome.status is Status.FAILED:
                warnings.warn(f"failed: {outcome.message}", stacklevel=2)
        table = folder.write_table()
        if sheet:
            write_sheets(folder)
        if reel:
            write_reel(folder)
    return table
