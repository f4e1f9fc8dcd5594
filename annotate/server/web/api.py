"""Routes of the JSON API, which the pages use too."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi import Path as PathPart
from fastapi.responses import FileResponse
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from annotate.emotions.labels import EMOTIONS
from annotate.errors import AnnotateError, ReportError, SettingsError
from annotate.results.formats.registry import FORMATS
from annotate.results.meta import json_safe_text
from annotate.server.catalog import CatalogVideo
from annotate.server.data_dir import check_upload_name, is_id
from annotate.server.downloads import MEDIA_TYPES, result_file
from annotate.server.messages import public_message
from annotate.server.queue import OrderKind, OrderState
from annotate.server.refusal import RefusedError
from annotate.server.search import RETRY_STATES, TODO_STATES, VideoQuery
from annotate.server.service import Service
from annotate.server.web.auth import client_from_scope
from annotate.server.web.schemas import (
    ArchiveView,
    CountView,
    ErrorView,
    FolderView,
    StatusView,
    UploadsView,
    VideoDetail,
    VideoState,
    video_detail,
    video_view,
)
from annotate.server.web.streaming import attachment, stream_events, stream_file
from annotate.server.web.uploads import receive_file, too_large_message
from annotate.storage.base import require_local
from annotate.storage.values import SkippedPath
from annotate.version import VERSION

_BYTES = {"type": "string", "format": "binary"}
_MAX_PER_PAGE = 1000
_ERRORS: dict[int | str, dict[str, Any]] = {404: {"model": ErrorView, "description": "video not found"}}

router = APIRouter(prefix="/api")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]


def _video(service: ServiceDep, id: Annotated[str, PathPart(description="id of the video")]) -> CatalogVideo:  # noqa: A002
    video = service.catalog.find(id) if is_id(id) else None
    if video is None:
        raise HTTPException(404, "video not found")
    return video


def check_emotions(service: Service, emotions: Iterable[str]) -> None:
    """Refuse unknown emotions, such as misspelled ones, with status 422 and a suggestion."""
    try:
        service.catalog.index.check_emotions(emotions)
    except SettingsError as error:
        raise HTTPException(422, public_message(error)) from None


VideoDep = Annotated[CatalogVideo, Depends(_video)]
Offset = Annotated[int, Query(ge=0, description="number of items to skip")]
Limit = Annotated[int, Query(ge=1, le=_MAX_PER_PAGE, description="maximum number of items")]
Folder = Annotated[str, Query(description="folder relative to the archive, with slashes")]
SearchWords = Annotated[str, Query(description="words that must all occur in path or name")]
Language = Annotated[Literal["en", "ru"], Query(description="language of emotions in subtitles and rendered videos")]
Modified = Annotated[float | None, Query(ge=0, le=1e11, description="time of the file's last change, seconds since 1970")]
DerivedKind = Literal["proxy", "rendered"]


@router.get("/status", tags=["server"], summary="State and settings of the server")
async def status(service: ServiceDep) -> StatusView:
    settings = service.settings
    return StatusView(
        program=f"annotate {VERSION}",
        archive=json_safe_text(settings.directory.resolve().name) if settings.directory is not None else None,
        writes=settings.write,
        jobs=settings.jobs,
        waiting=service.queue.count(OrderState.WAITING),
        running=service.queue.count(OrderState.RUNNING),
        max_upload_bytes=settings.max_upload_bytes,
        emotions=list(EMOTIONS),
        formats=list(FORMATS),
    )


@router.put(
    "/uploads/{name:path}",
    tags=["videos"],
    status_code=201,
    summary="Upload a video: the request body is the file",
    responses={
        400: {"model": ErrorView, "description": "invalid file name, or empty or incomplete file"},
        408: {"model": ErrorView, "description": "timeout while receiving the upload"},
        413: {"model": ErrorView, "description": "the file is too large"},
        429: {"model": ErrorView, "description": "too many uploads are kept or waiting"},
        507: {"model": ErrorView, "description": "the server's disk is full"},
    },
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": _BYTES}}}},
)
async def upload(request: Request, service: ServiceDep, name: str, modified_s: Modified = None) -> VideoDetail:
    """Store a video and queue its annotation. The response contains the video's id."""
    max_bytes, timeout_s = service.settings.max_upload_bytes, service.settings.body_timeout_s
    length = request.headers.get("content-length", "")
    size_bytes = int(length) if length.isdecimal() else None
    client = client_from_scope(request.scope)
    try:
        check_upload_name(name)
        if size_bytes is not None and size_bytes > max_bytes:
            raise RefusedError(413, too_large_message(max_bytes))
        with service.receive_upload(client, size_bytes) as (video_id, folder):
            size_bytes = await receive_file(request.stream(), folder / name, max_bytes, timeout_s)
            if modified_s is not None:
                os.utime(folder / name, (modified_s, modified_s))
            video = await run_in_threadpool(service.accept_upload, video_id, name, size_bytes, client)
    except SettingsError as error:
        raise _rejection(400, str(error)) from None
    except RefusedError as error:
        raise _rejection(error.status, str(error)) from None
    return video_detail(service, video)


@router.get("/uploads", tags=["videos"], summary="List uploads, latest first")
async def uploads(service: ServiceDep, offset: Offset = 0, limit: Limit = 100) -> UploadsView:
    videos = [video for video in service.catalog.snapshot.videos.values() if video.is_upload]
    return UploadsView(videos=[video_view(service, video) for video in videos[offset : offset + limit]], total=len(videos))


@router.get("/videos/{id}", tags=["videos"], summary="State of a video", responses=_ERRORS)
async def video(service: ServiceDep, video: VideoDep) -> VideoDetail:
    return video_detail(service, video)


@router.delete("/videos/{id}", tags=["videos"], summary="Delete an upload", status_code=204, responses=_ERRORS)
async def remove(service: ServiceDep, video: VideoDep) -> Response:
    if not video.is_upload:
        raise HTTPException(403, "videos of the archive cannot be deleted")
    await run_in_threadpool(service.remove, video)
    return Response(status_code=204)


@router.post("/videos/{id}/annotate", tags=["videos"], summary="Annotate a video", status_code=202, responses=_ERRORS)
async def annotate(request: Request, service: ServiceDep, video: VideoDep) -> VideoDetail:
    """Queue the annotation of a video, unless it is waiting or running. Up-to-date results are not computed again."""
    await run_in_threadpool(service.enqueue, video, OrderKind.ANNOTATE, client_from_scope(request.scope))
    return video_detail(service, video)


@router.post("/videos/{id}/cancel", tags=["videos"], summary="Cancel a waiting or running order", responses=_ERRORS)
async def cancel(
    service: ServiceDep,
    video: VideoDep,
    what: Literal["annotate", "proxy", "rendered"] = "annotate",
    language: Language = "en",
) -> CountView:
    """`ordered` is the number of canceled orders: 0 if none was waiting or running."""
    kind = OrderKind.ANNOTATE if what == "annotate" else _order_kind(what, language)
    return CountView(ordered=int(await run_in_threadpool(service.runner.cancel, video.id, kind)))


@router.get("/videos/{id}/player", tags=["results"], summary="Data of the player", responses=_ERRORS)
async def player(service: ServiceDep, video: VideoDep) -> Response:
    """One lane per face track, with times in milliseconds and scores of all emotions in ten-thousandths; cues; colors."""
    try:
        content = await run_in_threadpool(service.player.data, video)
    except ReportError as error:
        raise HTTPException(404, _error_detail(error, video)) from None
    return Response(content, media_type="application/json")


@router.get("/videos/{id}/faces/{face_id}", tags=["results"], summary="Thumbnail of a face (JPEG)", responses=_ERRORS)
async def face(service: ServiceDep, video: VideoDep, face_id: int) -> Response:
    thumbnail = await run_in_threadpool(service.player.thumbnail, video, face_id)
    if thumbnail is None:
        raise HTTPException(404, "thumbnail not found")
    return Response(thumbnail, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/videos/{id}/results/{format}", tags=["results"], summary="Download the result in a format", responses=_ERRORS)
async def result(
    service: ServiceDep,
    video: VideoDep,
    format: Annotated[Literal[FORMATS], PathPart()],  # type: ignore[valid-type]  # noqa: A002
    language: Language = "en",
) -> Response:
    """The file, byte for byte as the command line writes it."""
    try:
        name, content = await run_in_threadpool(result_file, video, format, language)
    except (ReportError, SettingsError) as error:
        raise HTTPException(404, _error_detail(error, video)) from None
    media_type = MEDIA_TYPES.get(format, "text/plain")
    return Response(content, media_type=media_type, headers={"Content-Disposition": attachment(json_safe_text(name))})


@router.head("/videos/{id}/file", include_in_schema=False)
@router.get("/videos/{id}/file", tags=["results"], summary="The video file (supports range requests)", responses=_ERRORS)
async def file(video: VideoDep) -> FileResponse:
    return stream_file(video.path, video.path.suffix)


@router.post(
    "/videos/{id}/made/{kind}", tags=["results"], summary="Make a derived video", status_code=202, responses=_ERRORS
)
async def make(
    request: Request, service: ServiceDep, video: VideoDep, kind: DerivedKind, language: Language = "en"
) -> VideoDetail:
    """A `proxy` is an MP4 that every browser can play; a `rendered` video has boxes and emotions drawn in."""
    order_kind = _order_kind(kind, language)
    if not service.derived.exists(video, order_kind):
        try:
            service.check_disk_space(video.size_bytes)
        except RefusedError as error:
            raise HTTPException(error.status, str(error)) from None
        await run_in_threadpool(service.enqueue, video, order_kind, client_from_scope(request.scope))
    return video_detail(service, video)


@router.head("/videos/{id}/made/{kind}", include_in_schema=False)
@router.get("/videos/{id}/made/{kind}", tags=["results"], summary="A derived video (supports ranges)", responses=_ERRORS)
async def made(
    service: ServiceDep, video: VideoDep, kind: DerivedKind, language: Language = "en", download: bool = False
) -> FileResponse:
    order_kind = _order_kind(kind, language)
    path = service.derived.path(video, order_kind)
    if not path.is_file():
        raise HTTPException(404, "not made yet; send POST to this URL to make it")
    name = f"{Path(video.name).stem}.{order_kind.value}{path.suffix}" if download else None
    return stream_file(path, path.suffix, name)


@router.get("/videos/{id}/events", tags=["events"], summary="Events about a video until it is done", responses=_ERRORS)
async def events_of(request: Request, service: ServiceDep, video: VideoDep) -> EventSourceResponse:
    """Server-sent events of type `video`, each with the same document as `GET /api/videos/{id}`."""
    return stream_events(service, client_from_scope(request.scope).address, video.id, until_done=True)


@router.get("/events", tags=["events"], summary="Events about all videos, or about one")
async def events(request: Request, service: ServiceDep, video: str | None = None) -> EventSourceResponse:
    """Server-sent events of type `video`, where the state `removed` means that an upload was deleted, and of type
    `archive`, sent when videos or their results have changed in the archive. The stream does not end.
    """
    return stream_events(service, client_from_scope(request.scope).address, video)


@router.get("/archive", tags=["archive"], summary="List a folder of the archive, or search it with its subfolders")
async def archive(
    service: ServiceDep,
    folder: Folder = "",
    q: SearchWords = "",
    emotion: Annotated[
        str, Query(description="emotion (or synonym) that must occur; sorts by its share, largest first")
    ] = "",
    state: VideoState | Literal[""] = "",
    offset: Offset = 0,
    limit: Limit = 200,
) -> ArchiveView:
    tree = service.tree()
    found = tree.folders.get(folder)
    if service.settings.directory is None or found is None:
        raise HTTPException(404, "folder not found")
    if emotion:
        check_emotions(service, [emotion])
    query = VideoQuery(folder, q, emotion, state)
    videos = query.find(tree.videos_below(folder), tree.states) if query.is_search else found.videos
    subfolders = [] if query.is_search else found.folders
    snapshot = tree.snapshot
    return ArchiveView(
        folder=folder,
        is_complete=snapshot.is_complete,
        folders=[
            FolderView(
                folder=path, name=one.name, videos=one.states.total(), states=dict(one.states), has_folders=bool(one.folders)
            )
            for path in subfolders
            for one in (tree.folders[path],)
        ],
        videos=[video_view(service, video) for video in videos[offset : offset + limit]],
        total=len(videos),
        states=dict(found.states),
        damaged=sum(bool(video.damage) for video in tree.videos_below(folder)),
        older=sum(video.is_older for video in tree.videos_below(folder)),
        problems=[] if folder or query.is_search else [_skipped_message(service, skipped) for skipped in snapshot.skipped],
    )


@router.post("/archive/annotate", tags=["archive"], summary="Annotate all missing and outdated videos", status_code=202)
async def annotate_missing(request: Request, service: ServiceDep, folder: str = "", failed: bool = False) -> CountView:
    """Queue the missing and stale videos of a folder and its subfolders; with `failed` also failed and canceled ones."""
    tree = service.tree()
    if service.settings.directory is None or folder not in tree.folders:
        raise HTTPException(404, "folder not found")
    states = (*TODO_STATES, *RETRY_STATES) if failed else TODO_STATES
    videos = [video for video in tree.videos_below(folder) if tree.states.get(video.id, ("",))[0] in states]
    return CountView(ordered=await run_in_threadpool(service.enqueue_all, videos, client_from_scope(request.scope)))


def _order_kind(kind: str, language: str) -> OrderKind:
    return OrderKind.PROXY if kind == "proxy" else OrderKind(f"{kind}.{language}")


def _rejection(status_code: int, detail: str) -> HTTPException:
    """Return an error that closes the connection, as the rest of the request body is not read."""
    return HTTPException(status_code, detail, {"Connection": "close"})


def _error_detail(error: AnnotateError, video: CatalogVideo) -> str:
    return public_message(error, None if error.path == video.path else error.path)


def _skipped_message(service: Service, skipped: SkippedPath) -> str:
    """Return why a path of the archive was skipped, with the path relative to the archive."""
    path, root = require_local(skipped.path), service.settings.directory
    is_below = root is not None and path != root and path.is_relative_to(root)
    return public_message(skipped, path.relative_to(root) if is_below and root is not None else path)
