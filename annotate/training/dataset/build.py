"""Cut labeled footage into blocks with the code that annotates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from annotate.analysis.pipeline import analyzed_frames, analyzed_size_px, find_faces
from annotate.emotions.contract import Contract
from annotate.errors import MediaError
from annotate.faces.blocks import Block, Cropped, cut_face, join_frames
from annotate.faces.track import TrackedFace, TrackEnd
from annotate.media.decode import Frame, decode
from annotate.media.probe import probe
from annotate.settings import Limits, Settings
from annotate.training.dataset.footage import Footage, PieceLocation
from annotate.training.dataset.labels import LabeledPiece, Labels, Omission, OmissionKind, sparse_classes, without_ending
from annotate.training.dataset.storage import BlockOrigin, DatasetWriter, Split, write_dataset

STEP_FRAMES = 10
"""Frames from the start of one block of a piece to that of the next."""

BuildProgress = Callable[[Path, float, float | None], None]
"""Called with a video, the seconds of it analysed so far, and its length if that is known."""


@dataclass(frozen=True)
class BuildSettings:
    """Settings that decide which blocks are cut."""

    extra: frozenset[int] | None = None
    """Classes of which a piece gives several blocks; None for those with fewer pieces than the median."""

    most_blocks: int = 4
    """Most blocks that a piece of such a class gives."""

    split: Split = field(default_factory=Split)
    annotating: Settings = field(default_factory=Settings)
    """How faces are found; its model is not used."""

    contract: Contract = field(default_factory=Contract)

    def blocks_of(self, label: int, extra: frozenset[int]) -> int:
        """Return how many blocks a piece gives at most."""
        return self.most_blocks if label in extra else 1


@dataclass
class BuildReport:
    """Result of building a set: pieces and videos read, blocks written, pieces omitted."""

    pieces: int = 0
    videos: int = 0
    origins: Sequence[BlockOrigin] = ()
    omissions: list[Omission] = field(default_factory=list)


@dataclass(frozen=True)
class PieceBlocks:
    """The blocks cut from a piece; none if it shows no face for long enough."""

    location: PieceLocation
    blocks: tuple[Block, ...]


def build(
    labels: Labels, folder: Path, output: Path, settings: BuildSettings, progress: BuildProgress | None = None
) -> BuildReport:
    """Write the blocks of all labeled pieces of videos below ``folder`` as a set at ``output``.

    What cannot be used is left out and reported; if nothing can, no set is written. Every video is decoded once.

    Raises:
        DatasetError: there are no videos, or ``output`` exists.
        OutputError: it cannot be written.
    """
    extra = sparse_classes(labels.pieces) if settings.extra is None else settings.extra
    report = BuildReport(len(labels.pieces), omissions=list(labels.omissions))
    footage = Footage(folder)
    with write_dataset(output, settings.contract, _details(settings, extra)) as writer:
        for path, locations in _by_video(labels.pieces, footage, report):
            report.videos += 1
            wanted = [settings.blocks_of(location.piece.label, extra) for location in locations]
            cut = cut_pieces(path, locations, wanted, settings, progress)
            _add_video(writer, footage.name(path), locations, cut, settings, report)
        report.origins = writer.origins
    return report


def cut_pieces(
    path: Path,
    locations: Sequence[PieceLocation],
    most_blocks: Sequence[int],
    settings: BuildSettings,
    progress: BuildProgress | None = None,
) -> Iterator[PieceBlocks]:
    """Yield the blocks of each piece of one video as soon as it is over, of the face with most frames in the piece.

    The first block begins with the face's first frame in the piece, each further one ``STEP_FRAMES`` later, as long as
    they are full. A face of fewer frames than a block gives a padded one, as in annotating. Decoding ends with the last
    piece.

    Raises:
        MediaError: the video cannot be used.
    """
    video = probe(path)
    contract, annotating = settings.contract, settings.annotating
    size_px = analyzed_size_px(video, annotating.min_face)
    with closing(decode(video, size_px, limits=Limits(threads=1))) as frames:
        watched = _watch(frames, lambda done_s: progress(path, done_s, video.duration_s) if progress else None)
        events = find_faces(analyzed_frames(watched, video, contract, annotating), annotating)
        yield from _collect(events, locations, most_blocks, contract, annotating.min_track_frames)


@dataclass(eq=False)
class _Collected:
    """A piece that is being read: the frames of every track so far, and as many crops of it as blocks may need."""

    location: PieceLocation
    max_frames: int
    counts: dict[int, int] = field(default_factory=dict)
    crops: dict[int, list[Cropped]] = field(default_factory=dict)

    @property
    def start_ms(self) -> int:
        return self.location.span.start_ms if self.location.span is not None else 0

    @property
    def end_ms(self) -> float:
        return self.location.span.end_ms if self.location.span is not None else math.inf

    def add(self, sighting: TrackedFace, contract: Contract) -> None:
        self.counts[sighting.track] = self.counts.get(sighting.track, 0) + 1
        kept = self.crops.setdefault(sighting.track, [])
        if len(kept) < self.max_frames:
            kept.append(cut_face(sighting, contract))


def _collect(
    events: Iterable[TrackedFace | TrackEnd],
    locations: Sequence[PieceLocation],
    most_blocks: Sequence[int],
    contract: Contract,
    min_frames: int,
) -> Iterator[PieceBlocks]:
    """Add sightings to the pieces they lie in; yield a piece when every open track has passed its end."""
    ahead = [
        _Collected(location, contract.block_frames + STEP_FRAMES * (most - 1))
        for location, most in zip(locations, most_blocks, strict=True)
    ]
    ahead.sort(key=lambda piece: piece.start_ms, reverse=True)
    begun: list[_Collected] = []
    reached_ms: dict[int, int] = {}
    lengths: dict[int, int] = {}
    for event in events:
        if isinstance(event, TrackEnd):
            reached_ms.pop(event.track)
        else:
            now_ms = event.frame.span.start_ms
            while ahead and ahead[-1].start_ms <= now_ms:
                begun.append(ahead.pop())
            reached_ms[event.track] = now_ms
            lengths[event.track] = lengths.get(event.track, 0) + 1
            for piece in begun:
                if piece.start_ms <= now_ms < piece.end_ms:
                    piece.add(event, contract)
        passed_ms = min(reached_ms.values(), default=-1)
        for piece in [piece for piece in begun if piece.end_ms <= passed_ms]:
            begun.remove(piece)
            yield _cut_piece(piece, lengths, contract, min_frames)
        if not ahead and not begun:
            return
    for piece in [*begun, *reversed(ahead)]:
        yield _cut_piece(piece, lengths, contract, min_frames)


def _cut_piece(piece: _Collected, lengths: dict[int, int], contract: Contract, min_frames: int) -> PieceBlocks:
    """Return the blocks of the piece's longest track, the earliest of equals, numbered as annotating numbers faces."""
    track = max(piece.counts, key=lambda each: (piece.counts[each], -each), default=None)
    if track is None or piece.counts[track] < min_frames:
        return PieceBlocks(piece.location, ())
    face_id = sum(number <= track and length >= min_frames for number, length in lengths.items())
    crops, size = piece.crops[track], contract.block_frames
    starts = range(0, max(1, len(crops) - size + 1), STEP_FRAMES)
    blocks = [
        join_frames(crops[start : start + size], contract, face_id=face_id, number=number)
        for number, start in enumerate(starts)
    ]
    return PieceBlocks(piece.location, tuple(blocks))


def _add_video(
    writer: DatasetWriter,
    file: str,
    locations: Sequence[PieceLocation],
    cut: Iterable[PieceBlocks],
    settings: BuildSettings,
    report: BuildReport,
) -> None:
    """Write the blocks of a video's pieces; if decoding fails on the way, those of the pieces before."""
    left = dict.fromkeys(locations)
    try:
        for found in cut:
            del left[found.location]
            if not found.blocks:
                reason = f"{found.location.piece}: no face is seen for long enough"
                report.omissions.append(Omission(OmissionKind.FACELESS, reason))
            for block in found.blocks:
                writer.add(block.pixels, _origin(block, file, found.location, settings.split))
    except MediaError as error:
        report.omissions += [Omission(OmissionKind.BROKEN, f"{location.piece}: {error}") for location in left]


def _origin(block: Block, file: str, location: PieceLocation, split: Split) -> BlockOrigin:
    piece = location.piece
    return BlockOrigin(
        video=location.video,
        file=file,
        subject=piece.subject,
        start_time=block.span.start_s,
        end_time=block.span.end_s,
        start_frame=block.first_frame,
        end_frame=block.last_frame,
        frames=block.frames,
        face_id=block.face_id,
        emotion=piece.emotion,
        split=split.part(without_ending(location.video), piece.subject),
    )


def _by_video(
    pieces: Iterable[LabeledPiece], footage: Footage, report: BuildReport
) -> Iterator[tuple[Path, list[PieceLocation]]]:
    """Yield every video with the locations of its pieces, in order of the table; report pieces that are not found."""
    locations: dict[Path, list[PieceLocation]] = {}
    for piece in pieces:
        found = footage.find(piece)
        if isinstance(found, Omission):
            report.omissions.append(found)
        else:
            locations.setdefault(found.path, []).append(found)
    return iter(locations.items())


def _watch(frames: Iterable[Frame], advance: Callable[[float], None]) -> Iterator[Frame]:
    for frame in frames:
        advance(frame.span.end_s)
        yield frame


def _details(settings: BuildSettings, extra: frozenset[int]) -> dict[str, object]:
    names = settings.contract.class_names
    return {
        "extra": [names[label] for label in sorted(extra)],
        "most_blocks": settings.most_blocks,
        "step_frames": STEP_FRAMES,
        "split": asdict(settings.split),
        "min_face": settings.annotating.min_face,
    }


def count_by_kind(omissions: Iterable[Omission]) -> dict[OmissionKind, int]:
    """Return the number of omissions of each kind, in the kinds' order."""
    counts = Counter(omission.kind for omission in omissions)
    return {kind: counts[kind] for kind in OmissionKind if counts[kind]}
