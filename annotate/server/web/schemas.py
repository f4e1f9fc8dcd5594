"""Typed documents of the API, and functions that make them from the catalog."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from annotate.analytics.moments import Moment
from annotate.server.catalog import CatalogVideo
from annotate.server.downloads import formats_of
from annotate.server.queue import Kind, State
from annotate.server.service import Service

VideoState = Literal["missing", "waiting", "running", "annotated", "stale", "failed", "cancelled"]
MadeState = Literal["none", "waiting", "running", "done", "failed", "cancelled"]


class ProgressView(BaseModel):
    """How far something is that is under way."""

    done_s: float = Field(description="seconds of the video that are done")
    duration_s: float | None = Field(description="its length in seconds, if that is known")
    to_go_s: float | None = Field(description="seconds that the rest will take, once that can be told")


class VideoView(BaseModel):
    """A video and its state."""

    id: str
    name: str
    folder: str = Field(description="path in the archive, with slashes; empty at the top, and for uploads")
    source: Literal["upload", "archive"]
    size_bytes: int
    modified_s: float = Field(description="seconds since 1970: when it was sent, or the file was changed")
    state: VideoState
    reason: str = Field(description="why it failed or is stale, or a remark on the result; in English")
    progress: ProgressView | None = None
    duration_s: float | None = None
    faces: int | None = None
    emotion: str = Field("", description="what the faces show most of the time")
    shares: dict[str, float] = Field({}, description="share of each emotion in the seconds of faces, 0 to 1")


class MadeView(BaseModel):
    """A video that is made of another, to be played or taken away."""

    state: MadeState
    reason: str = ""
    progress: ProgressView | None = None


class VideoDetail(VideoView):
    """A video, its state, and what can be had of it."""

    formats: list[str] = Field([], description="formats of the result that can be taken away")
    proxy: MadeView = Field(description="a copy that every browser can play")
    rendered: dict[str, MadeView] = Field(
        description="a copy with boxes and emotions drawn into its pictures, by the language of its words"
    )


class FolderView(BaseModel):
    """A folder of the archive, with how many videos below it are in which state."""

    folder: str
    name: str
    videos: int
    states: dict[str, int]
    has_folders: bool = Field(description="whether there are folders in it")


class ArchiveView(BaseModel):
    """What lies in a folder, or what a search has found below it."""

    folder: str
    is_complete: bool = Field(description="false while the archive is looked through for the first time")
    folders: list[FolderView]
    videos: list[VideoView]
    total: int = Field(description="how many videos there are, of which a page is given")
    states: dict[str, int] = Field(description="how many of all videos below the folder are in which state")
    problems: list[str] = Field([], description="what of the folder could not be looked at, and why")


class UploadsView(BaseModel):
    """What was sent to the server, the latest first."""

    videos: list[VideoView]
    total: int


class MomentView(BaseModel):
    """For how long a face keeps an emotion."""

    id: str
    name: str
    folder: str
    face_id: int
    start_s: float
    end_s: float
    emotion: str
    confidence: float


class MomentsView(BaseModel):
    """Moments, by video and time."""

    moments: list[MomentView]
    total: int


class StatusView(BaseModel):
    """The server itself."""

    program: str
    archive: str | None = Field(description="name of the archive's folder, if there is one")
    writes: bool = Field(description="whether results are written beside the archive's videos")
    jobs: int
    waiting: int
    running: int
    max_upload_bytes: int
    emotions: list[str]
    formats: list[str]


class CountView(BaseModel):
    """How many orders were given."""

    ordered: int


class ErrorView(BaseModel):
    """What went wrong, in a sentence."""

    detail: str


def video_view(service: Service, video: CatalogVideo) -> VideoView:
    """Return a video as one of many."""
    return VideoView(**_facts(service, video, service.states().get(video.id)))


def video_detail(service: Service, video: CatalogVideo) -> VideoDetail:
    """Return a video with what can be had of it."""
    facts = _facts(service, video, service.state_of(video, service.queue.find(video.id, Kind.ANNOTATE)))
    formats = formats_of(video) if facts["state"] == "annotated" else []
    rendered = {kind.language: made_view(service, video, kind) for kind in (Kind.RENDER_EN, Kind.RENDER_RU)}
    return VideoDetail(**facts, formats=formats, proxy=made_view(service, video, Kind.PROXY), rendered=rendered)


def made_view(service: Service, video: CatalogVideo, kind: Kind) -> MadeView:
    """Return the state of a derived video."""
    order = service.queue.find(video.id, kind)
    if order is None or (order.state is State.DONE and not service.derived.is_there(video, kind)):
        return MadeView(state="none")
    return MadeView(state=order.state.value, reason=order.reason, progress=_progress(service, video, kind))


def event_of(service: Service, video: CatalogVideo) -> dict[str, Any]:
    """Return the event of a video."""
    return video_detail(service, video).model_dump(mode="json")


def moment_view(video: CatalogVideo, moment: Moment) -> MomentView:
    """Return a moment of a video."""
    return MomentView(
        id=video.id,
        name=video.name,
        folder=video.folder,
        face_id=moment.face_id,
        start_s=moment.span.start_s,
        end_s=moment.span.end_s,
        emotion=moment.emotion,
        confidence=moment.confidence,
    )


def _facts(service: Service, video: CatalogVideo, state_and_reason: tuple[str, str] | None) -> dict[str, Any]:
    state, reason = state_and_reason or (video.annotation_state.value, video.reason)
    figures = video.figures
    return {
        "id": video.id,
        "name": video.name,
        "folder": video.folder,
        "source": video.origin.value,
        "size_bytes": video.size_bytes,
        "modified_s": video.modified_s,
        "state": state,
        "reason": reason,
        "progress": _progress(service, video, Kind.ANNOTATE) if state == State.RUNNING.value else None,
        "duration_s": figures.duration_s if figures else None,
        "faces": figures.faces if figures else None,
        "emotion": figures.dominant if figures else "",
        "shares": {name: round(share, 4) for name, share in figures.shares.items()} if figures else {},
    }


def _progress(service: Service, video: CatalogVideo, kind: Kind) -> ProgressView | None:
    progress = service.progress_of(video, kind)
    if progress is None:
        return None
    to_go_s = progress.to_go_s
    return ProgressView(
        done_s=round(progress.done_s, 3),
        duration_s=progress.duration_s,
        to_go_s=None if to_go_s is None else round(to_go_s, 1),
    )
