"""Tiers added to a copy of a file of ELAN or Praat that somebody else made; nothing else in it changes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from praatio.utilities import errors as praat_errors
from praatio.utilities.textgrid_io import getTextgridAsStr, parseTextgridStr

from annotate.errors import CodingError
from annotate.results.formats.eaf import to_text, xml_safe
from annotate.results.formats.textgrid import interval_tiers
from annotate.results.report import Report
from annotate.span import Span

_TYPE = "emotion of a face"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_AFTER_TIERS = {"LINGUISTIC_TYPE", "LOCALE", "LANGUAGE", "CONSTRAINT", "CONTROLLED_VOCABULARY", "LEXICON_REF"}
_AFTER_TIERS |= {"REF_LINK_SET", "EXTERNAL_REF"}
_MEDIA_ATTRIBUTES = ("RELATIVE_MEDIA_URL", "MEDIA_URL")


def add_to_eaf(content: bytes, report: Report, *, merged: bool = False) -> str:
    """Return a file of ELAN with tiers more for each lane, in its own version of the format.

    Times count from the origin that the file gives the video (``TIME_ORIGIN``), so that its other tiers stay in sync.

    Raises:
        CodingError: it is no file of ELAN.
    """
    try:
        parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))  # noqa: S314  expat limits entities
        root = ElementTree.fromstring(content, parser)  # noqa: S314
        order = root.find("TIME_ORDER")
        if root.tag != "ANNOTATION_DOCUMENT" or order is None:
            raise ValueError(f"its root is {root.tag}")
        origin_ms = _origin_ms(root, report.video)
        known_ms = [int(value) if (value := slot.get("TIME_VALUE")) else None for slot in order]
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise CodingError(f"not a file of ELAN ({error})", "save it again in ELAN") from None
    ElementTree.register_namespace("xsi", _XSI)
    tier_names = {tier.get("TIER_ID", "") for tier in root.iter("TIER")}
    kind = _free(_TYPE, {each.get("LINGUISTIC_TYPE_ID", "") for each in root.iter("LINGUISTIC_TYPE")})
    slot_ids = _numbered("ts", (slot.get("TIME_SLOT_ID", "") for slot in order))
    annotation_ids = _numbered("a", (each.get("ANNOTATION_ID", "") for each in root.iter()))
    slots: list[tuple[int, ElementTree.Element]] = []
    tiers = []
    for lane, labels in (*report.labels_by_lane(merged=merged).items(), *report.review_tiers.items()):
        tier = ElementTree.Element("TIER", LINGUISTIC_TYPE_REF=kind, TIER_ID=_free(xml_safe(lane), tier_names))
        tier_names.add(tier.attrib["TIER_ID"])
        for span, label in _shifted(labels, -origin_ms):
            attributes = {"ANNOTATION_ID": next(annotation_ids)}
            for number, time_ms in enumerate((span.start_ms, span.end_ms), 1):
                slot = ElementTree.Element("TIME_SLOT", TIME_SLOT_ID=next(slot_ids), TIME_VALUE=str(time_ms))
                slots.append((time_ms, slot))
                attributes[f"TIME_SLOT_REF{number}"] = slot.attrib["TIME_SLOT_ID"]
            annotation = ElementTree.SubElement(
                ElementTree.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", attributes
            )
            ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = xml_safe(label)
        tiers.append(tier)
    _insert_slots(order, known_ms, slots)
    first = next((number for number, each in enumerate(root) if each.tag in _AFTER_TIERS), len(root))
    root[first:first] = tiers
    types = {"LINGUISTIC_TYPE_ID": kind, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    root.insert(first + len(tiers), ElementTree.Element("LINGUISTIC_TYPE", types))
    last = root.find("HEADER/PROPERTY[@NAME='lastUsedAnnotationId']")
    if last is not None:
        last.text = str(int(next(annotation_ids)[1:]) - 1)
    return to_text(root)


def add_to_textgrid(content: bytes, report: Report, *, merged: bool = False) -> str:
    """Return a TextGrid with tiers more for each lane, within its own bounds.

    Raises:
        CodingError: it is no TextGrid.
    """
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        document = parseTextgridStr(content.decode("utf-16" if is_utf16 else "utf-8-sig"), includeEmptyIntervals=True)
        bounds = {name: float(document[name]) for name in ("xmin", "xmax")}
        document = {**bounds, "tiers": [_with_numbers(tier) for tier in document["tiers"]]}
        names = {tier["name"] for tier in document["tiers"]}
        for tier in interval_tiers(report, merged=merged):
            tier["name"] = _free(tier["name"], names)
            names.add(tier["name"])
            clipped = [
                (max(start, bounds["xmin"]), min(end, bounds["xmax"]), label) for start, end, label in tier["entries"]
            ]
            entries = [entry for entry in clipped if entry[0] < entry[1]]
            document["tiers"].append({**tier, **bounds, "entries": entries})
        text: str = getTextgridAsStr(document, "long_textgrid", includeBlankSpaces=True, minimumIntervalLength=None)
    except (LookupError, ValueError, TypeError, AttributeError, praat_errors.PraatioException) as error:
        raise CodingError(f"not a TextGrid of Praat ({error})", "save it again in Praat") from None
    return text


def _with_numbers(tier: dict[str, Any]) -> dict[str, Any]:
    """Return a tier as praatio writes it; as it reads it, times are texts."""
    entries = [(*map(float, entry[:-1]), entry[-1]) for entry in tier["entries"]]
    return {**tier, "xmin": float(tier["xmin"]), "xmax": float(tier["xmax"]), "entries": entries}


ADDERS = {".eaf": ("eaf", add_to_eaf), ".textgrid": ("textgrid", add_to_textgrid)}
"""Format and function by the ending of files."""


def _origin_ms(root: ElementTree.Element, video: str) -> int:
    """Return the time in the video at which the time of annotations begins."""
    for media in root.iter("MEDIA_DESCRIPTOR"):
        names = {PurePosixPath(unquote(media.get(name, ""))).name for name in _MEDIA_ATTRIBUTES}
        if PurePosixPath(video).name in names:
            return int(media.get("TIME_ORIGIN", "0"))
    return 0


def _shifted(labels: Sequence[tuple[Span, str]], by_ms: int) -> Iterator[tuple[Span, str]]:
    for span, label in labels:
        moved = Span(span.start_ms + by_ms, span.end_ms + by_ms).from_start(0)
        if moved:
            yield moved, label


def _insert_slots(
    order: ElementTree.Element, known_ms: Sequence[int | None], slots: Sequence[tuple[int, ElementTree.Element]]
) -> None:
    """Insert slots in order of time; known ones without a time stay behind the one before them."""
    merged: list[ElementTree.Element] = []
    pending = sorted(slots, key=lambda slot: slot[0])
    number = 0
    for slot, known in zip(order, known_ms, strict=True):
        while known is not None and number < len(pending) and pending[number][0] < known:
            merged.append(pending[number][1])
            number += 1
        merged.append(slot)
    order[:] = [*merged, *(slot for _, slot in pending[number:])]


def _numbered(prefix: str, taken: Iterator[str]) -> Iterator[str]:
    """Yield ids with numbers beyond all numbers in those that are taken."""
    numbers = (int(match[0]) for name in taken for match in re.finditer(r"\d+", name))
    return (f"{prefix}{number}" for number in itertools.count(max(numbers, default=0) + 1))


def _free(name: str, taken: Collection[str] | Mapping[str, object]) -> str:
    """Return a name that is not taken, with a number if necessary."""
    candidates = itertools.chain([name], (f"{name} ({number})" for number in itertools.count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)
