"""The kind of a file that is not a video, by its first bytes."""

from __future__ import annotations

import re
from pathlib import Path

_START_BYTES = 4096

_BINARY_KINDS = {
    rb"\xff\xd8\xff": "a JPEG image",
    rb"\x89PNG\r\n\x1a\n": "a PNG image",
    rb"RIFF.{4}WEBP": "a WebP image",
    rb"II\*\0|MM\0\*": "a TIFF image",
    rb"BM.{4}\0{4}": "a BMP image",
    rb".{4}ftyp(?:heic|heix|mif1|avif)": "a HEIF or AVIF image",
    rb"ID3|\xff[\xfb\xf3\xf2]": "an MP3 audio file",
    rb"RIFF.{4}WAVE": "a WAV audio file",
    rb"fLaC": "a FLAC audio file",
    rb"FORM.{4}AIF[FC]": "an AIFF audio file",
    rb"%PDF-": "a PDF document",
    rb"PK\x03\x04": "a ZIP archive",
    rb"Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\x1f\x8b\x08|BZh\d|\xfd7zXZ\0": "an archive",
    rb"\x7fELF|MZ.{58}": "a program",
    rb"\0{4096}": "it starts with zeros only",
}
_TEXT_KINDS = {
    r"\d+\s*\n\d+:\d\d:\d\d[,.]\d+ --> ": "a SubRip subtitle file",
    r"WEBVTT\b": "a WebVTT subtitle file",
    r"\[Script Info\]": "an ASS subtitle file",
    r"#EXTM3U": "a playlist",
    r"<!doctype html|<html\b": "an HTML page",
    r"<\?xml\b": "an XML file",
    r"[\s\S]": "a text file",
}


def kind_of(path: Path) -> str:
    """Return what a file is that is not a video, with its article; empty if it is unknown or cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError:
        return ""
    for pattern, kind in _BINARY_KINDS.items():
        if re.match(pattern, start, re.DOTALL):
            return kind
    text = start.decode("utf-8-sig", "replace").lstrip()
    if not _is_text(text[:-1]):
        return ""
    return next((kind for pattern, kind in _TEXT_KINDS.items() if re.match(pattern, text, re.IGNORECASE)), "")


def _is_text(text: str) -> bool:
    """Return whether text has neither control characters nor invalid bytes, whose replacement counts as one."""
    return all(char.isprintable() or char.isspace() for char in text) and "\N{REPLACEMENT CHARACTER}" not in text
