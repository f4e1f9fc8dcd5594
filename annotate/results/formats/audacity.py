"""A label track for Audacity: one line per block, start and end in seconds, then the face and its emotion."""

from __future__ import annotations

from annotate.results.report import Report


def write(report: Report, language: str) -> str | None:
    """Return a report as a label track, ordered by start, None without faces."""
    pieces = sorted(report.pieces, key=lambda piece: (piece.span.start_ms, piece.face_id))
    lines = [
        f"{piece.span.start_s:.6f}\t{piece.span.end_s:.6f}\tface {piece.face_id}: {piece.emotion}\n" for piece in pieces
    ]
    return "".join(lines) or None
