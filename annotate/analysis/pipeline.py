"""One video: frames in, annotations out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import FrameMark, Joiner, Part, PartEnd, PartStart
from annotate.emotions.classifier import Classifier, load_classifier
from annotate.emotions.contract import Contract
from annotate.faces.blocks import Block, BlockReport, cut_blocks
from annotate.faces.detect import UNSCALED, FaceDetector, looking_short_side_px
from annotate.faces.search import observe
from annotate.faces.shots import thin
from annotate.faces.track import Sighting, TrackEnd, follow
from annotate.media.decode import DecodingReport, Frame, decode
from annotate.media.probe import Video, probe
from annotate.settings import ALL_CORES, Limits, Settings

BATCH_BLOCKS = 8
"""Blocks classified together: by their order, never by time, so that every run batches alike."""

_SHORTFALL_S = 0.5
_SHORTFALL_SHARE = 0.02

Progress = Callable[[float], None]
"""Called with the seconds of video analysed so far."""


@dataclass
class Analysis:
    """The annotating of one video: iterate it for annotations, then read what is known of the whole.

    Annotations come as blocks complete; a face's own are in order. Iterating decodes once; iterate anew to do it again.
    """

    video: Video
    settings: Settings
    classifier: Classifier
    limits: Limits = ALL_CORES
    progress: Progress | None = None
    decoding: DecodingReport = field(default_factory=DecodingReport)
    blocks: BlockReport = field(default_factory=BlockReport)

    @classmethod
    def open(cls, path: Path, settings: Settings | None = None, *, limits: Limits = ALL_CORES) -> Analysis:
        """Probes ``path`` and loads the model.

        Raises:
            MediaError: the file is no video that can be used.
            ModelError: the settings' model does not keep the contract.
            SettingsError: the limits' provider cannot be had.
            FFmpegError: there is no usable ffmpeg.
        """
        settings = settings or Settings()
        classifier = load_classifier(settings.model, limits.provider)
        return cls(probe(path, limits.max_pixels), settings, classifier, limits)

    def __iter__(self) -> Iterator[Annotation]:
        """Decodes the video and yields annotations.

        Raises:
            DecodingError: not one frame could be decoded.
        """
        self.decoding = DecodingReport()
        joiner = Joiner(self.settings.track_overlap)
        yield from joiner.join(self.stream(self.decoding, progress=self.progress))
        self.blocks = BlockReport(joiner.faces, joiner.dropped_tracks)

    def stream(
        self, report: DecodingReport, first: int = 0, end: int | None = None, progress: Progress | None = None
    ) -> Iterator[PartStart | Annotation | PartEnd]:
        """The parts of the video from number ``first`` up to ``end``, or all from there, each numbered by itself.

        Raises:
            DecodingError: not one frame could be decoded.
        """
        contract = self.classifier.contract
        size_px = analysed_size_px(self.video, self.settings.min_face)
        across, down = self.video.width_px / size_px[0], self.video.height_px / size_px[1]
        part_s = self.settings.part_s
        start_s, end_s = first * part_s, math.inf if end is None else end * part_s
        frames = decode(self.video, size_px, limits=self.limits, report=report, start_s=start_s)
        try:
            coming = (frame for frame in _reported(frames, progress) if frame.span.start_s >= start_s)
            frame = next(coming, None)
            while frame is not None and frame.span.start_s < end_s:
                part, own = Part(frame, coming, part_s), BlockReport()
                yield PartStart(FrameMark.of(frame))
                looked_at = part.looked_at(analysed_frames(part, self.video, contract, self.settings))
                events = find_faces(looked_at, self.settings)
                blocks = cut_blocks(events, contract, self.settings.min_track_frames, own)
                yield from _classified(blocks, self.classifier, across, down)
                yield part.end(own.faces, own.dropped_tracks, self.settings.gap_ms)
                frame = part.following
        finally:
            frames.close()

    @property
    def missing_s(self) -> float:
        """Seconds that the container promises beyond the last decoded frame; 0 if no more than usual inaccuracy."""
        promised_s = self.video.duration_s
        if promised_s is None:
            return 0.0
        missing_s = promised_s - self.decoding.end_s
        return missing_s if missing_s > max(_SHORTFALL_S, _SHORTFALL_SHARE * promised_s) else 0.0


def _reported(frames: Iterable[Frame], progress: Progress | None) -> Iterator[Frame]:
    for frame in frames:
        if progress is not None:
            progress(frame.span.end_s)
        yield frame


def analysed_frames(frames: Iterable[Frame], video: Video, contract: Contract, settings: Settings) -> Iterator[Frame]:
    """The frames that are analysed: all, or thinned to the rate that the contract allows."""
    return thin(frames, video.frame_rate, min(settings.max_frame_rate, contract.frame_rate))


def find_faces(frames: Iterable[Frame], settings: Settings) -> Iterator[Sighting | TrackEnd]:
    """The faces in analysed frames, followed from frame to frame."""
    return follow(observe(frames, FaceDetector(settings.min_face), settings), settings)


def analysed_size_px(video: Video, min_face: float) -> tuple[int, int]:
    """Width and height of the pictures that are decoded: the displayed size, or smaller where the detector needs less.

    >>> analysed_size_px(Video(Path("a.mp4"), 0, 1920, 1080, None, None), 0.15)
    (949, 534)
    """
    factor = min(1.0, looking_short_side_px(min_face) / video.short_side_px)
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
