"""Annotating the videos of an archive, whatever befalls any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from annotate.archive.job import Job, run_job
from annotate.archive.outcome import Outcome, Status, Watcher
from annotate.archive.plan import Wanted, name_outputs
from annotate.archive.walk import Obstacle
from annotate.emotions.classifier import load_classifier
from annotate.media.binary import find_ffmpeg
from annotate.pipeline import AUTOMATIC_THREADS
from annotate.settings import Settings


def annotate_archive(
    found: Iterable[Path | Obstacle],
    settings: Settings | None = None,
    wanted: Wanted | None = None,
    watcher: Watcher | None = None,
) -> Iterator[Outcome]:
    """Annotates videos as `annotate.archive.walk.walk` finds them, and tells what became of each.

    Raises:
        ModelError: the settings' model does not keep the contract.
        FFmpegError: there is no usable ffmpeg.
    """
    settings, wanted, watcher = settings or Settings(), wanted or Wanted(), watcher or Watcher()
    model_hash = load_classifier(settings.model).model_hash
    find_ffmpeg()
    entries = list(found)
    names = name_outputs([entry for entry in entries if isinstance(entry, Path)])
    for entry in entries:
        if isinstance(entry, Obstacle):
            yield Outcome(entry.path, Status.FAILED, reason=entry.reason)
        else:
            yield _annotate_one(Job(entry, names[entry], settings, wanted, model_hash, AUTOMATIC_THREADS), watcher)


def _annotate_one(job: Job, watcher: Watcher) -> Outcome:
    def report(analysed_s: float, duration_s: float | None) -> None:
        if analysed_s == 0:
            watcher.begun(job.path, duration_s)
        watcher.advanced(analysed_s)

    return run_job(job, report)
