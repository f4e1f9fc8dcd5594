"""Translation of jobs for the workers of a cluster, and of their outcomes for the user."""

from __future__ import annotations

import math
from dataclasses import replace

from annotate.archive.layout import Outputs
from annotate.batch.job import AnnotateJob, AnyJob, Job, Outcome
from annotate.settings import Limits
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

LOCKED_TRIES = 6
LOCKED_DELAY_S = 10.0
"""Number of tries and delay between them for a locked video: a worker that lost its connection, and counts as dead, may
still hold the lock."""


def to_worker(job: AnyJob, worker_limits: Limits | None) -> AnyJob:
    """Return a job for a worker: absolute paths, one thread, and hwaccel and provider of ``worker_limits``, if given."""
    if not isinstance(job, AnnotateJob):
        return job
    worker_limits = worker_limits or job.limits
    limits = replace(job.limits, threads=1, hwaccel=worker_limits.hwaccel, provider=worker_limits.provider)
    settings = job.settings
    if settings.model is not None:
        settings = replace(settings, model=settings.model.absolute())
    item = replace(job.item, video=job.path.absolute(), outputs=Outputs(job.outputs.base.absolute()))
    scratch = job.scratch.absolute() if job.scratch is not None else None
    return replace(job, item=item, settings=settings, limits=limits, scratch=scratch)


def locked_tries(job: Job) -> int:
    """Return the number of tries for a locked video; the lock of a dead worker expires within them."""
    return LOCKED_TRIES + math.ceil(storage_for(job.outputs.base).lock_expiry_s / LOCKED_DELAY_S)


def with_user_paths(outcome: Outcome, worker_job: Job, user_job: Job) -> Outcome:
    """Return an outcome of ``worker_job`` with paths as the user gave them in ``user_job``."""
    about, folder = outcome.about, worker_job.outputs.base.parent
    if isinstance(about, PathOrUrl) and storage_for(about).is_below(about, folder):
        about = user_job.outputs.base.parent / storage_for(about).subpath(about, folder)
    return replace(outcome, path=user_job.path, about=about)
