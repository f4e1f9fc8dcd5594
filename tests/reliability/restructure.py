"""Change the structure of a file by rule: elements, lengths, times and sizes, not bits."""

from __future__ import annotations

import enum
import random
from collections.abc import Callable

from tests.reliability.elements import Element, Number, Numbers, parse, seal_pages

_MAX_CHANGES = 3


class Change(enum.Enum):
    """Kinds of changes."""

    DROPPED = "elements dropped"
    RENAMED = "elements renamed"
    RESIZED = "elements resized"
    REPEATED = "elements repeated"
    EMPTIED = "elements emptied"
    REORDERED = "elements reordered"
    LENGTH = "lengths changed"
    JUMP = "times jumped"
    WRAP = "times wrapped"
    REVERSED = "times reversed"
    SIZE = "sizes changed"
    SPLICED = "spliced"


def restructure(content: bytes, ending: str, change: Change, other: bytes, rng: random.Random) -> bytes:
    """Return a copy with one to three changes of a kind; ``other`` is a file of the same ending that may be spliced in."""
    for _ in range(rng.randint(1, _MAX_CHANGES)):
        elements = parse(content, ending)
        if change is Change.SPLICED:
            content = _splice(content, elements, other, parse(other, ending), rng)
            break
        content = _RULES[change](content, elements, rng)
    return seal_pages(content) if ending == "ogv" and rng.random() < 0.9 else content


def _choose(
    elements: list[Element], rng: random.Random, is_suitable: Callable[[Element], object] = lambda _: True
) -> Element | None:
    """Return an element; the name is chosen first, so that rare ones are changed as often as frequent ones."""
    suitable = [each for each in elements if is_suitable(each)]
    if not suitable:
        return None
    name = rng.choice(sorted({each.name for each in suitable}))
    return rng.choice([each for each in suitable if each.name == name])


def _replace(content: bytes, start: int, end: int, new: bytes, lengths: Numbers) -> bytes:
    """Replace a range and adapt ``lengths``, all of which are before it."""
    changed = bytearray(content)
    for length in lengths:
        length.write(changed, length.read(changed) + len(new) - (end - start))
    return bytes(changed[:start]) + new + bytes(changed[end:])


def _usually(lengths: Numbers, rng: random.Random) -> Numbers:
    """Return the lengths to adapt: usually all, so that the rest of the file can still be read."""
    return lengths if rng.random() < 0.8 else ()


def _lengths_around(element: Element) -> Numbers:
    return element.parents if element.length is None else (*element.parents, element.length)


def _drop(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    """Drop an element, or all of its name: a missing table, a stream without packets."""
    element = _choose(elements, rng)
    if element is None:
        return content
    dropped = [each for each in elements if each.name == element.name] if rng.random() < 0.3 else [element]
    for each in reversed(dropped):
        content = _replace(content, each.start, each.end, b"", _usually(each.parents, rng))
    return content


def _rename(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    element = _choose(elements, rng)
    if element is None:
        return content
    changed, label = bytearray(content), element.label
    others = [each.label.read(content) for each in elements if each.label.size == label.size]
    label.write(changed, rng.choice([*others, rng.getrandbits(label.bits), int.from_bytes(b"free", "big")]))
    return bytes(changed)


def _resize(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    element = _choose(elements, rng)
    if element is None:
        return content
    lengths = _usually(_lengths_around(element), rng)
    if rng.random() < 0.5:
        return _replace(content, element.end, element.end, rng.randbytes(2 ** rng.randrange(10)), lengths)
    removed = rng.randint(0, max(0, element.end - element.body))
    return _replace(content, element.end - removed, element.end, b"", lengths)


def _repeat(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    element = _choose(elements, rng)
    if element is None:
        return content
    copies = content[element.start : element.end] * rng.choice((1, 1, 1, 2, 20))
    return _replace(content, element.end, element.end, copies, _usually(element.parents, rng))


def _empty(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    element = _choose(elements, rng, lambda each: each.end > each.body)
    if element is None:
        return content
    return _replace(content, element.body, element.end, b"", _lengths_around(element))


def _reorder(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    """Swap two elements of the same parent."""
    first = _choose(elements, rng)
    later = [each for each in elements if first and each.parents == first.parents and each.start >= first.end]
    if first is None or not later:
        return content
    second = rng.choice(later)
    swapped = content[second.start : second.end] + content[first.end : second.start] + content[first.start : first.end]
    return content[: first.start] + swapped + content[second.end :]


def _set_length(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    element = _choose(elements, rng, lambda each: each.lengths)
    if element is None:
        return content
    changed, number = bytearray(content), rng.choice(element.lengths)
    value, top = number.read(content), 1 << number.bits
    number.write(changed, rng.choice((0, 1, -1, -2, top // 2, top // 2 - 1, top // 256, value - 1, value + 1, 2 * value)))
    return bytes(changed)


def _times(elements: list[Element], rng: random.Random) -> list[Number]:
    """Return the times of all elements of one name, in the order of the file."""
    element = _choose(elements, rng, lambda each: each.times)
    return [] if element is None else [time for each in elements if each.name == element.name for time in each.times]


def _jump(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    """Add a distance to one time or to all from one on, or set one to an end of its range."""
    times, changed = _times(elements, rng), bytearray(content)
    if not times:
        return content
    first = rng.randrange(len(times))
    time, value = times[first], times[first].read(content)
    distance = rng.choice((1, -1)) * rng.randrange(1, 1 << rng.randint(1, time.bits))
    if rng.random() < 0.2:
        time.write(changed, rng.choice((0, 1, -1, 1 << time.bits - 1)))
    elif rng.random() < 0.3:
        time.write(changed, value + distance)
    else:
        for each in times[first:]:
            each.write(changed, each.read(content) + distance)
    return bytes(changed)


def _wrap(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    """Move times to the end of their range, so that later ones begin at 0 again."""
    times, changed = _times(elements, rng), bytearray(content)
    if not times:
        return content
    wraps_at = rng.choice(times).read(content)
    for time in times:
        time.write(changed, time.read(content) - wraps_at)
    return bytes(changed)


def _reverse(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    times, changed = _times(elements, rng), bytearray(content)
    for time, source in zip(times, reversed(times), strict=True):
        time.write(changed, source.read(content))
    return bytes(changed)


def _set_size(content: bytes, elements: list[Element], rng: random.Random) -> bytes:
    element = _choose(elements, rng, lambda each: each.sizes)
    if element is None:
        return content
    changed, number = bytearray(content), rng.choice(element.sizes)
    value, other = number.read(content), rng.choice(element.sizes).read(content)
    number.write(changed, rng.choice((0, 1, 2, value + 1, value // 2, 2 * value, other, 4096, 65_535, -1)))
    return bytes(changed)


def _splice(content: bytes, elements: list[Element], other: bytes, others: list[Element], rng: random.Random) -> bytes:
    """Join two whole files, or the beginning of one and the end of the other, each cut before an element."""
    if rng.random() < 0.3 or not elements or not others:
        return content + other
    return content[: rng.choice(elements).start] + other[rng.choice(others).start :]


_RULES: dict[Change, Callable[[bytes, list[Element], random.Random], bytes]] = {
    Change.DROPPED: _drop,
    Change.RENAMED: _rename,
    Change.RESIZED: _resize,
    Change.REPEATED: _repeat,
    Change.EMPTIED: _empty,
    Change.REORDERED: _reorder,
    Change.LENGTH: _set_length,
    Change.JUMP: _jump,
    Change.WRAP: _wrap,
    Change.REVERSED: _reverse,
    Change.SIZE: _set_size,
}
