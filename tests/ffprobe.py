"""ffprobe as a second reader: what the packets of a file say about the frames that annotate analyzes."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clips import file_url

FFPROBE = shutil.which("ffprobe")
NEEDS_FFPROBE = pytest.mark.skipif(FFPROBE is None, reason="needs an ffprobe on the PATH")

_ENTRIES = (
    "stream=index,codec_type,width,start_time:stream_disposition=attached_pic:"
    "packet=stream_index,pts_time,dts_time,duration_time,flags"
)
_TIMEOUT_S = 60
_MS_PER_S = 1000
_Entry = Mapping[str, Any]
_LATE_FRAMES = 26
_DISCARDED = "D"


@dataclass(frozen=True)
class ProbedVideo:
    """The packets of the first video stream, on the clock of a player.

    ``starts_ms`` are the sorted times of the packets that are shown; packets without a presentation time count by their
    decoding time, and ``has_times`` is then false. ``end_ms`` is the end of the last packet, plus the
    durations of packets without any time. ``forward_ms`` is the sum of all steps forward in time, of any stream: a clock
    that goes on where times step back shows no more. ``packets`` counts packets without any time as well.
    """

    starts_ms: tuple[int, ...]
    end_ms: int
    forward_ms: int
    has_times: bool
    packets: int

    @property
    def late_interval_ms(self) -> int:
        """The longest of the last distances between frames; 0 if there are fewer than two."""
        late = self.starts_ms[-_LATE_FRAMES:]
        return max((after - before for before, after in itertools.pairwise(late)), default=0)


def probe_packets(path: Path) -> ProbedVideo | None:
    """Return the packets of the first video stream; None if there is none, or ffprobe complains about the file."""
    assert FFPROBE is not None
    command = [FFPROBE, "-v", "error", "-show_entries", _ENTRIES, "-of", "json", file_url(path)]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S)
        content = json.loads(result.stdout.decode("utf-8", "replace") or "{}", strict=False)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    streams, packets = content.get("streams", []), content.get("packets", [])
    by_stream = {
        stream["index"]: [each for each in packets if each["stream_index"] == stream["index"]] for stream in streams
    }
    chosen = next((by_stream[stream["index"]] for stream in streams if _has_frames(stream)), [])
    if result.stderr or not chosen:
        return None
    zero_s = _clock_start_s([(stream, by_stream[stream["index"]]) for stream in streams])
    return _on_clock(chosen, zero_s, _to_ms(sum(map(_forward_s, by_stream.values()))))


def _has_frames(stream: _Entry) -> bool:
    is_cover = stream.get("disposition", {}).get("attached_pic", 0)
    return stream.get("codec_type") == "video" and not is_cover and stream.get("width", 0) > 0


def _clock_start_s(streams: Sequence[tuple[_Entry, Sequence[_Entry]]]) -> float:
    """Return where the video and audio start; priming samples of audio before 0 do not count."""
    starts_s = [
        float(time)
        for stream, packets in streams
        if stream.get("codec_type") in ("video", "audio")
        for time in (stream.get("start_time"), next((each["pts_time"] for each in packets if "pts_time" in each), None))
        if time is not None
    ]
    return max(0.0, min(starts_s, default=0.0))


def _forward_s(packets: Sequence[_Entry]) -> float:
    """Return the sum of the steps forward in decoding time, and the longest delay from decoding to presentation."""
    times_s = [float(packet["dts_time"]) for packet in packets if "dts_time" in packet]
    delays_s = [
        float(each["pts_time"]) - float(each["dts_time"]) for each in packets if each.keys() >= {"pts_time", "dts_time"}
    ]
    return sum(max(0.0, after - before) for before, after in itertools.pairwise(times_s)) + max([0.0, *delays_s])


def _on_clock(packets: Sequence[_Entry], zero_s: float, forward_ms: int) -> ProbedVideo | None:
    shown = [packet for packet in packets if _DISCARDED not in packet.get("flags", "")]
    has_times = all("pts_time" in packet for packet in shown)
    timed = [(packet.get("pts_time", packet.get("dts_time")), packet.get("duration_time", "0")) for packet in shown]
    spans_s = [(float(start), float(start) + float(duration)) for start, duration in timed if start is not None]
    if not spans_s:
        return None
    starts_ms = sorted(_to_ms(start_s - zero_s) for start_s, _ in spans_s)
    untimed_s = sum(float(duration) for start, duration in timed if start is None)
    end_ms = max(_to_ms(end_s + untimed_s - zero_s) for _, end_s in spans_s)
    return ProbedVideo(tuple(starts_ms), end_ms, forward_ms, has_times, len(packets))


def _to_ms(time_s: float) -> int:
    return round(time_s * _MS_PER_S)
