"""Videos that are made of others: copies that every browser plays, and copies with the emotions drawn in."""

from __future__ import annotations

from pathlib import Path

from annotate.errors import OutputError
from annotate.serve.library import Video
from annotate.serve.names import Places
from annotate.serve.queue import Kind
from annotate.serve.runner import Slot


class Made:
    """Makes such videos into the data folder, and finds them there while they still are of the video as it is."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def path(self, video: Video, kind: Kind) -> Path:
        """Where it lies, by the state of the video and of its results."""
        version = video.version if kind is Kind.RENDER else 0
        return self._places.made / video.id / f"{kind.value}-{video.subject}-{version}.mp4"

    def is_there(self, video: Video, kind: Kind) -> bool:
        """Whether it is made."""
        return self.path(video, kind).is_file()

    def make(self, video: Video, kind: Kind, slot: Slot) -> str:
        """Makes it; gives a remark.

        Raises:
            AnnotateError: it cannot be made.
            Cancelled: the work was called off.
        """
        raise OutputError(f"{video.path}: rendering is not there yet")
