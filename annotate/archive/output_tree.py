"""Separate output folder with the directory tree of the archive, for archives that are read-only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from annotate.results.meta import normal_form
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath


def map_output_folders(
    videos: Sequence[PathOrUrl], paths: Sequence[PathOrUrl], output_dir: PathOrUrl
) -> dict[PathOrUrl, PathOrUrl | SkippedPath]:
    """Return the folder below ``output_dir`` for the outputs of each video found below ``paths``.

    The tree below a root is the same as in the archive. With several roots, each has a folder named after it; where
    two roots have one name, a video with the outputs of one that comes before it is skipped.
    """
    roots = _output_roots(paths, output_dir)
    folders: dict[PathOrUrl, PathOrUrl | SkippedPath] = {}
    taken: dict[tuple[PathOrUrl, str], PathOrUrl] = {}
    for video in videos:
        root = max((root for root in roots if storage_for(video).is_below(video, root)), key=lambda root: len(root.parts))
        folder = roots[root] / storage_for(video).subpath(video.parent, root)
        folders[video] = folder
        other = taken.setdefault((folder, normal_form(video.name.casefold())), video)
        if other.parent != video.parent:
            problem = f"its outputs and those of {other} would both be written to {folder}"
            folders[video] = SkippedPath(video, problem, "run it separately, with its own --output-dir")
    return folders


def output_trees(paths: Sequence[PathOrUrl], output_dir: PathOrUrl | None) -> dict[PathOrUrl, list[PathOrUrl]]:
    """Return the output folder of each directory in ``paths``, with the directories of videos that it belongs to.

    Without an ``output_dir``, outputs are beside the videos.
    """
    roots = [path for path in paths if storage_for(path).is_dir(path)]
    if output_dir is None:
        return {root: [root] for root in roots}
    output_roots = _output_roots(paths, output_dir)
    trees: dict[PathOrUrl, list[PathOrUrl]] = {}
    for root in roots:
        trees.setdefault(output_roots[root], []).append(root)
    return trees


def _output_roots(paths: Sequence[PathOrUrl], output_dir: PathOrUrl) -> dict[PathOrUrl, PathOrUrl]:
    """Return the output folder of each root; roots are the directories in ``paths`` and the parents of its files."""
    roots = list(dict.fromkeys(path if storage_for(path).is_dir(path) else path.parent for path in paths))
    return {root: output_dir / _name(root) if len(roots) > 1 else output_dir for root in roots}


def _name(root: PathOrUrl) -> str:
    """Return the name of a folder, links resolved."""
    return PurePath(storage_for(root).canonical(root)).name
