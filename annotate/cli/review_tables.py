"""Tables of ``annotate summarize --corrections``: how good the machine was where people looked."""

from __future__ import annotations

from collections.abc import Iterator

from annotate.analytics.reviews import Reviews
from annotate.cli.tables import Column, shortest_words
from annotate.text import clock, counted, printable


def review_tables(reviews: Reviews) -> Iterator[list[Column]]:
    """Yield the tables of what was reviewed: by the machine's label, and the confusion in seconds."""
    by_label = reviews.by_label()
    yield [
        Column("machine", [printable(name) for name in by_label["machine"]]),
        Column("reviewed", [_seconds(time_s) for time_s in by_label["reviewed_s"]], to_right=True),
        Column("kept", [f"{share:.0%}" for share in by_label["kept"]], to_right=True),
    ]
    confusion = reviews.confusion()
    names = [printable(name) for name in confusion.columns]
    words = shortest_words(names)
    cells = {name: [_seconds(time_s) for time_s in confusion[name]] for name in confusion.columns}
    yield [
        Column("author / machine", [printable(name) for name in confusion.index]),
        *(
            Column(name, cells[label], (words[name], cells[label]), to_right=True)
            for label, name in zip(confusion.columns, names, strict=True)
        ),
    ]


def review_line(reviews: Reviews) -> str:
    """Return the closing line."""
    if not reviews.reviewed_s:
        return "Nothing was corrected or confirmed (annotate correct)."
    videos = counted(reviews.videos, "video")
    return f"{reviews.kept_share:.0%} kept of {clock(reviews.reviewed_s)} of face time reviewed in {videos}."


def _seconds(time_s: float) -> str:
    return f"{time_s:.1f}" if time_s else "0"
