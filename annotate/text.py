"""Text for terminals and pages: escaped names, counts, suggestions, durations, and display width."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from wcwidth import wcswidth


def printable(text: object, keep: str = "") -> str:
    """Escape control characters, except those in ``keep``, and invalid UTF-8 bytes, so that text is safe on a terminal.

    >>> printable("a\\x1b[31m\\n"), printable("a\\udcff")
    ('a\\\\x1b[31m\\\\n', 'a\\\\xff')
    """
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in str(text))


def _escape(char: str) -> str:
    """Escape a character; an invalid byte of a file name is written as such, ``\\xff``."""
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "video"), counted(2, "video")
    ('1 video', '2 videos')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def several(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return one or more names; a single text is one name, not one for each letter.

    >>> several("fear"), several(["fear", "anger"])
    (('fear',), ('fear', 'anger'))
    """
    return (names,) if isinstance(names, str) else tuple(names)


def suggest(word: str, known: Iterable[str], meanings: Mapping[str, str] | None = None) -> str:
    """Return a remark with the known word that is most similar, or its meaning, in parentheses; empty if none is similar.

    >>> suggest("fase", ["face", "start"]), suggest("xyz", ["face"])
    (" (did you mean 'face'?)", '')
    >>> suggest("hapy", ["happy"], {"happy": "happiness"})
    " (did you mean 'happiness'?)"
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {(meanings or {}).get(near[0], near[0])!r}?)" if near else ""


def clock(duration_s: float, decimals: int = 0) -> str:
    """Format a duration in seconds as ``M:SS`` or ``H:MM:SS``.

    >>> clock(5.04), clock(3725), clock(65.04, 1)
    ('0:05', '1:02:05', '1:05.0')
    """
    whole, part = divmod(round(duration_s * 10**decimals), 10**decimals)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f"{text}.{part:0{decimals}d}" if decimals else text


ELLIPSIS = "…"


def shorten(text: str, width: int) -> str:
    """Shorten text to a display width by an ellipsis in the middle, keeping more of its end than of its start.

    >>> shorten("archive/2024/summer/beach.mp4", 20)
    'archiv…mer/beach.mp4'
    """
    if text_width(text) <= width:
        return text
    head = _clip(text, (width - 1) // 3)
    tail = _clip(text[::-1], width - 1 - text_width(head))[::-1]
    return head + ELLIPSIS + tail


def text_width(text: str) -> int:
    """Return the number of terminal columns of a printable text; East Asian characters take two."""
    return len(text) if text.isascii() else max(wcswidth(text), 0)


def _clip(text: str, width: int) -> str:
    """Return the start of a text that fits into a display width."""
    while text_width(text) > width:
        text = text[:-1]
    return text
