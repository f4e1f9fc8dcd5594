"""Subtitle tracks with dialogue and emotion, made of existing reports and of transcripts."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from annotate.analytics.speech.dialogue import dialogue_names, format_dialogue
from annotate.analytics.speech.find import TranscriptOptions, Transcripts, find_transcripts
from annotate.archive.layout import OutputOptions
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_item_report
from annotate.archive.validity import current_meta
from annotate.batch.executor import Executor, InlineExecutor
from annotate.batch.job import ItemJob, Outcome, Status, WorkContext, remarks_on
from annotate.batch.run import run_jobs, split_finished
from annotate.batch.write import OutputWriter, add_texts, write_sidecar
from annotate.errors import TranscriptError, read_error
from annotate.results.formats.registry import check_libraries
from annotate.results.meta import hash_content, json_safe_name
from annotate.settings import ONE_CORE, Limits
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath


@dataclass(frozen=True)
class DialogueJob(ItemJob):
    """Everything a worker needs to write the tracks of one video; ``files`` are its transcripts, the first one counts."""

    item: ArchiveItem
    options: OutputOptions
    files: tuple[PathOrUrl, ...]
    speech: TranscriptOptions
    limits: Limits = ONE_CORE


def find_for_items(items: Iterable[ArchiveItem | SkippedPath], options: TranscriptOptions | None = None) -> Transcripts:
    """Return the transcripts of scanned videos, beside these unless they are in a folder of their own.

    Raises:
        TranscriptError: the folder of transcripts does not exist, or has none.
    """
    found = [item for item in items if isinstance(item, ArchiveItem)]
    folders = {item.outputs.csv: item.video.parent for item in found}
    return find_transcripts(list(folders), options, folders)


def write_dialogues(
    items: Sequence[ArchiveItem | SkippedPath],
    options: OutputOptions,
    transcripts: Transcripts,
    executor: Executor | None = None,
) -> Generator[Outcome, None, None]:
    """Write the tracks of the videos that have a transcript; yield one outcome per video as it finishes.

    Raises:
        SettingsError: a format has no such track, or its library is missing.
    """
    check_libraries(dialogue_names(options.formats))
    executor = executor or InlineExecutor()
    files = {path: tuple(own) for path, own in transcripts.files.items()}
    pending = [
        item if isinstance(item, SkippedPath) else DialogueJob(item, options, files[item.outputs.csv], transcripts.options)
        for item in items
        if isinstance(item, SkippedPath) or item.outputs.csv in files
    ]
    jobs = yield from split_finished(pending, lambda job: None)
    try:
        yield from run_jobs(write_dialogue, jobs, executor)
    finally:
        executor.close()


def write_dialogue(job: DialogueJob, context: WorkContext) -> Outcome:
    """Write the tracks of one video; what is as it would be written stays.

    Raises:
        AnnotateError: it is not annotated, its transcript cannot be used, or a file cannot be written.
    """
    outputs, language = job.outputs, job.options.language
    storage = storage_for(outputs.base)
    storage.check_writable(outputs.meta)
    with storage.lock(outputs.base) as lock:
        if lock is None:
            return Outcome.locked(job.path)
        try:
            item = job.item.reread()
            meta = current_meta(item)
            report = read_item_report(item, meta, is_corrected=job.options.is_corrected)
            transcripts = Transcripts(job.speech, {outputs.csv: list(job.files)})
            transcript = transcripts.of(outputs.csv)
        except OSError as error:
            raise read_error(job.path, error) from error
        if transcript is None:
            raise _unusable(transcripts, job)
        texts: dict[PathOrUrl, str | None] = {
            outputs.dialogue(name, language): format_dialogue(name, report, transcript, language)
            for name in dialogue_names(job.options.formats)
        }
        remarks = [*transcripts.remarks, *(str(skipped) for skipped in transcripts.skipped)]
        if all(_is_written(path, text, meta.outputs.get(json_safe_name(path))) for path, text in texts.items()):
            return Outcome.skipped(job.path, meta)
        writer = OutputWriter(outputs, meta, lock)
        meta = add_texts(texts, report, writer)
        lock.confirm()
        write_sidecar(meta, outputs, lock)
    said = "; ".join(filter(None, [*writer.kept, *remarks_on(meta), *remarks]))
    return Outcome(job.path, Status.CONVERTED, meta.duration_s, meta.faces, problem=said)


def _unusable(transcripts: Transcripts, job: DialogueJob) -> TranscriptError:
    for skipped in transcripts.skipped:
        return TranscriptError(skipped.problem, skipped.remedy, path=skipped.path)
    problem = transcripts.remarks[0] if transcripts.remarks else "no transcript"
    return TranscriptError(problem, "give its folder with --transcripts", path=job.path)


def _is_written(path: PathOrUrl, text: str | None, recorded: str | None) -> bool:
    storage = storage_for(path)
    if text is None or recorded != hash_content(text.encode()) or not storage.is_file(path):
        return False
    return storage.read(path) == text.encode()
