"""State of each video of an archive, from its files alone: nothing is decoded, and no table is read."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from annotate.archive.scan import ArchiveItem
from annotate.archive.validity import LATER_VERSION, is_missing
from annotate.errors import read_error
from annotate.results.failure import Failure, read_failure
from annotate.results.meta import Meta, is_unchanged
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath


class State(enum.Enum):
    """States of a video's results; the values are those of ``annotate status --json``."""

    ANNOTATED = "annotated"
    NO_FACES = "no_faces"
    OLDER = "older"
    STALE = "stale"
    FAILED = "failed"
    MISSING = "missing"

    @property
    def is_done(self) -> bool:
        """Whether nothing needs to be done."""
        return self in (State.ANNOTATED, State.NO_FACES)

    @property
    def label(self) -> str:
        """The state as text.

        >>> State.NO_FACES.label
        'no faces'
        """
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class VideoStatus:
    """The state of a video, with the reason or a remark on damage.

    ``version`` is that of the program that wrote the results or failed, and ``time`` says when, in UTC (ISO 8601): for
    results it is the modification time of the sidecar. Both are empty if there are neither.
    """

    path: PathOrUrl
    state: State
    reason: str = ""
    version: str = ""
    time: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the status as it is printed; None for what is empty, except the reason."""
        return {
            "path": str(self.path),
            "state": self.state.value,
            "reason": self.reason,
            "version": self.version or None,
            "time": self.time or None,
        }


def statuses(entries: Iterable[ArchiveItem | SkippedPath]) -> Iterator[VideoStatus]:
    """Yield the status of each entry of a scan; paths that cannot be read count as failed.

    Raises:
        StorageError: object storage does not answer.
    """
    for entry in entries:
        if isinstance(entry, SkippedPath):
            yield VideoStatus(entry.path, State.FAILED, entry.reason)
        else:
            yield status_of(entry)


def status_of(item: ArchiveItem) -> VideoStatus:
    """Return the status of a video. Settings are not compared: none are known here.

    Raises:
        StorageError: object storage does not answer.
    """
    try:
        state, reason = _state(item)
        failure = None if state.is_done else current_failure(item)
    except OSError as error:
        return VideoStatus(item.video, State.FAILED, read_error(item.video, error).reason)
    if failure is not None:
        return VideoStatus(item.video, State.FAILED, failure.reason, failure.version, failure.time)
    if item.meta is None:
        return VideoStatus(item.video, state, reason)
    return VideoStatus(item.video, state, reason, item.meta.program.rpartition(" ")[2], _modified(item.outputs.meta))


def current_failure(item: ArchiveItem) -> Failure | None:
    """Return the record of a failure to annotate a video that has not changed since; None if there is none.

    Raises:
        OSError: the video cannot be read.
    """
    failure = read_failure(item.outputs.failure)
    return failure if failure is not None and failure.is_of(item.video, item.stat) else None


def _state(item: ArchiveItem) -> tuple[State, str]:
    """Return the state of the results, without regard to failures, and the reason."""
    meta, outputs = item.meta, item.outputs
    if item.stat is None:
        storage_for(item.video).stat(item.video)
    if meta is None:
        is_damaged = storage_for(outputs.meta).is_file(outputs.meta)
        return (State.STALE, "its sidecar is damaged") if is_damaged else (State.MISSING, "not annotated yet")
    if meta.is_later:
        return State.STALE, LATER_VERSION
    if problem := _problem(item, meta):
        return State.STALE, problem
    if meta.is_older:
        return State.OLDER, "made by an older analysis version"
    return State.ANNOTATED if meta.faces else State.NO_FACES, meta.damage.statement()


def _problem(item: ArchiveItem, meta: Meta) -> str:
    """Return why results are outdated or incomplete; empty if they are not."""
    if not is_unchanged(meta.source, item.video, item.stat):
        return "the video has changed"
    for path, name in ((item.outputs.csv, "table"), (item.outputs.boxes, "boxes file")):
        if is_missing(meta, path):
            return f"its {name} was deleted"
    return ""


def _modified(path: PathOrUrl) -> str:
    """Return the modification time of a file; empty if it is gone."""
    try:
        modified_s = storage_for(path).stat(path).mtime_s
    except OSError:
        return ""
    return datetime.datetime.fromtimestamp(modified_s, datetime.timezone.utc).isoformat(timespec="seconds")
