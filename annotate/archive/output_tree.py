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
    trees = _mirrored(paths, target)
    folders: dict[Path, Path] = {}
    taken: dict[tuple[Path, str], Path] = {}
    for video in videos:
        root = max((root for root in trees if video.is_relative_to(root)), key=lambda root: len(root.parts))
        folders[video] = trees[root] / video.parent.relative_to(root)
        other = taken.setdefault((folders[video], video.name.casefold()), video)
        if other != video:
            raise SettingsError(
                f"{other} and {video} would both be written to {folders[video]}; run them apart, each with its own -o"
            )
    return folders


def output_trees(paths: Sequence[Path], target: Path | None) -> dict[Path, list[Path]]:
    """Directories with outputs of whole directories among ``paths``, each with the directories they are of.

    Without a ``target``, outputs lie beside the videos.
    """
    roots = [path for path in paths if path.is_dir()]
    if target is None:
        return {root: [root] for root in roots}
    mirrored = _mirrored(paths, target)
    trees: dict[Path, list[Path]] = {}
    for root in roots:
        trees.setdefault(mirrored[root], []).append(root)
    return trees


def _mirrored(paths: Sequence[Path], target: Path) -> dict[Path, Path]:
    """The folder below ``target`` for each root: the directories among ``paths``, and those of its files."""
    roots = list(dict.fromkeys(path if path.is_dir() else path.parent for path in paths))
    return {root: target / root.resolve().name if len(roots) > 1 else target for root in roots}
