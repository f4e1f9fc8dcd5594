"""Label track for Audacity: one line per block with start and end in seconds, face or person, and emotion."""

from __future__ import annotations

from annotate.results.report import Report


def write(report: Report, language: str) -> str | None:
    """Return a report as a label track, ordered by start, None without faces."""
    blocks = sorted(report.blocks, key=lambda block: (block.span.start_ms, block.face_id))
    lines = [
        f"{block.span.start_s:.6f}\t{block.span.end_s:.6f}\t{report.lane(block.face_id)}: {block.emotion}\n"
        for block in blocks
    ]
    return "".join(lines) or None
