"""A progress bar on stderr for work in several phases, such as the epochs of a training run."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

_COUNTED = "{desc} {n_fmt}/{total_fmt}|{bar}| {remaining} to go{postfix}"


class ProgressBar:
    """Show one bar per phase, each with its own label and length, if stderr is a terminal and ``quiet`` is not set."""

    def __init__(self, *, quiet: bool, bar_format: str = _COUNTED) -> None:
        self._is_shown = not quiet and sys.stderr.isatty()
        self._format = bar_format
        self._bar: tqdm[Any] | None = None
        self._label = ""

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def move(self, label: str, done: float, total: float, postfix: str = "") -> None:
        """Show ``done`` of ``total`` of the phase called ``label``; another label replaces the bar by a new one."""
        if not self._is_shown:
            return
        if self._bar is None or label != self._label:
            self._close()
            self._label = label
            self._bar = tqdm(
                desc=label, total=total, file=sys.stderr, leave=False, dynamic_ncols=True, bar_format=self._format
            )
        self._bar.set_postfix_str(postfix, refresh=False)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
