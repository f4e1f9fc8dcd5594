"""Decode the frames of a video with their presentation times; one generator owns one ffmpeg process."""

from __future__ import annotations

import contextlib
import functools
import statistics
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotate.errors import DecodingError
from annotate.media.channels import Channel, block_channel, line_channel
from annotate.media.decoding_command import WHOLE, Delivery, FrameChoice, decoding_command
from annotate.media.decoding_report import DecodingReport, collect_warnings
from annotate.media.ffmpeg import (
    ffmpeg_process,
    is_passing,
)
from annotate.media.packets import Packets
from annotate.media.picture_pipe import PicturePipe
from annotate.media.probe import Video
from annotate.media.sampling import (
    THUMBNAIL_BYTES,
    luma_of,
    printed_times,
    read_sampled,
)
from annotate.media.sizing import Row, Sizing, Stamp, read_stamps, rows
from annotate.media.skipping import repeat_pictures
from annotate.settings import ALL_FRAMES, ONE_CORE, Limits
from annotate.span import MS_PER_S, Span

BLACK, WHITE = 16, 235
"""Luma of black and white in limited range (ITU-R BT.601, BT.709)."""

FULL_RANGE = 255
"""Luma of white in full range; black is 0."""

_US_PER_MS, _US_PER_S = 1000, 1_000_000
_WITHOUT_DURATIONS = ("mov,mp4,m4a,3gp,3g2,mj2",)
"""Containers that state the distance of packets in decoding order: only the very last one's is how long a frame is shown."""

SEEKABLE_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers with an index of their frames, so that decoding can start anywhere."""

_LEAD_S = 1
"""Decoding starts this much earlier than requested: times are rounded, and deinterlacing may need the frame before.
Whole seconds are exact in every time base."""

_FALLBACK_FRAME_MS = 40
_LAST_INTERVALS = 25
"""Number of intervals whose median is the duration of a last frame that has none of its own."""

MediaProgress = Callable[[float], None]
"""Progress callback, called with the seconds of video done so far."""


def _no_chroma() -> NDArray[np.uint8]:
    return np.empty((0, 0, 0), np.uint8)


@dataclass(frozen=True)
class Frame:
    """An image and the time span for which it is shown.

    ``index`` counts the decoded frames from 0; ``last_index`` is the index of the last frame that was dropped in favor of
    this one, or ``index`` itself. ``image`` is (height, width) uint8 luma in limited range, 16..235. ``span`` ends where the
    next frame begins. ``picture_px`` is (width, height) of the displayed picture, None if the image has its size. ``chroma``
    are the blue and red differences, (2, height / 2, width / 2) rounded up, or none of a gray picture. ``start_us`` is where
    ``span`` starts on ffmpeg's clock, to the microsecond. ``shown_us`` is None, or, for a frame without an image of its own,
    where the one starts whose image it has. ``thumbnail`` is a small image of the frame itself (`annotate.media.sampling`),
    None unless some decoded frames have no image of their own.
    """

    index: int
    last_index: int
    span: Span
    image: NDArray[np.uint8]
    picture_px: tuple[int, int] | None = None
    chroma: NDArray[np.uint8] = field(default_factory=_no_chroma)
    start_us: int = 0
    shown_us: int | None = None
    thumbnail: NDArray[np.uint8] | None = None

    @property
    def was_decoded(self) -> bool:
        """Whether the frame was decoded, even if only another's image was delivered."""
        return self.shown_us is None or self.thumbnail is not None

    def without_color(self) -> Frame:
        """Return the frame without chroma, whose memory is then free."""
        return replace(self, chroma=_no_chroma())

    @property
    def displayed_px(self) -> tuple[int, int]:
        """Width and height of the displayed picture."""
        height, width = self.image.shape
        return (width, height) if self.picture_px is None else self.picture_px

    @property
    def scale(self) -> tuple[float, float]:
        """Width and height of a pixel of the image, in pixels of the displayed picture."""
        return self.displayed_px[0] / self.image.shape[1], self.displayed_px[1] / self.image.shape[0]


class _Picture(NamedTuple):
    """The planes of a picture as in `Frame`, each in memory of its own, since luma is kept for longer, and the thumbnail."""

    luma: NDArray[np.uint8]
    chroma: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8] | None = None

    @classmethod
    def empty(cls, width: int, height: int) -> _Picture:
        """Return a picture that is to be filled."""
        return cls(np.empty((height, width), np.uint8), np.empty((2, -(-height // 2), -(-width // 2)), np.uint8))


def decode(
    video: Video,
    size: Sizing | tuple[int, int],
    *,
    limits: Limits = ONE_CORE,
    report: DecodingReport | None = None,
    start_s: int = 0,
    choice: FrameChoice = WHOLE,
) -> Generator[Frame, None, None]:
    """Yield every frame of ``video`` upright, deinterlaced where needed, unless ``choice`` says otherwise.

    ``size`` gives each picture a size in its own shape, or all the same (width, height). With ``start_s``, decoding starts
    shortly before that time. In `SEEKABLE_CONTAINERS` the times, and usually the images, are those of a decoding from the
    start, but indices count from 0.

    One process is read: raw images, lines with the times and sizes of frames, and one line per packet as stored in the file.
    Only the video stream can fail a video: audio that ffmpeg cannot handle is left aside. No frame is
    duplicated or dropped to make a constant rate. Closing the generator ends the process. Errors and warnings name the
    video's ``display_path``.

    Raises:
        DecodingError: no frame could be decoded, or the decoder hung. ``report`` records lesser damage.
        UnmatchedTimesError: the mode leaves frames out, and it cannot be told which.
        FFmpegError: ffmpeg could not be started.
    """
    report = DecodingReport() if report is None else report
    sought_s = max(0, start_s - _LEAD_S)
    size = size if isinstance(size, tuple) or video.has_square_pixels else size.size_px(video.width_px, video.height_px)
    delivery = Delivery(size, choice, sought_s)
    for copied in dict.fromkeys(((video.stream, *(stream.index for stream in video.audio)), (video.stream,), ())):
        report.warnings.clear()
        report.warning_count = 0
        status = yield from _decode(video, delivery, limits, report, copied)
        if report.frames:
            return
        if not status:  # there is none to decode, such as beyond the end
            break
    cause = next(iter(report.warnings), f"ffmpeg exited with status {status}" if status else "the video stream has none")
    problem = f"no frame could be decoded ({cause})"
    error = DecodingError(problem, "check whether the file is damaged or its codec unknown", path=video.display_path)
    raise error.passing() if is_passing(status, report.warnings) else error


def _decode(
    video: Video,
    delivery: Delivery,
    limits: Limits,
    report: DecodingReport,
    copied: Sequence[int],
) -> Generator[Frame, None, int]:
    """Yield the frames of one decoding, during which the packets of the streams ``copied`` are read; return its status."""
    sought_s = delivery.sought_s
    clock = _Clock.of(video, sought_s)
    packets = Packets(clock.has_durations)
    with contextlib.ExitStack() as stack:
        widths, heights, stored = (stack.enter_context(line_channel()) for _ in range(3))
        channels: list[Channel[Any]] = [widths, heights, stored]
        if delivery.sampling is not None:
            times, small = stack.enter_context(line_channel()), stack.enter_context(block_channel(THUMBNAIL_BYTES))
            channels += [times, small]
        command = decoding_command(video, delivery, limits, [channel.target for channel in channels], copied)
        read_stderr = functools.partial(collect_warnings, report=report, video=video)
        inherited = tuple(descriptor for channel in channels for descriptor in channel.inherited)
        with ffmpeg_process(command, read_stderr, inherited=inherited) as process:
            wait_for_packets = stored.pass_to(packets.add, process)
            assert process.stdout is not None
            pipe = PicturePipe(process.stdout, video.display_path, limits.stall_timeout_s)
            delivered = rows(heights.queued(process, pipe.read_early))
            with_width = rows(widths.queued(process, pipe.read_early))
            if delivery.sampling is None:
                pictures = _read_pictures(pipe, read_stamps(with_width, delivered), report, delivery)
            else:
                decoded = printed_times(times.queued(process, pipe.read_early))
                thumbnails = small.queued(process, pipe.read_early)
                stamps = read_stamps(decoded, delivered)
                pictures = _read_sampled(pipe, stamps, with_width, thumbnails, report, delivery)
            repeated = delivery.choice.mode if delivery.choice.repeats else ALL_FRAMES
            with repeat_pictures(pictures, video, copied, sought_s, repeated, limits.stall_timeout_s) as shown:
                yield from _with_spans(shown, report, clock, packets, wait_for_packets)
            process.wait()
            wait_for_packets()
    report.packets_end_ms = max(report.packets_end_ms, packets.end_us // _US_PER_MS + sought_s * MS_PER_S)
    return process.returncode


def _read_pictures(
    pipe: PicturePipe, stamps: Iterator[Stamp], report: DecodingReport, delivery: Delivery
) -> Iterator[tuple[Stamp, _Picture]]:
    """Yield pictures from the pipe; an incomplete one at the end, from a killed decoder, is discarded."""
    while True:
        pipe.wait()
        stamp = next(stamps, None)
        if stamp is None:
            _note_rest(pipe, report)
            return
        picture = _read_picture(pipe, stamp, delivery)
        if picture is None:
            return
        yield stamp, picture


def _read_sampled(
    pipe: PicturePipe,
    stamps: Iterator[Stamp],
    selected: Iterator[Row],
    thumbnails: Iterator[bytes],
    report: DecodingReport,
    delivery: Delivery,
) -> Iterator[tuple[Stamp, _Picture]]:
    """Yield the frames of a sampled decoding, each with its thumbnail, and with its picture or that of one before."""
    frames = read_sampled(stamps, selected, lambda stamp: _read_picture(pipe, stamp, delivery))
    for (stamp, picture), thumbnail in zip(frames, thumbnails, strict=False):
        yield stamp, picture._replace(thumbnail=luma_of(thumbnail))
    _note_rest(pipe, report)


def _read_picture(pipe: PicturePipe, stamp: Stamp, delivery: Delivery) -> _Picture | None:
    picture = _Picture.empty(*delivery.size_px(stamp))
    return picture if pipe.fill(picture.luma) and pipe.fill(picture.chroma) else None


def _note_rest(pipe: PicturePipe, report: DecodingReport) -> None:
    """Note a warning if there are pictures without stamps."""
    if pipe.has_more():
        report.warnings["frames without a timestamp at the end were skipped"] += 1
        report.warning_count += 1


@dataclass(frozen=True)
class _Clock:
    """Convert ffmpeg's times to those on a player's clock.

    Decoding starts at ``sought_ms``; ``zero_us`` is ffmpeg's time at which the clock is zero.
    """

    video: Video
    sought_ms: int
    zero_us: int
    has_durations: bool

    @classmethod
    def of(cls, video: Video, sought_s: int) -> _Clock:
        has_durations = video.container not in _WITHOUT_DURATIONS
        return cls(video, sought_s * MS_PER_S, round(video.zero_s * _US_PER_S), has_durations)

    def ms(self, time_us: int) -> int:
        return self.sought_ms + (max(0, time_us - self.zero_us) + _US_PER_MS // 2) // _US_PER_MS


def _with_spans(
    pictures: Iterable[tuple[Stamp, _Picture]],
    report: DecodingReport,
    clock: _Clock,
    packets: Packets,
    wait_for_packets: Callable[[], None],
) -> Iterator[Frame]:
    """Yield a frame for each picture.

    A frame lasts until the next one starts. The last one lasts for its packet's duration or, where the container does not
    state it, for the median of the last intervals: both follow from the file alone, not from the ffmpeg that reads it.
    """
    previous: tuple[int, Stamp, _Picture] | None = None
    intervals_ms: deque[int] = deque(maxlen=_LAST_INTERVALS)
    for stamp, picture in pictures:
        start_ms = clock.ms(stamp.start_us)
        if previous is not None:
            start_ms = max(start_ms, previous[0] + 1)
            intervals_ms.append(start_ms - previous[0])
            yield _frame(report, clock, previous, start_ms, stamp.lost)
        else:
            report.frames += stamp.lost
        previous = start_ms, stamp, picture
    if previous is not None:
        wait_for_packets()
        previous_ms, stamp, _ = previous
        own_us = packets.duration_us(stamp.start_us) or stamp.duration_us
        last_ms = max(1, clock.ms(stamp.start_us + own_us) - previous_ms) if own_us > 0 else _FALLBACK_FRAME_MS
        is_stated = own_us > 0 and (clock.has_durations or packets.last_start_us == stamp.start_us)
        if intervals_ms and not is_stated:
            last_ms = statistics.median_low(intervals_ms)
        yield _frame(report, clock, previous, previous_ms + last_ms, 0)


def _frame(report: DecodingReport, clock: _Clock, started: tuple[int, Stamp, _Picture], end_ms: int, lost: int) -> Frame:
    """Return a frame that ends at a time, also for the ``lost`` frames after it."""
    start_ms, stamp, picture = started
    first = report.frames
    report.frames += 1 + lost
    report.end_ms = end_ms
    span, displayed_px = Span(start_ms, end_ms), stamp.displayed_px(clock.video)
    sought_us = clock.sought_ms * _US_PER_MS
    shown_us = None if stamp.shown_us is None else sought_us + stamp.shown_us
    start_us = sought_us + stamp.start_us
    images = picture.luma, displayed_px, picture.chroma
    thumbnail = None if stamp.is_left_out else picture.thumbnail
    return Frame(first, first + lost, span, *images, start_us, shown_us, thumbnail)
