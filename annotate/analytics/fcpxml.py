"""Write moments as FCPXML 1.10 for Final Cut Pro and DaVinci Resolve: a clip with a marker for each moment.

OpenTimelineIO's adapter is not used: it writes version 1.8, without a frame duration for NTSC rates, and runs ffprobe.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

from annotate.analytics.edit_lists import clock_of, common_rate, frames_of, label_of, one_line
from annotate.analytics.moments import Moment
from annotate.results.timecode import Clock, exact_rate
from annotate.span import MS_PER_S

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
_VERSION = "1.10"


def to_fcpxml(moments: Sequence[Moment], rate: float | None = None) -> str:
    """Return the text: a project with the moments back to back, whose times count from the start timecodes of files.

    The timeline has ``rate``, or else that of most videos; each video has its own, or ``rate``.
    """
    root = ElementTree.Element("fcpxml", version=_VERSION)
    resources = ElementTree.SubElement(root, "resources")
    timeline = Clock.of(rate or common_rate(moments))
    assets: dict[object, str] = {}
    formats = {timeline.rate: _add_format(resources, timeline.rate)}
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name="annotate")
    project = ElementTree.SubElement(event, "project", name="moments")
    sequence = ElementTree.SubElement(project, "sequence", format=formats[timeline.rate], tcStart="0s")
    sequence.set("tcFormat", "DF" if timeline.is_drop else "NDF")
    spine = ElementTree.SubElement(sequence, "spine")
    offset = 0
    for moment in moments:
        clock = clock_of(moment.report, rate)
        video = moment.report.video_path
        if clock.rate not in formats:
            formats[clock.rate] = _add_format(resources, clock.rate)
        if video not in assets:
            assets[video] = f"a{len(assets) + 1}"
            asset = ElementTree.SubElement(
                resources, "asset", id=assets[video], name=one_line(Path(moment.report.video).name)
            )
            asset.attrib |= {"start": _time(clock.first, clock), "hasVideo": "1", "format": formats[clock.rate]}
            asset.set("duration", _time(max(1, round(moment.report.duration_ms * clock.rate / MS_PER_S)), clock))
            ElementTree.SubElement(asset, "media-rep", kind="original-media", src=video.absolute().as_uri())
        first, end = frames_of(moment, clock)
        length = max(1, round((end - first) * timeline.rate / clock.rate))
        clip = ElementTree.SubElement(spine, "asset-clip", ref=assets[video], name=one_line(label_of(moment)))
        clip.attrib |= {"offset": _time(offset, timeline), "start": _time(first, clock), "duration": _time(length, timeline)}
        clip.attrib |= {"format": formats[clock.rate], "tcFormat": "DF" if clock.is_drop else "NDF"}
        marker = ElementTree.SubElement(clip, "marker", start=_time(first, clock), duration=_time(1, clock))
        marker.set("value", one_line(label_of(moment)))
        offset += length
    sequence.set("duration", _time(offset, timeline))
    ElementTree.indent(root)
    return f"{_HEAD}{ElementTree.tostring(root, encoding='unicode')}\n"


def _add_format(resources: ElementTree.Element, rate: float) -> str:
    name = f"r{len(resources.findall('format')) + 1}"
    ElementTree.SubElement(resources, "format", id=name, frameDuration=_time(1, Clock(rate)))
    return name


def _time(frames: int, clock: Clock) -> str:
    """Return a time as a fraction of a second that is a whole number of frames, as the format asks."""
    seconds: Fraction = frames / exact_rate(clock.rate)
    return f"{seconds.numerator}s" if seconds.denominator == 1 else f"{seconds.numerator}/{seconds.denominator}s"
