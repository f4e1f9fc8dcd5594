"""Text of files that people and programs save in any encoding."""

from __future__ import annotations

import codecs
import re

from annotate.errors import TranscriptError
from annotate.storage.values import PathOrUrl

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Marks at the beginning of a file; that of UTF-32 begins like that of UTF-16."""

_CYRILLIC, _WESTERN = "cp1251", "cp1252"
_LETTERS = re.compile(rb"[\xc0-\xff]+")


def decode_text(content: bytes, path: PathOrUrl, encoding: str = "") -> str:
    """Return the text of a file, with ``\\n`` at the end of lines.

    Without ``encoding`` it is that of its byte order mark, UTF-8, or else that of Windows in which its letters make words:
    Cyrillic ones stand together, accented ones apart.

    Raises:
        TranscriptError: it is no text in this encoding.
    """
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    names = [encoding] if encoding else [marked] if marked else _guesses(content)
    for name in names:
        try:
            text = content.decode(name)
        except UnicodeError:
            continue
        except LookupError:
            raise TranscriptError(f"unknown encoding {name!r}", "name one such as utf-8 or cp1251", path=path) from None
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").removeprefix("\ufeff")
    raise TranscriptError(f"not text in {names[0]}", "save it in UTF-8, or name its encoding (--encoding)", path=path)


def _guesses(content: bytes) -> list[str]:
    start = content[:64]
    if start[1::2].count(0) * 4 > len(start):
        return ["utf-16-le"]
    if start[::2].count(0) * 4 > len(start):
        return ["utf-16-be"]
    runs = _LETTERS.findall(content)
    is_cyrillic = sum(len(run) for run in runs) >= 2 * len(runs) > 0
    return ["utf-8", *((_CYRILLIC, _WESTERN) if is_cyrillic else (_WESTERN, _CYRILLIC)), "latin-1"]
