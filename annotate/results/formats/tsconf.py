"""Configuration of ELAN's line viewer for the CSV of `annotate.results.formats.timeseries`."""

from __future__ import annotations

from urllib.parse import quote
from xml.etree import ElementTree

from annotate.emotions.palette import color
from annotate.results.formats.eaf import document_date, to_text, xml_safe
from annotate.results.formats.timeseries import chosen_lanes
from annotate.results.report import Report
from annotate.results.table import class_names_of

_PROVIDER = "mpi.eudico.client.annotator.timeseries.csv.CSVServiceProvider"


def write(report: Report, language: str) -> str | None:
    """Return the configuration, with a track for each column in the color of its emotion; None without faces."""
    lanes = chosen_lanes(report)
    if not lanes:
        return None
    root = ElementTree.Element("timeseries", date=document_date(report.meta), version="1.0")
    url = f"file:./{quote(report.meta.table_name.removesuffix('.csv'))}.timeseries.csv"
    attributes = {"sample-type": "Discontinuous Rate", "source-url": url, "time-column": "0"}
    source = ElementTree.SubElement(root, "tracksource", attributes)
    ElementTree.SubElement(source, "property", key="provider", value=_PROVIDER)
    pairs = [(lane, name) for lane in lanes for name in class_names_of(report.columns)]
    for column, (lane, name) in enumerate(pairs, 1):
        track = ElementTree.SubElement(source, "track", name=xml_safe(f"{lane} {name}"), derivative="0")
        ElementTree.SubElement(track, "property", key="detect-range", value="false")
        position = ElementTree.SubElement(track, "sample-position")
        ElementTree.SubElement(position, "pos", row="0", col=str(column))
        ElementTree.SubElement(track, "description").text = xml_safe(f"probability of {name}")
        ElementTree.SubElement(track, "units").text = "probability"
        ElementTree.SubElement(track, "range", min="0.0", max="1.0")
        ElementTree.SubElement(track, "color").text = ",".join(map(str, bytes.fromhex(color(name)[1:])))
    ElementTree.indent(root)
    return to_text(root)
