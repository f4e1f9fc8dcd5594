"""Routes of the API about the persons of an archive. What people say about one goes through the routes of a video."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from annotate.server.archive_persons import ArchivePerson, VideoTrack, can_edit_person, filter_persons, find_persons
from annotate.server.catalog import CatalogVideo
from annotate.server.service import Service
from annotate.server.web.api import Folder, Limit, Offset, ServiceDep, VideoDep
from annotate.server.web.schemas import ErrorView
from annotate.span import MS_PER_S

_PICTURES, _PER_PAGE = 4, 100

router = APIRouter(prefix="/api", tags=["persons"], responses={404: {"model": ErrorView, "description": "not found"}})


class TrackView(BaseModel):
    """A face track of a person."""

    id: str = Field(description="id of the video")
    name: str = Field(description="name of the video")
    folder: str
    face_id: int
    start_s: float
    seconds: float = Field(description="how long it is visible")


class ArchivePersonView(BaseModel):
    """A person of the archive."""

    person: int = Field(description="number")
    name: str = Field(description="what people call the person; empty without")
    group: str = Field(description="id of the videos that are numbered together; persons of one group can be merged")
    video: str = Field(description="id of a video of the person, whose routes name, merge and split")
    videos: int
    tracks: int = Field(description="number of face tracks")
    seconds: float = Field(description="how long these are visible together")
    can_edit: bool = Field(description="whether the server may write what people say about the person")
    faces: list[TrackView] = Field(description="some of the longest face tracks, in as many videos as possible")


class ArchivePersonsView(BaseModel):
    """Persons of the archive; none if they were not told apart."""

    persons: list[ArchivePersonView]
    total: int
    tracks: int = Field(description="number of face tracks of all that were found")


class TracksView(BaseModel):
    """Face tracks of a person."""

    faces: list[TrackView]
    total: int


@router.get("/persons", summary="Persons of the archive")
async def persons(
    service: ServiceDep,
    folder: Folder = "",
    q: Annotated[str, Query(description="words that must all occur in the name, or a number")] = "",
    sort: Annotated[Literal["number", "seconds"], Query(description="order; the longest on screen first")] = "number",
    offset: Offset = 0,
    limit: Limit = _PER_PAGE,
) -> ArchivePersonsView:
    if service.settings.directory is None:
        raise HTTPException(404, "noArchive")
    return await run_in_threadpool(_persons, service, slice(offset, offset + limit), folder, q, sort)


@router.get("/videos/{id}/persons/{person}/faces", summary="Face tracks of a person in all videos numbered together")
async def faces(
    service: ServiceDep, video: VideoDep, person: int, offset: Offset = 0, limit: Limit = _PER_PAGE
) -> TracksView:
    return await run_in_threadpool(_faces, service, video, person, slice(offset, offset + limit))


def _persons(service: Service, page: slice, folder: str, words: str, sort: str) -> ArchivePersonsView:
    videos = service.tree().videos_below(folder)
    found = list(filter_persons(find_persons(videos, service.catalog.index), words))
    if sort == "seconds":
        found.sort(key=lambda person: -person.duration_ms)
    views = [_person_view(service, person) for person in found[page]]
    return ArchivePersonsView(persons=views, total=len(found), tracks=sum(len(person.tracks) for person in found))


def _faces(service: Service, video: CatalogVideo, number: int, page: slice) -> TracksView:
    videos = [video] if video.is_upload else service.tree().videos_below("")
    found = find_persons(videos, service.catalog.index)
    own = {one.group for one in found if any(track.video.id == video.id for track in one.tracks)}
    person = next((one for one in found if one.group in own and one.number == number), None)
    if person is None:
        raise HTTPException(404, "no such person in this video")
    return TracksView(faces=[_track_view(one) for one in person.tracks[page]], total=len(person.tracks))


def _person_view(service: Service, person: ArchivePerson) -> ArchivePersonView:
    return ArchivePersonView(
        person=person.number,
        name=person.name,
        group=person.group,
        video=person.tracks[0].video.id,
        videos=person.videos,
        tracks=len(person.tracks),
        seconds=person.duration_ms / MS_PER_S,
        can_edit=can_edit_person(person, service.settings),
        faces=[_track_view(one) for one in person.pictured(_PICTURES)],
    )


def _track_view(one: VideoTrack) -> TrackView:
    return TrackView(
        id=one.video.id,
        name=one.video.name,
        folder=one.video.folder,
        face_id=one.track.face_id,
        start_s=one.track.start_ms / MS_PER_S,
        seconds=one.track.duration_ms / MS_PER_S,
    )
