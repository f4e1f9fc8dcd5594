"""One video: frames in, annotations out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import Chunk, ChunkItem, ChunkMerger, ChunkStart, FrameMark
from annotate.analysis.tools import Tools
from annotate.emotions.classifier import Classifier
from annotate.emotions.contract import Contract
from annotate.faces.blocks import Block, BlockReport, cut_blocks
from annotate.faces.detect import UNSCALED, FaceDetector, detection_short_side_px
from annotate.faces.search import observe
from annotate.faces.shots import thin
from annotate.faces.track import TrackedFace, TrackEnd, follow
from annotate.media.decode import DecodingReport, Frame, decode
from annotate.media.probe import Video, probe
from annotate.settings import ALL_CORES, Limits, Settings
from annotate.span import MS_PER_S

BATCH_BLOCKS = 8
"""Number of blocks classified together: by their order, never by time, so that every run batches alike."""

_SILENT = ("flv", "mxf")
"""Containers with a length in the header whose reader does not complain of a cut file."""

_UNPROMISING = ("mpegts", "mpeg", "ogg", "gif")
"""Containers without a length in the header: ffmpeg estimates it."""

_SHORTFALL_S = 0.5
_SHORTFALL_SHARE = 0.02

Progress = Callable[[float], None]
"""Called with the seconds of video analyzed so far."""


@dataclass
class Analysis:
    """The analysis of one video: iterate it for annotations, then read the reports on the whole.

    Annotations come as blocks complete; a face's own are in order. Iterating decodes once; iterate anew to do it again.
    """

    video: Video
    settings: Settings
    classifier: Classifier
    limits: Limits = ALL_CORES
    progress: Progress | None = None
    decoding: DecodingReport = field(default_factory=DecodingReport)
    blocks: BlockReport = field(default_factory=BlockReport)
    tools: Tools = field(default_factory=Tools)

    @classmethod
    def open(
        cls,
        path: Path,
        settings: Settings | None = None,
        *,
        limits: Limits = ALL_CORES,
        tools: Tools | None = None,
        shown_as: object = None,
    ) -> Analysis:
        """Probe ``path`` and load the model, with ``tools`` that are kept from video to video, or new ones.

        ``shown_as`` is what errors and warnings name in place of ``path``, if that is a copy.

        Raises:
            MediaError: the file is no video that can be used.
            ModelError: the settings' model does not keep the contract.
            SettingsError: the limits' provider cannot be had.
            FFmpegError: there is no usable ffmpeg.
        """
        settings = Settings() if settings is None else settings
        tools = Tools() if tools is None else tools
        classifier = tools.classifier(settings.model, limits.provider)
        video = probe(path, limits.max_pixels, ffmpeg=tools.ffmpeg, shown_as=shown_as)
        return cls(video, settings, classifier, limits, tools=tools)

    def __iter__(self) -> Iterator[Annotation]:
        """Decode the video and yield annotations.

        Raises:
            DecodingError: not one frame could be decoded.
        """
        self.decoding = DecodingReport()
        merger = ChunkMerger(self.settings.track_overlap)
        yield from merger.merge(self.chunk_items(self.decoding, progress=self.progress))
        self.blocks = BlockReport(merger.faces, merger.dropped_tracks)

    def chunk_items(
        self, report: DecodingReport, first: int = 0, end: int | None = None, progress: Progress | None = None
    ) -> Iterator[ChunkItem]:
        """Yield the items of the chunks from number ``first`` up to ``end``, or of all from there, each numbered by itself.

        ``report`` is filled in meanwhile; ``progress`` is called with the time in the video.

        Raises:
            DecodingError: not one frame could be decoded.
        """
        settings, contract = self.settings, self.classifier.contract
        size_px = analyzed_size_px(self.video, settings.min_face)
        across, down = self.video.width_px / size_px[0], self.video.height_px / size_px[1]
        start_s, end_s = first * settings.chunk_s, math.inf if end is None else end * settings.chunk_s
        detector = self.tools.face_detector(settings.min_face)
        decoded = decode(self.video, size_px, limits=self.limits, report=report, start_s=start_s)
        try:
            frames = (frame for frame in _reported(decoded, progress) if frame.span.start_s >= start_s)
            frame = next(frames, None)
            while frame is not None and frame.span.start_s < end_s:
                chunk, tracks = Chunk(frame, frames, settings.chunk_s, settings.gap_ms), BlockReport()
                yield ChunkStart(FrameMark.of(frame))
                analyzed = chunk.note_analyzed(analyzed_frames(chunk, self.video, contract, settings))
                faces = find_faces(analyzed, settings, detector)
                blocks = cut_blocks(faces, contract, settings.min_track_frames, tracks)
                yield from _classified(blocks, self.classifier, across, down)
                yield chunk.end(tracks.faces, tracks.dropped_tracks)
                frame = chunk.following
        finally:
            decoded.close()

    @property
    def missing_s(self) -> float:
        """Seconds of a damaged or cut file that its header promises beyond its last packet; 0 for usual inaccuracy.

        A length in a header alone is no damage: the decoder must have complained, unless the container is one that is cut
        without a word.
        """
        promised_s, is_suspect = self.video.duration_s, self.decoding.warning_count or self.video.container in _SILENT
        if promised_s is None or not is_suspect or self.video.container in _UNPROMISING:
            return 0.0
        read_s = max(self.decoding.end_s, self.decoding.packets_end_ms / MS_PER_S)
        is_short = promised_s - read_s > max(_SHORTFALL_S, _SHORTFALL_SHARE * promised_s)
        return promised_s - self.decoding.end_s if is_short else 0.0


def _reported(frames: Iterable[Frame], progress: Progress | None) -> Iterator[Frame]:
    for frame in frames:
        if progress is not None:
            progress(frame.span.end_s)
        yield frame


def analyzed_frames(frames: Iterable[Frame], video: Video, contract: Contract, settings: Settings) -> Iterator[Frame]:
    """Yield the frames that are analyzed: all, or thinned to the rate that the contract allows."""
    return thin(frames, video.frame_rate, min(settings.max_frame_rate, contract.frame_rate))


def find_faces(
    frames: Iterable[Frame], settings: Settings, detector: FaceDetector | None = None
) -> Iterator[TrackedFace | TrackEnd]:
    """Yield the faces in analyzed frames, tracked from frame to frame; without a ``detector`` one is loaded."""
    detector = FaceDetector(settings.min_face) if detector is None else detector
    return follow(observe(frames, detector, settings), settings)


def analyzed_size_px(video: Video, min_face: float) -> tuple[int, int]:
    """Return width and height of the frames that are decoded: the displayed size, or smaller where that is enough.

    >>> analyzed_size_px(Video(Path("a.mp4"), 0, 1920, 1080, None, None), 0.15)
    (949, 534)
    """
    factor = min(1.0, detection_short_side_px(min_face) / video.short_side_px)
    if factor > 1 - UNSCALED:
        factor = 1.0
    return max(1, round(video.width_px * factor)), max(1, round(video.height_px * factor))


def _classified(blocks: Iterator[Block], classifier: Classifier, across: float, down: float) -> Iterator[Annotation]:
    names = classifier.contract.class_names
    while batch := list(itertools.islice(blocks, BATCH_BLOCKS)):
        for block, row in zip(batch, classifier(np.stack([block.pixels for block in batch])), strict=True):
            detected = (replace(seen, box=seen.box.scaled(across, down)) for seen in block.detected)
            yield Annotation(
                block.face_id,
                block.number,
                block.first_frame,
                block.last_frame,
                block.span,
                block.box.scaled(across, down),
                block.face_score,
                block.frames,
                block.detections,
                block.overlap,
                names,
                tuple(row.tolist()),
                tuple(detected),
            )
