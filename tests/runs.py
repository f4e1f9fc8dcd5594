"""Complete runs over paths in one call."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from annotate.archive.discover import Selection
from annotate.archive.layout import OutputOptions, Outputs
from annotate.archive.output_tree import output_trees
from annotate.archive.scan import ArchiveItem, locate, scan
from annotate.batch.check import Finding, check_archive
from annotate.batch.executor import Executor
from annotate.batch.job import AnnotateJob, Outcome
from annotate.batch.plan import Decision, decide
from annotate.batch.run import Plan, annotate_archive
from annotate.settings import ONE_CORE, Limits, Settings
from annotate.storage.values import PathOrUrl, SkippedPath


def annotate(
    paths: Sequence[PathOrUrl],
    settings: Settings | None = None,
    *,
    options: OutputOptions | None = None,
    executor: Executor | None = None,
    limits: Limits = ONE_CORE,
    scratch: Path | None = None,
    output_dir: Path | None = None,
) -> Generator[Outcome, None, None]:
    """Annotate the videos below paths."""
    plan = Plan(settings or Settings(), options or OutputOptions(), limits, scratch)
    return annotate_archive(scan(paths, output_dir=output_dir), plan, executor)


def check(
    paths: Sequence[PathOrUrl], output_dir: PathOrUrl | None = None, selection: Selection | None = None
) -> list[Finding]:
    """Return the findings of a check of paths."""
    return list(check_archive(scan(paths, selection, output_dir), output_trees(paths, output_dir)))


def name_all(videos: Sequence[PathOrUrl]) -> dict[PathOrUrl, Outputs]:
    """Return the outputs of videos, beside them."""
    return {item.video: item.outputs for item in locate(videos, []) if not isinstance(item, SkippedPath)}


def decide_now(video: PathOrUrl, outputs: Outputs, options: OutputOptions, settings: Settings, model_hash: str) -> Decision:
    """Return the decision for the current state of a video."""
    return decide(ArchiveItem.read(video, outputs), options, settings, model_hash)


def job_for(video: PathOrUrl, outputs: Outputs | None = None, settings: Settings | None = None) -> AnnotateJob:
    """Return a job that annotates a video, which does not need to exist."""
    outputs = outputs or Outputs(video.with_suffix(""))
    return AnnotateJob(ArchiveItem.read(video, outputs), settings or Settings(), OutputOptions(), "")
