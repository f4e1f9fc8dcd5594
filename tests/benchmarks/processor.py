"""Processor time of programs."""

from __future__ import annotations

import resource
from collections.abc import Callable


def processor_s(run: Callable[[], object]) -> float:
    """Return the processor seconds of the programs that ``run`` starts and waits for, with their descendants."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
