"""Routes for several videos at once: annotate them, delete uploads, and download the results as one archive."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from annotate.errors import AnnotateError
from annotate.results.meta import json_safe_text
from annotate.server.catalog import CatalogVideo
from annotate.server.data_dir import is_id
from annotate.server.downloads import Chunks, available_formats, result_file
from annotate.server.service import Service
from annotate.server.web.api import Language, ServiceDep
from annotate.server.web.auth import client_from_scope
from annotate.server.web.schemas import CountView, ErrorView
from annotate.server.web.streaming import attachment

MAX_CHOSEN = 1000

router = APIRouter(prefix="/api", tags=["videos"])


class Chosen(BaseModel):
    """Ids of videos."""

    ids: list[str] = Field(max_length=MAX_CHOSEN)


@router.post("/selection/annotate", summary="Annotate several videos", status_code=202)
async def annotate(request: Request, service: ServiceDep, chosen: Chosen) -> CountView:
    """`ordered` is the number of new orders; ids that are unknown, and videos that wait already, are left out."""
    videos = _videos(service, chosen.ids)
    return CountView(ordered=await run_in_threadpool(service.enqueue_all, videos, client_from_scope(request.scope)))


@router.post("/selection/remove", summary="Delete several uploads")
async def remove(service: ServiceDep, chosen: Chosen) -> CountView:
    """`ordered` is the number of deleted uploads; videos of the archive are left alone."""
    uploads = [video for video in _videos(service, chosen.ids) if video.is_upload]
    for video in uploads:
        await run_in_threadpool(service.remove, video)
    return CountView(ordered=len(uploads))


@router.get(
    "/selection/results.zip",
    summary="Download the results of several videos, in all formats, as one ZIP archive",
    responses={404: {"model": ErrorView, "description": "none of the videos has results"}},
)
async def results(
    service: ServiceDep,
    id: Annotated[list[str], Query(max_length=MAX_CHOSEN, description="id of a video; repeatable")],  # noqa: A002
    language: Language = "en",
) -> StreamingResponse:
    """The archive is sent while it is made, so it has no length beforehand. Results that cannot be read are left out."""
    videos = [video for video in _videos(service, id) if video.stats is not None]
    if not videos:
        raise HTTPException(404, "none of the videos has results")
    headers = {"Content-Disposition": attachment("results.zip")}
    return StreamingResponse(_zip(videos, language), media_type="application/zip", headers=headers)


def _videos(service: Service, ids: list[str]) -> list[CatalogVideo]:
    found = (service.catalog.find(each) for each in dict.fromkeys(ids) if is_id(each))
    return [video for video in found if video is not None]


def _zip(videos: list[CatalogVideo], language: str) -> Iterator[bytes]:
    """Yield a ZIP archive, one file at a time; names that occur twice get the id of their video as a folder."""
    chunks = Chunks()
    names: set[str] = set()
    with zipfile.ZipFile(chunks, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for video in videos:
            for format_name in available_formats(video):
                try:
                    name, content = result_file(video, format_name, language)
                except AnnotateError:
                    continue
                path = json_safe_text("/".join(filter(None, (video.folder, name))))
                path = path if path not in names else f"{video.id}/{path}"
                names.add(path)
                archive.writestr(path, content)
                yield chunks.take()
    yield chunks.take()
