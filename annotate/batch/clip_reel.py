"""One video of all clips of a folder, in which no second of a video is shown twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.batch.clip_folder import REEL, ClipFolder, ClipRow
from annotate.media.cut import Part, join
from annotate.media.decode import MediaProgress
from annotate.media.ffmpeg import find_ffmpeg
from annotate.media.probe import probe
from annotate.results.meta import hash_content
from annotate.settings import ALL_CORES, Limits
from annotate.span import MS_PER_S, Span

_LONG_SIDE_PX = 1920


@dataclass(frozen=True)
class Piece:
    """A part of a clip: its file, and a span by the clock of the clip."""

    file: str
    span: Span


def pieces_of(rows: Sequence[ClipRow]) -> list[Piece]:
    """Return the pieces that show the time of all clips once, in their order: what an earlier clip shows is left out."""
    pieces, end_ms, video = list[Piece](), 0, ""
    for row in sorted(rows, key=lambda row: (row.video, row.clip_start_ms, row.clip_end_ms, row.file)):
        if row.video != video:
            video, end_ms = row.video, 0
        if rest := row.shown.from_start(end_ms):
            pieces.append(Piece(row.file, Span(rest.start_ms - row.clip_start_ms, rest.end_ms - row.clip_start_ms)))
            end_ms = rest.end_ms
    return pieces


def write_reel(folder: ClipFolder, limits: Limits = ALL_CORES, progress: MediaProgress | None = None) -> Path | None:
    """Join the clips of a folder in one video, unless it is up to date; return its path, None if there are no clips.

    Frames have the size of the largest clip, at most 1920 pixels along the longer side; others get black bars.

    Raises:
        MediaError: a clip cannot be decoded.
        OutputError: there is a file of somebody else, or it cannot be written.
    """
    pieces = pieces_of(folder.rows)
    if not pieces:
        return None
    made_from = hash_content(repr(pieces).encode())
    if not folder.is_made_from(REEL, made_from):
        folder.check_replaceable(REEL)
        ffmpeg = find_ffmpeg()
        parts = [Part(probe(folder.path / one.file, limits.max_pixels, ffmpeg=ffmpeg), one.span) for one in pieces]
        own = folder.empty_folder("reel")
        join(parts, own / REEL, size_px=_size_px(parts), limits=limits, progress=progress)
        folder.publish_other(REEL, own / REEL, made_from)
    return folder.path / REEL


def reel_length_s(folder: ClipFolder) -> float:
    """Return the length of the joined video in seconds."""
    return sum(piece.span.duration_ms for piece in pieces_of(folder.rows)) / MS_PER_S


def _size_px(parts: Sequence[Part]) -> tuple[int, int]:
    largest = max((part.video for part in parts), key=lambda video: video.pixels)
    factor = min(1.0, _LONG_SIDE_PX / max(largest.width_px, largest.height_px))
    width_px, height_px = (max(2, int(side * factor) // 2 * 2) for side in (largest.width_px, largest.height_px))
    return width_px, height_px
