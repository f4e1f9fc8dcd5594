"""Routes of the API about corrections of what a face shows."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from annotate.errors import AnnotateError, SettingsError
from annotate.results.corrections import EXCLUDE
from annotate.results.segments import Segment
from annotate.server.catalog import CatalogVideo
from annotate.server.corrections import Review, Step, redoing, review_of, said, saying, undoing
from annotate.server.messages import public_message
from annotate.server.refusal import RefusedError
from annotate.server.service import Service
from annotate.server.web.api import ServiceDep, VideoDep
from annotate.server.web.schemas import ErrorView
from annotate.span import MS_PER_S, Span

_MAX_TIME_S = 1e7
_MAX_TEXT_CHARS = 1000
_CONFLICT = 409


class SegmentView(BaseModel):
    """A time span in which a face shows one emotion, or is excluded, and all of it comes from one source."""

    face_id: int
    start_s: float
    end_s: float
    emotion: str = Field(description=f"`{EXCLUDE}`: the face does not count then")
    machine_emotion: str = Field(description="what the machine says for most of the time")
    machine_confidence: float = Field(description="mean probability of what the machine says, 0 to 1")
    source: Literal["machine", "author"]
    state: Literal["open", "confirmed", "corrected"] = Field(description="whether a person decided, and for what")
    correction: str = Field("", description="what tells the correction from others; empty without")
    author: str = ""
    time: str = ""
    note: str = ""


class ReviewView(BaseModel):
    """The segments of a video by face and time, and how many of them people decided on."""

    segments: list[SegmentView]
    total: int
    confirmed: int
    corrected: int
    undo: str = Field(description="time of what the author can undo; empty if there is nothing")
    redo: str = Field(description="time at which the author undid what can be redone; empty if there is nothing")
    problems: list[str] = Field(description="sentences on corrections that do not fit")


class ConflictView(ErrorView):
    """Somebody else was faster: nothing was written, and this is what is there now."""

    review: ReviewView


class GivenCorrection(BaseModel):
    """What a person says that a face shows during a span; a segment is confirmed by saying what it shows."""

    face_id: int
    start_s: float = Field(ge=0, le=_MAX_TIME_S)
    end_s: float = Field(ge=0, le=_MAX_TIME_S)
    emotion: str = Field(max_length=_MAX_TEXT_CHARS, description=f"a name or common synonym, or `{EXCLUDE}`")
    author: str = Field(max_length=_MAX_TEXT_CHARS, description="who says so")
    note: str = Field("", max_length=_MAX_TEXT_CHARS)
    seen: list[str] = Field(max_length=_MAX_TEXT_CHARS, description="`correction` of all segments of the face in this span")


class GivenStep(BaseModel):
    """Whose step is to be undone or redone."""

    author: str = Field(max_length=_MAX_TEXT_CHARS)
    time: str = Field(max_length=_MAX_TEXT_CHARS, description="`undo` or `redo` of the review that the author saw")


_ERRORS: dict[int | str, dict[str, object]] = {
    400: {"model": ErrorView, "description": "it does not fit the video"},
    404: {"model": ErrorView, "description": "video not found, or not annotated"},
}
_CHANGE_ERRORS: dict[int | str, dict[str, object]] = {
    409: {"model": ConflictView, "description": "somebody else was faster, or another run is working on the video"},
}

router = APIRouter(prefix="/api/videos/{id}/corrections", tags=["corrections"], responses=_ERRORS)

Author = Annotated[str, Query(max_length=_MAX_TEXT_CHARS, description="whose steps `undo` and `redo` are")]


@router.get("", summary="Segments of a video, and what people said about them")
async def review(service: ServiceDep, video: VideoDep, author: Author = "") -> ReviewView:
    return await run_in_threadpool(_view, service, video, author)


@router.post("", summary="Say what a face shows", response_model=ReviewView, responses=_CHANGE_ERRORS)
async def add(service: ServiceDep, video: VideoDep, given: GivenCorrection) -> Response | ReviewView:
    """It is written at once: beside the video with `--write`, else in the server's data folder. If somebody else said
    something about this face and span that the author has not `seen`, nothing is written.
    """
    span = Span(round(given.start_s * MS_PER_S), round(given.end_s * MS_PER_S))
    try:
        correction = said(given.face_id, span, given.emotion, given.author, given.note)
    except RefusedError as error:
        raise HTTPException(error.status, str(error)) from None
    return await run_in_threadpool(_change, service, video, saying(correction, given.seen), given.author)


@router.post("/undo", summary="Undo what an author said last", response_model=ReviewView, responses=_CHANGE_ERRORS)
async def undo(service: ServiceDep, video: VideoDep, given: GivenStep) -> Response | ReviewView:
    return await run_in_threadpool(_change, service, video, undoing(given.author, given.time), given.author)


@router.post("/redo", summary="Redo what an author undid last", response_model=ReviewView, responses=_CHANGE_ERRORS)
async def redo(service: ServiceDep, video: VideoDep, given: GivenStep) -> Response | ReviewView:
    return await run_in_threadpool(_change, service, video, redoing(given.author, given.time), given.author)


def _view(service: Service, video: CatalogVideo, author: str) -> ReviewView:
    try:
        found: Review = review_of(video, service.settings, author)
    except AnnotateError as error:
        raise HTTPException(404, public_message(error)) from None
    segments = [_segment_view(segment) for segment in found.segments]
    return ReviewView(
        segments=segments,
        total=len(segments),
        confirmed=sum(segment.state == "confirmed" for segment in segments),
        corrected=sum(segment.state == "corrected" for segment in segments),
        undo=found.undo_time,
        redo=found.redo_time,
        problems=list(found.problems),
    )


def _segment_view(segment: Segment) -> SegmentView:
    said = segment.correction
    return SegmentView(
        face_id=segment.face_id,
        start_s=segment.span.start_s,
        end_s=segment.span.end_s,
        emotion=segment.emotion,
        machine_emotion=segment.machine,
        machine_confidence=round(segment.confidence, 4),
        source="machine" if said is None else "author",
        state="open" if said is None else "confirmed" if segment.is_kept else "corrected",
        correction=segment.mark,
        author="" if said is None else said.author,
        time="" if said is None else said.time,
        note="" if said is None else said.note,
    )


def _change(service: Service, video: CatalogVideo, step: Step, author: str) -> Response | ReviewView:
    try:
        return _view(service, service.change_corrections(video, step), author)
    except RefusedError as error:
        if error.status != _CONFLICT:
            raise HTTPException(error.status, str(error)) from None
        now = _view(service, service.catalog.find(video.id) or video, author)
        return JSONResponse(ConflictView(detail=str(error), review=now).model_dump(), _CONFLICT)
    except SettingsError as error:
        raise HTTPException(400, public_message(error)) from None
    except AnnotateError as error:
        raise HTTPException(_CONFLICT, public_message(error)) from None
