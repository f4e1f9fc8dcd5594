"""The analysis of one video: from decoded frames to annotations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import Chunk, ChunkItem, ChunkMerger, ChunkStart, FrameMark
from annotate.analysis.sampling import picture_sampling
from annotate.analysis.tools import Tools
from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import Contract
from annotate.faces.blocks import Block, BlockReport, cut_blocks
from annotate.faces.detection import Detector
from annotate.faces.detectors import load_detector
from annotate.faces.key_frames import join_repeats, key_blocks, link_key_frames, search_key_frames
from annotate.faces.portraits import Describe, Described, Portraits, portrait_worth
from annotate.faces.search import SearchReport, detect_faces
from annotate.faces.shots import limit_frame_rate
from annotate.faces.track import TrackedFace, TrackEnd, link_detections
from annotate.media.decode import Frame, MediaProgress, decode
from annotate.media.decoding_command import FrameChoice
from annotate.media.decoding_report import DecodingReport
from annotate.media.picture_size import PictureSize
from annotate.media.probe import Video, probe
from annotate.media.sizing import Sizing
from annotate.media.skipping import NOTHING, why_whole
from annotate.settings import ALL_CORES, ALL_FRAMES, KEY, REFERENCE, Limits, Settings
from annotate.span import MS_PER_S

BATCH_BLOCKS = 8
"""Number of blocks per batch; batches are cut by count and never by time, so that every run batches alike."""

SMALLEST_FACE_PX = 72
"""Side of the smallest face to find in analyzed frames: it nearly fills a crop."""

MIN_SHORT_SIDE_PX, MAX_SHORT_SIDE_PX, MAX_LONG_SIDE_PX = 576, 1080, 16_384
"""Limits of the size of analyzed frames."""

SIZE_TOLERANCE = 0.25
"""Frames that are larger than needed by up to this fraction are not scaled, which would take longer than it saves."""

_SILENT_CONTAINERS = ("flv", "mxf")
"""Containers with a length in the header whose demuxer does not report that a file is cut off."""

_WITHOUT_STATED_LENGTH = ("mpegts", "mpeg", "ogg", "gif")
"""Containers without a length in the header; ffmpeg estimates it."""

_MIN_MISSING_S = 0.5
_MIN_MISSING_SHARE = 0.02


@dataclass
class Analysis:
    """The analysis of one video: iterate over it for annotations, then read the other results.

    The other results are ``decoding``, ``blocks``, ``sizes``, ``small_faces`` (see `annotate.faces.search.SearchReport`),
    ``left_out``, the number of frames that were not decoded, and ``described``, the descriptors of each face track.
    ``settings`` are those in effect (`decode_all`).
    Annotations are yielded as blocks are completed; those of one face are in order. Each iteration decodes the video anew.
    """

    video: Video
    settings: Settings
    classifier: Classifier
    limits: Limits = ALL_CORES
    progress: MediaProgress | None = None
    decoding: DecodingReport = field(default_factory=DecodingReport)
    blocks: BlockReport = field(default_factory=BlockReport)
    sizes: list[PictureSize] = field(default_factory=list)
    small_faces: int = 0
    left_out: int = 0
    describe: Describe | None = None
    """Describes portraits of face tracks, for telling persons apart; None to keep none."""

    described: dict[int, Described] = field(default_factory=dict)
    tools: Tools = field(default_factory=Tools)
    _why_whole: str = ""

    def __post_init__(self) -> None:
        if reason := why_whole(self.video, self.settings.decode):
            self.decode_all(reason)

    def decode_all(self, reason: str) -> None:
        """Decode all frames, in spite of the settings, for one of the reasons in `annotate.media.skipping`."""
        self.settings = replace(self.settings, decode=ALL_FRAMES)
        self._why_whole = reason

    @property
    def decoded_whole(self) -> str:
        """Why all frames were decoded although some were to be left out; empty if that is not so. Read it afterwards."""
        return self._why_whole or (NOTHING if self.settings.decode == REFERENCE and not self.left_out else "")

    @classmethod
    def open(
        cls,
        path: Path,
        settings: Settings | None = None,
        *,
        limits: Limits = ALL_CORES,
        tools: Tools | None = None,
        display_path: object = None,
    ) -> Analysis:
        """Probe ``path`` and load the model, using ``tools`` shared between videos, or new ones.

        ``display_path`` replaces ``path`` in errors and warnings, for a local copy of an object.

        Raises:
            MediaError: the video cannot be used.
            ModelError: the settings' model is invalid.
            SettingsError: the limits' provider is not available.
            FFmpegError: no usable ffmpeg was found.
        """
        settings = Settings() if settings is None else settings
        tools = Tools() if tools is None else tools
        classifier = tools.classifier(settings.model, limits.provider)
        video = probe(path, limits.max_pixels, ffmpeg=tools.ffmpeg, display_path=display_path)
        return cls(video, settings, classifier, limits, tools=tools)

    def __iter__(self) -> Iterator[Annotation]:
        """Decode the video and yield annotations.

        Raises:
            DecodingError: no frame could be decoded, or the decoder hung.
            UnmatchedTimesError: frames were left out, and it cannot be told which.
        """
        self.decoding = DecodingReport()
        if self.settings.decode == KEY:
            yield from self._key_annotations()
            return
        merger = ChunkMerger(self.settings.track_overlap)
        yield from merger.merge(self.chunk_items(self.decoding, progress=self.progress))
        self.blocks = BlockReport(merger.faces, merger.dropped_tracks)
        self.sizes = merger.sizes
        self.small_faces = merger.small_faces
        self.left_out = merger.left_out
        self.described = merger.described

    def _key_annotations(self) -> Iterator[Annotation]:
        """Yield an annotation of every face in every key frame; the video is one piece, without chunks."""
        settings, contract = self.settings, self.classifier.contract
        detector = self.tools.face_detector(settings.detector, settings.min_face)
        self.blocks, self.sizes = BlockReport(), []
        searches = SearchReport()
        with closing(self._decode(self.decoding)) as decoded:
            frames = join_repeats(report_progress(decoded, self.progress), self.sizes)
            faces = link_key_frames(search_key_frames(frames, detector, searches), settings.track_overlap)
            portraits = Portraits()
            blocks = key_blocks(faces, contract, self.blocks, portraits=self.describe is not None)
            yield from _classify(blocks, self.classifier, portraits)
        self.described = self._describe(portraits)
        self.small_faces = searches.small_faces

    def _decode(self, report: DecodingReport, start_s: int = 0) -> Generator[Frame, None, None]:
        size = analyzed_sizing(self.settings.min_face)
        sampling = picture_sampling(self.video, self.classifier.contract, self.settings)
        choice = FrameChoice(self.settings.decode, sampling=sampling, is_smoothed=False)
        return decode(self.video, size, limits=self.limits, report=report, start_s=start_s, choice=choice)

    def chunk_items(
        self, report: DecodingReport, first: int = 0, end: int | None = None, progress: MediaProgress | None = None
    ) -> Iterator[ChunkItem]:
        """Yield the items of chunks ``first`` (from 0) to ``end`` (exclusive; None for all); IDs restart in each chunk.

        ``report`` is filled in during iteration; ``progress`` is called with the time in the video, in seconds.

        Raises:
            DecodingError: no frame could be decoded, or the decoder hung.
        """
        settings, contract = self.settings, self.classifier.contract
        start_s, end_s = first * settings.chunk_s, math.inf if end is None else end * settings.chunk_s
        decoded = self._decode(report, start_s)
        try:
            frames = (frame for frame in report_progress(decoded, progress) if frame.span.start_s >= start_s)
            frame = next(frames, None)
            detector = self.tools.face_detector(settings.detector, settings.min_face)  # loaded while ffmpeg decodes on
            while frame is not None and frame.span.start_s < end_s:
                chunk = Chunk(frame, frames, settings.chunk_s, settings.gap_ms)
                searches, tracks = SearchReport(), BlockReport()
                yield ChunkStart(FrameMark.of(frame))
                analyzed = chunk.note_analyzed(analyzed_frames(chunk, self.video, contract, settings))
                tracked_faces = track_faces(analyzed, settings, detector, searches)
                is_described, portraits = self.describe is not None, Portraits()
                blocks = cut_blocks(
                    tracked_faces, contract, settings.min_track_frames, tracks, hop=settings.hop, portraits=is_described
                )
                yield from _classify(blocks, self.classifier, portraits)
                described = self._describe(portraits)
                yield chunk.end(tracks.faces, tracks.dropped_tracks, searches.small_faces, described)
                frame = chunk.next_frame
        finally:
            decoded.close()

    def _describe(self, portraits: Portraits) -> dict[int, Described]:
        return {} if self.describe is None else portraits.describe(self.describe)

    @property
    def missing_s(self) -> float:
        """Seconds from the last decoded frame to the end stated in a damaged file's header; 0 within the usual inaccuracy.

        A stated length alone is no sign of damage: the decoder must have warned, or the container be one whose demuxer does
        not report that a file is cut off; and no packet of video or audio may reach that end.
        """
        stated_s = self.video.duration_s
        is_suspect = self.decoding.warning_count or self.video.container in _SILENT_CONTAINERS
        if stated_s is None or not is_suspect or self.video.container in _WITHOUT_STATED_LENGTH:
            return 0.0
        read_s = max(self.decoding.end_s, self.decoding.packets_end_ms / MS_PER_S)
        is_short = stated_s - read_s > max(_MIN_MISSING_S, _MIN_MISSING_SHARE * stated_s)
        return stated_s - self.decoding.end_s if is_short else 0.0


def report_progress(frames: Iterable[Frame], progress: MediaProgress | None) -> Iterator[Frame]:
    """Yield frames, and call ``progress``, if any, with the end of each in seconds."""
    for frame in frames:
        if progress is not None:
            progress(frame.span.end_s)
        yield frame


def analyzed_frames(frames: Iterable[Frame], video: Video, contract: Contract, settings: Settings) -> Iterator[Frame]:
    """Yield the frames to analyze: all, or fewer where the settings and the contract limit the frame rate."""
    return limit_frame_rate(frames, video.frame_rate, min(settings.max_frame_rate, contract.frame_rate))


def track_faces(
    frames: Iterable[Frame], settings: Settings, detector: Detector | None = None, searches: SearchReport | None = None
) -> Iterator[TrackedFace | TrackEnd]:
    """Detect and track faces in analyzed frames and yield them; a ``detector`` is loaded if none is given.

    ``searches`` is filled in during iteration.
    """
    detector = load_detector(settings.detector, settings.min_face) if detector is None else detector
    return link_detections(detect_faces(frames, detector, settings, searches), settings)


def analyzed_sizing(min_face: float) -> Sizing:
    """Return how large frames are decoded: in their displayed size, or smaller where that is enough for the crops."""
    short_side_px = min(MAX_SHORT_SIDE_PX, max(MIN_SHORT_SIDE_PX, round(SMALLEST_FACE_PX / min_face)))
    return Sizing(short_side_px, MAX_LONG_SIDE_PX, SIZE_TOLERANCE)


def analyzed_size_px(video: Video, min_face: float) -> tuple[int, int]:
    """Return width and height of the frames of a video as analyzed, if all are of its size.

    >>> analyzed_size_px(Video(Path("a.mp4"), 0, 1920, 1080, None, None), 0.12)
    (1067, 600)
    """
    return analyzed_sizing(min_face).size_px(video.width_px, video.height_px)


def _classify(blocks: Iterator[Block], classifier: Classifier, portraits: Portraits) -> Iterator[Annotation]:
    """Yield the annotations of blocks, and keep their ``portraits``."""
    names = classifier.contract.class_names
    while batch := list(itertools.islice(blocks, BATCH_BLOCKS)):
        for block, row in zip(batch, classifier(np.stack([block.pixels for block in batch])), strict=True):
            detected = (replace(detection, box=detection.box.scaled(*block.scale)) for detection in block.detected)
            appearance = replace(block.appearance, face_px=block.appearance.face_px * block.scale[1])
            if block.portrait is not None:
                portraits.add(block.face_id, replace(block.portrait, worth=portrait_worth(appearance)))
            yield Annotation(
                block.face_id,
                block.number,
                block.first_frame,
                block.last_frame,
                block.span,
                block.box.scaled(*block.scale),
                block.face_score,
                block.frames,
                block.detections,
                block.overlap,
                names,
                tuple(row.tolist()),
                tuple(detected),
                appearance,
            )
