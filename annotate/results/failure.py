"""The failure record ``*.emotions.failed.json``: why a video could not be annotated, by which later runs leave it alone.

It is a file of its own since the sidecar stands beside a table, which may be there from an earlier state of the video.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from annotate.errors import MediaError, StorageError, format_error
from annotate.results.meta import Source, is_unchanged, json_safe_name, json_safe_text, result_settings
from annotate.settings import Limits, Settings
from annotate.storage.base import storage_for
from annotate.storage.values import FileStat, PathOrUrl
from annotate.version import ANALYSIS_VERSION, VERSION


@dataclass(frozen=True)
class Attempt:
    """The version and the options of an attempt to annotate a video: with others it may succeed."""

    analysis_version: int
    program: str
    model_hash: str
    settings: Mapping[str, Any]
    max_pixels: int

    @classmethod
    def of(cls, settings: Settings, model_hash: str, limits: Limits) -> Attempt:
        """Return the attempt of this program with these options."""
        program = f"annotate {VERSION}"
        return cls(ANALYSIS_VERSION, program, model_hash, result_settings(settings), limits.max_pixels)


@dataclass(frozen=True)
class Failure:
    """The content of a failure record.

    ``error`` is the class of the error, whose ``problem`` and ``remedy`` do not have the folder of the video. ``time`` is in
    UTC (ISO 8601).
    """

    source: Source
    attempt: Attempt
    time: str
    error: str
    problem: str
    remedy: str

    @classmethod
    def of(cls, error: MediaError, video: PathOrUrl, source: Source, attempt: Attempt) -> Failure:
        """Return the record of an error that was raised just now."""
        time = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        problem, remedy = (_without_folder(text, video) for text in (error.problem, error.remedy))
        return cls(source, attempt, time, type(error).__name__, problem, remedy)

    @property
    def when(self) -> str:
        """The time to the minute, as text."""
        return f"{self.time[:16].replace('T', ' ')} UTC"

    @property
    def version(self) -> str:
        """The version of the program that failed."""
        return self.attempt.program.rpartition(" ")[2]

    @property
    def reason(self) -> str:
        """Problem and remedy as text."""
        return format_error(self.problem, self.remedy)

    def is_of(self, video: PathOrUrl, stat: FileStat | None = None) -> bool:
        """Return whether the video is still the file that failed; it may have another name.

        Raises:
            OSError: the video cannot be read.
        """
        return is_unchanged(self.source, video, stat)

    def to_json(self) -> str:
        """Return the text of the record."""
        content = asdict(self)
        flat = {"time": content.pop("time"), **content.pop("attempt"), **content}
        return json.dumps(flat, ensure_ascii=False, indent=2) + "\n"


def read_failure(path: PathOrUrl) -> Failure | None:
    """Read a failure record; return None if it is missing or damaged.

    Raises:
        StorageError: object storage does not answer.
    """
    try:
        return parse_failure(storage_for(path).read(path)) if storage_for(path).is_file(path) else None
    except StorageError:
        raise
    except OSError:
        return None


def parse_failure(text: bytes) -> Failure | None:
    """Parse a failure record; return None if it is none."""
    try:
        content = json.loads(text)
        attempt = {name: content.pop(name) for name in Attempt.__dataclass_fields__}
        failure = Failure(source=Source(**content.pop("source")), attempt=Attempt(**attempt), **content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    texts = (failure.time, failure.error, failure.problem, failure.remedy, failure.source.name, failure.attempt.program)
    numbers = (failure.source.size_bytes, failure.source.mtime_ns)
    well_formed = all(isinstance(one, str) for one in texts) and all(isinstance(one, int) for one in numbers)
    return failure if well_formed else None


def _without_folder(text: str, video: PathOrUrl) -> str:
    return json_safe_text(text).replace(json_safe_text(str(video)), json_safe_name(video))
