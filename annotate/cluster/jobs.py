"""A job on its way to a cluster's worker and back."""

from __future__ import annotations

import math
from dataclasses import replace

from annotate.archive.layout import Outputs
from annotate.batch.job import Job, Outcome, Work
from annotate.settings import Limits
from annotate.storage.s3.lease import LEASE_S
from annotate.storage.s3.path import is_remote

BUSY_TRIES = 6
BUSY_DELAY_S = 10.0
"""So often, and after so long each time, a video is asked for again that somebody else holds: it may be a worker that is cut
off and is thought dead."""


def abroad(work: Work, means: Limits | None) -> Work:
    """A job as workers find it: with whole paths, one core, and the ``means`` of the run, if those are others."""
    if not isinstance(work, Job):
        return work
    means = means or work.limits
    limits = replace(work.limits, threads=1, hwaccel=means.hwaccel, provider=means.provider)
    settings = work.settings
    if settings.model is not None:
        settings = replace(settings, model=settings.model.absolute())
    outputs = Outputs(work.outputs.base.absolute())
    scratch = work.scratch.absolute() if work.scratch is not None else None
    path = work.path.absolute()
    return replace(work, path=path, outputs=outputs, settings=settings, limits=limits, scratch=scratch)


def busy_tries(work: Work) -> int:
    """How often a held video is asked for: in object storage whoever died holds it until the lease is over."""
    held_s = LEASE_S if is_remote(work.outputs.base) else 0.0
    return BUSY_TRIES + math.ceil(held_s / BUSY_DELAY_S)


def as_given(outcome: Outcome, work: Work, given: Work) -> Outcome:
    """An outcome that names paths as the user did."""
    reason = outcome.reason
    for theirs, own in ((work.path, given.path), (work.outputs.base, given.outputs.base)):
        if theirs != own:
            reason = reason.replace(str(theirs), str(own))
    return replace(outcome, path=given.path, reason=reason)
