"""Routes of the JSON API, the same that the pages use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi import Path as PathPart
from fastapi.responses import FileResponse
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from annotate.analytics.moments import MomentQuery
from annotate.emotions.labels import EMOTIONS, emotion_name
from annotate.errors import AnnotateError, ReportError, SettingsError
from annotate.results.formats.registry import FORMATS
from annotate.results.meta import json_safe_text
from annotate.server.catalog import CatalogVideo
from annotate.server.data_dir import check_name, is_id
from annotate.server.downloads import MEDIA_TYPES, make_file
from annotate.server.queue import Kind, State
from annotate.server.refusal import RefusedError
from annotate.server.search import GIVEN_UP, UNDONE, VideoQuery
from annotate.server.service import Service
from annotate.server.web.auth import client_of
from annotate.server.web.schemas import (
    ArchiveView,
    CountView,
    ErrorView,
    FolderView,
    MomentsView,
    MomentView,
    StatusView,
    UploadsView,
    VideoDetail,
    VideoState,
    moment_view,
    video_detail,
    video_view,
)
from annotate.server.web.streaming import attachment, stream_events, stream_file
from annotate.server.web.uploads import receive_file, too_large
from annotate.server.wording import for_readers_elsewhere
from annotate.storage.base import local_only
from annotate.storage.values import SkippedPath
from annotate.version import VERSION

_BYTES = {"type": "string", "format": "binary"}
_MAX_PER_PAGE = 1000
_ERRORS: dict[int | str, dict[str, Any]] = {404: {"model": ErrorView, "description": "there is no such video"}}

router = APIRouter(prefix="/api")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]


def _video(service: Served, id: Annotated[str, PathPart(description="a video's id")]) -> CatalogVideo:  # noqa: A002
    video = service.catalog.find(id) if is_id(id) else None
    if video is None:
        raise HTTPException(404, "there is no such video")
    return video


Chosen = Annotated[CatalogVideo, Depends(_video)]
Offset = Annotated[int, Query(ge=0, description="so many are skipped")]
Limit = Annotated[int, Query(ge=1, le=_MAX_PER_PAGE, description="so many are given at most")]
Folder = Annotated[str, Query(description="path in the archive, with slashes")]
Words = Annotated[str, Query(description="words that path or name must have")]
Language = Annotated[Literal["en", "ru"], Query(description="of the words in srt, vtt and ass")]
Modified = Annotated[float | None, Query(ge=0, le=1e11, description="when the file was changed, seconds since 1970")]
MadeKind = Literal["proxy", "rendered"]


def _page(offset: Offset = 0, limit: Limit = 200) -> slice:
    return slice(offset, offset + limit)


@router.get("/status", tags=["server"], summary="The server itself")
async def status(service: Served) -> StatusView:
    settings = service.settings
    return StatusView(
        program=f"annotate {VERSION}",
        archive=json_safe_text(settings.directory.resolve().name) if settings.directory is not None else None,
        writes=settings.write,
        jobs=settings.jobs,
        waiting=service.queue.count(State.WAITING),
        running=service.queue.count(State.RUNNING),
        max_upload_bytes=settings.max_upload_bytes,
        emotions=list(EMOTIONS),
        formats=list(FORMATS),
    )


@router.put(
    "/uploads/{name:path}",
    tags=["videos"],
    status_code=201,
    summary="Send a video: the request's body is the file",
    responses={
        400: {"model": ErrorView, "description": "the name is none, or the file is empty"},
        408: {"model": ErrorView, "description": "the body came too slowly"},
        413: {"model": ErrorView, "description": "the file is too large"},
        429: {"model": ErrorView, "description": "too many uploads wait or are kept"},
        507: {"model": ErrorView, "description": "the server's disk is full"},
    },
    openapi_extra={
        "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def upload(request: Request, service: Served, name: str, modified_s: Modified = None) -> VideoDetail:
    """It is kept, and its annotation waits for its turn. The answer has the video's id."""
    max_bytes, timeout_s = service.settings.max_upload_bytes, service.settings.body_timeout_s
    length = request.headers.get("content-length", "")
    size_bytes = int(length) if length.isdecimal() else None
    client = client_of(request.scope)
    try:
        check_name(name)
        if size_bytes is not None and size_bytes > max_bytes:
            raise RefusedError(413, too_large(max_bytes))
        with service.receiving(client, size_bytes) as (video_id, folder):
            size_bytes = await receive_file(request.stream(), folder / name, max_bytes, timeout_s)
            if modified_s is not None:
                os.utime(folder / name, (modified_s, modified_s))
            video = await run_in_threadpool(service.accept_upload, video_id, name, size_bytes, client)
    except SettingsError as error:
        raise _refused(400, str(error)) from None
    except RefusedError as error:
        raise _refused(error.status, str(error)) from None
    return video_detail(service, video)


@router.get("/uploads", tags=["videos"], summary="What was sent, the latest first")
async def uploads(service: Served, offset: Offset = 0, limit: Limit = 100) -> UploadsView:
    videos = [video for video in service.catalog.snapshot.videos.values() if video.is_upload]
    return UploadsView(videos=[video_view(service, video) for video in videos[offset : offset + limit]], total=len(videos))


@router.get("/videos/{id}", tags=["videos"], summary="A video and its state", responses=_ERRORS)
async def video(service: Served, video: Chosen) -> VideoDetail:
    return video_detail(service, video)


@router.delete("/videos/{id}", tags=["videos"], summary="Remove an upload", status_code=204, responses=_ERRORS)
async def remove(service: Served, video: Chosen) -> Response:
    if not video.is_upload:
        raise HTTPException(403, "videos of the archive are not removed")
    await run_in_threadpool(service.remove, video)
    return Response(status_code=204)


@router.post("/videos/{id}/annotate", tags=["videos"], summary="Annotate a video", status_code=202, responses=_ERRORS)
async def annotate(request: Request, service: Served, video: Chosen) -> VideoDetail:
    """Its annotation waits for its turn, unless it does already. What is annotated and holds is left as it is."""
    await run_in_threadpool(service.order, video, Kind.ANNOTATE, client_of(request.scope))
    return video_detail(service, video)


@router.post("/videos/{id}/cancel", tags=["videos"], summary="Call off what waits or is under way", responses=_ERRORS)
async def cancel(
    service: Served, video: Chosen, what: Literal["annotate", "proxy", "rendered"] = "annotate", language: Language = "en"
) -> CountView:
    """`ordered` is how much was called off: 0 if it neither waited nor was under way."""
    kind = Kind.ANNOTATE if what == "annotate" else _kind_of(what, language)
    return CountView(ordered=int(await run_in_threadpool(service.runner.cancel, video.id, kind)))


@router.get("/videos/{id}/player", tags=["results"], summary="What the player shows", responses=_ERRORS)
async def player(service: Served, video: Chosen) -> Response:
    """Lanes of faces with spans in milliseconds and the scores of all emotions in ten-thousandths; cues; colours."""
    try:
        content = await run_in_threadpool(service.player.data, video)
    except ReportError as error:
        raise HTTPException(404, _in_words(error, video)) from None
    return Response(content, media_type="application/json")


@router.get("/videos/{id}/faces/{face_id}", tags=["results"], summary="A picture of a face (JPEG)", responses=_ERRORS)
async def face(service: Served, video: Chosen, face_id: int) -> Response:
    picture = await run_in_threadpool(service.player.thumbnail, video, face_id)
    if picture is None:
        raise HTTPException(404, "there is no picture of this face")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/videos/{id}/results/{format}", tags=["results"], summary="The result in a format", responses=_ERRORS)
async def result(
    service: Served,
    video: Chosen,
    format: Annotated[Literal[FORMATS], PathPart()],  # type: ignore[valid-type]  # noqa: A002
    language: Language = "en",
) -> Response:
    """The file, byte for byte as the command line writes it."""
    try:
        name, content = await run_in_threadpool(make_file, video, format, language)
    except (ReportError, SettingsError) as error:
        raise HTTPException(404, _in_words(error, video)) from None
    media_type = MEDIA_TYPES.get(format, "text/plain")
    return Response(content, media_type=media_type, headers={"Content-Disposition": attachment(json_safe_text(name))})


@router.head("/videos/{id}/file", include_in_schema=False)
@router.get("/videos/{id}/file", tags=["results"], summary="The video itself, also in ranges of bytes", responses=_ERRORS)
async def file(video: Chosen) -> FileResponse:
    return stream_file(video.path, video.path.suffix)


@router.post("/videos/{id}/made/{kind}", tags=["results"], summary="Make a copy", status_code=202, responses=_ERRORS)
async def make(request: Request, service: Served, video: Chosen, kind: MadeKind, language: Language = "en") -> VideoDetail:
    """A `proxy` is an MP4 that every browser plays; a `rendered` one has boxes and emotions drawn in."""
    wanted = _kind_of(kind, language)
    if not service.derived.is_there(video, wanted):
        try:
            service.check_space(video.size_bytes)
        except RefusedError as error:
            raise HTTPException(error.status, str(error)) from None
        await run_in_threadpool(service.order, video, wanted, client_of(request.scope))
    return video_detail(service, video)


@router.head("/videos/{id}/made/{kind}", include_in_schema=False)
@router.get("/videos/{id}/made/{kind}", tags=["results"], summary="A copy that was made, also in ranges", responses=_ERRORS)
async def made(
    service: Served, video: Chosen, kind: MadeKind, language: Language = "en", download: bool = False
) -> FileResponse:
    wanted = _kind_of(kind, language)
    path = service.derived.path(video, wanted)
    if not path.is_file():
        raise HTTPException(404, "it is not made yet; POST to this address makes it")
    name = f"{Path(video.name).stem}.{wanted.value}{path.suffix}" if download else None
    return stream_file(path, path.suffix, name)


@router.get("/videos/{id}/events", tags=["events"], summary="Events of a video until it is done", responses=_ERRORS)
async def events_of(request: Request, service: Served, video: Chosen) -> EventSourceResponse:
    """Server-sent events of the kind `video`, each with the video as `GET /api/videos/{id}` gives it."""
    return stream_events(service, client_of(request.scope).address, video.id, until_done=True)


@router.get("/events", tags=["events"], summary="Events of all videos, or of one")
async def events(request: Request, service: Served, video: str | None = None) -> EventSourceResponse:
    """Server-sent events of the kind `video`; a video that was removed has the state `removed`.

    Of the kind `archive` when other videos were found, or their results have changed. They do not end.
    """
    return stream_events(service, client_of(request.scope).address, video)


@router.get("/archive", tags=["archive"], summary="A folder of the archive, or what is found below it")
async def archive(
    service: Served,
    folder: Folder = "",
    q: Words = "",
    emotion: Annotated[str, Query(description="an emotion that occurs; those with most of it first")] = "",
    state: VideoState | Literal[""] = "",
    offset: Offset = 0,
    limit: Limit = 200,
) -> ArchiveView:
    tree = service.tree()
    found = tree.folders.get(folder)
    if service.settings.directory is None or found is None:
        raise HTTPException(404, "there is no such folder")
    query = VideoQuery(folder, q, emotion_name(emotion) or emotion, state)
    videos = query.find(tree.below(folder), tree.states) if query.is_search else found.videos
    below = [] if query.is_search else found.folders
    snapshot = tree.snapshot
    return ArchiveView(
        folder=folder,
        is_complete=snapshot.is_complete,
        folders=[
            FolderView(
                folder=path, name=one.name, videos=one.states.total(), states=dict(one.states), has_folders=bool(one.folders)
            )
            for path in below
            for one in (tree.folders[path],)
        ],
        videos=[video_view(service, video) for video in videos[offset : offset + limit]],
        total=len(videos),
        states=dict(found.states),
        problems=[] if folder or query.is_search else [_problem(service, skipped) for skipped in snapshot.skipped],
    )


@router.post("/archive/annotate", tags=["archive"], summary="Annotate what is missing below a folder", status_code=202)
async def annotate_missing(request: Request, service: Served, folder: str = "", failed: bool = False) -> CountView:
    """Of all videos there that are not annotated or are stale; with `failed` those too that failed or were cancelled."""
    tree = service.tree()
    if service.settings.directory is None or folder not in tree.folders:
        raise HTTPException(404, "there is no such folder")
    states = (*UNDONE, *GIVEN_UP) if failed else UNDONE
    wanted = [video for video in tree.below(folder) if tree.states.get(video.id, ("",))[0] in states]
    return CountView(ordered=await run_in_threadpool(service.order_all, wanted, client_of(request.scope)))


def _wanted_moments(
    emotion: Annotated[list[str] | None, Query(description="of any emotion if not given; may be repeated")] = None,
    min_confidence: Annotated[float, Query(ge=0, le=1, description="least confidence of every block")] = 0.0,
    min_seconds: Annotated[float, Query(ge=0, description="least length of a moment")] = 0.0,
) -> MomentQuery:
    return MomentQuery(tuple(emotion or ()), min_confidence, min_seconds)


def _wanted_videos(
    folder: Folder = "",
    q: Words = "",
    video: Annotated[str, Query(description="id of the one video that is meant")] = "",
    source: Literal["", "archive", "upload"] = "",
) -> VideoQuery:
    return VideoQuery(folder, q, video_id=video, origin=source)


@router.get("/moments", tags=["archive"], summary="Moments in which a face keeps an emotion")
async def moments(
    service: Served,
    wanted: Annotated[MomentQuery, Depends(_wanted_moments)],
    among: Annotated[VideoQuery, Depends(_wanted_videos)],
    page: Annotated[slice, Depends(_page)],
) -> MomentsView:
    """As `annotate find` finds them, in the archive and in what was sent."""
    found = await run_in_threadpool(_moments, service, wanted, among)
    return MomentsView(moments=found[page], total=len(found))


def _moments(service: Service, wanted: MomentQuery, among: VideoQuery) -> list[MomentView]:
    tree = service.tree()
    videos = tree.below(among.folder) if among.folder else tree.snapshot.videos.values()
    chosen = among.find(videos, tree.states)
    by_report = {video.outputs.csv: video for video in chosen if video.figures is not None}
    found = list(service.catalog.index.moments(wanted, by_report.keys()))
    order = {report: number for number, report in enumerate(by_report)}
    found.sort(key=lambda moment: (order[moment.report.path], moment.span.start_ms, moment.face_id))
    return [moment_view(by_report[moment.report.path], moment) for moment in found]


def _kind_of(kind: str, language: str) -> Kind:
    return Kind.PROXY if kind == "proxy" else Kind(f"{kind}.{language}")


def _refused(status_code: int, detail: str) -> HTTPException:
    """Return an answer before the whole request has come: the rest of it is not wanted."""
    return HTTPException(status_code, detail, {"Connection": "close"})


def _in_words(error: AnnotateError, video: CatalogVideo) -> str:
    return for_readers_elsewhere(error, None if error.path == video.path else error.path)


def _problem(service: Service, skipped: SkippedPath) -> str:
    """Return why a path of the archive was skipped; the path is shown as it is below the archive."""
    path, root = local_only(skipped.path), service.settings.directory
    is_below = root is not None and path != root and path.is_relative_to(root)
    return for_readers_elsewhere(skipped, path.relative_to(root) if is_below and root is not None else path)
