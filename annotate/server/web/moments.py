"""Routes of moments: search, export as a table, an edit list, a timeline or clips, and thumbnails."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from annotate.analytics.edit_lists import MAX_EVENTS, common_rate, to_edl, to_otio
from annotate.analytics.export import encode_table
from annotate.analytics.moments import Moment, MomentQuery, to_table
from annotate.errors import OutputError, SettingsError
from annotate.results.formats.registry import check_libraries
from annotate.server.catalog import CatalogVideo
from annotate.server.clips import MAX_CLIPS
from annotate.server.downloads import MEDIA_TYPES
from annotate.server.search import VideoQuery
from annotate.server.service import Service
from annotate.server.web.api import Folder, Limit, Offset, SearchWords, ServiceDep, VideoDep, check_emotions
from annotate.server.web.schemas import ErrorView, MomentsView, moment_view
from annotate.server.web.streaming import attachment

_PERCENT = 100
_TOO_MANY = 422
Found = list[tuple[CatalogVideo, Moment]]

router = APIRouter(prefix="/api", tags=["archive"])


def _moment_query(
    emotion: Annotated[list[str] | None, Query(description="emotion or synonym, any by default; repeatable")] = None,
    min_confidence: Annotated[
        float, Query(ge=0, le=_PERCENT, description="minimum model confidence of every block: 0.6, or 60 for 60 %")
    ] = 0.0,
    min_seconds: Annotated[float, Query(ge=0, description="minimum length in seconds")] = 0.0,
    person: Annotated[list[str] | None, Query(description="name or number of a person; repeatable")] = None,
) -> MomentQuery:
    confidence = min_confidence / _PERCENT if min_confidence > 1 else min_confidence
    return MomentQuery(tuple(emotion or ()), confidence, min_seconds, tuple(person or ()))


def _video_query(
    folder: Folder = "",
    q: SearchWords = "",
    video: Annotated[str, Query(description="id of the only video to search")] = "",
    source: Literal["", "archive", "upload"] = "",
) -> VideoQuery:
    return VideoQuery(folder, q, video_id=video, origin=source)


MomentQueryDep = Annotated[MomentQuery, Depends(_moment_query)]
VideoQueryDep = Annotated[VideoQuery, Depends(_video_query)]


@router.get("/moments", summary="Find moments: time spans in which a face has one emotion")
async def moments(
    service: ServiceDep,
    moment_query: MomentQueryDep,
    video_query: VideoQueryDep,
    offset: Offset = 0,
    limit: Limit = 200,
) -> MomentsView:
    """The same moments as `annotate find`, in the archive and the uploads."""
    found = await run_in_threadpool(_find, service, moment_query, video_query)
    shown = [moment_view(video, moment) for video, moment in found[offset : offset + limit]]
    return MomentsView(moments=shown, total=len(found))


@router.get(
    "/moments/export",
    summary="Download all found moments as a table or an edit list",
    responses={_TOO_MANY: {"model": ErrorView, "description": "the format cannot hold these moments"}},
)
async def export(
    service: ServiceDep,
    moment_query: MomentQueryDep,
    video_query: VideoQueryDep,
    format: Literal["csv", "edl", "otio"] = "csv",  # noqa: A002
) -> Response:
    """`csv` has the columns of `annotate find`; `edl` is CMX 3600, `otio` a timeline. Paths are relative to the archive."""
    found = await run_in_threadpool(_find, service, moment_query, video_query)
    try:
        content = await run_in_threadpool(_encode, found, format)
    except (OutputError, SettingsError) as error:
        raise HTTPException(_TOO_MANY, str(error)) from None
    headers = {"Content-Disposition": attachment(f"moments.{format}")}
    return Response(content, media_type=MEDIA_TYPES.get(format, "text/plain"), headers=headers)


@router.get(
    "/moments/clips.zip",
    summary="Download all found moments as clips, in one ZIP archive",
    responses={
        404: {"model": ErrorView, "description": "no moments found"},
        _TOO_MANY: {"model": ErrorView, "description": f"more than {MAX_CLIPS} moments"},
        507: {"model": ErrorView, "description": "not enough disk space"},
    },
)
async def clips(service: ServiceDep, moment_query: MomentQueryDep, video_query: VideoQueryDep) -> StreamingResponse:
    """Clips are those of `annotate clips --copy`, which begin at the key frame before; `clips.csv` lists them.

    The archive is sent while it is made, so it has no length beforehand. Moments that cannot be cut are left out.
    """
    found = await run_in_threadpool(_find, service, moment_query, video_query)
    if not found:
        raise HTTPException(404, "no moments found")
    if len(found) > MAX_CLIPS:
        raise HTTPException(_TOO_MANY, f"at most {MAX_CLIPS} clips in one archive, not {len(found)}. Narrow the search.")
    service.check_disk_space(max(video.size_bytes for video, _ in found))
    headers = {"Content-Disposition": attachment("clips.zip")}
    return StreamingResponse(service.clips.pack(found), media_type="application/zip", headers=headers)


@router.get(
    "/videos/{id}/moments/{face_id}/{time_ms}",
    summary="Thumbnail of a face at a time (JPEG)",
    responses={404: {"model": ErrorView, "description": "video or thumbnail not found"}},
)
async def thumbnail(service: ServiceDep, video: VideoDep, face_id: int, time_ms: int) -> Response:
    picture = await run_in_threadpool(service.player.thumbnail_at, video, face_id, time_ms)
    if picture is None:
        raise HTTPException(404, "thumbnail not found")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _find(service: Service, moment_query: MomentQuery, video_query: VideoQuery) -> Found:
    check_emotions(service, moment_query.emotions)
    tree = service.tree()
    folder = video_query.folder
    videos = tree.videos_below(folder) if folder else tree.snapshot.videos.values()
    matching = video_query.find(videos, tree.states)
    by_report = {video.outputs.csv: video for video in matching if video.stats is not None}
    found = list(service.catalog.index.moments(moment_query, by_report.keys()))
    order = {report: number for number, report in enumerate(by_report)}
    found.sort(key=lambda moment: (order[moment.report.path], moment.span.start_ms, moment.face_id))
    return [(by_report[moment.report.path], moment) for moment in found]


def _encode(found: Found, format_name: str) -> bytes:
    own = [moment for _, moment in found]
    paths = [f"{video.folder}/{video.name}".lstrip("/") for video, _ in found]
    if format_name == "csv":
        table = to_table(own)
        table["video"] = paths
        return encode_table(table, ".csv")
    if format_name == "otio":
        check_libraries((format_name,))
        return to_otio(own, urls=[f"./{quote(path)}" for path in paths]).encode()
    if len(own) > MAX_EVENTS:
        raise OutputError(f".edl holds {MAX_EVENTS} moments, not {len(own)}", "narrow the search, or export csv or otio")
    return to_edl(own, common_rate(own)).encode()
