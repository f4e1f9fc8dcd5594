"""Put what went wrong into words for people elsewhere: they must not learn where things lie on this machine."""

from __future__ import annotations

import logging
import re
from pathlib import PurePath
from typing import Protocol

from annotate.errors import in_words
from annotate.results.meta import json_safe_text

_ABSOLUTE_PATH = re.compile(r"(?<!\w)/\S")
"""A slash that nothing precedes: a path of this machine, or a URL."""

_IN_THE_LOG = "it failed for a reason that names files of the server", "see the server's log (-v)"

logger = logging.getLogger(__name__)


class Fault(Protocol):
    """What errors, outcomes and skipped paths have in common."""

    @property
    def problem(self) -> str:
        """What is wrong."""

    @property
    def remedy(self) -> str:
        """What to do, empty if that is not known."""


def for_readers_elsewhere(fault: Fault, about: object = None) -> str:
    """Return problem and remedy in words that may leave this machine.

    ``about`` is the file concerned, if the reader does not see that anyway: of an absolute path the name alone is shown, a
    relative one stays. A remedy with a path, such as a command to run here, is left out; so is a problem with one.
    """
    problem, remedy = fault.problem, fault.remedy
    if has_path(problem):
        logger.info("%s: %s", about, problem)
        problem, remedy = _IN_THE_LOG
    text = in_words(problem, "" if has_path(remedy) else remedy, None if about is None else _shown(PurePath(str(about))))
    return text.encode("utf-8", "backslashreplace").decode()


def has_path(text: str) -> bool:
    """Return whether a text names an absolute path.

    >>> has_path("run `annotate /films/a.mp4` first"), has_path("not a video (avc1 / 0x31), 25 frames/s")
    (True, False)
    """
    return _ABSOLUTE_PATH.search(text) is not None


def _shown(path: PurePath) -> str:
    return json_safe_text(path.name if path.is_absolute() else path.as_posix())
