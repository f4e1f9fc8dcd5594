"""Cut labeled clips into blocks, with the same pipeline that annotates videos."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from annotate.analysis.pipeline import analyzed_frames, analyzed_sizing, report_progress, track_faces
from annotate.archive.discover import without_extension
from annotate.emotions.contract import Contract
from annotate.errors import MediaError
from annotate.faces.blocks import Block, CroppedFace, crop_face, make_block
from annotate.faces.box import pairwise_iou
from annotate.faces.track import TrackedFace, TrackEnd
from annotate.media.decode import decode
from annotate.media.probe import probe
from annotate.settings import DETECTORS, Limits, Settings
from annotate.training.dataset.footage import ClipLocation, Footage
from annotate.training.dataset.labels import LabeledClip, LabelTable, Omission, OmissionKind, rare_classes
from annotate.training.dataset.storage import BlockOrigin, DatasetWriter, Split, write_dataset

_MIN_LABELED_IOU = 0.3
"""Minimum intersection over union of a face and its label: a box is that of a block, in which the face may move."""

STEP_FRAMES = 10
"""Frames between the starts of two consecutive blocks of a clip."""

BuildProgress = Callable[[Path, float, float | None], None]
"""Called with a video, the seconds analyzed so far, and its duration in seconds if known."""


@dataclass(frozen=True)
class BuildSettings:
    """Settings that determine which blocks are cut."""

    extra: frozenset[int] | None = None
    """Classes whose clips give several blocks; None for the classes with fewer clips than the median."""

    max_blocks: int = 4
    """Maximum number of blocks per clip of these classes."""

    split: Split = field(default_factory=Split)
    analysis: Settings = field(default_factory=Settings)
    """Settings of face detection and tracking; the model is not used."""

    contract: Contract = field(default_factory=Contract)

    def max_blocks_of(self, label: int, extra: frozenset[int]) -> int:
        """Return the maximum number of blocks of a clip with this class index."""
        return self.max_blocks if label in extra else 1


@dataclass
class BuildReport:
    """Result of building a dataset: clips and videos read, origins of the blocks written, clips omitted."""

    clips: int = 0
    videos: int = 0
    origins: Sequence[BlockOrigin] = ()
    omissions: list[Omission] = field(default_factory=list)


@dataclass(frozen=True)
class ClipBlocks:
    """The blocks cut from a clip; none if no face is visible long enough."""

    location: ClipLocation
    blocks: tuple[Block, ...]


def build(
    labels: LabelTable, folder: Path, output: Path, settings: BuildSettings, progress: BuildProgress | None = None
) -> BuildReport:
    """Cut all labeled clips from the videos below ``folder`` into blocks, written as a dataset at ``output``.

    Each video is decoded once. Unusable clips are skipped and reported; if no block remains, no dataset is written.

    Raises:
        DatasetError: there are no videos, or ``output`` already exists.
        OutputError: ``output`` cannot be written.
    """
    extra = rare_classes(labels.clips) if settings.extra is None else settings.extra
    report = BuildReport(len(labels.clips), omissions=list(labels.omissions))
    footage = Footage(folder)
    with write_dataset(output, settings.contract, _build_details(settings, extra)) as writer:
        for path, locations in _group_by_video(labels.clips, footage, report):
            report.videos += 1
            max_blocks = [settings.max_blocks_of(location.clip.label, extra) for location in locations]
            cut = cut_clips(path, locations, max_blocks, settings, progress)
            _add_video(writer, footage.relative_path(path), locations, cut, settings, report)
        report.origins = writer.origins
    return report


def cut_clips(
    path: Path,
    locations: Sequence[ClipLocation],
    max_blocks: Sequence[int],
    settings: BuildSettings,
    progress: BuildProgress | None = None,
) -> Iterator[ClipBlocks]:
    """Yield the blocks of each clip of one video when the clip ends, using the face with the most frames in it.

    ``max_blocks`` has one number per clip. The first block starts at the face's first frame in the clip, the next ones
    ``STEP_FRAMES`` apart while they are full. A face with fewer frames than a block gives one padded block, as when
    annotating. Decoding stops after the last clip.

    Raises:
        MediaError: the video cannot be used.
    """
    video = probe(path)
    contract, analysis = settings.contract, settings.analysis
    with closing(decode(video, analyzed_sizing(analysis.min_face), limits=Limits(threads=1))) as frames:
        reported = report_progress(frames, lambda done_s: progress(path, done_s, video.duration_s) if progress else None)
        events = track_faces(analyzed_frames(reported, video, contract, analysis), analysis)
        yield from _collect_clips(events, locations, max_blocks, contract, analysis.min_track_frames)


@dataclass(eq=False)
class _OpenClip:
    """A clip being read: the number of frames and the first ``max_frames`` crops of each track so far."""

    location: ClipLocation
    max_frames: int
    frame_counts: dict[int, int] = field(default_factory=dict)
    crops: dict[int, list[CroppedFace]] = field(default_factory=dict)

    @property
    def start_ms(self) -> int:
        return self.location.span.start_ms if self.location.span is not None else 0

    @property
    def end_ms(self) -> float:
        return self.location.span.end_ms if self.location.span is not None else math.inf

    def add(self, face: TrackedFace, contract: Contract) -> None:
        self.frame_counts[face.track] = self.frame_counts.get(face.track, 0) + 1
        crops = self.crops.setdefault(face.track, [])
        if len(crops) < self.max_frames:
            crops.append(crop_face(face, contract))


def _collect_clips(
    events: Iterable[TrackedFace | TrackEnd],
    locations: Sequence[ClipLocation],
    max_blocks: Sequence[int],
    contract: Contract,
    min_frames: int,
) -> Iterator[ClipBlocks]:
    """Assign tracked faces to the clips that contain them; yield a clip once all open tracks have passed its end."""
    pending = [
        _OpenClip(location, contract.block_frames + STEP_FRAMES * (count - 1))
        for location, count in zip(locations, max_blocks, strict=True)
    ]
    pending.sort(key=lambda clip: clip.start_ms, reverse=True)
    started: list[_OpenClip] = []
    reached_ms: dict[int, int] = {}
    lengths: dict[int, int] = {}
    for event in events:
        if isinstance(event, TrackEnd):
            reached_ms.pop(event.track)
        else:
            now_ms = event.frame.span.start_ms
            while pending and pending[-1].start_ms <= now_ms:
                started.append(pending.pop())
            reached_ms[event.track] = now_ms
            lengths[event.track] = lengths.get(event.track, 0) + 1
            for clip in started:
                if clip.start_ms <= now_ms < clip.end_ms:
                    clip.add(event, contract)
        passed_ms = min(reached_ms.values(), default=-1)
        for clip in [clip for clip in started if clip.end_ms <= passed_ms]:
            started.remove(clip)
            yield _cut_clip(clip, lengths, contract, min_frames)
        if not pending and not started:
            return
    for clip in [*started, *reversed(pending)]:
        yield _cut_clip(clip, lengths, contract, min_frames)


def _cut_clip(clip: _OpenClip, lengths: dict[int, int], contract: Contract, min_frames: int) -> ClipBlocks:
    """Return the blocks of the clip's face, with its id as when annotating.

    It is the longest track (the earliest of equals), or the one where the label says that it is.
    """
    tracks = [track for track in clip.frame_counts if _is_labeled(clip.location.clip, clip.crops[track])]
    track = max(tracks, key=lambda each: (clip.frame_counts[each], -each), default=None)
    if track is None or clip.frame_counts[track] < min_frames:
        return ClipBlocks(clip.location, ())
    face_id = sum(number <= track and length >= min_frames for number, length in lengths.items())
    crops, size = clip.crops[track], contract.block_frames
    starts = range(0, max(1, len(crops) - size + 1), STEP_FRAMES)
    blocks = [
        make_block(crops[start : start + size], contract, face_id=face_id, number=number)
        for number, start in enumerate(starts)
    ]
    return ClipBlocks(clip.location, tuple(blocks))


def _is_labeled(clip: LabeledClip, crops: Sequence[CroppedFace]) -> bool:
    """Return whether a face is where its label says."""
    if clip.box is None:
        return True
    first = crops[0]
    return float(pairwise_iou([clip.box], [first.box.scaled(*first.scale)])[0, 0]) >= _MIN_LABELED_IOU


def _add_video(
    writer: DatasetWriter,
    file: str,
    locations: Sequence[ClipLocation],
    cut: Iterable[ClipBlocks],
    settings: BuildSettings,
    report: BuildReport,
) -> None:
    """Write the blocks of a video's clips; if decoding fails, keep those of the clips already cut."""
    remaining = dict.fromkeys(locations)
    try:
        for clip_blocks in cut:
            del remaining[clip_blocks.location]
            if not clip_blocks.blocks:
                reason = f"{clip_blocks.location.clip}: no face visible long enough"
                report.omissions.append(Omission(OmissionKind.FACELESS, reason))
            for block in clip_blocks.blocks:
                writer.add(block.pixels, _origin(block, file, clip_blocks.location, settings.split))
    except MediaError as error:
        report.omissions += [Omission(OmissionKind.BROKEN, f"{location.clip}: {error}") for location in remaining]


def _origin(block: Block, file: str, location: ClipLocation, split: Split) -> BlockOrigin:
    clip = location.clip
    return BlockOrigin(
        video=location.video,
        file=file,
        subject=clip.subject,
        start_time=block.span.start_s,
        end_time=block.span.end_s,
        start_frame=block.first_frame,
        end_frame=block.last_frame,
        frames=block.frames,
        face_id=block.face_id,
        emotion=clip.emotion,
        split=split.part(without_extension(location.video), clip.subject),
    )


def _group_by_video(
    clips: Iterable[LabeledClip], footage: Footage, report: BuildReport
) -> list[tuple[Path, list[ClipLocation]]]:
    """Return each video with the locations of its clips, in order of the table; add clips not found to ``report``."""
    locations: dict[Path, list[ClipLocation]] = {}
    for clip in clips:
        location = footage.find(clip)
        if isinstance(location, Omission):
            report.omissions.append(location)
        else:
            locations.setdefault(location.path, []).append(location)
    return list(locations.items())


def _build_details(settings: BuildSettings, extra: frozenset[int]) -> dict[str, object]:
    names = settings.contract.class_names
    return {
        "extra": [names[label] for label in sorted(extra)],
        "most_blocks": settings.max_blocks,
        "step_frames": STEP_FRAMES,
        "split": asdict(settings.split),
        "detector": DETECTORS[settings.analysis.detector],
        "min_face": settings.analysis.min_face,
    }


def count_by_kind(omissions: Iterable[Omission]) -> dict[OmissionKind, int]:
    """Return the number of omissions of each kind that occurs, in the order of `OmissionKind`."""
    counts = Counter(omission.kind for omission in omissions)
    return {kind: counts[kind] for kind in OmissionKind if counts[kind]}
