"""Writing outputs to a tree of their own, for archives that may not be written to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from annotate.errors import SettingsError


def mirror(videos: Sequence[Path], paths: Sequence[Path], target: Path) -> dict[Path, Path]:
    """The folder below ``target`` for the outputs of each video found below ``paths``.

    The tree below a root is the same as in the archive. Of several roots, each has a folder of its own name.

    Raises:
        SettingsError: videos of two roots would be written to the same place.
    """
    roots = list(dict.fromkeys(path if path.is_dir() else path.parent for path in paths))
    folders: dict[Path, Path] = {}
    taken: dict[tuple[Path, str], Path] = {}
    for video in videos:
        root = max((root for root in roots if video.is_relative_to(root)), key=lambda root: len(root.parts))
        named = target / root.resolve().name if len(roots) > 1 else target
        folders[video] = named / video.parent.relative_to(root)
        other = taken.setdefault((folders[video], video.name.casefold()), video)
        if other != video:
            raise SettingsError(
                f"{other} and {video} would both be written to {folders[video]}; run them apart, each with its own -o"
            )
    return folders
