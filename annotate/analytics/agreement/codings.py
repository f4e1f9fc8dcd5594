"""Read codings by people: tiers of ELAN and Praat, and CSV tables.

A coding is what one coder said of one video. It comes from an ``.eaf`` or ``.TextGrid`` (pympi, praatio), whose name is that
of the video, or from a ``.csv`` with the columns start, end and emotion, and perhaps video, face, person and coder.
"""

from __future__ import annotations

import fnmatch
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree

from praatio.utilities import errors as praat_errors
from praatio.utilities.textgrid_io import parseTextgridStr
from pympi import Elan

from annotate.analytics.csv_rows import Row, read_rows
from annotate.archive.layout import OUTPUT_MARK, is_output
from annotate.errors import AnnotateError, CodingError, read_error
from annotate.span import MS_PER_S, Span
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath

_COLUMN_NAMES = {
    **{name: name for name in ("video", "start", "end", "emotion", "face", "person", "coder")},
    "start_time": "start",
    "end_time": "end",
    "face_id": "face",
}
"""Names of columns -> the columns that they stand for; those of tables of annotate are read too."""

_FACE_TIER = re.compile(r"face (\d+)$", re.IGNORECASE)
"""Tiers as annotate names them."""


@dataclass(frozen=True, order=True)
class Code:
    """A label that a coder gave to a span; ``face_id`` or ``person`` say whose it is, if the coding does."""

    span: Span
    label: str
    face_id: int | None = None
    person: str = ""


@dataclass(frozen=True)
class Coding:
    """The codes of one coder for one video, ordered by start.

    ``video`` is its path or name as the coding has it, with or without extension; ``path`` the file of the coding.
    ``coder`` is empty if the coding does not name one; ``folder`` is the first folder of its path below the folder that was
    given, empty if there is none.
    """

    path: PathOrUrl
    video: str
    coder: str
    codes: tuple[Code, ...]
    folder: str = ""


@dataclass
class Codings:
    """Codings and the files that could not be used."""

    codings: list[Coding] = field(default_factory=list)
    skipped: list[SkippedPath] = field(default_factory=list)


@dataclass(frozen=True)
class TierChoice:
    """Which tiers of ``.eaf`` and ``.TextGrid`` are codings.

    ``patterns`` are names or shell patterns, compared without case; without any, tiers with a label that ``is_label`` knows.
    """

    patterns: tuple[str, ...]
    is_label: Callable[[str], bool]


@dataclass(frozen=True)
class _Tier:
    name: str
    coder: str
    person: str
    codes: tuple[Code, ...]


def read_codings(paths: Sequence[PathOrUrl], tiers: TierChoice) -> Codings:
    """Return the codings in files, and in folders all ``.eaf``, ``.TextGrid`` and ``.csv`` that annotate did not write.

    Files in folders that cannot be used are skipped. If several paths are given, a coder without a name has that of the
    folder, or of a table of several videos.

    Raises:
        CodingError: a file that was named cannot be used, or there is none.
        UnreadableError: a file that was named cannot be read.
    """
    found = Codings()
    for path in paths:
        for file in _files(path):
            if isinstance(file, SkippedPath):
                found.skipped.append(file)
                continue
            try:
                codings = list(_read_file(file, tiers))
            except AnnotateError as error:
                if file == path:
                    raise
                found.skipped.append(SkippedPath(file, error.problem, error.remedy))
            else:
                folder = "" if file == path else storage_for(file).subpath(file, path).parts[0]
                folder = "" if folder == file.name else folder
                for each in codings:
                    coder = each.coder or (_coder_of(path, each) if len(paths) > 1 else "")
                    found.codings.append(replace(each, coder=coder, folder=folder))
    if not found.codings and not found.skipped:
        raise CodingError("no codings", f"give files or a folder with {', '.join(_READERS)}", path=paths[0])
    return found


def _coder_of(path: PathOrUrl, coding: Coding) -> str:
    """Return the name of the coder that a path stands for: a folder, its files named after videos, or a table."""
    if coding.path != path:
        return path.name
    return path.parent.name if coding.video == _video_of(path) else path.stem


def _files(path: PathOrUrl) -> Iterator[PathOrUrl | SkippedPath]:
    storage = storage_for(path)
    if not storage.is_dir(path):
        yield path
        return
    for entry in storage.walk(path):
        if isinstance(entry, SkippedPath):
            if entry.is_folder:
                yield entry
        elif entry.suffix.lower() in _READERS and not is_output(entry.name):
            yield entry


def _read_file(path: PathOrUrl, tiers: TierChoice) -> Iterator[Coding]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        if not storage_for(path).exists(path):
            raise CodingError("no such file or directory", "check the name", path=path)
        known = ", ".join(_READERS)
        raise CodingError(f"not a coding ({path.suffix or 'no ending'})", f"give {known} or a folder of them", path=path)
    try:
        content = storage_for(path).read(path)
    except OSError as error:
        raise read_error(path, error) from None
    yield from reader(path, content, tiers)


def _read_csv(path: PathOrUrl, content: bytes, tiers: TierChoice) -> Iterator[Coding]:
    codes: dict[tuple[str, str], list[Code]] = {}
    for row in read_rows(content, path, ("start", "end", "emotion"), _COLUMN_NAMES):
        video = row.values.get("video", "") or _video_of(path)
        key = (video, row.values.get("coder", ""))
        code = Code(row.span(), row.values["emotion"], _face_of(row), row.values.get("person", ""))
        codes.setdefault(key, []).append(code)
    for (video, coder), own in codes.items():
        yield Coding(path, video, coder, _ordered(own))


def _face_of(row: Row) -> int | None:
    text = row.values.get("face", "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise row.error(f"face {text!r} is not the number of a face track") from None


def _read_eaf(path: PathOrUrl, content: bytes, tiers: TierChoice) -> Iterator[Coding]:
    try:
        ElementTree.fromstring(content)  # noqa: S314  expat limits the expansion of entities
        with storage_for(path).local_copy(path) as local, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document = Elan.Eaf(str(local))
        found = [_eaf_tier(document, name) for name in document.get_tier_names()]
    except (ElementTree.ParseError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise CodingError(f"not a file of ELAN ({error})", "save it again in ELAN", path=path) from None
    yield from _choose(path, found, tiers)


def _eaf_tier(document: Elan.Eaf, name: str) -> _Tier:
    parameters = document.get_parameters_for_tier(name)
    entries = [(start_ms, end_ms, label) for start_ms, end_ms, label, *_ in document.get_annotation_data_for_tier(name)]
    codes = [Code(Span(start_ms, end_ms), label.strip()) for start_ms, end_ms, label in entries]
    return _Tier(name, parameters.get("ANNOTATOR", ""), parameters.get("PARTICIPANT", ""), _ordered(codes))


def _read_textgrid(path: PathOrUrl, content: bytes, tiers: TierChoice) -> Iterator[Coding]:
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        document = parseTextgridStr(content.decode("utf-16" if is_utf16 else "utf-8-sig"))
        found = []
        for tier in document["tiers"]:
            intervals = [entry for entry in tier["entries"] if len(entry) == 3]
            codes = [Code(Span(_praat_ms(start), _praat_ms(end)), label.strip()) for start, end, label in intervals]
            found.append(_Tier(tier["name"], "", "", _ordered(codes)))
    except (LookupError, ValueError, TypeError, AttributeError, praat_errors.PraatioException) as error:
        raise CodingError(f"not a TextGrid of Praat ({error})", "save it again in Praat", path=path) from None
    yield from _choose(path, found, tiers)


def _praat_ms(time_s: str | float) -> int:
    return round(float(time_s) * MS_PER_S)


def _choose(path: PathOrUrl, found: Sequence[_Tier], tiers: TierChoice) -> Iterator[Coding]:
    """Yield the chosen tiers as codings, one for each coder.

    A tier called ``face 2`` codes that face. The coder is the tier's annotator in ELAN or, if several other tiers are
    chosen, the tier's name.
    """
    patterns = [pattern.casefold() for pattern in tiers.patterns]
    if patterns:
        chosen = [tier for tier in found if any(fnmatch.fnmatchcase(tier.name.casefold(), each) for each in patterns)]
    else:
        chosen = [tier for tier in found if any(tiers.is_label(code.label) for code in tier.codes)]
    if not chosen:
        problem = f"no tier {' or '.join(map(repr, tiers.patterns))}" if patterns else "no tier has an emotion"
        names = ", ".join(tier.name for tier in found) or "none"
        raise CodingError(f"{problem} (tiers: {names})", "name its tier with --tier, its labels with --map", path=path)
    unnamed = [tier for tier in chosen if not tier.coder and not _FACE_TIER.match(tier.name)]
    codes: dict[str, list[Code]] = {}
    for tier in chosen:
        coder = tier.name if tier in unnamed and len(unnamed) > 1 else tier.coder
        face = _FACE_TIER.match(tier.name)
        face_id = int(face[1]) if face else None
        codes.setdefault(coder, []).extend(replace(code, face_id=face_id, person=tier.person) for code in tier.codes)
    for coder, own in codes.items():
        yield Coding(path, _video_of(path), coder, _ordered(own))


def _ordered(codes: Sequence[Code]) -> tuple[Code, ...]:
    """Return codes ordered by start, without those that have no label or no length."""
    return tuple(sorted((code for code in codes if code.label and code.span), key=lambda code: code.span))


def _video_of(path: PathOrUrl) -> str:
    """Return the path of the video that a file of codes is named after, without extension.

    >>> from pathlib import Path
    >>> _video_of(Path("codings/party.eaf")), _video_of(Path("party.emotions.TextGrid"))
    ('codings/party', 'party')
    """
    return str(path.with_name(path.stem.removesuffix(OUTPUT_MARK)))


_READERS: dict[str, Callable[[PathOrUrl, bytes, TierChoice], Iterator[Coding]]] = {
    ".eaf": _read_eaf,
    ".textgrid": _read_textgrid,
    ".csv": _read_csv,
}
"""Endings of files -> what reads them."""

ENDINGS = tuple(_READERS)
