"""Elements of small files: boxes, chunks, tags, pages, packets and blocks, parsed as far as they are to be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_BITS_PER_BYTE = 8
_MAX_TABLE_ENTRIES = 32
"""Number of entries of a table that can be changed."""


@dataclass(frozen=True)
class Number:
    """A number in a file; ``kind`` is ``big``, ``little``, ``vint`` (EBML) or ``stamp`` (33 bits in 5 bytes, MPEG)."""

    offset: int
    size: int
    kind: str = "big"

    @property
    def bits(self) -> int:
        """The number of bits of the value."""
        return {"vint": 7 * self.size, "stamp": 33}.get(self.kind, _BITS_PER_BYTE * self.size)

    def read(self, content: bytes | bytearray) -> int:
        """Return the value."""
        raw = content[self.offset : self.offset + self.size]
        value = int.from_bytes(raw, "little" if self.kind == "little" else "big")
        if self.kind == "vint":
            return value & ((1 << self.bits) - 1)
        if self.kind == "stamp":
            return (value >> 33 & 7) << 30 | (value >> 17 & 0x7FFF) << 15 | (value >> 1 & 0x7FFF)
        return value

    def write(self, content: bytearray, value: int) -> None:
        """Write a value, modulo the numbers that fit."""
        value %= 1 << self.bits
        if self.kind == "vint":
            value |= 1 << self.bits
        elif self.kind == "stamp":
            prefix, parts = content[self.offset] & 0xF0, (value >> 30, value >> 15 & 0x7FFF, value & 0x7FFF)
            value = prefix << 32 | parts[0] << 33 | 1 << 32 | parts[1] << 17 | 1 << 16 | parts[2] << 1 | 1
        content[self.offset : self.offset + self.size] = value.to_bytes(
            self.size, "little" if self.kind == "little" else "big"
        )


@dataclass(frozen=True)
class Element:
    """One element; its content is between ``body`` and ``end``.

    ``label`` is what a reader knows it by, ``length`` its stated length, ``counts`` are further lengths in it, ``times`` and
    ``sizes`` its times and dimensions. ``parents`` are the lengths of the elements around it.
    """

    name: str
    start: int
    body: int
    end: int
    label: Number
    length: Number | None = None
    counts: tuple[Number, ...] = ()
    times: tuple[Number, ...] = ()
    sizes: tuple[Number, ...] = ()
    parents: tuple[Number, ...] = ()

    @property
    def lengths(self) -> tuple[Number, ...]:
        """The stated length, if any, and the counts."""
        return self.counts if self.length is None else (self.length, *self.counts)


Numbers = tuple[Number, ...]


def parse(content: bytes, ending: str) -> list[Element]:
    """Return the elements of a file in the order of their starts; what cannot be parsed is left out."""
    return [each for each in _PARSERS[ending](content) if each.end <= len(content)]


def _numbers(first: int, size: int, count: int, step: int = 0, kind: str = "big") -> Numbers:
    return tuple(Number(first + number * (step or size), size, kind) for number in range(min(count, _MAX_TABLE_ENTRIES)))


_BOXES = frozenset(b"moov trak edts mdia minf dinf stbl udta mvex moof traf gmhd".split())
_SAMPLE_ENTRIES = {b"avc1": 78, b"mp4v": 78, b"mp4a": 28}
_DURATIONS = {b"mvhd": (12, 16), b"mdhd": (12, 16), b"tkhd": (20,), b"mehd": (4,), b"tfdt": (8,)}
_BOX_SIZES = {b"tkhd": ((76, 80), 2), b"avc1": ((24, 26), 2), b"mp4v": ((24, 26), 2), b"pasp": ((0, 4), 4)}


def _boxes(content: bytes, start: int = 0, end: int | None = None, parents: Numbers = ()) -> Iterator[Element]:
    end = len(content) if end is None else end
    while start + 8 <= end:
        length, body = Number(start, 4), start + 8
        name, size = content[start + 4 : start + 8], length.read(content)
        if size == 1:
            length, body = Number(start + 8, 8), start + 16
            size = length.read(content)
        stop = end if size == 0 else start + size
        if stop < body or stop > end:
            return
        counts, times, sizes = _box_numbers(name, body, stop)
        label = Number(start + 4, 4)
        yield Element(name.decode("latin-1"), start, body, stop, label, length, counts, times, sizes, parents)
        inner = body if name in _BOXES else body + 8 if name == b"stsd" else body + _SAMPLE_ENTRIES.get(name, stop)
        if inner < stop:
            yield from _boxes(content, inner, stop, (*parents, length))
        start = stop


def _box_numbers(name: bytes, body: int, end: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return counts, times and sizes of a box."""
    count, words = Number(body + 4, 4), max(0, (end - body - 8) // 4)
    if name in (b"stts", b"ctts"):
        table = _numbers(body + 8, 4, words)
        return (count, *table[::2]), table[1::2], ()
    if name in (b"stsc", b"stco", b"stss", b"trun", b"stsz"):
        return (count, *_numbers(body + 8, 4, words)), (), ()
    if name == b"elst":
        return (count,), _numbers(body + 8, 4, words), ()
    offsets, size = _BOX_SIZES.get(name, ((), 2))
    times = tuple(Number(body + offset, 4) for offset in _DURATIONS.get(name, ()) if body + offset + 4 <= end)
    return (), times, tuple(Number(body + offset, size) for offset in offsets if body + offset + size <= end)


_MASTERS = frozenset(
    "1a45dfa3 18538067 1549a966 1654ae6b ae e0 e1 1c53bb6b bb b7 114d9b74 4dbb 1f43b675 a0 1254c367 7373 67c8".split()
)
_EBML_TIMES = frozenset("2ad7b1 4489 e7 23e383 b3 9b".split())
_EBML_SIZES = frozenset("b0 ba 54b0 54ba 54aa 54bb 54cc 54dd".split())
_EBML_BLOCKS = ("a3", "a1")


def _ebml(content: bytes, start: int = 0, end: int | None = None, parents: Numbers = ()) -> Iterator[Element]:
    end = len(content) if end is None else end
    while start + 2 <= end and content[start]:
        label = Number(start, 9 - content[start].bit_length())
        at = start + label.size
        if at >= end or not content[at]:
            return
        length = Number(at, 9 - content[at].bit_length(), "vint")
        body, size = at + length.size, length.read(content)
        stop = end if size == (1 << length.bits) - 1 else body + size
        if stop > end:
            return
        name, value = content[start:at].hex(), Number(body, stop - body)
        times: Numbers = (value,) if name in _EBML_TIMES and stop > body else ()
        if name in _EBML_BLOCKS and stop - body > 3:
            times = (Number(body + 1, 2),)
        sizes = (value,) if name in _EBML_SIZES and stop > body else ()
        yield Element(name, start, body, stop, label, length, (), times, sizes, parents)
        if name in _MASTERS:
            yield from _ebml(content, body, stop, (*parents, length))
        start = stop


def _riff(content: bytes, start: int = 0, end: int | None = None, parents: Numbers = ()) -> Iterator[Element]:
    end = len(content) if end is None else end
    while start + 8 <= end:
        length = Number(start + 4, 4, "little")
        name, body = content[start : start + 4], start + 8
        stop = body + length.read(content)
        if stop > end:
            return
        counts, times, sizes = _chunk_numbers(name, body, stop)
        label = Number(start, 4)
        yield Element(name.decode("latin-1"), start, body, stop, label, length, counts, times, sizes, parents)
        if name in (b"RIFF", b"LIST"):
            yield from _riff(content, body + 4, stop, (*parents, length))
        start = stop + stop % 2


def _chunk_numbers(name: bytes, body: int, end: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return counts, times and sizes of a RIFF chunk."""

    def at(*offsets: int) -> Numbers:
        return tuple(Number(body + offset, 4, "little") for offset in offsets if body + offset + 4 <= end)

    if name == b"avih":
        return at(24), at(0, 16), at(32, 36)
    if name == b"strh":
        return at(44), at(20, 24, 28, 32), ()
    if name == b"strf":
        return at(0), (), at(4, 8)
    if name == b"vprp":
        return at(32), at(8), at(12, 16, 20, 24, 28)
    if name == b"idx1":
        return _numbers(body + 8, 4, (end - body) // 16 * 2, 8, "little"), (), ()
    return (), (), ()


def _flv(content: bytes) -> Iterator[Element]:
    start = 13
    while start + 15 <= len(content):
        length = Number(start + 1, 3)
        stop = start + 11 + length.read(content) + 4
        times = (Number(start + 4, 3), Number(start + 7, 1))
        name = f"tag {content[start]}"
        yield Element(name, start, start + 11, stop, Number(start, 1), length, (Number(stop - 4, 4),), times)
        start = stop


def _ogg(content: bytes) -> Iterator[Element]:
    start = 0
    while content[start : start + 4] == b"OggS" and start + 27 <= len(content):
        segments = content[start + 26]
        body = start + 27 + segments
        stop = body + sum(content[start + 27 : body])
        name = f"stream {content[start + 14 : start + 18].hex()}{' header' * (content[start + 5] >> 1 & 1)}"
        rates: Numbers = ()
        sizes: Numbers = ()
        if content[body : body + 7] == b"\x80theora":
            rates = _numbers(body + 22, 4, 2)
            sizes = (*_numbers(body + 10, 2, 2), *_numbers(body + 14, 3, 2), *_numbers(body + 30, 3, 2))
        counts, times = _numbers(start + 26, 1, 1 + segments), (Number(start + 6, 8, "little"), *rates)
        yield Element(name, start, body, stop, Number(start + 14, 4), None, counts, times, sizes)
        start = stop


def _transport(content: bytes) -> Iterator[Element]:
    for start in range(0, len(content) - 187, 188):
        begins, pid = content[start + 1] & 0x40, int.from_bytes(content[start + 1 : start + 3], "big") & 0x1FFF
        has_adaptation = content[start + 3] & 0x20
        adaptation = content[start + 4] if has_adaptation else 0
        body = min(start + 4 + (1 + adaptation if has_adaptation else 0), start + 188)
        counts = [Number(start + 4, 1)] if has_adaptation else []
        times = [Number(start + 6, 4)] if adaptation > 6 and content[start + 5] & 0x10 else []
        if begins and content[body : body + 3] == b"\0\0\1" and body + 19 <= start + 188:
            counts.append(Number(body + 4, 2))
            times += [Number(body + 9, 5, "stamp")] if content[body + 7] & 0x80 else []
            times += [Number(body + 14, 5, "stamp")] if content[body + 7] & 0x40 else []
        name = f"pid {pid}" + (" start" if begins else "")
        yield Element(name, start, body, start + 188, Number(start + 1, 2), None, tuple(counts), tuple(times))


def _gif(content: bytes) -> Iterator[Element]:
    def table(at: int) -> int:
        return 3 << (content[at] & 7) + 1 if content[at] & 0x80 else 0

    if len(content) < 13:
        return
    start = 13 + table(10)
    screen = (Number(6, 2, "little"), Number(8, 2, "little"), Number(12, 1))
    yield Element("screen", 0, 13, start, Number(0, 1), None, (Number(10, 1),), (), screen)
    while start + 10 < len(content) and content[start] in (0x21, 0x2C):
        is_image = content[start] == 0x2C
        body = start + 11 + table(start + 9) if is_image else start + 2
        stop = body
        while stop < len(content) and content[stop]:
            stop += 1 + content[stop]
        name = "image" if is_image else f"extension {content[start + 1]:02x}"
        times = (Number(start + 4, 2, "little"),) if name == "extension f9" else ()
        sizes = _numbers(start + 1, 2, 4, kind="little") if is_image else ()
        yield Element(name, start, body, stop + 1, Number(start, 1), None, (Number(body, 1),), times, sizes)
        start = stop + 1


_PARSERS: dict[str, Callable[[bytes], Iterator[Element]]] = {
    "mp4": _boxes,
    "mkv": _ebml,
    "avi": _riff,
    "flv": _flv,
    "ogv": _ogg,
    "ts": _transport,
    "gif": _gif,
}


def seal_pages(content: bytes) -> bytes:
    """Return an Ogg file with right checksums, without which readers skip its pages."""
    sealed = bytearray(content)
    for page in _ogg(content):
        if page.end > len(content):
            break
        sealed[page.start + 22 : page.start + 26] = bytes(4)
        checksum = 0
        for byte in sealed[page.start : page.end]:
            checksum = checksum << 8 & 0xFFFFFFFF ^ _CHECKSUMS[checksum >> 24 ^ byte]
        sealed[page.start + 22 : page.start + 26] = checksum.to_bytes(4, "little")
    return bytes(sealed)


def _checksum_of(byte: int) -> int:
    value = byte << 24
    for _ in range(_BITS_PER_BYTE):
        value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


_CHECKSUMS = tuple(_checksum_of(byte) for byte in range(256))
