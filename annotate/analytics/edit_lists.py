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
from annotate.span import MS_PER_S
from annotate.text import clock, printable

FRAME_RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)
"""Frame rates with SMPTE timecodes (ST 12-1), in frames per second."""

DEFAULT_RATE = 25.0
MAX_EVENTS = 999
"""CMX 3600 has three-digit event numbers."""

_DAY_S = 24 * 3600
"""Timecodes end at 24 hours."""

_RECORD_START_S = 3600
"""Editors start the record timeline at 01:00:00:00."""


def frame_rate(report: ReportSummary) -> float:
    """Return the rate in `FRAME_RATES` nearest to the mean rate of a video; `DEFAULT_RATE` if that is unknown."""
    if not report.frames or not report.duration_ms:
        return DEFAULT_RATE
    mean = report.frames * MS_PER_S / report.duration_ms
    return min(FRAME_RATES, key=lambda rate: abs(rate - mean))


def common_rate(moments: Sequence[Moment]) -> float:
    """Return the most common frame rate among the videos of moments; the slower one on a tie."""
    counts = Counter(frame_rate(moment.report) for moment in moments)
    return max(sorted(counts), key=lambda rate: counts[rate], default=DEFAULT_RATE)


def to_edl(moments: Sequence[Moment], rate: float) -> str:
    """Return a CMX 3600 edit list: one event per moment, back to back from 01:00:00:00, non-drop-frame timecodes.

    Source files are named by `FROM CLIP NAME`, their reel is AX, and their timecode starts at 00:00:00:00.

    Raises:
        OutputError: a timecode is 24 hours or later, which the format does not have.
    """
    lines = ["TITLE: moments", "FCM: NON-DROP FRAME"]
    record = round(_RECORD_START_S * round(rate))
    for number, moment in enumerate(moments, 1):
        first, end = _frames(moment, rate)
        source, target = (first, end), (record, record + end - first)
        day = _DAY_S * round(rate)
        if max(*source, *target) >= day:
            ends = f"a moment ends at {clock(moment.span.end_s)}"
            cause = ends if end >= day else "the moments take more than 23 hours together"
            raise OutputError(f".edl has no timecodes beyond 24 hours ({cause})", "write .otio, .m3u or .csv instead")
        codes = " ".join(_timecode(frame, rate) for frame in (*source, *target))
        lines += [
            f"{number:03d}  AX       V     C        {codes}",
            f"* FROM CLIP NAME: {_one_line(Path(moment.report.video).name)}",
            f"* COMMENT: {_one_line(_label(moment))}",
        ]
        record += end - first
    return "\n".join([*lines, ""])


def to_otio(moments: Sequence[Moment], rate: float | None = None) -> str:
    """Return an OpenTimelineIO timeline as JSON: one clip per moment, at ``rate`` or else the rate of its video."""
    import opentimelineio as otio

    track = otio.schema.Track("moments", kind=otio.schema.TrackKind.Video)
    for moment in moments:
        clip_rate = rate or frame_rate(moment.report)
        first, end = _frames(moment, clip_rate)
        frames = round(moment.report.duration_ms * clip_rate / MS_PER_S)
        reference = otio.schema.ExternalReference(
            target_url=moment.report.video_path.absolute().as_uri(), available_range=_range(0, max(frames, end), clip_rate)
        )
        metadata = {"face_id": moment.face_id, "emotion": moment.emotion, "confidence": moment.confidence}
        if moment.report.is_older:
            metadata["older"] = True
        track.append(
            otio.schema.Clip(
                name=f"{Path(moment.report.video).name}: {_label(moment)}",
                media_reference=reference,
                source_range=_range(first, end, clip_rate),
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
            f"#EXTINF:{round(span.duration_s)},{_one_line(f'{name}: {_label(moment)}')}",
            f"#EXTVLCOPT:start-time={span.start_s:.3f}",
            f"#EXTVLCOPT:stop-time={span.end_s:.3f}",
            moment.report.video_path.absolute().as_uri(),
        ]
    return "\n".join([*lines, ""])


def _range(first: int, end: int, rate: float) -> Any:
    from opentimelineio.opentime import RationalTime, TimeRange

    return TimeRange(RationalTime(first, rate), RationalTime(end - first, rate))


def _frames(moment: Moment, rate: float) -> tuple[int, int]:
    """Return the first frame of a moment and the frame after its last; at least one frame apart."""
    first = round(moment.span.start_ms * rate / MS_PER_S)
    return first, max(first + 1, round(moment.span.end_ms * rate / MS_PER_S))


def _timecode(frame: int, rate: float) -> str:
    """Return the non-drop-frame timecode of a frame; at 29.97 frames/s, one timecode second is 30 frames.

    >>> _timecode(90_012, 25.0), _timecode(1800, 30000 / 1001)
    ('01:00:00:12', '00:01:00:00')
    """
    seconds, frames = divmod(frame, round(rate))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def _label(moment: Moment) -> str:
    older = ", older" if moment.report.is_older else ""
    return f"{moment.emotion}, {moment.report.label(moment.face_id)}, confidence {moment.confidence:.2f}{older}"


def _one_line(text: str) -> str:
    return printable(text)
