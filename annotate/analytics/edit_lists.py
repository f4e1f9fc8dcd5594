"""Write moments as edit lists (``.edl``, ``.otio``) and playlists (``.m3u``).

``.edl`` is CMX 3600 (not mpv's format of that name). ``.m3u`` uses the VLC options for start and stop times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotate.analytics.moments import Moment
from annotate.analytics.read import ReportSummary
from annotate.errors import OutputError
from annotate.results.timecode import DEFAULT_RATE, Clock, nearest_rate
from annotate.span import MS_PER_S
from annotate.text import clock, printable

MAX_EVENTS = 999
"""CMX 3600 has three-digit event numbers."""

_RECORD_START_H = 1
"""Editors start the record timeline at 01:00:00:00."""


def frame_rate(report: ReportSummary) -> float:
    """Return the rate in `FRAME_RATES` nearest to the mean rate of a video; `DEFAULT_RATE` if that is unknown."""
    return nearest_rate(report.frames, report.duration_ms)


def common_rate(moments: Sequence[Moment]) -> float:
    """Return the most common frame rate among the videos of moments; the slower one on a tie."""
    counts = Counter(frame_rate(moment.report) for moment in moments)
    return max(sorted(counts), key=lambda rate: counts[rate], default=DEFAULT_RATE)


def clock_of(report: ReportSummary, rate: float | None = None) -> Clock:
    """Return how the frames of a video are counted, at ``rate`` or else its own, from its start timecode."""
    return Clock.of(rate or frame_rate(report), report.timecode)


def divided(moments: Sequence[Moment]) -> list[Sequence[Moment]]:
    """Return moments in parts of at most `MAX_EVENTS`."""
    return [moments[first : first + MAX_EVENTS] for first in range(0, len(moments), MAX_EVENTS)] or [moments]


def to_edl(moments: Sequence[Moment], rate: float) -> str:
    """Return a CMX 3600 edit list: one event per moment, back to back from 01:00:00:00.

    Source files are named by `FROM CLIP NAME`, their reel is AX, and their timecode is that of the file, or else starts at
    00:00:00:00. Timecodes are drop-frame at 29.97 and 59.94 frames/s, but of files that state another.

    Raises:
        OutputError: a timecode is 24 hours or later, which the format does not have.
    """
    target = Clock.of(rate)
    lines = ["TITLE: moments", f"FCM: {'DROP FRAME' if target.is_drop else 'NON-DROP FRAME'}"]
    record = Clock.of(rate, f"{_RECORD_START_H:02d}:00:00{';' if target.is_drop else ':'}00").first
    for number, moment in enumerate(moments, 1):
        source = clock_of(moment.report, rate)
        first, end = frames_of(moment, source)
        length = end - first
        if end >= source.day_frames or record + length >= target.day_frames:
            ends = f"a moment ends at {clock(moment.span.end_s)}"
            cause = ends if end >= source.day_frames else "the moments take more than 23 hours together"
            raise OutputError(f".edl has no timecodes beyond 24 hours ({cause})", "write .otio, .m3u or .csv instead")
        codes = [*map(source.timecode, (first, end)), *map(target.timecode, (record, record + length))]
        lines += [
            f"{number:03d}  AX       V     C        {' '.join(codes)}",
            f"* FROM CLIP NAME: {one_line(Path(moment.report.video).name)}",
            f"* COMMENT: {one_line(label_of(moment))}",
        ]
        record += length
    return "\n".join([*lines, ""])


def to_otio(moments: Sequence[Moment], rate: float | None = None, urls: Sequence[str] | None = None) -> str:
    """Return an OpenTimelineIO timeline as JSON: one clip per moment, at ``rate`` or else the rate of its video.

    ``urls`` are those of the videos of the moments, by default absolute ones. Times in a video count from its start
    timecode, if the file has one.
    """
    import opentimelineio as otio

    track = otio.schema.Track("moments", kind=otio.schema.TrackKind.Video)
    urls = urls or [moment.report.video_path.absolute().as_uri() for moment in moments]
    for moment, url in zip(moments, urls, strict=True):
        source = clock_of(moment.report, rate)
        first, end = frames_of(moment, source)
        last = source.first + round(moment.report.duration_ms * source.rate / MS_PER_S)
        reference = otio.schema.ExternalReference(
            target_url=url,
            available_range=_range(source.first, max(last, end), source.rate),
        )
        metadata = {"face_id": moment.face_id, "emotion": moment.emotion, "confidence": moment.confidence}
        if moment.report.is_older:
            metadata["older"] = True
        track.append(
            otio.schema.Clip(
                name=f"{Path(moment.report.video).name}: {label_of(moment)}",
                media_reference=reference,
                source_range=_range(first, end, source.rate),
                metadata={"annotate": metadata},
            )
        )
    timeline = otio.schema.Timeline("moments")
    timeline.tracks.append(track)
    return str(timeline.to_json_string(indent=2)) + "\n"


def to_m3u(moments: Sequence[Moment]) -> str:
    """Return a VLC playlist: one entry per moment, with start and stop time in its video.

    Videos are absolute ``file:`` URLs, so that any name is valid and the playlist can be moved.
    """
    lines = ["#EXTM3U"]
    for moment in moments:
        span = moment.span
        name = Path(moment.report.video).name
        lines += [
            f"#EXTINF:{round(span.duration_s)},{one_line(f'{name}: {label_of(moment)}')}",
            f"#EXTVLCOPT:start-time={span.start_s:.3f}",
            f"#EXTVLCOPT:stop-time={span.end_s:.3f}",
            moment.report.video_path.absolute().as_uri(),
        ]
    return "\n".join([*lines, ""])


def _range(first: int, end: int, rate: float) -> Any:
    from opentimelineio.opentime import RationalTime, TimeRange

    return TimeRange(RationalTime(first, rate), RationalTime(end - first, rate))


def frames_of(moment: Moment, source: Clock) -> tuple[int, int]:
    """Return the number of the first frame of a moment and of that after its last; at least one frame apart."""
    first = source.frame_at(moment.span.start_ms)
    return first, max(first + 1, source.frame_at(moment.span.end_ms))


def label_of(moment: Moment) -> str:
    """Return what a moment is called."""
    older = ", older" if moment.report.is_older else ""
    return f"{moment.emotion}, {moment.report.label(moment.face_id)}, confidence {moment.confidence:.2f}{older}"


def one_line(text: str) -> str:
    """Return text that cannot break a line."""
    return printable(text)
