"""Routes of the API about persons."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from annotate.errors import AnnotateError
from annotate.results.persons import MAX_NAME_CHARS
from annotate.server.catalog import CatalogVideo
from annotate.server.messages import public_message
from annotate.server.persons import Change, can_edit, merging, naming, persons_of, splitting
from annotate.server.refusal import RefusedError
from annotate.server.service import Service
from annotate.server.web.api import ServiceDep, VideoDep
from annotate.server.web.schemas import ErrorView

_ERRORS: dict[int | str, dict[str, object]] = {
    400: {"model": ErrorView, "description": "no such person or face track in this video"},
    403: {"model": ErrorView, "description": "the server does not write to the archive"},
    404: {"model": ErrorView, "description": "video not found, or not annotated"},
    409: {"model": ErrorView, "description": "another run is working on it"},
}

router = APIRouter(prefix="/api", tags=["persons"], responses=_ERRORS)


class PersonView(BaseModel):
    """A person of a video."""

    person: int = Field(description="number; over an archive if its persons were numbered together")
    name: str = Field(description="what people call the person; empty without")
    faces: list[int] = Field(description="face tracks of the person in this video")
    seconds: float = Field(description="how long these are visible together")


class PersonName(BaseModel):
    """What a person is called."""

    name: str = Field(max_length=10 * MAX_NAME_CHARS, description="an empty one removes the name")


class PersonsView(BaseModel):
    """The persons of a video; none if they were not told apart."""

    persons: list[PersonView]
    can_edit: bool = Field(description="whether the server may write what people say about them")


@router.get("/videos/{id}/persons", summary="Persons of a video")
async def persons(service: ServiceDep, video: VideoDep) -> PersonsView:
    return await run_in_threadpool(_view, service, video)


@router.put("/videos/{id}/persons/{person}/name", summary="Name a person")
async def name(service: ServiceDep, video: VideoDep, person: int, given: PersonName) -> PersonsView:
    """The name holds for all videos of an archive whose persons were numbered together."""
    return await run_in_threadpool(_change, service, video, naming(person, given.name))


@router.post("/videos/{id}/persons/{person}/merge/{other}", summary="Say that two persons are one")
async def merge(service: ServiceDep, video: VideoDep, person: int, other: int) -> PersonsView:
    """The person keeps the number `person`, and its name or else that of the other one."""
    return await run_in_threadpool(_change, service, video, merging(person, other))


@router.post("/videos/{id}/faces/{face_id}/split", summary="Say that a face track is another person")
async def split(service: ServiceDep, video: VideoDep, face_id: int) -> PersonsView:
    return await run_in_threadpool(_change, service, video, splitting(face_id))


def _view(service: Service, video: CatalogVideo) -> PersonsView:
    try:
        found = [
            PersonView(person=one.number, name=one.name, faces=list(one.face_ids), seconds=one.duration_ms / 1000)
            for one in persons_of(video)
        ]
        return PersonsView(persons=found, can_edit=bool(found) and can_edit(video, service.settings))
    except AnnotateError as error:
        raise HTTPException(404, public_message(error)) from None


def _change(service: Service, video: CatalogVideo, change: Change) -> PersonsView:
    try:
        service.change_persons(video, change)
    except RefusedError as error:
        raise HTTPException(error.status, str(error)) from None
    except AnnotateError as error:
        raise HTTPException(409, public_message(error)) from None
    return _view(service, service.catalog.find(video.id) or video)
