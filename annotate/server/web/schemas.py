"""Schemas of the API's JSON documents, and functions that create the documents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from annotate.analytics.moments import Moment
from annotate.server.catalog import CatalogVideo
from annotate.server.downloads import available_formats
from annotate.server.queue import OrderKind, OrderState
from annotate.server.service import Service
from annotate.server.web.strings import PAGE_WORDS

VideoState = Literal["missing", "waiting", "running", "annotated", "stale", "failed", "cancelled"]
DerivedState = Literal["none", "waiting", "running", "done", "failed", "cancelled"]


class ProgressView(BaseModel):
    """Progress of a running order."""

    done_s: float = Field(description="seconds of video processed")
    duration_s: float | None = Field(description="length of the video in seconds, if known")
    to_go_s: float | None = Field(description="estimated seconds until it is done; null while unknown")


class VideoView(BaseModel):
    """A video and its state."""

    id: str
    name: str
    folder: str = Field(description="folder relative to the archive, with slashes; empty at the top level and for uploads")
    source: Literal["upload", "archive"]
    size_bytes: int
    modified_s: float = Field(description="time of the upload, or of the last change to the file, in seconds since 1970")
    state: VideoState
    reason: str = Field(description="why it failed or is outdated (stale), or a remark on the result; in English")
    progress: ProgressView | None = None
    duration_s: float | None = Field(None, description="length of the video in seconds, once annotated")
    faces: int | None = Field(None, description="number of face tracks, once annotated")
    people: int = Field(0, description="number of persons among them, if these were told apart")
    emotion: str = Field("", description="emotion with the largest share; empty without faces")
    shares: dict[str, float] = Field({}, description="share of face time by emotion, 0 to 1 (2 faces for 1 s = 2 s)")
    damage: dict[str, str] = Field({}, description="that the video is damaged, and how much is missing, by language")
    older: bool = Field(False, description="whether an older analysis version made the results, which stay readable")


class DerivedView(BaseModel):
    """State of a derived video, for playback or download."""

    state: DerivedState
    reason: str = ""
    progress: ProgressView | None = None


class VideoDetail(VideoView):
    """A video, its state, and available downloads."""

    version: str = Field(description="changes with the table, with who is in it and with what people corrected")
    formats: list[str] = Field([], description="formats in which the result can be downloaded")
    proxy: DerivedView = Field(description="MP4 version that every browser can play")
    rendered: dict[str, DerivedView] = Field(description="video with boxes and emotions drawn in, by language of the labels")


class FolderView(BaseModel):
    """A folder of the archive, with counts of the videos in it and its subfolders."""

    folder: str = Field(description="path relative to the archive, with slashes")
    name: str
    videos: int = Field(description="number of videos")
    states: dict[str, int] = Field(description="number of videos by state")
    has_folders: bool = Field(description="whether it has subfolders")


class ArchiveView(BaseModel):
    """Content of a folder, or the results of a search in it and its subfolders."""

    folder: str
    is_complete: bool = Field(description="false during the first scan of the archive")
    folders: list[FolderView]
    videos: list[VideoView]
    total: int = Field(description="number of videos on all pages")
    states: dict[str, int] = Field(description="number of videos in the folder and its subfolders, by state")
    damaged: int = Field(0, description="number of annotated videos in the folder and its subfolders that are damaged")
    older: int = Field(
        0, description="number of videos in the folder and its subfolders with results of an older analysis version"
    )
    problems: list[str] = Field([], description="files and folders that were skipped, and why")


class UploadsView(BaseModel):
    """Uploads, latest first."""

    videos: list[VideoView]
    total: int = Field(description="number of uploads on all pages")


class MomentView(BaseModel):
    """A time span in which one face has one emotion."""

    id: str = Field(description="id of the video")
    name: str
    folder: str
    face_id: int
    person: int = Field(0, description="number of the person; 0 if persons were not told apart")
    person_name: str = Field("", description="what people call the person")
    start_s: float
    end_s: float
    emotion: str
    confidence: float = Field(description="mean model confidence, 0 to 1")


class MomentsView(BaseModel):
    """Moments, by video and time."""

    moments: list[MomentView]
    total: int = Field(description="number of moments on all pages")


class StatusView(BaseModel):
    """State and settings of the server."""

    program: str = Field(description="name and version")
    archive: str | None = Field(description="name of the archive's folder, if there is one")
    writes: bool = Field(description="whether results are written beside the archive's videos")
    jobs: int = Field(description="maximum number of videos processed at a time")
    waiting: int = Field(description="number of waiting orders")
    running: int = Field(description="number of running orders")
    max_upload_bytes: int
    emotions: list[str]
    formats: list[str]


class CountView(BaseModel):
    """Number of orders that were added or canceled."""

    ordered: int


class ErrorView(BaseModel):
    """An error."""

    detail: str = Field(description="what is wrong, and what to do about it")


def video_view(service: Service, video: CatalogVideo) -> VideoView:
    """Return the document of a video for lists."""
    return VideoView(**_view_fields(service, video, service.states().get(video.id)))


def video_detail(service: Service, video: CatalogVideo) -> VideoDetail:
    """Return the document of a video with its derived videos and available formats."""
    fields = _view_fields(service, video, service.state_of(video, service.queue.find(video.id, OrderKind.ANNOTATE)))
    formats = (
        available_formats(video) if fields["state"] == "annotated" or (fields["state"] == "stale" and video.is_older) else []
    )
    rendered = {kind.language: derived_view(service, video, kind) for kind in (OrderKind.RENDER_EN, OrderKind.RENDER_RU)}
    version = f"{video.version}-{video.persons_version}-{video.corrections_version}"
    return VideoDetail(
        **fields, version=version, formats=formats, proxy=derived_view(service, video, OrderKind.PROXY), rendered=rendered
    )


def derived_view(service: Service, video: CatalogVideo, kind: OrderKind) -> DerivedView:
    """Return the document of a derived video."""
    order = service.queue.find(video.id, kind)
    if order is None or (order.state is OrderState.DONE and not service.derived.exists(video, kind)):
        return DerivedView(state="none")
    return DerivedView(state=order.state.value, reason=order.reason, progress=_progress(service, video, kind))


def event_of(service: Service, video: CatalogVideo) -> dict[str, Any]:
    """Return the event about a video: its `VideoDetail` as JSON."""
    return video_detail(service, video).model_dump(mode="json")


def moment_view(video: CatalogVideo, moment: Moment) -> MomentView:
    """Return the document of a moment in a video."""
    return MomentView(
        id=video.id,
        name=video.name,
        folder=video.folder,
        face_id=moment.face_id,
        person=moment.person.number,
        person_name=moment.person.name,
        start_s=moment.span.start_s,
        end_s=moment.span.end_s,
        emotion=moment.emotion,
        confidence=moment.confidence,
    )


def _view_fields(service: Service, video: CatalogVideo, state_and_reason: tuple[str, str] | None) -> dict[str, Any]:
    state, reason = state_and_reason or (video.annotation_state.value, video.reason)
    stats = video.stats
    progress = _progress(service, video, OrderKind.ANNOTATE) if state == OrderState.RUNNING.value else None
    return {
        "id": video.id,
        "name": video.name,
        "folder": video.folder,
        "source": video.origin.value,
        "size_bytes": video.size_bytes,
        "modified_s": video.modified_s,
        "state": state,
        "reason": reason,
        "progress": progress,
        "duration_s": stats.duration_s if stats else progress.duration_s if progress else None,
        "faces": stats.faces if stats else None,
        "people": stats.people if stats else 0,
        "emotion": stats.dominant if stats else "",
        "shares": {name: round(share, 4) for name, share in stats.shares.items()} if stats else {},
        "damage": {language: video.damage.statement(language) for language in PAGE_WORDS} if video.damage else {},
        "older": video.is_older,
    }


def _progress(service: Service, video: CatalogVideo, kind: OrderKind) -> ProgressView | None:
    progress = service.progress_of(video, kind)
    if progress is None:
        return None
    remaining_s = progress.remaining_s
    return ProgressView(
        done_s=round(progress.done_s, 3),
        duration_s=progress.duration_s,
        to_go_s=None if remaining_s is None else round(remaining_s, 1),
    )
