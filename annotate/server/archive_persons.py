"""Persons of the archive of a server: who they are, and where they are seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.server.catalog import CatalogVideo
from annotate.server.catalog_index import CatalogIndex, PersonTrack
from annotate.server.persons import is_writable
from annotate.server.settings import ServeSettings

_ID_BYTES = 8


@dataclass(frozen=True)
class VideoTrack:
    """A face track of a person, and its video."""

    video: CatalogVideo
    track: PersonTrack


@dataclass(frozen=True)
class ArchivePerson:
    """A person of an archive, with the face tracks in all videos that are numbered together; at least one.

    ``group`` is an id of these videos: only persons of one group can be the same.
    """

    number: int
    name: str
    group: str
    tracks: Sequence[VideoTrack]

    @property
    def duration_ms(self) -> int:
        """How long the face tracks are visible together."""
        return sum(one.track.duration_ms for one in self.tracks)

    @property
    def videos(self) -> int:
        """The number of videos in which the person is seen."""
        return len({one.video.id for one in self.tracks})

    def pictured(self, count: int) -> list[VideoTrack]:
        """Return the longest tracks, in as many videos as possible."""
        ranks: dict[str, int] = {}
        ordered: list[tuple[int, VideoTrack]] = []
        for one in sorted(self.tracks, key=lambda one: -one.track.duration_ms):
            rank = ranks[one.video.id] = ranks.get(one.video.id, 0) + 1
            ordered.append((rank, one))
        return [one for _, one in sorted(ordered, key=lambda pair: pair[0])[:count]]


def find_persons(videos: Iterable[CatalogVideo], index: CatalogIndex) -> list[ArchivePerson]:
    """Return the persons of videos in the order of their numbers, those of the group of most persons first."""
    found: dict[str, dict[int, list[VideoTrack]]] = {}
    for video in videos:
        for track in index.tracks(video.outputs.csv):
            place = track.file or str(video.path)
            found.setdefault(place, {}).setdefault(track.person.number, []).append(VideoTrack(video, track))
    groups = sorted(found.items(), key=lambda group: (-len(group[1]), group[0]))
    return [
        ArchivePerson(number, tracks[0].track.person.name, _group_id(place), tracks)
        for place, persons in groups
        for number, tracks in sorted(persons.items())
    ]


def filter_persons(persons: Iterable[ArchivePerson], words: str) -> Iterator[ArchivePerson]:
    """Yield the persons whose name has all words, or whose number is the only one."""
    wanted = words.casefold().split()
    for person in persons:
        if wanted == [str(person.number)] or all(word in person.name.casefold() for word in wanted):
            yield person


def can_edit_person(person: ArchivePerson, settings: ServeSettings) -> bool:
    """Return whether the server may write the file that says who a person is."""
    first = person.tracks[0]
    file = Path(first.track.file) if first.track.file else first.video.outputs.persons
    return is_writable(file, settings)


def _group_id(place: str) -> str:
    return hashlib.blake2b(place.encode("utf-8", "surrogateescape"), digest_size=_ID_BYTES).hexdigest()
