"""File names of the outputs of a video."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from annotate.results.formats.registry import DEFAULT_FORMATS, TRACK_FORMATS
from annotate.results.meta import Meta, has_same_name
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, sort_key

OUTPUT_MARK = ".emotions"
"""Marker in the names of all outputs; files with such names are never input."""

REPORT_ENDING, META_ENDING = f"{OUTPUT_MARK}.csv", f"{OUTPUT_MARK}.meta.json"
BOXES_ENDING = f"{OUTPUT_MARK}.boxes.csv"

_OUTPUT_NAME = re.compile(re.escape(OUTPUT_MARK) + r"(\.(meta|(boxes|soft)(\.[a-z]{2,3})?|labels|[a-z]{2,3}))?\.[^.]+$")

_KEPT_NAME = re.compile(r"\.bak-\d+$")

SidecarReader = Callable[[PathOrUrl], Meta | None]
"""Returns the content of a sidecar, None if it is missing or damaged."""


@dataclass(frozen=True)
class OutputOptions:
    """Options of the outputs that do not affect the analysis."""

    formats: tuple[str, ...] = DEFAULT_FORMATS
    language: str = "en"
    force: bool = False


@dataclass(frozen=True)
class Outputs:
    """Paths of the outputs of one video; ``base`` is their common path before the marker."""

    base: PathOrUrl

    @property
    def csv(self) -> PathOrUrl:
        """The table."""
        return self._named(REPORT_ENDING)

    @property
    def meta(self) -> PathOrUrl:
        """The sidecar."""
        return self._named(META_ENDING)

    @property
    def boxes(self) -> PathOrUrl:
        """The boxes file: face boxes over time."""
        return self._named(BOXES_ENDING)

    def track(self, format_name: str, language: str) -> PathOrUrl:
        """Return the path of an output in a format derived from the table."""
        return self._named(OUTPUT_MARK + TRACK_FORMATS[format_name].ending.format(language=language))

    def tracks(self, options: OutputOptions) -> dict[str, PathOrUrl]:
        """Return the paths of the requested formats derived from the table, by format name."""
        return {name: self.track(name, options.language) for name in options.formats if name in TRACK_FORMATS}

    @property
    def prefix(self) -> str:
        """Common prefix of the names of all outputs."""
        return f"{self.base.name}{OUTPUT_MARK}."

    @property
    def key(self) -> str:
        """Absolute path with case folded: equal for outputs that collide on a case-insensitive disk."""
        return storage_for(self.base).absolute(self.base).casefold()

    def _named(self, ending: str) -> PathOrUrl:
        return self.base.with_name(f"{self.base.name}{ending}")


def outputs_of_report(path: PathOrUrl) -> Outputs:
    """Return the outputs that a table or sidecar belongs to."""
    return Outputs(path.with_name(path.name.removesuffix(REPORT_ENDING).removesuffix(META_ENDING)))


def candidate_outputs(video: PathOrUrl, folder: PathOrUrl) -> tuple[Outputs, Outputs]:
    """Return the usual outputs of a video in a folder: named after its stem, or after its whole name."""
    return Outputs(folder / video.stem), Outputs(folder / video.name)


def name_outputs(videos: Sequence[PathOrUrl], folder: PathOrUrl, read_sidecar: SidecarReader) -> dict[PathOrUrl, Outputs]:
    """Return unique outputs for videos whose outputs are written to the same folder.

    A video writes ``stem.emotions.*``, unless another video of its folder does: the one named by an existing sidecar, if
    that video still exists, or one that sorts before it. Otherwise it writes ``name.ext.emotions.*``, with a number if
    that is taken too. Names are compared without case.
    """
    ordered = sorted(videos, key=sort_key)
    names: dict[PathOrUrl, Outputs] = {}
    taken: set[str] = set()
    for video in ordered:
        for outputs in candidate_outputs(video, folder):
            if outputs.key not in taken and _owns(video, read_sidecar(outputs.meta)):
                taken.add(outputs.key)
                names[video] = outputs
                break
    for video in ordered:
        if video in names:
            continue
        short, long = candidate_outputs(video, folder)
        numbered = (Outputs(long.base.with_name(f"{long.base.name}.{number}")) for number in itertools.count(2))
        for outputs in itertools.chain((short, long), numbered):
            if outputs.key not in taken and not _belongs_to_another(video, read_sidecar(outputs.meta)):
                taken.add(outputs.key)
                names[video] = outputs
                break
    return names


def is_output(name: str) -> bool:
    """Return whether a file name is that of an output of annotate.

    >>> is_output("movie.emotions.csv"), is_output("movie.emotions.en.srt"), is_output("movie.mp4")
    (True, True, False)
    >>> is_output("movie.emotions.boxes.en.mp4"), is_output("holiday.emotions.part1.mp4")
    (True, False)
    >>> is_output("movie.emotions.csv.bak-1")
    False
    """
    return _OUTPUT_NAME.search(name) is not None and _KEPT_NAME.search(name) is None


def kept_path(path: PathOrUrl) -> PathOrUrl:
    """Return the free path at which an edited output is kept: ``NAME.bak-1``, ``NAME.bak-2`` and so on."""
    candidates = (path.with_name(f"{path.name}.bak-{number}") for number in itertools.count(1))
    return next(candidate for candidate in candidates if not storage_for(candidate).lexists(candidate))


def _owns(video: PathOrUrl, meta: Meta | None) -> bool:
    return meta is not None and has_same_name(meta.source, video)


def _belongs_to_another(video: PathOrUrl, meta: Meta | None) -> bool:
    """Return whether a sidecar names another video that still exists."""
    if meta is None or has_same_name(meta.source, video):
        return False
    try:
        return storage_for(video).exists(video.with_name(meta.source.name))
    except (OSError, ValueError):
        return False
