"""Conversion of reports to more formats: nothing is decoded, and the videos may be missing."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from annotate.archive.discover import Selection
from annotate.archive.find_reports import find_reports
from annotate.archive.layout import META_ENDING, REPORT_ENDING, OutputOptions, outputs_of_report
from annotate.archive.output_tree import output_trees
from annotate.archive.scan import ArchiveItem, scan
from annotate.batch.executor import Executor, InlineExecutor
from annotate.batch.job import AnnotateJob, Outcome
from annotate.batch.plan import Action
from annotate.batch.run import annotate_task, run_jobs, split_finished
from annotate.errors import ReportError, read_error
from annotate.results.formats.registry import check_libraries
from annotate.results.meta import json_safe_name, read_meta
from annotate.settings import Settings
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath


def scan_reports(
    paths: Sequence[PathOrUrl], selection: Selection | None = None, output_dir: PathOrUrl | None = None
) -> Iterator[ArchiveItem | SkippedPath]:
    """Yield every video below ``paths``, then every deleted video that still has a report.

    ``output_dir`` is the folder of the outputs if they are not beside the videos. A path may also be a table or a sidecar.
    """
    selection = selection or Selection()
    paths = [_report_of_deleted(path) or path for path in paths]
    named = [path for path in paths if path.name.endswith((REPORT_ENDING, META_ENDING)) and storage_for(path).is_file(path)]
    others = [path for path in paths if path not in named]
    known: set[PathOrUrl] = set()
    for entry in scan(others, selection, output_dir):
        if isinstance(entry, ArchiveItem):
            known.add(entry.outputs.meta)
        yield entry
    for path in named:
        outputs = outputs_of_report(path)
        meta = read_meta(outputs.meta)
        if meta is None:
            yield SkippedPath(path, "it has no valid sidecar", "annotate its video again")
        elif outputs.meta not in known:
            known.add(outputs.meta)
            yield ArchiveItem.read(path.parent / PurePosixPath(meta.source.name).name, outputs)
    for tree, archives in output_trees(others, output_dir).items():
        yield from _deleted_videos(tree, archives, selection, known)


def _report_of_deleted(path: PathOrUrl) -> PathOrUrl | None:
    """Return the table of a video that was deleted; None if the path exists or has none."""
    reports = [] if storage_for(path).exists(path) else find_reports([path]).reports
    return reports[0] if reports else None


def convert_archive(
    items: Iterable[ArchiveItem | SkippedPath], options: OutputOptions, executor: Executor | None = None
) -> Generator[Outcome, None, None]:
    """Convert the reports found by `scan_reports`; yield one outcome per video as it finishes.

    Without an ``executor`` all work is done in this process. Leftovers of killed runs are deleted first.

    Raises:
        SettingsError: a library that a format needs is missing.
    """
    check_libraries(options.formats)
    executor = executor or InlineExecutor()
    jobs = yield from split_finished((_job(item, options) for item in items), _finished)
    try:
        yield from run_jobs(annotate_task, jobs, executor)
    finally:
        executor.close()


def _job(item: ArchiveItem | SkippedPath, options: OutputOptions) -> AnnotateJob | SkippedPath:
    return item if isinstance(item, SkippedPath) else AnnotateJob(item, Settings(), options, "", from_report=True)


def _finished(job: AnnotateJob) -> Outcome | None:
    """Return the outcome of a report that is already converted or cannot be; None if it needs work."""
    try:
        decision = job.decide()
    except ReportError as error:
        return Outcome.failed(job.path, error)
    except OSError as error:
        return Outcome.failed(job.path, read_error(job.path, error))
    if decision.action is not Action.SKIP or decision.meta is None:
        return None
    return Outcome.skipped(job.path, decision.meta)


def _deleted_videos(
    tree: PathOrUrl, archives: Sequence[PathOrUrl], selection: Selection, known: set[PathOrUrl]
) -> Iterator[ArchiveItem]:
    """Yield the deleted videos of ``archives`` that a sidecar in ``tree`` names; add their sidecars to ``known``."""
    storage = storage_for(tree)
    for folder in storage.walk_dirs(tree):
        sidecars = [path for path in storage.list_dir(folder) if path.name.endswith(META_ENDING) and path not in known]
        metas = [(path, meta) for path in sidecars if (meta := read_meta(path)) is not None]
        if not metas:
            continue
        subpath = storage.subpath(folder, tree)
        existing = {json_safe_name(path) for archive in archives for path in _list_dir(archive / subpath)}
        for path, meta in metas:
            name = meta.source.name
            if name and name not in existing and name == PurePosixPath(name).name and selection.takes(subpath / name):
                known.add(path)
                yield ArchiveItem(archives[0] / subpath / name, outputs_of_report(path), meta, None)


def _list_dir(folder: PathOrUrl) -> list[PathOrUrl]:
    try:
        return storage_for(folder).list_dir(folder)
    except OSError:
        return []
