"""Names of the outputs beside each video."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.results.formats.registry import DEFAULT_FORMATS, TRACKS
from annotate.results.meta import is_named, read_meta
from annotate.storage.s3.path import is_remote
from annotate.storage.s3.prefetch import read_ahead

OUTPUT_MARK = ".emotions"
"""What names of this program's outputs have before their ending; files so named are never input."""


_OUTPUT_NAME = re.compile(re.escape(OUTPUT_MARK) + r"(\.(meta|(boxes|soft)(\.[a-z]{2,3})?|labels|[a-z]{2,3}))?\.[^.]+$")

REPORT_ENDING, META_ENDING = f"{OUTPUT_MARK}.csv", f"{OUTPUT_MARK}.meta.json"


BOXES_ENDING = f"{OUTPUT_MARK}.boxes.csv"


@dataclass(frozen=True)
class Wanted:
    """What is asked for besides the analysis itself."""

    formats: tuple[str, ...] = DEFAULT_FORMATS
    language: str = "en"
    force: bool = False


@dataclass(frozen=True)
class Outputs:
    """Names of one video's outputs: ``base`` is their common path up to the mark."""

    base: Path

    @property
    def csv(self) -> Path:
        """The report."""
        return self.base.with_name(f"{self.base.name}{REPORT_ENDING}")

    @property
    def meta(self) -> Path:
        """What made them."""
        return self.base.with_name(f"{self.base.name}{META_ENDING}")

    @property
    def boxes(self) -> Path:
        """Where the faces were, by time."""
        return self.base.with_name(f"{self.base.name}{BOXES_ENDING}")

    def track(self, format_name: str, language: str) -> Path:
        """A track that is made from the report."""
        return self._named(TRACKS[format_name].ending.format(language=language))

    def tracks(self, wanted: Wanted) -> dict[str, Path]:
        """The asked-for formats that are made from the report."""
        return {name: self.track(name, wanted.language) for name in wanted.formats if name in TRACKS}

    @property
    def mark(self) -> str:
        """What the names of all outputs begin with."""
        return f"{self.base.name}{OUTPUT_MARK}."

    def _named(self, ending: str) -> Path:
        return self.base.with_name(f"{self.base.name}{OUTPUT_MARK}{ending}")


def name_outputs(videos: Sequence[Path], folders: Mapping[Path, Path] | None = None) -> dict[Path, Outputs]:
    """Names for the outputs of all videos, beside them, or in those of ``folders`` that are given.

    A video writes ``stem.emotions.*``, unless another one of its folder does: the one that an existing meta file names,
    as long as it is there, or one that sorts before it. Then it writes ``name.ending.emotions.*``. Names that differ in
    the case of letters only count as one.
    """
    folders = folders or {}
    usual = {video: _usual_names(video, folders.get(video, video.parent)) for video in videos}
    names: dict[Path, Outputs] = {}
    claimed: dict[str, Path] = {}
    for video in read_ahead(sorted(videos), lambda video: [outputs.meta for outputs in usual[video]]):
        for outputs in usual[video]:
            if _key(outputs) not in claimed and _owns(video, outputs):
                claimed[_key(outputs)] = video
                names[video] = outputs
                break
    for video in sorted(set(videos) - set(names)):
        longest = usual[video][-1].base
        further = (Outputs(longest.with_name(f"{longest.name}.{number}")) for number in itertools.count(2))
        for outputs in itertools.chain(usual[video], further):
            if _key(outputs) not in claimed and not _belongs_to_another(video, outputs):
                claimed[_key(outputs)] = video
                names[video] = outputs
                break
    return names


def _key(outputs: Outputs) -> str:
    return (str(outputs.base) if is_remote(outputs.base) else os.path.abspath(outputs.base)).casefold()


def _usual_names(video: Path, folder: Path) -> list[Outputs]:
    return [Outputs(folder / video.stem), Outputs(folder / video.name)]


def _owns(video: Path, outputs: Outputs) -> bool:
    meta = read_meta(outputs.meta)
    return meta is not None and is_named(meta.source, video)


def _belongs_to_another(video: Path, outputs: Outputs) -> bool:
    """Whether a meta file says that another video, which is still there, wrote under these names."""
    meta = read_meta(outputs.meta)
    if meta is None or is_named(meta.source, video):
        return False
    try:
        return video.with_name(meta.source.name).exists()
    except (OSError, ValueError):
        return False


def is_output(name: str) -> bool:
    """Whether a file's name says that this program made it.

    >>> is_output("movie.emotions.csv"), is_output("movie.emotions.en.srt"), is_output("movie.mp4")
    (True, True, False)
    >>> is_output("movie.emotions.boxes.en.mp4"), is_output("holiday.emotions.part1.mp4")
    (True, False)
    """
    return _OUTPUT_NAME.search(name) is not None
