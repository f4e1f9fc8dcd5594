"""Leave out faces that are hard to see: turned far, small or of low quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotate.errors import SettingsError
from annotate.text import counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FaceFilter:
    """Limits on the blocks that count; others count as if they were not in the table. None is no limit.

    Attributes:
        max_yaw_deg: maximum turn of the head to either side.
        min_face_px: minimum side of the face's box, in pixels of the displayed frame.
        min_quality: minimum `annotate.faces.quality.Appearance.quality`.

    Raises:
        SettingsError: a limit is out of range.
    """

    max_yaw_deg: float | None = None
    min_face_px: float | None = None
    min_quality: float | None = None

    def __post_init__(self) -> None:
        for name, value, highest in (
            ("max_yaw_deg", self.max_yaw_deg, 180),
            ("min_face_px", self.min_face_px, float("inf")),
            ("min_quality", self.min_quality, 1),
        ):
            if value is not None and not 0 <= value <= highest:
                raise SettingsError(f"{name} must be between 0 and {highest}, not {value}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of tables that have a limit."""
        limits = {"yaw": self.max_yaw_deg, "face_px": self.min_face_px, "quality": self.min_quality}
        return tuple(name for name, limit in limits.items() if limit is not None)

    @property
    def statement(self) -> str:
        """The limits as text.

        >>> FaceFilter(max_yaw_deg=30, min_quality=0.5).statement
        'turned by at most 30 degrees, quality at least 0.5'
        >>> FaceFilter().statement
        ''
        """
        parts = (
            ("turned by at most {:g} degrees", self.max_yaw_deg),
            ("at least {:g} pixels large", self.min_face_px),
            ("quality at least {:g}", self.min_quality),
        )
        return ", ".join(text.format(limit) for text, limit in parts if limit is not None)

    def select(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table that count; those without a value that is limited (NaN) do not."""
        if self.max_yaw_deg is not None:
            table = table[table["yaw"].abs() <= self.max_yaw_deg]
        if self.min_face_px is not None:
            table = table[table["face_px"] >= self.min_face_px]
        if self.min_quality is not None:
            table = table[table["quality"] >= self.min_quality]
        return table


NO_FILTER = FaceFilter()


def remark_on_lacking(count: int) -> str:
    """Return the remark on ``count`` tables whose faces do not count, since an analysis version before 6 made them."""
    one = count == 1
    verb, whose, renewed = ("lacks", "its", "it") if one else ("lack", "their", "them")
    tables = counted(count, "table")
    return f"{tables} {verb} pose and quality, so none of {whose} faces count (run `annotate` to renew {renewed})"
