"""Waiting until files of an archive change: by notifications of the operating system, or only for some time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from annotate.archive.layout import is_output
from annotate.extras import check_extra

_CHECK_INTERVAL_S = 5.0
"""Interval at which it is checked that the watched folders are still the same ones."""

_TOGETHER_MS = 100
"""Changes within this time wake the waiting thread once."""


class Changes:
    """Wakes a waiting thread when a file below local ``folders`` changes; without any, waits are only limited in time.

    Notifications of a folder that is missing, or is removed and made again, go on when it is there; ``is_notified`` tells
    whether they work now, ``problem`` why not. A network share does not notify of changes by other machines.

    Raises:
        SettingsError: there are folders, and the package of the extra ``watch`` is missing.
    """

    def __init__(self, folders: Sequence[Path] = (), check_interval_s: float = _CHECK_INTERVAL_S) -> None:
        if folders:
            check_extra("--watch without --poll", "watch", {"watchfiles": "watchfiles"})
        self.is_notified = False
        self.problem = ""
        self._folders = folders
        self._check_interval_s = check_interval_s
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="changes")

    def __enter__(self) -> Changes:
        if self._folders:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        if self._folders:
            self._thread.join(self._check_interval_s)

    def wait(self, timeout_s: float, pause_s: float = 0.0) -> bool:
        """Wait for a change, at most for a time and at least for a pause; return whether there was one meanwhile."""
        time.sleep(pause_s)
        changed = self._changed.wait(max(0.0, timeout_s - pause_s))
        if changed:  # one that comes right after the time is up is for the next wait
            self._changed.clear()
        return changed

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                for _ in self._notifications():
                    self._changed.set()
            except (OSError, RuntimeError) as error:  # a folder is missing, or the system watches too many files
                self.problem = str(error)
            self.is_notified = False
            self._closing.wait(self._check_interval_s)

    def _notifications(self) -> Iterator[None]:
        """Yield at changes of videos, and once after the start, until a folder is not the same one any more."""
        from watchfiles import watch

        before = self._identities()
        batches = watch(
            *self._folders,
            watch_filter=lambda change, path: _may_be_video(Path(path).name),
            rust_timeout=round(self._check_interval_s * 1000),
            yield_on_timeout=True,
            debounce=_TOGETHER_MS,
            stop_event=self._closing,
            ignore_permission_denied=True,
        )
        for changes in batches:
            if self._identities() != before:
                return
            if changes or not self.is_notified:
                self.is_notified = True
                yield

    def _identities(self) -> list[tuple[int, int]]:
        """Return device and number of each folder.

        Raises:
            OSError: one is missing.
        """
        return [(status.st_dev, status.st_ino) for status in (folder.stat() for folder in self._folders)]


def _may_be_video(name: str) -> bool:
    """Return whether a changed file or folder may be of interest: it is not hidden, and no output."""
    return not name.startswith(".") and not is_output(name)
