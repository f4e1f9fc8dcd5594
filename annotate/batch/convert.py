"""Making further formats from the reports of an archive: nothing is decoded, and the videos need not be there any more."""

from __future__ import annotations

import traceback
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

from annotate.archive.discover import Obstacle, Selection, folders_below, walk
from annotate.archive.layout import META_ENDING, REPORT_ENDING, Outputs, Wanted, name_outputs
from annotate.archive.output_tree import mirror, output_trees
from annotate.batch.executor import InlineWorkers, Workers
from annotate.batch.job import Job, Outcome, Status, unreadable
from annotate.batch.plan import Task
from annotate.batch.run import run_jobs, settle
from annotate.errors import ReportError
from annotate.results.formats.registry import check_libraries
from annotate.results.meta import plain_name, read_meta
from annotate.settings import Settings


def find_reports(
    paths: Sequence[Path], wanted: Wanted, selection: Selection | None = None, target: Path | None = None
) -> list[Job | Obstacle]:
    """A job for every video below ``paths``, then one for every report there whose video is gone.

    ``target`` is the tree of their own to which outputs were written. A path that is a report stands for itself.

    Raises:
        SettingsError: a library that a format needs is missing, or videos of two roots have outputs at the same place.
    """
    check_libraries(wanted.formats)
    selection = selection or Selection()
    named = [path for path in paths if path.name.endswith((REPORT_ENDING, META_ENDING)) and path.is_file()]
    others = [path for path in paths if path not in named]
    found = list(walk(others, selection))
    videos = [entry for entry in found if isinstance(entry, Path)]
    names = name_outputs(videos, mirror(videos, others, target) if target is not None else None)
    entries: list[Job | Obstacle] = [
        entry if isinstance(entry, Obstacle) else _job(entry, names[entry], wanted) for entry in found
    ]
    known = {outputs.meta for outputs in names.values()}
    for path in named:
        meta_path = path.with_name(path.name.removesuffix(REPORT_ENDING).removesuffix(META_ENDING) + META_ENDING)
        meta = read_meta(meta_path)
        if meta is None:
            entries.append(Obstacle(path, f"{path}: there is no whole meta file beside it; annotate its video again"))
        elif meta_path not in known:
            known.add(meta_path)
            entries.append(_job(path.parent / Path(meta.source.name).name, _outputs_of(meta_path), wanted))
    for tree, archives in output_trees(others, target).items():
        for video, meta_path in _without_videos(tree, archives, selection, known):
            entries.append(_job(video, _outputs_of(meta_path), wanted))
    return entries


def convert_archive(entries: Iterable[Job | Obstacle], workers: Workers | None = None) -> Generator[Outcome, None, None]:
    """Makes formats from reports as `find_reports` finds them, and tells what became of each video, as they are done.

    Without ``workers`` this process does it all. What killed runs left is removed first.
    """
    workers = workers or InlineWorkers()
    jobs = yield from settle(entries, _finished)
    try:
        yield from run_jobs(jobs, workers)
    finally:
        workers.close()


def _finished(job: Job) -> Outcome | None:
    """The outcome of a report for which there is nothing to do, or nothing can be done; None if there is work."""
    try:
        decision = job.decision
    except ReportError as error:
        return Outcome(job.path, Status.FAILED, reason=str(error), trace=traceback.format_exc())
    except OSError as error:
        return Outcome(job.path, Status.FAILED, reason=unreadable(error, job.path), trace=traceback.format_exc())
    if decision.task is not Task.SKIP or decision.meta is None:
        return None
    return Outcome(job.path, Status.SKIPPED, decision.meta.duration_s, decision.meta.faces)


def _job(video: Path, outputs: Outputs, wanted: Wanted) -> Job:
    return Job(video, outputs, Settings(), wanted, "", from_report=True)


def _outputs_of(meta_path: Path) -> Outputs:
    return Outputs(meta_path.with_name(meta_path.name.removesuffix(META_ENDING)))


def _without_videos(
    tree: Path, archives: Sequence[Path], selection: Selection, known: set[Path]
) -> Iterator[tuple[Path, Path]]:
    """Where videos were that are gone from all of ``archives``, and the meta files in ``tree`` that name them."""
    for folder in folders_below(tree):
        metas = [path for path in sorted(folder.iterdir()) if path.name.endswith(META_ENDING)]
        loose = [(path, meta) for path in metas if path not in known and (meta := read_meta(path)) is not None]
        if not loose:
            continue
        place = folder.relative_to(tree)
        present = {plain_name(path) for archive in archives for path in _listed(archive / place)}
        for path, meta in loose:
            name = meta.source.name
            if name and name not in present and name == Path(name).name and selection.takes(place / name):
                known.add(path)
                yield archives[0] / place / name, path


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
