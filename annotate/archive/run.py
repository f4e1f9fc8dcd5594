"""Annotating the videos of an archive, one after the other, whatever befalls any of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from annotate.archive.outcome import Outcome, Status, Watcher
from annotate.archive.plan import Outputs, Task, Wanted, decide, name_outputs
from annotate.archive.walk import Obstacle
from annotate.emotions.classifier import load_classifier
from annotate.errors import AnnotateError, UnreadableError
from annotate.media.binary import find_ffmpeg
from annotate.media.probe import check_readable
from annotate.pipeline import Analysis, analyse
from annotate.settings import Settings
from annotate.timeline import MS_PER_S
from annotate.tracks.cues import make_cues
from annotate.tracks.files import check_writable, remove, write_whole
from annotate.tracks.meta import Meta, describe_source, hash_content, plain_name, settings_that_matter
from annotate.tracks.pieces import dominant_emotion, pieces
from annotate.tracks.subtitles import to_srt
from annotate.tracks.table import format_table, parse_table, to_table
from annotate.version import ANALYSIS_VERSION, VERSION

logger = logging.getLogger(__name__)


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
            continue
        try:
            yield _annotate_one(entry, names[entry], settings, wanted, model_hash, watcher)
        except AnnotateError as error:
            logger.info("%s failed", entry, exc_info=True)
            yield Outcome(entry, Status.FAILED, reason=str(error))


def _annotate_one(
    path: Path, outputs: Outputs, settings: Settings, wanted: Wanted, model_hash: str, watcher: Watcher
) -> Outcome:
    check_readable(path)
    try:
        task, meta = decide(path, outputs, wanted, settings, model_hash)
        if task is Task.SKIP and meta is not None:
            return Outcome(path, Status.SKIPPED, meta.duration_s, meta.faces)
        check_writable(outputs.meta)
        if task is Task.CONVERT and meta is not None:
            _write_tracks(parse_table(outputs.csv.read_bytes()), meta, outputs, wanted)
            return Outcome(path, Status.CONVERTED, meta.duration_s, meta.faces)
        table, meta = _analyse(path, settings, watcher)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    remove(outputs.meta)
    text = format_table(table)
    write_whole(outputs.csv, text)
    _write_tracks(table, replace(meta, outputs={plain_name(outputs.csv): hash_content(text.encode())}), outputs, wanted)
    status = Status.ANNOTATED if meta.faces else Status.NO_FACES
    return Outcome(path, status, meta.duration_s, meta.faces, dominant_emotion(pieces(table)), _remark(meta))


def _analyse(path: Path, settings: Settings, watcher: Watcher) -> tuple[pd.DataFrame, Meta]:
    source = describe_source(path)
    analysis = Analysis.open(path, settings)
    watcher.begun(path, analysis.video.duration_s)
    analysis.progress = watcher.advanced
    annotations = analyse(analysis)
    meta = Meta(
        analysis_version=ANALYSIS_VERSION,
        program=f"annotate {VERSION}",
        model_hash=analysis.classifier.model_hash,
        settings=settings_that_matter(settings),
        source=source,
        frames=analysis.decoding.frames,
        duration_s=analysis.decoding.end_s,
        missing_s=round(analysis.missing_s, 3),
        faces=analysis.blocks.faces,
        dropped_tracks=analysis.blocks.dropped_tracks,
        warnings=dict(analysis.decoding.warnings),
        ffmpeg=find_ffmpeg().version,
    )
    return to_table(annotations, analysis.classifier.contract.class_names), meta


def _write_tracks(table: pd.DataFrame, meta: Meta, outputs: Outputs, wanted: Wanted) -> None:
    """Writes the asked-for tracks that ``meta`` does not know yet, then the meta file."""
    cues = make_cues(pieces(table), round(meta.duration_s * MS_PER_S))
    written = dict(meta.outputs)
    for path in outputs.tracks(wanted).values():
        if not cues:
            remove(path)
            written[plain_name(path)] = None
            continue
        text = to_srt(cues, wanted.language)
        write_whole(path, text)
        written[plain_name(path)] = hash_content(text.encode())
    write_whole(outputs.meta, replace(meta, outputs=written).to_json())


def _remark(meta: Meta) -> str:
    if meta.missing_s:
        return f"damaged: the last {meta.missing_s:.1f} s could not be decoded"
    count = sum(meta.warnings.values())
    return f"damaged: the decoder complained {count} times" if count else ""
