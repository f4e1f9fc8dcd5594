"""The results of a video as read from its files: the input of all output formats."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from annotate.results.boxes import BoxTrajectories
from annotate.results.columns import Columns
from annotate.results.cues import Cue, make_block_cues
from annotate.results.intervals import ClippedBlock, clip_overlaps, disjoint, merge_equal
from annotate.results.meta import Meta
from annotate.results.persons import Person, persons_in
from annotate.results.smoothing import make_cues, make_face_cues
from annotate.results.table import AUTHOR, MACHINE, OWN_COLUMNS, SOURCE
from annotate.results.timecode import Clock, nearest_rate
from annotate.span import MS_PER_S, Span

if TYPE_CHECKING:
    import pandas as pd

    from annotate.results.table import AnyTable


EXCLUDED = "excluded"
"""What formats call time that people excluded."""


@dataclass(frozen=True)
class Report:
    """Table, sidecar and face boxes of a video, and the relative path to the video from the folder of the outputs.

    ``columns`` is the table, as it was made or read. ``problems`` are sentences on corrections by people that do not fit it,
    and ``excluded`` is the time of faces that people excluded, which the table lacks, by ``face_id``.
    """

    columns: AnyTable
    meta: Meta
    boxes: BoxTrajectories
    video: str
    problems: tuple[str, ...] = ()
    excluded: Mapping[int, Sequence[Span]] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """The table as pandas knows it."""
        return self.columns.frame if isinstance(self.columns, Columns) else self.columns

    @cached_property
    def placed_boxes(self) -> BoxTrajectories:
        """The face boxes in a frame stretched to the size at the beginning of the video, for outputs that know one size."""
        meta = self.meta
        return self.boxes.scaled_to(meta.width_px, meta.height_px, meta.size_px_at) if meta.size_changes else self.boxes

    @cached_property
    def blocks(self) -> list[ClippedBlock]:
        """The blocks of the table, disjoint within each face and ordered by face, then time."""
        return clip_overlaps(self.columns)

    @cached_property
    def end_ms(self) -> int:
        """End of the video, or of its last block, or excluded one, if that is later."""
        spans = [*(block.span for block in self.blocks), *(span for own in self.excluded.values() for span in own)]
        return max([round(self.meta.duration_s * MS_PER_S), *(span.end_ms for span in spans)])

    @cached_property
    def clock(self) -> Clock:
        """How the frames of the video are counted in timecodes, from its start timecode."""
        rate = nearest_rate(self.meta.frames, round(self.meta.duration_s * MS_PER_S))
        return Clock.of(rate, self.meta.timecode)

    def during(self, span: Span) -> Report:
        """Return the report with the blocks during a span only, clipped to it; numbers of frames stay as they are."""
        times = {name: self.table[name].clip(span.start_s, span.end_s) for name in ("start_time", "end_time", *OWN_COLUMNS)}
        clipped = self.table.assign(**times)[times["start_time"] < times["end_time"]]
        shared = {face_id: [own & span for own in spans if own & span] for face_id, spans in self.excluded.items()}
        excluded = {face_id: own for face_id, own in shared.items() if own}
        return replace(self, columns=clipped.reset_index(drop=True), excluded=excluded)

    @property
    def cues(self) -> list[Cue]:
        """Smoothed cues with the lines of all visible faces, for subtitles below the frame."""
        return make_cues(self.blocks, self.end_ms)

    @property
    def face_cues(self) -> list[Cue]:
        """Smoothed cues of one face each, for subtitles at the face."""
        return make_face_cues(self.blocks, self.end_ms)

    @property
    def block_cues(self) -> list[Cue]:
        """Cues of one face each that say at any time what the table says, for boxes and labels in the frame."""
        return make_block_cues(self.blocks)

    @cached_property
    def persons(self) -> dict[int, Person]:
        """The known persons of face tracks, by ``face_id``; empty if persons were not told apart."""
        return persons_in(self.columns)

    @cached_property
    def people(self) -> int:
        """The number of persons among the face tracks."""
        return len({person.number for person in self.persons.values()})

    @cached_property
    def names(self) -> dict[int, str]:
        """The names of face tracks whose persons have one, by ``face_id``."""
        return {face_id: person.name for face_id, person in self.persons.items() if person.name}

    def label(self, face_id: int) -> str:
        """Return what tells a face from others: the name or number of its person, or else the number of its track."""
        person = self.persons.get(face_id)
        return str(face_id) if person is None else person.name or str(person.number)

    def lane(self, face_id: int) -> str:
        """Return the name of the lane of a face in English: that of its person, or else of its track."""
        person = self.persons.get(face_id)
        if person is None:
            return f"face {face_id}"
        return person.name or f"person {person.number}"

    @property
    def blocks_by_lane(self) -> dict[str, list[ClippedBlock]]:
        """The blocks of each lane, disjoint and in order of time: those of all face tracks of one person."""
        lanes: dict[str, list[ClippedBlock]] = {}
        for face_id, blocks in self.blocks_by_face.items():
            lanes.setdefault(self.lane(face_id), []).extend(blocks)
        return {lane: disjoint(blocks) for lane, blocks in lanes.items()} if self.persons else lanes

    def labels_by_lane(self, *, merged: bool = False) -> dict[str, list[tuple[Span, str]]]:
        """Return spans and emotions of each lane: those of its blocks, or ``merged`` while the emotion stays the same."""
        return {
            lane: list(merge_equal(blocks)) if merged else [(block.span, block.emotion) for block in blocks]
            for lane, blocks in self.blocks_by_lane.items()
        }

    @property
    def review_tiers(self) -> dict[str, list[tuple[Span, str]]]:
        """Where people decided, what the machine says there, and what they excluded, by the name of a tier beside the lane.

        Lanes of which people said nothing have none.
        """
        lanes = self.blocks_by_lane
        tiers = {
            f"{lane}: {SOURCE}": [(block.span, f"{AUTHOR}; {MACHINE}: {block.machine}") for block in blocks if block.machine]
            for lane, blocks in lanes.items()
        }
        for face_id, spans in self.excluded.items():
            tiers.setdefault(f"{self.lane(face_id)}: {EXCLUDED}", []).extend((span, EXCLUDED) for span in spans)
        return {_free_name(name, lanes): _in_turn(entries) for name, entries in tiers.items() if entries}

    @property
    def notice(self) -> str:
        """A sentence for formats without room for more, if people corrected or confirmed anything; else empty."""
        return "People corrected or confirmed some of these labels." if any(block.machine for block in self.blocks) else ""

    @property
    def blocks_by_face(self) -> dict[int, list[ClippedBlock]]:
        """The blocks of each face."""
        faces: dict[int, list[ClippedBlock]] = {}
        for block in self.blocks:
            faces.setdefault(block.face_id, []).append(block)
        return faces

    @cached_property
    def durations_ms(self) -> dict[int, int]:
        """How long each face is visible in milliseconds, longest first."""
        durations = {face: sum(block.span.duration_ms for block in blocks) for face, blocks in self.blocks_by_face.items()}
        return dict(sorted(durations.items(), key=lambda item: (-item[1], item[0])))

    @property
    def video_url(self) -> str:
        """The relative path to the video as a URL; it begins with ``./`` since its first part may contain a colon."""
        return f"./{quote(self.video.encode('utf-8', 'surrogateescape'))}"


def _free_name(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "'"
    return name


def _in_turn(entries: Iterable[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """Return the entries of a tier in order of time, each without the time that those before it cover."""
    end_ms, result = 0, []
    for span, text in sorted(entries):
        if rest := span.from_start(end_ms):
            end_ms = rest.end_ms
            result.append((rest, text))
    return result
