"""Numbers of persons over the videos of an archive."""

from __future__ import annotations

import numpy as np

from annotate.faces.box import Box
from annotate.persons.archive import ArchiveTracks
from annotate.persons.descriptor import DIMENSIONS
from annotate.persons.tracks import TrackVectors
from annotate.results.persons import PersonRow, Track, merge_persons, name_person, split_track
from annotate.span import Span


def tracks(count: int) -> list[Track]:
    return [Track(number, Span(1000 * number, 1000 * number + 900), Box(0, 0, 80, 80)) for number in range(1, count + 1)]


def described(faces: str) -> TrackVectors:
    """Return the descriptors of face tracks, one for each letter: equal letters are one face."""
    vectors = np.zeros((len(faces), DIMENSIONS), np.float32)
    for number, face in enumerate(faces):
        vectors[number, ord(face) - ord("a")] = 1
    return TrackVectors(tuple(range(1, len(faces) + 1)), vectors, np.ones(len(faces), np.int64))


def number(
    videos: dict[str, str], earlier: list[PersonRow] | None = None, own: list[PersonRow] | None = None, apart: str = ""
) -> list[PersonRow]:
    """Return the rows of videos by name, each with its faces, given the file of the archive before, and one's own file."""
    collected = ArchiveTracks()
    for video, faces in videos.items():
        rows = [row for row in earlier or [] if row.video == video]
        pairs = [(1, 2)] if video == apart else []
        own_rows = own or [] if video == "a.mp4" else []
        collected.add(video, "", tracks(len(faces)), described(faces), pairs, rows, own_rows)
    return collected.number([row for row in earlier or [] if row.video not in videos])


def persons(rows: list[PersonRow]) -> dict[str, str]:
    """Return the persons of the face tracks of each video as digits."""
    videos: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row.video, row.track.face_id)):
        videos[row.video] = videos.get(row.video, "") + str(row.person)
    return videos


def test_one_person_has_one_number_in_all_videos() -> None:
    assert persons(number({"a.mp4": "xyx", "b.mp4": "yz"})) == {"a.mp4": "121", "b.mp4": "23"}
    assert number({}) == []


def test_numbers_stay_when_videos_are_added() -> None:
    before = number({"b.mp4": "xy"})
    assert persons(number({"a.mp4": "zyx", "b.mp4": "xy"}, before)) == {"a.mp4": "321", "b.mp4": "12"}


def test_rows_of_other_videos_stay_and_their_numbers_are_not_given_again() -> None:
    before = number({"b.mp4": "xy"})
    assert persons(number({"a.mp4": "zz"}, before)) == {"a.mp4": "33", "b.mp4": "12"}


def test_what_people_decided_stands() -> None:
    before = number({"a.mp4": "xyx"})
    third = next(row for row in before if row.track.face_id == 3)
    merged = merge_persons(before, [1, 2])
    assert persons(number({"a.mp4": "xyx", "b.mp4": "yx"}, merged)) == {"a.mp4": "111", "b.mp4": "11"}
    split = split_track(before, third)
    assert persons(number({"a.mp4": "xyx"}, split)) == {"a.mp4": "123"}
    named = number({"a.mp4": "xyx", "b.mp4": "x"}, name_person(before, 1, "Ann"))
    assert [(row.name, row.is_decided) for row in named if row.person == 1] == [("Ann", True), ("Ann", True), ("Ann", False)]


def test_names_that_a_video_has_of_its_own_are_taken_over() -> None:
    own = [PersonRow(track, 1, "Ann", is_decided=True) for track in tracks(2)]
    rows = number({"a.mp4": "xyz", "b.mp4": "y"}, own=own)
    assert persons(rows) == {"a.mp4": "112", "b.mp4": "1"}
    assert {row.name for row in rows if row.person == 1} == {"Ann"}


def test_tracks_on_screen_together_are_two_persons() -> None:
    assert persons(number({"a.mp4": "xx"}, apart="a.mp4")) == {"a.mp4": "12"}
