"""Number the persons of an archive: cluster the face tracks of many videos, and keep what people decided.

Numbers stay the same where they can: a cluster keeps the number that a person decided for one of its tracks, or else the one
that most of its tracks had before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product

import numpy as np

from annotate.persons.clusters import cluster
from annotate.persons.descriptor import DIMENSIONS, Vectors
from annotate.persons.tracks import TrackVectors
from annotate.results.persons import PersonRow, Track, match_tracks


@dataclass
class ArchiveTracks:
    """Collects the face tracks of videos with their descriptors, and what is known of their persons.

    A group is the tracks that people said are one person in the file of one video.
    """

    rows: list[PersonRow] = field(default_factory=list)
    """The tracks; their persons are 0, and their names those that people gave them in the video's own file."""

    _vectors: list[Vectors] = field(default_factory=list)
    _crops: list[int] = field(default_factory=list)
    _apart: list[tuple[int, int]] = field(default_factory=list)
    _earlier: dict[int, PersonRow] = field(default_factory=dict)
    _groups: list[list[int]] = field(default_factory=list)

    def add(
        self,
        video: str,
        source: str,
        tracks: Sequence[Track],
        described: TrackVectors,
        apart: Iterable[tuple[int, int]],
        earlier: Sequence[PersonRow],
        own: Sequence[PersonRow],
    ) -> None:
        """Add the tracks of a video, of which the pairs ``apart`` are on screen together.

        ``earlier`` are its rows in the file of the archive, ``own`` those in its own file.
        """
        first = len(self.rows)
        numbers = {track.face_id: first + row for row, track in enumerate(tracks)}
        vectors = dict(zip(described.face_ids, zip(described.vectors, described.crops.tolist(), strict=True), strict=True))
        for track in tracks:
            vector, crops = vectors.get(track.face_id, (np.zeros(DIMENSIONS, np.float32), 0))
            self.rows.append(PersonRow(track, 0, video=video, source=source))
            self._vectors.append(vector)
            self._crops.append(crops)
        self._apart += [(numbers[one], numbers[other]) for one, other in apart]
        for face_id, row in match_tracks(tracks, earlier).items():
            number = numbers[face_id]
            self._earlier[number] = row
        groups: dict[int, list[int]] = {}
        for face_id, row in match_tracks(tracks, own).items():
            number = numbers[face_id]
            if row.is_decided and not self._decided_person(number):
                groups.setdefault(row.person, []).append(number)
                self.rows[number] = replace(self.rows[number], name=row.name, is_decided=True)
        self._groups += groups.values()
        for one, other in combinations(groups.values(), 2):
            self._apart += product(one, other)

    def number(self, others: Sequence[PersonRow] = ()) -> list[PersonRow]:
        """Return a row for each track, with the number and name of its person, and the rows ``others`` of other videos.

        No person gets a number of ``others`` that its own tracks did not have.
        """
        if not self.rows:
            return list(others)
        decided = [self._decided_person(number) for number in range(len(self.rows))]
        clusters = cluster(np.array(self._vectors, np.float32), self._crops, apart=self._apart, decided=decided)
        members: dict[int, list[int]] = {}
        for number, found in enumerate(self._joined(clusters.tolist(), decided)):
            members.setdefault(found, []).append(number)
        names = {row.person: row.name for row in others if row.name}
        persons = self._persons(members, {row.person for row in others})
        result = list(others)
        for found, own in members.items():
            person, name = persons[found], self._name(own) or names.get(persons[found], "")
            result += [
                replace(self.rows[number], person=person, name=name, is_decided=self._is_decided(number)) for number in own
            ]
        return result

    def _joined(self, clusters: Sequence[int], decided: Sequence[int]) -> list[int]:
        """Return the clusters of tracks, with those as one that hold tracks of one person as people said.

        A person may look like two, so this is not done before: a cluster is alike, and others join it for that.
        """
        parents, person_of = list(range(max(clusters) + 1)), dict[int, int]()
        groups = [*self._groups]
        for person in sorted(set(decided) - {0}):
            groups.insert(0, [number for number, known in enumerate(decided) if known == person])
        for number, person in enumerate(decided):
            if person:
                person_of[clusters[number]] = person

        def root(found: int) -> int:
            while parents[found] != found:
                found = parents[found]
            return found

        for group in groups:
            first = root(clusters[group[0]])
            for number in group[1:]:
                other = root(clusters[number])
                persons = {person_of.get(first, 0), person_of.get(other, 0)} - {0}
                if other != first and len(persons) <= 1:
                    parents[other] = first
                    person_of |= dict.fromkeys([first], next(iter(persons))) if persons else {}
        return [root(found) for found in clusters]

    def _decided_person(self, number: int) -> int:
        """Return the person of a track as people said in the file of the archive, 0 if they did not."""
        earlier = self._earlier.get(number)
        return earlier.person if earlier is not None and earlier.is_decided else 0

    def _is_decided(self, number: int) -> bool:
        earlier = self._earlier.get(number)
        return (earlier is not None and earlier.is_decided) or bool(self.rows[number].name)

    def _name(self, members: Sequence[int]) -> str:
        named = [self._earlier[number].name for number in members if number in self._earlier and self._earlier[number].name]
        return next(iter([*named, *(self.rows[number].name for number in members if self.rows[number].name)]), "")

    def _persons(self, members: Mapping[int, Sequence[int]], reserved: set[int]) -> dict[int, int]:
        """Return the number of the person of each cluster."""
        claims = []
        for found, own in members.items():
            earlier = [self._earlier[number] for number in own if number in self._earlier]
            for person, count in Counter(row.person for row in earlier).items():
                is_decided = any(row.is_decided for row in earlier if row.person == person)
                claims.append((not is_decided, -count, person, found))
        persons: dict[int, int] = {}
        taken: set[int] = set()
        for _, _, person, found in sorted(claims):
            if found not in persons and person not in taken:
                persons[found] = person
                taken.add(person)
        free = 1
        for found in members:
            if found not in persons:
                while free in taken or free in reserved:
                    free += 1
                persons[found] = free
                taken.add(free)
        return persons
