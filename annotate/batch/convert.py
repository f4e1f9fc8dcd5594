"""Make further formats from the reports of an archive: nothing is decoded, and the videos need not be there any more."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from annotate.archive.discover import Selection
from annotate.archive.layout import META_ENDING, REPORT_ENDING, OutputOptions, outputs_of_report
from annotate.archive.output_tree import trees_with_outputs
from annotate.archive.scan import ArchiveItem, scan
from annotate.batch.executor import Executor, InlineExecutor
from annotate.batch.job import AnnotateJob, Outcome
from annotate.batch.plan import Action
from annotate.batch.run import annotate_task, run_jobs, split_finished
from annotate.errors import ReportError, unreadable
from annotate.results.formats.registry import check_libraries
from annotate.results.meta import json_safe_name, read_meta
from annotate.settings import Settings
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath


def scan_reports(
    paths: Sequence[PathOrUrl], selection: Selection | None = None, output_dir: PathOrUrl | None = None
) -> Iterator[ArchiveItem | SkippedPath]:
    """Yield every video below ``paths``, then every video that is gone and whose report is there.

    ``output_dir`` is the folder to which outputs were written, if they lie apart. A path that is a report stands for itself.

    Raises:
        SettingsError: videos of two roots have outputs at the same place.
    """
    selection = selection or Selection()
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
            yield SkippedPath(path, "there is no whole meta file beside it", "annotate its video again")
        elif outputs.meta not in known:
            known.add(outputs.meta)
            yield ArchiveItem.read(path.parent / PurePosixPath(meta.source.name).name, outputs)
    for tree, archives in trees_with_outputs(others, output_dir).items():
        yield from _without_videos(tree, archives, selection, known)


def convert_archive(
    items: Iterable[ArchiveItem | SkippedPath], options: OutputOptions, executor: Executor | None = None
) -> Generator[Outcome, None, None]:
    """Make formats from reports as `scan_reports` finds them; yield one outcome per video as it finishes.

    Without an ``executor`` this process does it all. What killed runs left is removed first.

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
    """Return the outcome of a report for which there is nothing to do, or nothing can be done; None if there is work."""
    try:
        decision = job.decide()
    except ReportError as error:
        return Outcome.failed(job.path, error)
    except OSError as error:
        return Outcome.failed(job.path, unreadable(job.path, error))
    if decision.action is not Action.SKIP or decision.meta is None:
        return None
    return Outcome.skipped(job.path, decision.meta)


def _without_videos(
    tree: PathOrUrl, archives: Sequence[PathOrUrl], selection: Selection, known: set[PathOrUrl]
) -> Iterator[ArchiveItem]:
    """Yield videos that are gone from all of ``archives``, by the sidecars in ``tree`` that name them."""
    storage = storage_for(tree)
    for folder in storage.folders(tree):
        sidecars = [path for path in storage.list_dir(folder) if path.name.endswith(META_ENDING) and path not in known]
        loose = [(path, meta) for path in sidecars if (meta := read_meta(path)) is not None]
        if not loose:
            continue
        place = storage.below(folder, tree)
        present = {json_safe_name(path) for archive in archives for path in _list_dir(archive / place)}
        for path, meta in loose:
            name = meta.source.name
            if name and name not in present and name == PurePosixPath(name).name and selection.takes(place / name):
                known.add(path)
                yield ArchiveItem(archives[0] / place / name, outputs_of_report(path), meta, None)


def _list_dir(folder: PathOrUrl) -> list[PathOrUrl]:
    try:
        return storage_for(folder).list_dir(folder)
    except OSError:
        return []
