"""Find what is to be done in an archive in which files arrive: videos that need work and have stopped growing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from annotate.archive.scan import ArchiveItem, Scan
from annotate.batch.job import AnnotateJob
from annotate.batch.plan import Action
from annotate.errors import StorageError, read_error
from annotate.storage.values import FileStat, PathOrUrl, SkippedPath

if TYPE_CHECKING:
    from annotate.batch.run import Plan

_LEAST_PAUSE_S = 1.0
_PAUSE_FACTOR = 10
"""Minimum pause between looks, as a multiple of the time one takes, so that a large archive does not keep a core busy."""


@dataclass(frozen=True)
class WatchOptions:
    """When an archive is looked at, and when a video is taken.

    A video is taken when its size and time have not changed for ``settle_s`` seconds. The archive is looked at every
    ``poll_s`` seconds; None for whenever the operating system notifies of a change, and every ``rescan_s`` seconds. What
    failed for a reason that may pass, or was locked, is tried again after ``retry_s`` seconds.
    """

    settle_s: float = 10.0
    poll_s: float | None = None
    rescan_s: float = 300.0
    unnotified_s: float = 60.0
    """The same as ``rescan_s`` while notifications do not work, and as ``poll_s`` for object storage."""

    retry_s: float = 300.0


@dataclass(frozen=True)
class Look:
    """What one look found: the videos to annotate now, what is wrong for the first time, and how many videos wait.

    ``next_s`` are the seconds until the next look, if nothing changes before, and ``pause_s`` those until it in any case.
    ``videos`` is the number of all, ``failed`` of those that failed before and are left alone.
    """

    ready: Sequence[ArchiveItem] = ()
    problems: Sequence[str] = ()
    waiting: int = 0
    next_s: float = 0.0
    pause_s: float = 0.0
    videos: int = 0
    failed: int = 0


@dataclass
class Watch:
    """Looks at an archive again and again; ``rescan`` returns its current entries, ``clock`` the time in seconds."""

    rescan: Callable[[], Scan]
    plan: Plan
    options: WatchOptions
    clock: Callable[[], float] = field(default_factory=lambda: monotonic)
    _since: dict[PathOrUrl, tuple[FileStat | None, float]] = field(default_factory=dict)
    """Since when each video that needs work is as it is."""

    _tried: dict[PathOrUrl, tuple[FileStat | None, float]] = field(default_factory=dict)
    """When each video was tried last, and its state then."""

    _problems: frozenset[str] = frozenset()

    def look(self, *, is_notified: bool = True) -> Look:
        """Look at all videos now. A share or a store that does not answer is a problem, not an error.

        Raises:
            ModelError: the model does not follow the model contract.
            SettingsError: the model has no class for the baseline.
        """
        started_s = self.clock()
        since: dict[PathOrUrl, tuple[FileStat | None, float]] = {}
        ready: list[ArchiveItem] = []
        problems: list[str] = []
        due_s: list[float] = []
        videos = failed = 0
        try:
            for job in self.plan.jobs(self.rescan()):
                if isinstance(job, SkippedPath):
                    problems.append(str(job))
                    continue
                videos += 1
                item, action = job.item, self._action(job)
                failed += action is Action.FAIL
                if action not in (Action.ANNOTATE, Action.CONVERT):
                    continue
                known = self._since.get(job.path)
                first_s = known[1] if known is not None and known[0] == item.stat else started_s
                since[job.path] = item.stat, first_s
                ready_s = self._ready_s(item, first_s)
                if ready_s <= started_s:
                    ready.append(item)
                else:
                    due_s.append(ready_s)
        except OSError as error:
            problems, ready = [str(error if isinstance(error, StorageError) else read_error(error.filename, error))], []
        else:
            self._since = since
        new, self._problems = [one for one in problems if one not in self._problems], frozenset(problems)
        now_s = self.clock()
        pause_s = max(min(_LEAST_PAUSE_S, self.options.settle_s / 2), _PAUSE_FACTOR * (now_s - started_s))
        unforced_s = self.options.rescan_s if is_notified else self.options.unnotified_s
        usual_s = unforced_s if self.options.poll_s is None else self.options.poll_s
        next_s = max(pause_s, min([usual_s, *(one - now_s for one in due_s)]))
        return Look(ready, new, len(due_s), next_s, pause_s, videos, failed)

    def tried(self, items: Sequence[ArchiveItem]) -> None:
        """Remember that videos were tried: what still needs work after that failed, or was locked."""
        for item in items:
            self._tried[item.video] = item.stat, self.clock()

    def _action(self, job: AnnotateJob) -> Action:
        """Return the action that a video needs; if it cannot be read, its job will report that."""
        if job.path in self._tried:
            job = replace(job, options=replace(job.options, retry_failed=False))
        try:
            return job.decide().action
        except StorageError:
            raise
        except OSError:
            return Action.ANNOTATE

    def _ready_s(self, item: ArchiveItem, since_s: float) -> float:
        """Return the time at which a video is to be taken if it does not change any more."""
        settled_s = since_s + self.options.settle_s
        tried = self._tried.get(item.video)
        if tried is None or tried[0] != item.stat:
            return settled_s
        return max(settled_s, tried[1] + self.options.retry_s)
