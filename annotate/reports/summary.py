"""The archive in numbers: a row a video."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from annotate.archive.walk import OUTPUT_MARK, Obstacle
from annotate.emotions.labels import EMOTIONS
from annotate.tracks.meta import is_named, read_meta
from annotate.tracks.pieces import covered_s, pieces, seconds_by_emotion
from annotate.tracks.table import read_table

REPORT_ENDING = f"{OUTPUT_MARK}.csv"
META_ENDING = f"{OUTPUT_MARK}.meta.json"
TOTAL = "total"
PLACE_COLUMNS = ("video", "duration_s", "face_s", "faces", "dominant")


@dataclass(frozen=True)
class VideoSummary:
    """One report in numbers: ``face_s`` are the seconds with at least one face; ``emotion_s`` adds up over faces."""

    video: str
    duration_s: float
    face_s: float
    faces: int
    emotion_s: dict[str, float]


def find_reports(paths: Iterable[Path]) -> Iterator[Path | Obstacle]:
    """The CSV reports below ``paths``, each once, sorted within each; a video stands for its own report.

    Hidden files and directories are left out.
    """
    seen: set[str] = set()
    for path in paths:
        for found in _find_in(path):
            key = os.path.abspath(found.path if isinstance(found, Obstacle) else found)
            if key not in seen:
                seen.add(key)
                yield found


def _find_in(path: Path) -> Iterator[Path | Obstacle]:
    if path.is_dir():
        for report in sorted(path.rglob(f"*{REPORT_ENDING}")):
            if not any(part.startswith(".") for part in report.relative_to(path).parts):
                yield report
    elif path.name.endswith(REPORT_ENDING) and path.exists():
        yield path
    else:
        beside = [path.with_name(base + REPORT_ENDING) for base in (path.name, path.stem)]
        own = [report for report in beside if report.exists() and _may_be_of(report, path)]
        yield own[0] if own else Obstacle(path, f"{path}: no report; make one with `annotate {path}`")


def _may_be_of(report: Path, video: Path) -> bool:
    meta = read_meta(_meta_beside(report))
    return meta is None or is_named(meta.source, video)


def _meta_beside(report: Path) -> Path:
    return report.with_name(report.name.removesuffix(REPORT_ENDING) + META_ENDING)


def summarize_report(path: Path) -> VideoSummary:
    """One report in numbers. The video's length comes from the meta file; without one, from the last block.

    Raises:
        ReportError: it cannot be read or is no report.
    """
    table = read_table(path)
    parts = pieces(table)
    meta = read_meta(_meta_beside(path))
    last_s = max((piece.span.end_s for piece in parts), default=0.0)
    return VideoSummary(
        video=str(path.with_name(meta.source.name if meta else path.name.removesuffix(REPORT_ENDING))),
        duration_s=meta.duration_s if meta else last_s,
        face_s=covered_s(parts),
        faces=int(table["face_id"].nunique()),
        emotion_s=seconds_by_emotion(parts),
    )


def to_frame(summaries: list[VideoSummary]) -> pd.DataFrame:
    """A row a video, totals last: seconds, faces, dominant emotion, then each emotion's share (0..1) of the faces' time."""
    emotions = list(dict.fromkeys([*EMOTIONS, *(name for summary in summaries for name in summary.emotion_s)]))
    total = VideoSummary(
        TOTAL,
        sum(summary.duration_s for summary in summaries),
        sum(summary.face_s for summary in summaries),
        sum(summary.faces for summary in summaries),
        {name: sum(summary.emotion_s.get(name, 0.0) for summary in summaries) for name in emotions},
    )
    rows = [_row(summary, emotions) for summary in [*summaries, total]]
    return pd.DataFrame(rows, columns=pd.Index([*PLACE_COLUMNS, *emotions]))


def _row(summary: VideoSummary, emotions: list[str]) -> tuple[object, ...]:
    whole_s = sum(summary.emotion_s.values())
    shares = [summary.emotion_s.get(name, 0.0) / whole_s if whole_s else 0.0 for name in emotions]
    dominant = emotions[shares.index(max(shares))] if whole_s else ""
    seconds = (round(summary.duration_s, 3), round(summary.face_s, 3))
    return (summary.video, *seconds, summary.faces, dominant, *(round(share, 4) for share in shares))
