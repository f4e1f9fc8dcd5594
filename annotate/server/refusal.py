"""Rejected requests."""

from __future__ import annotations

from annotate.errors import AnnotateError


class RefusedError(AnnotateError):
    """A request is rejected with the HTTP status ``status``."""

    def __init__(self, status: int, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.status = status
