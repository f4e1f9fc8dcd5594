"""ELAN annotation format: one tier per face or person, a controlled vocabulary and a linked video, written with pympi.

Schemas: EAF 2.8 (2014), or 3.0 (2017) where asked for, Max Planck Institute for Psycholinguistics.
"""

from __future__ import annotations

import datetime
import mimetypes
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from xml.etree import ElementTree

from pympi import Elan

from annotate.results.meta import Meta
from annotate.results.report import Report
from annotate.results.table import class_names_of
from annotate.span import Span

_SCHEMA = "xsi:noNamespaceSchemaLocation"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_TYPE, _VOCABULARY, _LANGUAGE = "emotion of a face", "emotions", "eng"
_LANGUAGE_DEFINITION = ("http://cdb.iso.org/lg/CDB-00138502-001", "English (eng)")
_TEXT_TYPE = "text"
_NS_PER_S = 1_000_000_000
_LAST_TIME_S = 253_402_300_799
"""The last second of the year 9999."""

_UNKNOWN_VIDEO_TYPE = "video/*"


def write(report: Report, language: str) -> str | None:
    """Return a report as EAF text, None without faces. The date is that of the video, for reproducible output."""
    return _write(report)


def write_merged(report: Report, language: str) -> str | None:
    """Return a report as `write` does, with one annotation for as long as the emotion stays the same."""
    return _write(report, merged=True)


def write_3(report: Report, language: str) -> str | None:
    """Return a report as `write` does, as EAF 3.0."""
    return _write(report, version="3.0")


def write_merged_3(report: Report, language: str) -> str | None:
    """Return a report as `write_merged` does, as EAF 3.0."""
    return _write(report, merged=True, version="3.0")


def _write(report: Report, *, merged: bool = False, version: str = "") -> str | None:
    lanes = report.labels_by_lane(merged=merged)
    if not lanes and not report.excluded:
        return None
    eaf = _new_document(report.meta, f"./{report.video}")
    if version:
        eaf.adocument |= {"FORMAT": version, "VERSION": version, _SCHEMA: f"http://www.mpi.nl/tools/elan/EAFv{version}.xsd"}
    eaf.add_language(_LANGUAGE, *_LANGUAGE_DEFINITION)
    eaf.add_controlled_vocabulary(_VOCABULARY)
    eaf.add_cv_description(_VOCABULARY, _LANGUAGE, "what people who are shown such a face tend to call it")
    entries = {name: f"cveid_{number}" for number, name in enumerate(class_names_of(report.columns))}
    for name, entry in entries.items():
        eaf.add_cv_entry(_VOCABULARY, entry, [(name, _LANGUAGE, None)])
    properties = {"LINGUISTIC_TYPE_ID": _TYPE, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    eaf.add_linguistic_type(_TYPE, param_dict=properties | {"CONTROLLED_VOCABULARY_REF": _VOCABULARY})
    for lane, labels in lanes.items():
        tier = xml_safe(lane)
        eaf.add_tier(tier, ling=_TYPE)
        for span, emotion in labels:
            eaf.add_annotation(tier, span.start_ms, span.end_ms, emotion)
    _add_texts(eaf, report.review_tiers)
    document = _finish(eaf)
    for annotation in document.iterfind(f"TIER[@LINGUISTIC_TYPE_REF='{_TYPE}']//ALIGNABLE_ANNOTATION"):
        annotation.set("CVE_REF", entries[annotation.findtext("ANNOTATION_VALUE", "")])
    return to_text(document)


def write_tiers(meta: Meta, video: str, tiers: Mapping[str, Iterable[tuple[Span, str]]]) -> str:
    """Return EAF text with other tiers of a video, with the sidecar ``meta``: spans and texts by the name of the tier.

    ``video`` is its path from the folder of the file, or absolute.
    """
    eaf = _new_document(meta, video)
    _add_texts(eaf, tiers)
    return to_text(_finish(eaf))


def _add_texts(eaf: Elan.Eaf, tiers: Mapping[str, Iterable[tuple[Span, str]]]) -> None:
    """Add tiers of free text, if there are any."""
    if tiers:
        eaf.add_linguistic_type(_TEXT_TYPE, param_dict={"LINGUISTIC_TYPE_ID": _TEXT_TYPE, "TIME_ALIGNABLE": "true"})
    for tier, entries in tiers.items():
        name = xml_safe(tier)
        eaf.add_tier(name, ling=_TEXT_TYPE)
        for span, text in entries:
            eaf.add_annotation(name, span.start_ms, span.end_ms, xml_safe(text))


def _new_document(meta: Meta, video: str) -> Elan.Eaf:
    eaf = Elan.Eaf(author=meta.program)
    eaf.adocument["DATE"] = document_date(meta)
    eaf.header |= {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    path = xml_safe(video)
    eaf.add_linked_file(path, relpath=path, mimetype=_media_type(video))
    return eaf


def _finish(eaf: Elan.Eaf) -> ElementTree.Element:
    """Return the document without the tier that pympi adds, and with slots in the order of time."""
    eaf.remove_tier("default")
    eaf.remove_linguistic_type("default-lt")
    document: ElementTree.Element = Elan.to_adocument(eaf)
    for order in document.iter("TIME_ORDER"):
        order[:] = sorted(order, key=lambda slot: int(slot.get("TIME_VALUE", "0")))
    return document


def to_text(document: ElementTree.Element) -> str:
    """Return a document as text."""
    return f"{_DECLARATION}{ElementTree.tostring(document, encoding='unicode')}\n"


def document_date(meta: Meta) -> str:
    """Return the time of the video in the format of the schema, clipped to the years 1970 to 9999."""
    time_s = min(max(0, meta.source.mtime_ns // _NS_PER_S), _LAST_TIME_S)
    return datetime.datetime.fromtimestamp(time_s, datetime.timezone.utc).isoformat(timespec="seconds")


def _media_type(path: str) -> str:
    return mimetypes.types_map.get(PurePosixPath(path).suffix.lower(), _UNKNOWN_VIDEO_TYPE)


def xml_safe(text: str) -> str:
    """Return text with ``?`` for characters that XML cannot represent: control characters and undecodable bytes.

    >>> xml_safe("a" + chr(27) + "b")
    'a?b'
    """
    return "".join(char if char.isprintable() else "?" for char in text)
