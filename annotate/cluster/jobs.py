"""A job on its way to a cluster's worker and back."""

from __future__ import annotations

import math
from dataclasses import replace

from annotate.archive.layout import Outputs
from annotate.batch.job import AnnotateJob, AnyJob, Job, Outcome
from annotate.settings import Limits
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

BUSY_TRIES = 6
BUSY_DELAY_S = 10.0
"""So often, and after so long each time, a locked video is tried again: its lock may be of a worker that is cut off and is
thought dead."""


def to_worker(job: AnyJob, means: Limits | None) -> AnyJob:
    """Return a job as workers find it: with whole paths, one core, and the ``means`` of the run, if those are others."""
    if not isinstance(job, AnnotateJob):
        return job
    means = means or job.limits
    limits = replace(job.limits, threads=1, hwaccel=means.hwaccel, provider=means.provider)
    settings = job.settings
    if settings.model is not None:
        settings = replace(settings, model=settings.model.absolute())
    item = replace(job.item, video=job.path.absolute(), outputs=Outputs(job.outputs.base.absolute()))
    scratch = job.scratch.absolute() if job.scratch is not None else None
    return replace(job, item=item, settings=settings, limits=limits, scratch=scratch)


def busy_tries(job: Job) -> int:
    """Return how often a locked video is tried: who died may keep its lock for a while."""
    return BUSY_TRIES + math.ceil(storage_for(job.outputs.base).lock_expiry_s / BUSY_DELAY_S)


def with_user_paths(outcome: Outcome, sent: Job, given: Job) -> Outcome:
    """Return an outcome that names paths as the user did."""
    about, folder = outcome.about, sent.outputs.base.parent
    if isinstance(about, PathOrUrl) and storage_for(about).is_below(about, folder):
        about = given.outputs.base.parent / storage_for(about).below(about, folder)
    return replace(outcome, path=given.path, about=about)
