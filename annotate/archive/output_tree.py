"""Writing outputs to a tree of their own, for archives that may not be written to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from annotate.errors import SettingsError
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl


def mirror(videos: Sequence[PathOrUrl], paths: Sequence[PathOrUrl], output_dir: PathOrUrl) -> dict[PathOrUrl, PathOrUrl]:
    """Return the folder below ``output_dir`` for the outputs of each video found below ``paths``.

    The tree below a root is the same as in the archive. Of several roots, each has a folder of its own name.

    Raises:
        SettingsError: videos of two roots would be written to the same place.
    """
    trees = _mirrored(paths, output_dir)
    folders: dict[PathOrUrl, PathOrUrl] = {}
    taken: dict[tuple[PathOrUrl, str], PathOrUrl] = {}
    for video in videos:
        root = max((root for root in trees if storage_for(video).is_below(video, root)), key=lambda root: len(root.parts))
        folders[video] = trees[root] / storage_for(video).below(video.parent, root)
        other = taken.setdefault((folders[video], video.name.casefold()), video)
        if other != video:
            raise SettingsError(
                f"{other} and {video} would both be written to {folders[video]}",
                "run them apart, each with its own --output-dir",
            )
    return folders


def trees_with_outputs(paths: Sequence[PathOrUrl], output_dir: PathOrUrl | None) -> dict[PathOrUrl, list[PathOrUrl]]:
    """Return the folders with outputs of whole folders among ``paths``, each with the folders they are of.

    Without an ``output_dir``, outputs lie beside the videos.
    """
    roots = [path for path in paths if storage_for(path).is_dir(path)]
    if output_dir is None:
        return {root: [root] for root in roots}
    mirrored = _mirrored(paths, output_dir)
    trees: dict[PathOrUrl, list[PathOrUrl]] = {}
    for root in roots:
        trees.setdefault(mirrored[root], []).append(root)
    return trees


def _mirrored(paths: Sequence[PathOrUrl], output_dir: PathOrUrl) -> dict[PathOrUrl, PathOrUrl]:
    """Return the folder below ``output_dir`` for each root: the folders among ``paths``, and those of its files."""
    roots = list(dict.fromkeys(path if storage_for(path).is_dir(path) else path.parent for path in paths))
    return {root: output_dir / _name(root) if len(roots) > 1 else output_dir for root in roots}


def _name(root: PathOrUrl) -> str:
    """Return a folder's name, however it is reached."""
    return PurePath(storage_for(root).identity(root)).name
