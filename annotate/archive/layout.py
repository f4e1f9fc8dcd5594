"""File names of the outputs of a video."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from annotate.results.formats.registry import DEFAULT_FORMATS, TRACK_FORMATS
from annotate.results.meta import PERSONS_ENDING, SIDECAR_ENDING, Meta, has_same_name, json_safe_name, normal_form
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, sort_key

OUTPUT_MARK = ".emotions"
"""Marker in the names of all outputs; files with such names are never input."""

REPORT_ENDING, META_ENDING = f"{OUTPUT_MARK}.csv", SIDECAR_ENDING
BOXES_ENDING = f"{OUTPUT_MARK}.boxes.csv"
CORRECTIONS_ENDING = f"{OUTPUT_MARK}.corrections.csv"
DESCRIPTORS_ENDING = f"{OUTPUT_MARK}.descriptors.npz"
FAILURE_ENDING = f"{OUTPUT_MARK}.failed.json"

ADDED_PART = ".added"
"""Part of the names of copies of files of users to which tiers were added; no sidecar lists them."""

ARCHIVE_PERSONS = f"archive{PERSONS_ENDING}"
"""Name of the file with the persons of an archive, in its root."""

_PARTS = (
    r"(\.(meta|(boxes|soft|dialogue)(\.[a-z]{2,3})?|blurred|labels|points|timeseries|timeseries_tsconf|added"
    r"|premiere|resolve|persons|corrections|descriptors|failed|[a-z]{2,3}))?"
)
_VARIANT_ENDINGS = "|".join(
    re.escape(track.named(variant)).replace(re.escape("{language}"), "[a-z]{2,3}")
    for track in TRACK_FORMATS.values()
    for variant in track.variants
)
_OUTPUT_NAME = re.compile(rf"{re.escape(OUTPUT_MARK)}({_PARTS}\.[^.]+|{_VARIANT_ENDINGS})$")

_KEPT_NAME = re.compile(r"\.bak-\d+$")

MAX_BASE_BYTES = 210
"""Longest base name of new outputs: most disks take names of 255 bytes, and endings and temporary names follow."""

_HASH_DIGITS = 8
_MAX_NAME_BYTES = 255

SidecarReader = Callable[[PathOrUrl], Meta | None]
"""Returns the content of a sidecar, None if it is missing or damaged."""


@dataclass(frozen=True)
class OutputOptions:
    """Options of the outputs that do not affect the analysis."""

    formats: tuple[str, ...] = DEFAULT_FORMATS
    language: str = "en"
    force: bool = False
    retry_failed: bool = False
    """Whether videos are tried again that failed before, although nothing has changed."""
    is_corrected: bool = True
    """Whether corrections by people are applied to tables."""
    variants: tuple[str, ...] = ()
    """What is written of formats that have it, of `annotate.results.formats.registry.VARIANTS`."""

    def variant(self, format_name: str) -> str:
        """Return the variant of a format to write, empty for the usual text."""
        return TRACK_FORMATS[format_name].variant(self.variants)


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

    @property
    def persons(self) -> PathOrUrl:
        """The persons of its face tracks, as people decided."""
        return self._named(PERSONS_ENDING)

    @property
    def corrections(self) -> PathOrUrl:
        """What people corrected in the table."""
        return self._named(CORRECTIONS_ENDING)

    @property
    def descriptors(self) -> PathOrUrl:
        """The descriptors of its face tracks."""
        return self._named(DESCRIPTORS_ENDING)

    @property
    def failure(self) -> PathOrUrl:
        """The record of a failure to annotate the video."""
        return self._named(FAILURE_ENDING)

    def track(self, format_name: str, language: str, variant: str = "") -> PathOrUrl:
        """Return the path of an output in a format derived from the table, or a variant of it."""
        return self._named(OUTPUT_MARK + TRACK_FORMATS[format_name].named(variant).format(language=language))

    def dialogue(self, format_name: str, language: str) -> PathOrUrl:
        """Return the path of a subtitle track with dialogue and emotion."""
        return self._named(f"{OUTPUT_MARK}.dialogue{TRACK_FORMATS[format_name].ending.format(language=language)}")

    def tracks(self, options: OutputOptions) -> dict[str, PathOrUrl]:
        """Return the paths of the requested formats derived from the table, by format name."""
        return {
            name: self.track(name, options.language, options.variant(name))
            for name in options.formats
            if name in TRACK_FORMATS
        }

    @property
    def prefix(self) -> str:
        """Common prefix of the names of all outputs."""
        return f"{self.base.name}{OUTPUT_MARK}."

    @property
    def key(self) -> str:
        """Absolute path with case folded, in one Unicode form: equal for outputs that collide on some disks."""
        return normal_form(storage_for(self.base).absolute(self.base).casefold())

    def _named(self, ending: str) -> PathOrUrl:
        return self.base.with_name(f"{self.base.name}{ending}")


def outputs_of_report(path: PathOrUrl) -> Outputs:
    """Return the outputs that a table or sidecar belongs to."""
    return Outputs(path.with_name(path.name.removesuffix(REPORT_ENDING).removesuffix(META_ENDING)))


def candidate_outputs(video: PathOrUrl, folder: PathOrUrl) -> tuple[Outputs, ...]:
    """Return where the outputs of a video may be in a folder: named after its stem, or after its whole name.

    The names for new outputs are first; those in other Unicode forms and those that are not shortened follow.
    """
    names = (video.stem, video.name)
    forms = [_form(form, name) for form in ("NFC", "NFD") for name in names]
    bases = dict.fromkeys([*map(_shortened, names), *map(_shortened, forms), *names])
    return tuple(Outputs(folder / base) for base in bases if len(os.fsencode(base + META_ENDING)) <= _MAX_NAME_BYTES)


def name_outputs(videos: Sequence[PathOrUrl], folder: PathOrUrl, read_sidecar: SidecarReader) -> dict[PathOrUrl, Outputs]:
    """Return unique outputs for videos whose outputs are written to the same folder.

    A video writes ``stem.emotions.*``, unless another video of its folder does: the one named by an existing sidecar, if
    that video still exists, or one that sorts before it. Otherwise it writes ``name.ext.emotions.*``, with a number if
    that is taken too. Names are compared without case and in one Unicode form; long ones are shortened.
    """
    ordered = sorted(videos, key=sort_key)
    candidates = {video: candidate_outputs(video, folder) for video in ordered}
    names: dict[PathOrUrl, Outputs] = {}
    taken: set[str] = set()
    for is_owner in (_owns_exactly, _owns):
        for video in ordered:
            for outputs in candidates[video] if video not in names else ():
                if outputs.key not in taken and is_owner(video, read_sidecar(outputs.meta)):
                    taken.add(outputs.key)
                    names[video] = outputs
                    break
    for video in ordered:
        if video in names:
            continue
        short, long = (Outputs(folder / _shortened(name)) for name in (video.stem, video.name))
        numbered = (Outputs(long.base.with_name(f"{long.base.name}.{number}")) for number in itertools.count(2))
        for outputs in itertools.chain((short, long), numbered):
            if outputs.key not in taken and not _belongs_to_another(video, read_sidecar(outputs.meta)):
                taken.add(outputs.key)
                names[video] = outputs
                break
    return names


def _form(form: Literal["NFC", "NFD"], name: str) -> str:
    return unicodedata.normalize(form, name)


def _shortened(base: str) -> str:
    """Return a base name, cut and with a hash of all of it if outputs of that name could not be written.

    >>> _shortened("beach"), len(_shortened("beach" * 50))
    ('beach', 210)
    """
    if len(os.fsencode(base)) <= MAX_BASE_BYTES:
        return base
    mark = "~" + hashlib.sha256(os.fsencode(normal_form(base.casefold()))).hexdigest()[:_HASH_DIGITS]
    start = normal_form(base)
    while len(os.fsencode(start + mark)) > MAX_BASE_BYTES:
        start = start[:-1]
    return start + mark


def is_output(name: str) -> bool:
    """Return whether a file name is that of an output of annotate.

    >>> is_output("movie.emotions.csv"), is_output("movie.emotions.en.srt"), is_output("movie.mp4")
    (True, True, False)
    >>> is_output("movie.emotions.boxes.en.mp4"), is_output("movie.emotions.dialogue.en.srt")
    (True, True)
    >>> is_output("movie.emotions.caption.en.srt"), is_output("movie.emotions.caption.en.mp4")
    (True, False)
    >>> is_output("holiday.emotions.part1.mp4")
    False
    >>> is_output("movie.emotions.csv.bak-1")
    False
    """
    return _OUTPUT_NAME.search(name) is not None and _KEPT_NAME.search(name) is None


def added_path(path: PathOrUrl) -> PathOrUrl:
    """Return the path of the copy of a file of a user with added tiers, beside it."""
    return path.with_name(f"{path.stem}{OUTPUT_MARK}{ADDED_PART}{path.suffix}")


def is_added(name: str) -> bool:
    """Return whether a file name is one of `added_path`.

    >>> is_added("interview.emotions.added.eaf"), is_added("interview.emotions.eaf")
    (True, False)
    """
    return is_output(name) and PurePosixPath(name).stem.endswith(f"{OUTPUT_MARK}{ADDED_PART}")


def kept_path(path: PathOrUrl) -> PathOrUrl:
    """Return the free path at which an edited output is kept: ``NAME.bak-1``, ``NAME.bak-2`` and so on."""
    candidates = (path.with_name(f"{path.name}.bak-{number}") for number in itertools.count(1))
    return next(candidate for candidate in candidates if not storage_for(candidate).lexists(candidate))


def _owns_exactly(video: PathOrUrl, meta: Meta | None) -> bool:
    return meta is not None and meta.source.name == json_safe_name(video)


def _owns(video: PathOrUrl, meta: Meta | None) -> bool:
    """Return whether a sidecar names a video, or one that differs in its Unicode form only and is not another file."""
    return meta is not None and has_same_name(meta.source, video) and not _belongs_to_another(video, meta)


def _belongs_to_another(video: PathOrUrl, meta: Meta | None) -> bool:
    """Return whether a sidecar names another video that still exists."""
    if meta is None or _owns_exactly(video, meta):
        return False
    storage = storage_for(video)
    try:
        other = video.with_name(meta.source.name)
        if not has_same_name(meta.source, video):
            return storage.exists(other)
        return storage.exists(other) and storage.stat(other) != storage.stat(video)  # some disks take all forms for one
    except (OSError, ValueError):
        return False
