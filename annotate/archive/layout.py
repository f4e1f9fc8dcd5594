"""Names of the outputs beside each video."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from annotate.results.formats.registry import DEFAULT_FORMATS, TRACKS
from annotate.results.meta import Meta, is_named
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, sort_key

OUTPUT_MARK = ".emotions"
"""What names of this program's outputs have before their ending; files so named are never input."""

REPORT_ENDING, META_ENDING = f"{OUTPUT_MARK}.csv", f"{OUTPUT_MARK}.meta.json"
BOXES_ENDING = f"{OUTPUT_MARK}.boxes.csv"

_OUTPUT_NAME = re.compile(re.escape(OUTPUT_MARK) + r"(\.(meta|(boxes|soft)(\.[a-z]{2,3})?|labels|[a-z]{2,3}))?\.[^.]+$")

SidecarReader = Callable[[PathOrUrl], Meta | None]
"""Gives the content of a meta file, None if there is no whole one."""


@dataclass(frozen=True)
class OutputOptions:
    """What is asked for besides the analysis itself."""

    formats: tuple[str, ...] = DEFAULT_FORMATS
    language: str = "en"
    force: bool = False


@dataclass(frozen=True)
class Outputs:
    """Names of one video's outputs: ``base`` is their common path up to the mark."""

    base: PathOrUrl

    @property
    def csv(self) -> PathOrUrl:
        """The report."""
        return self._named(REPORT_ENDING)

    @property
    def meta(self) -> PathOrUrl:
        """The sidecar: what made them."""
        return self._named(META_ENDING)

    @property
    def boxes(self) -> PathOrUrl:
        """Where the faces were, by time."""
        return self._named(BOXES_ENDING)

    def track(self, format_name: str, language: str) -> PathOrUrl:
        """Return the path of a track that is made from the report."""
        return self._named(OUTPUT_MARK + TRACKS[format_name].ending.format(language=language))

    def tracks(self, options: OutputOptions) -> dict[str, PathOrUrl]:
        """Return the asked-for formats that are made from the report, with their paths."""
        return {name: self.track(name, options.language) for name in options.formats if name in TRACKS}

    @property
    def mark(self) -> str:
        """What the names of all outputs begin with."""
        return f"{self.base.name}{OUTPUT_MARK}."

    @property
    def key(self) -> str:
        """What is the same for names that are one on a disk that ignores the case of letters."""
        return storage_for(self.base).absolute(self.base).casefold()

    def _named(self, ending: str) -> PathOrUrl:
        return self.base.with_name(f"{self.base.name}{ending}")


def outputs_of_report(path: PathOrUrl) -> Outputs:
    """Return the outputs that a report, or a meta file, is among."""
    return Outputs(path.with_name(path.name.removesuffix(REPORT_ENDING).removesuffix(META_ENDING)))


def usual_outputs(video: PathOrUrl, folder: PathOrUrl) -> tuple[Outputs, Outputs]:
    """Return the names that a video's outputs in a folder can usually have: after its stem, or after its whole name."""
    return Outputs(folder / video.stem), Outputs(folder / video.name)


def name_outputs(videos: Sequence[PathOrUrl], folder: PathOrUrl, read_sidecar: SidecarReader) -> dict[PathOrUrl, Outputs]:
    """Return names for the outputs of videos whose outputs all lie in one folder.

    A video writes ``stem.emotions.*``, unless another one of its folder does: the one that an existing sidecar names,
    as long as it is there, or one that sorts before it. Then it writes ``name.ending.emotions.*``. Names that differ in
    the case of letters only count as one.
    """
    ordered = sorted(videos, key=sort_key)
    names: dict[PathOrUrl, Outputs] = {}
    taken: set[str] = set()
    for video in ordered:
        for outputs in usual_outputs(video, folder):
            if outputs.key not in taken and _owns(video, read_sidecar(outputs.meta)):
                taken.add(outputs.key)
                names[video] = outputs
                break
    for video in ordered:
        if video in names:
            continue
        short, long = usual_outputs(video, folder)
        further = (Outputs(long.base.with_name(f"{long.base.name}.{number}")) for number in itertools.count(2))
        for outputs in itertools.chain((short, long), further):
            if outputs.key not in taken and not _belongs_to_another(video, read_sidecar(outputs.meta)):
                taken.add(outputs.key)
                names[video] = outputs
                break
    return names


def is_output(name: str) -> bool:
    """Return whether a file's name says that this program made it.

    >>> is_output("movie.emotions.csv"), is_output("movie.emotions.en.srt"), is_output("movie.mp4")
    (True, True, False)
    >>> is_output("movie.emotions.boxes.en.mp4"), is_output("holiday.emotions.part1.mp4")
    (True, False)
    """
    return _OUTPUT_NAME.search(name) is not None


def _owns(video: PathOrUrl, meta: Meta | None) -> bool:
    return meta is not None and is_named(meta.source, video)


def _belongs_to_another(video: PathOrUrl, meta: Meta | None) -> bool:
    """Return whether a sidecar says that another video, which is still there, wrote under these names."""
    if meta is None or is_named(meta.source, video):
        return False
    try:
        return storage_for(video).exists(video.with_name(meta.source.name))
    except (OSError, ValueError):
        return False
