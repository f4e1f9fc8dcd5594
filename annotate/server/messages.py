"""Error messages for clients, without absolute paths, so that they do not reveal folders of the server."""

from __future__ import annotations

import logging
import re
from pathlib import PurePath
from typing import Protocol

from annotate.errors import format_error
from annotate.text import printable

_ABSOLUTE_PATH = re.compile(r"(?<!\w)/\S")
"""A slash at the start of a word: an absolute path, or a URL."""

_HIDDEN_PROBLEM = "failed (the reason names files of the server)", "see the server's log (run it with -v)"

logger = logging.getLogger(__name__)


class HasProblem(Protocol):
    """Interface shared by errors, outcomes and skipped paths."""

    @property
    def problem(self) -> str:
        """What is wrong."""

    @property
    def remedy(self) -> str:
        """What to do; empty if unknown."""


def public_message(source: HasProblem, about: object = None) -> str:
    """Return problem and remedy as text for clients, without absolute paths, escaped as on the command line.

    ``about`` is the file concerned, unless the client knows it: only the name of an absolute path is included, a relative
    path is included as it is. A remedy that contains an absolute path (such as a command to run) is omitted; a problem that
    contains one is replaced by a general message, and logged.
    """
    problem, remedy = source.problem, source.remedy
    if contains_path(problem):
        logger.info("%s: %s", about, problem)
        problem, remedy = _HIDDEN_PROBLEM
    if contains_path(remedy):
        remedy = ""
    text = format_error(problem, remedy, None if about is None else _public_path(PurePath(str(about))))
    return printable(text)


def contains_path(text: str) -> bool:
    """Return whether a text contains an absolute path or a URL.

    >>> contains_path("run `annotate /films/a.mp4` first"), contains_path("not a video (avc1 / 0x31), 25 frames/s")
    (True, False)
    """
    return _ABSOLUTE_PATH.search(text) is not None


def _public_path(path: PurePath) -> str:
    return path.name if path.is_absolute() else path.as_posix()
