"""Requests that are not granted."""

from __future__ import annotations

from annotate.errors import AnnotateError


class RefusedError(AnnotateError):
    """A request is refused; ``status`` is the HTTP status that says so."""

    def __init__(self, status: int, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.status = status
