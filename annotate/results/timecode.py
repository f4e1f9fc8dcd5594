"""Timecodes of SMPTE ST 12-1: frames since midnight, with drop-frame counting where the rate asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from annotate.span import MS_PER_S

NTSC_RATES = (30000 / 1001, 60000 / 1001)
"""Rates that have drop-frame timecodes, in frames per second."""

FRAME_RATES = (24000 / 1001, 24.0, 25.0, NTSC_RATES[0], 30.0, 50.0, NTSC_RATES[1], 60.0)
"""Frame rates with SMPTE timecodes, in frames per second."""

DEFAULT_RATE = 25.0
"""Rate where that of a video is unknown, in frames per second."""

_TIMECODE = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.])(\d{2})")
_FRAMES_PER_DROPPED = 15
"""Every minute but the tenth leaves out this many numbers for each of this many frames per second: 2 at 30, 4 at 60."""

_DAY_MINUTES = 24 * 60


def nearest_rate(frames: int, duration_ms: int) -> float:
    """Return the rate in `FRAME_RATES` nearest to the mean rate of a video; `DEFAULT_RATE` if that is unknown.

    >>> nearest_rate(300, 10_010) == NTSC_RATES[0], nearest_rate(0, 0)
    (True, 25.0)
    """
    if not frames or not duration_ms:
        return DEFAULT_RATE
    mean = frames * MS_PER_S / duration_ms
    return min(FRAME_RATES, key=lambda rate: abs(rate - mean))


def exact_rate(rate: float) -> Fraction:
    """Return a rate in `FRAME_RATES` as an exact fraction.

    >>> exact_rate(30000 / 1001), exact_rate(25.0)
    (Fraction(30000, 1001), Fraction(25, 1))
    """
    return Fraction(round(rate)) if rate == round(rate) else Fraction(round(rate) * 1000, 1001)


@dataclass(frozen=True)
class Clock:
    """How frames of a video are counted: ``rate`` in frames per second, from frame number ``first`` on.

    With ``is_drop``, the first numbers of every minute but the tenth are left out, so that timecodes keep up with time.
    """

    rate: float
    is_drop: bool = False
    first: int = 0

    @classmethod
    def of(cls, rate: float, start: str = "") -> Clock:
        """Return the clock of a video with a start timecode, as the file has it; without one it starts at 0.

        Drop-frame is usual where the rate has it; a start timecode with ``:`` before the frames says otherwise.

        >>> clock = Clock.of(30000 / 1001, "01:00:00;00")
        >>> clock.first, clock.timecode(clock.first + 1800), Clock.of(25.0).timecode(90_012)
        (107892, '01:01:00;02', '01:00:00:12')
        >>> Clock.of(30000 / 1001, "01:00:00:00").timecode(109_800)
        '01:01:00:00'
        """
        match = _TIMECODE.fullmatch(start)
        is_drop = rate in NTSC_RATES and (match is None or match[4] != ":")
        clock = cls(rate, is_drop)
        if match is None:
            return clock
        hours, minutes, seconds, frames = (int(match[number]) for number in (1, 2, 3, 5))
        minutes += 60 * hours
        number = (60 * minutes + seconds) * round(rate) + frames
        return cls(rate, is_drop, number - clock._dropped * (minutes - minutes // 10))

    @property
    def _dropped(self) -> int:
        return round(self.rate) // _FRAMES_PER_DROPPED if self.is_drop else 0

    @property
    def day_frames(self) -> int:
        """Number of frames of 24 hours, at which timecodes end."""
        return _DAY_MINUTES * 60 * round(self.rate) - self._dropped * (_DAY_MINUTES - _DAY_MINUTES // 10)

    def frame_at(self, time_ms: int) -> int:
        """Return the number of the frame at a time of the video."""
        return self.first + round(time_ms * self.rate / MS_PER_S)

    def timecode(self, frame: int) -> str:
        """Return the timecode of a frame number; ``;`` before the frames marks drop-frame ones.

        At midnight it starts again at 0, as that of cameras does.

        >>> Clock.of(25.0).timecode(24 * 3600 * 25 + 12)
        '00:00:00:12'
        """
        frame %= self.day_frames
        if self._dropped:
            ten_minutes = 600 * round(self.rate) - 9 * self._dropped
            minute = 60 * round(self.rate) - self._dropped
            tens, rest = divmod(frame, ten_minutes)
            frame += self._dropped * (9 * tens + max(0, (rest - self._dropped) // minute))
        seconds, frames = divmod(frame, round(self.rate))
        separator = ";" if self.is_drop else ":"
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{separator}{frames:02d}"
