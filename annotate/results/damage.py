"""Damage of a video, as every command, the HTML report and the server state it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_WORDS: Mapping[str, tuple[str, str, str]] = {
    "en": ("damaged: {}", "the last {:.1f} s could not be decoded", "decoder warnings: {}"),
    "ru": ("повреждено: {}", "последние {:.1f} сек. не удалось декодировать", "предупреждений декодера: {}"),
}
"""By language: the statement, seconds that are missing, warnings."""


@dataclass(frozen=True)
class Damage:
    """What is known of a video's damage; false if nothing is.

    ``missing_s`` are the seconds at the end that could not be decoded, ``warnings`` is the number of decoder warnings.
    """

    missing_s: float = 0.0
    warnings: int = 0

    def __bool__(self) -> bool:
        return self.missing_s > 0 or self.warnings > 0

    def details(self, language: str = "en") -> str:
        """Return how much of the video is missing, or else how many warnings there were; empty without damage.

        >>> Damage(2.04, 7).details(), Damage(0.0, 1).details()
        ('the last 2.0 s could not be decoded', 'decoder warnings: 1')
        """
        _, missing, warnings = _WORDS[language]
        if self.missing_s > 0:
            return missing.format(self.missing_s)
        return warnings.format(self.warnings) if self.warnings else ""

    def statement(self, language: str = "en") -> str:
        """Return that the video is damaged, and the details; empty without damage.

        >>> Damage(2.04).statement(), Damage().statement()
        ('damaged: the last 2.0 s could not be decoded', '')
        """
        return _WORDS[language][0].format(self.details(language)) if self else ""


NO_DAMAGE = Damage()
