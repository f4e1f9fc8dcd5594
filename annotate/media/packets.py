"""Packets as a file stores them, read while it is decoded: the durations of frames, and the end of the file."""

from __future__ import annotations

import heapq
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_US_PER_S = 1_000_000
_TIME_BASE = re.compile(r"#tb (?P<stream>\d+): (?P<numerator>\d+)/(?P<denominator>\d+)")
_FLAGS = re.compile(r", F=0x(?P<flags>[0-9A-Fa-f]+)")
_NO_TIME = -(1 << 63)
_KEY, _DISCARDED = 1, 4
"""Flags of packets; a line without flags has only the first."""
_DURATIONS_KEPT = 256
"""Number of video packets whose durations are kept; decoders hold back far fewer frames."""


class Packets:
    """Collects ``framecrc`` lines of packets; stream 0 of the output is the video stream. Times are in microseconds.

    ``last_start_us`` is the start of the last video packet in decoding order. Without ``has_durations`` only that one's
    duration is how long its frame is shown.
    """

    def __init__(self, has_durations: bool) -> None:
        self.last_start_us: int | None = None
        self._has_durations = has_durations
        self._latest_us = 0
        self._last_end_us = 0
        self._time_bases: dict[int, tuple[int, int]] = {}
        self._durations_us: OrderedDict[int, int] = OrderedDict()

    def add(self, line: str) -> None:
        """Add a line: a time base, or stream, dts, pts, duration, size and checksum of a packet."""
        if match := _TIME_BASE.match(line):
            self._time_bases[int(match["stream"])] = int(match["numerator"]), int(match["denominator"])
            return
        fields = line.split(",", 4)
        if line.startswith("#") or len(fields) < 4:
            return
        stream, pts, duration = int(fields[0]), int(fields[2]), int(fields[3])
        if pts == _NO_TIME or stream not in self._time_bases:
            return
        start_us, duration_us = self._microseconds(stream, pts), self._microseconds(stream, duration)
        counts = stream or self._has_durations
        self._latest_us = max(self._latest_us, start_us + duration_us if counts else start_us)
        if stream == 0:
            self._last_end_us = start_us + duration_us
            self.last_start_us = start_us
            self._durations_us[start_us] = duration_us
            if len(self._durations_us) > _DURATIONS_KEPT:
                self._durations_us.popitem(last=False)

    @property
    def end_us(self) -> int:
        """The end of the latest packet."""
        return max(self._latest_us, self._last_end_us)

    def duration_us(self, start_us: int) -> int:
        """Return the duration of the video packet that starts at a time; 0 if none does or it has no duration."""
        return self._durations_us.get(start_us, 0)

    def _microseconds(self, stream: int, ticks: int) -> int:
        numerator, denominator = self._time_bases[stream]
        return _microseconds(ticks, numerator, denominator)


class PacketTime(NamedTuple):
    """When the frame of a packet is shown, in microseconds, and whether it is a key frame."""

    start_us: int
    is_key: bool


def order_packets(lines: Iterable[str], *, from_start: bool = True) -> Iterator[PacketTime]:
    """Yield the packets of the video stream in the order in which their frames are shown.

    ``lines`` are ``framecrc`` lines in the order in which packets are decoded. A packet is yielded when none that follows
    can be shown earlier, since no frame is shown before it is decoded. Packets without a time and those that an edit list
    hides are left out; ``from_start``, also those that cannot be decoded for want of an earlier key frame.
    """
    numerator, denominator = 1, 1
    first_key_us: int | None = None
    pending: list[PacketTime] = []
    for line in lines:
        if (match := _TIME_BASE.match(line)) and match["stream"] == "0":
            numerator, denominator = int(match["numerator"]), int(match["denominator"])
        fields = line.split(",", 4)
        if line.startswith("#") or len(fields) < 5 or int(fields[0]) or int(fields[2]) == _NO_TIME:
            continue
        match = _FLAGS.search(line)
        flags = int(match["flags"], 16) if match else _KEY
        start_us = _microseconds(int(fields[2]), numerator, denominator)
        if first_key_us is None and flags & _KEY:
            first_key_us = start_us
        is_decodable = not from_start or (first_key_us is not None and start_us >= first_key_us)
        if is_decodable and not flags & _DISCARDED:
            heapq.heappush(pending, PacketTime(start_us, bool(flags & _KEY)))
        if int(fields[1]) != _NO_TIME:
            decoded_us = _microseconds(int(fields[1]), numerator, denominator)
            while pending and pending[0].start_us <= decoded_us:
                yield heapq.heappop(pending)
    yield from sorted(pending)


def _microseconds(ticks: int, numerator: int, denominator: int) -> int:
    return (2 * ticks * numerator * _US_PER_S + denominator) // (2 * denominator)
