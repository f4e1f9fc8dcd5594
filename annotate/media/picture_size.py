"""The sizes that the displayed pictures of a video have, one after the other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureSize:
    """The size of the displayed pictures from a time on."""

    start_ms: int
    width_px: int
    height_px: int


def add_size(sizes: list[PictureSize], size: PictureSize) -> None:
    """Append a size if it differs from the last one."""
    if not sizes or (sizes[-1].width_px, sizes[-1].height_px) != (size.width_px, size.height_px):
        sizes.append(size)
