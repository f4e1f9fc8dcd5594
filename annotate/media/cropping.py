"""The part of the stored frames that is to be shown, as Matroska (``PixelCrop``) and MP4 (``clap``) state it.

ffmpeg crops by itself since 7.1 and shows the stated values, older versions do neither, so the file is read here. Only the
headers of the elements on the path to the first video track are read, and a limited number of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MAX_ELEMENTS = 10_000
_REST = 1 << 62

_SEGMENT, _TRACKS, _TRACK, _TRACK_TYPE, _VIDEO = map(bytes.fromhex, ("18538067", "1654AE6B", "AE", "83", "E0"))
_SIDES = tuple(map(bytes.fromhex, ("B0", "BA", "54CC", "54DD", "54BB", "54AA")))
"""Elements of Matroska: width, height, and the pixels to remove on the left, right, upper and lower side."""

_VIDEO_TYPE = b"\x01"
_VISUAL_ENTRY_BYTES = 78
_CLAP = struct.Struct(">IIIIiIiI")

Element = tuple[bytes, int, int]
"""An element's name, and where its content starts and ends in the file."""

_WHOLE: Element = (b"", 0, _REST)


@dataclass(frozen=True)
class Cropping:
    """Size of the stored frame, and the pixels to remove on its left, right, upper and lower side."""

    width_px: int
    height_px: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def is_valid(self) -> bool:
        """Whether something is removed, and something remains."""
        sides = (self.left, self.right, self.top, self.bottom)
        return min(sides) >= 0 and max(sides) > 0 and min(self.remaining_px) > 0

    @property
    def remaining_px(self) -> tuple[int, int]:
        """Width and height of what is shown."""
        return self.width_px - self.left - self.right, self.height_px - self.top - self.bottom

    @property
    def expressions(self) -> dict[str, str]:
        """Options of ffmpeg's filter ``crop``, which leave frames of another size as they are."""
        values = dict(zip("wh", zip(self.remaining_px, ("iw", "ih"), strict=True), strict=True))
        values |= {"x": (self.left, "0"), "y": (self.top, "0")}
        is_stored = f"eq(iw,{self.width_px})*eq(ih,{self.height_px})"
        return {name: f"if({is_stored},{value},{other})" for name, (value, other) in values.items()}

    def rotated(self, quarters: int) -> Cropping:
        """Return the cropping of frames that are turned clockwise by a number of quarters of a turn.

        >>> Cropping(8, 6, 1, 2, 3, 0).rotated(1)
        Cropping(width_px=6, height_px=8, left=0, right=3, top=1, bottom=2)
        """
        turned = self
        for _ in range(quarters % 4):
            sides = (turned.bottom, turned.top, turned.left, turned.right)
            turned = Cropping(turned.height_px, turned.width_px, *sides)
        return turned


def read_cropping(path: Path, container: str) -> Cropping | None:
    """Return the cropping of the first video track; None if there is none, or if it is absurd."""
    try:
        with path.open("rb") as file:
            if container == "matroska,webm":
                cropping = _read_matroska(file, _Elements(file, _ebml_header))
            elif container == "mov,mp4,m4a,3gp,3g2,mj2":
                cropping = _read_mp4(file, _Elements(file, _box_header))
            else:
                return None
    except (OSError, ValueError, ArithmeticError, struct.error):
        return None
    return cropping if cropping is not None and cropping.is_valid else None


def _read_matroska(file: BinaryIO, elements: _Elements) -> Cropping | None:
    for track in elements.below(_WHOLE, _SEGMENT, _TRACKS, _TRACK):
        if any(_content(file, kind) == _VIDEO_TYPE for kind in elements.below(track, _TRACK_TYPE)):
            found = {
                element[0]: element for video in elements.below(track, _VIDEO) for element in elements.below(video, None)
            }
            contents = (_content(file, found[name]) if name in found else b"" for name in _SIDES)
            return Cropping(*(int.from_bytes(content, "big") for content in contents))
    return None


def _read_mp4(file: BinaryIO, elements: _Elements) -> Cropping | None:
    for media in elements.below(_WHOLE, b"moov", b"trak", b"mdia"):
        if any(_content(file, handler)[8:12] == b"vide" for handler in elements.below(media, b"hdlr")):
            for _, start, end in elements.below(media, b"minf", b"stbl", b"stsd"):
                for entry in elements.below((b"", start + 8, end), None):
                    return _read_clap(file, entry, elements)
    return None


def _read_clap(file: BinaryIO, entry: Element, elements: _Elements) -> Cropping | None:
    """Return the cropping of a sample entry: the size of the aperture and the offset of its center, as fractions."""
    _, start, end = entry
    width, height = struct.unpack(">24x2H", _content(file, entry)[:28])
    for clap in elements.below((b"", start + _VISUAL_ENTRY_BYTES, end), b"clap"):
        numbers = _CLAP.unpack(_content(file, clap))
        across, down, right, lower = (part / whole for part, whole in zip(numbers[::2], numbers[1::2], strict=True))
        left, top = round((width - across) / 2 + right), round((height - down) / 2 + lower)
        return Cropping(width, height, left, width - left - round(across), top, height - top - round(down))
    return None


class _Elements:
    """The elements of a file, nested; no more than a limited number of their headers is read."""

    def __init__(self, file: BinaryIO, read_header: Callable[[BinaryIO], tuple[bytes, int]]) -> None:
        self._file = file
        self._read_header = read_header
        self._budget = iter(range(_MAX_ELEMENTS))

    def below(self, parent: Element, name: bytes | None, *names: bytes) -> Iterator[Element]:
        """Yield the elements on a path of names below ``parent``; None is any name."""
        _, position, end = parent
        while position < end and next(self._budget, None) is not None:
            self._file.seek(position)
            found, size = self._read_header(self._file)
            element = (found, self._file.tell(), min(self._file.tell() + size, end))
            position = element[2]
            if name in (None, found):
                yield from self.below(element, *names) if names else (element,)


def _content(file: BinaryIO, element: Element) -> bytes:
    _, start, end = element
    file.seek(start)
    return file.read(min(end - start, _CLAP.size))


def _ebml_header(file: BinaryIO) -> tuple[bytes, int]:
    """Return name and size of an EBML element; an unknown size, all ones, is that of the rest."""
    name, size = _ebml_number(file), _ebml_number(file)
    value_bits = 7 * len(size)
    value = int.from_bytes(size, "big") & ((1 << value_bits) - 1)
    return name, _REST if value == (1 << value_bits) - 1 else value


def _ebml_number(file: BinaryIO) -> bytes:
    first = file.read(1)
    if first in (b"", b"\0"):
        raise ValueError("no EBML")
    return first + file.read(8 - first[0].bit_length())


def _box_header(file: BinaryIO) -> tuple[bytes, int]:
    """Return name and size of an MP4 box without its header; a size of 0 is that of the rest."""
    size, name = struct.unpack(">I4s", file.read(8))
    header_bytes = 8
    if size == 1:
        (size,) = struct.unpack(">Q", file.read(8))
        header_bytes = 16
    if 0 < size < header_bytes:
        raise ValueError("no box")
    return name, size - header_bytes if size else _REST
