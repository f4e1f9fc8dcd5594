"""Persons of a video: who they are, and what people say about them on its page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from annotate.archive.persons import PersonFiles
from annotate.archive.scan import ArchiveItem
from annotate.batch.persons import edit_persons, show_persons
from annotate.results.persons import PersonRow, Track, match_tracks, merge_persons, name_person, split_track, tracks_of
from annotate.server.catalog import CatalogVideo
from annotate.server.downloads import load_report
from annotate.server.refusal import RefusedError
from annotate.server.settings import ServeSettings
from annotate.storage.base import require_local, storage_for
from annotate.storage.values import PathOrUrl

_BAD_REQUEST, _FORBIDDEN, _CONFLICT = 400, 403, 409

Change = Callable[[list[PersonRow], Sequence[Track], str], list[PersonRow]]
"""Changes the rows of a file, given the face tracks of the video and how the file names it; raises ValueError."""


@dataclass(frozen=True)
class VideoPerson:
    """A person of a video, with the face tracks, and how long they are visible together."""

    number: int
    name: str
    face_ids: tuple[int, ...]
    duration_ms: int


def persons_of(video: CatalogVideo) -> list[VideoPerson]:
    """Return the persons of a video in the order of their numbers; none if they were not told apart.

    Raises:
        ReportError: the table is missing, damaged or outdated.
    """
    report = load_report(video)
    faces: dict[int, list[int]] = {}
    for face_id, person in sorted(report.persons.items()):
        faces.setdefault(person.number, []).append(face_id)
    return [
        VideoPerson(
            number,
            report.persons[face_ids[0]].name,
            tuple(face_ids),
            sum(report.durations_ms[face_id] for face_id in face_ids),
        )
        for number, face_ids in sorted(faces.items())
    ]


def can_edit(video: CatalogVideo, settings: ServeSettings) -> bool:
    """Return whether the server may write the file that says who is in a video."""
    item = ArchiveItem.read(video.path, video.outputs)
    return is_writable(_file_of(item), settings)


def naming(person: int, name: str) -> Change:
    """Return the change that gives a person a name."""
    return lambda rows, tracks, key: name_person(rows, person, name)


def merging(person: int, other: int) -> Change:
    """Return the change that makes two persons one."""
    return lambda rows, tracks, key: merge_persons(rows, [person, other])


def splitting(face_id: int) -> Change:
    """Return the change that makes a face track of the video another person."""

    def split(rows: list[PersonRow], tracks: Sequence[Track], key: str) -> list[PersonRow]:
        row = match_tracks(tracks, [row for row in rows if row.video == key]).get(face_id)
        if row is None:
            raise ValueError(f"there is no face track {face_id}")
        return split_track(rows, row)

    return split


def change_persons(
    video: CatalogVideo, change: Change, settings: ServeSettings, all_videos: Iterable[CatalogVideo]
) -> list[CatalogVideo]:
    """Apply a change to the file that says who is in a video, and write the outputs of all videos that it concerns.

    ``all_videos`` are those that the file of an archive may be about. Return those that it concerns.

    Raises:
        RefusedError: the server does not write there, there is no such person or face, or another run is working on it.
        ReportError: the table of the video or the file is missing or damaged.
        OutputError: the file cannot be written.
    """
    item = ArchiveItem.read(video.path, video.outputs)
    file = _file_of(item)
    if not is_writable(file, settings):
        raise RefusedError(_FORBIDDEN, "the server does not write to the archive", "start it with --write")
    tracks, is_own = tracks_of(load_report(video).table), file == item.outputs.persons
    rows = [] if is_own or item.meta is None else PersonFiles().rows_in(file, item.outputs.csv, item.meta)
    key = rows[0].video if rows else ""
    try:
        changed = edit_persons(file, [lambda found: change(found, tracks, key)], item if is_own else None)
    except ValueError as error:
        raise RefusedError(_BAD_REQUEST, str(error)) from None
    files = PersonFiles()
    videos = [video] if is_own else [one for one in all_videos if storage_for(file).is_below(one.outputs.csv, file.parent)]
    items = {one.path: ArchiveItem.read(one.path, one.outputs) for one in videos}
    concerned = [one for one in videos if _is_changed(items[one.path], file, files, changed)]
    for outcome in show_persons(file, [items[one.path] for one in concerned], changed):
        if outcome.status.value == "locked" and outcome.path == video.path:
            raise RefusedError(_CONFLICT, outcome.problem, outcome.remedy)
    return concerned


def _file_of(item: ArchiveItem) -> PathOrUrl:
    """Return the file that says who is in a video: its own one if there is none yet."""
    found = None if item.meta is None else PersonFiles().file_of(item.outputs.csv, item.meta)
    return item.outputs.persons if found is None else found


def is_writable(file: PathOrUrl, settings: ServeSettings) -> bool:
    """Return whether the server may write a file of persons."""
    return settings.write or require_local(file).is_relative_to(settings.data)


def _is_changed(item: ArchiveItem, file: PathOrUrl, files: PersonFiles, changed: set[str]) -> bool:
    rows = [] if item.meta is None else files.rows_in(file, item.outputs.csv, item.meta)
    return bool(rows) and rows[0].video in changed
