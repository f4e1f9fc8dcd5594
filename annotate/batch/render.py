"""Copies of an archive's videos with what their reports say: drawn into the pictures, or as tracks of subtitles.

The meta file beside a report knows the copies that were made of it, wherever they lie.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from annotate.analysis.parallel import Cores
from annotate.archive.discover import VIDEO_ENDINGS, Obstacle, Selection, walk
from annotate.archive.layout import OUTPUT_MARK, Outputs, Wanted, name_outputs
from annotate.archive.output_tree import mirror
from annotate.archive.stored_report import read_report
from annotate.batch.executor import InlineWorkers, Workers
from annotate.batch.job import Outcome, Progress, Status, unreadable
from annotate.batch.plan import decide_conversion
from annotate.batch.run import run_decoding, settle
from annotate.errors import OutputError, ReportError, SettingsError, UnreadableError
from annotate.media.containers import (
    CONTAINERS_WRITTEN,
    MATROSKA,
    container_for_burning,
    container_for_copying,
    left_out,
)
from annotate.media.encode import FONT, Subtitles, burn, mux
from annotate.media.probe import Stream, Video, check_readable, probe
from annotate.results.formats import ass, srt
from annotate.results.intervals import dominant_emotion
from annotate.results.meta import Meta, Render, hash_file, is_unchanged, plain_name, plain_text
from annotate.results.report import Report
from annotate.settings import ONE_CORE, Limits
from annotate.storage.local.files import apply_usual_mode, check_writable, make_folder, remove, sentence, write_whole
from annotate.storage.locks import claim, sweep

BOXES, SOFT = "boxes", "soft"
"""Kinds of copies: faces with boxes drawn into the pictures, and tracks of subtitles beside them."""

LANGUAGES = {"en": "eng", "ru": "rus"}
"""Language tags as containers have them (ISO 639-2)."""

TITLES = {"en": ("Emotions", "Emotions, with boxes"), "ru": ("Эмоции", "Эмоции и рамки")}
"""What tracks are called in players: the subtitles, and those that are drawn around faces."""

_NO_FACES = "no faces, so copied as it is"


@dataclass(frozen=True)
class Copy:
    """What is asked for: the kind of copy, the language of its words, the container (that of the video if empty)."""

    kind: str = BOXES
    language: str = "en"
    container: str = ""
    force: bool = False


@dataclass(frozen=True)
class RenderJob:
    """A video of which a copy is to be made: ``outputs`` are where its report is, ``place`` is the copy's without ending."""

    path: Path
    outputs: Outputs
    place: Path
    copy: Copy
    limits: Limits = ONE_CORE

    @property
    def meta(self) -> Meta:
        """What made the report.

        Raises:
            ReportError: there is no report, or it no longer holds.
            OSError: the video or the report cannot be read.
        """
        meta = decide_conversion(self.path, self.outputs, Wanted(())).meta
        assert meta is not None
        return meta

    def standing(self, meta: Meta) -> Path | None:
        """The copy of this kind and place that was made from the report as it is."""
        for way, render in meta.renders.items():
            stem, _, ending = way.rpartition(".")
            is_it = (stem, render.kind, render.language) == (self._way(self.place), self.copy.kind, self.copy.language)
            if is_it and self.copy.container in ("", ending) and render.report == self._report_hash(meta):
                path = self.place.with_name(f"{self.place.name}.{ending}")
                if path.is_file():
                    return path
        return None

    def run(self, progress: Progress | None, cores: Cores | None) -> Outcome:
        """Makes the copy. Errors as for `annotate.batch.job.Work.run`."""
        check_readable(self.path)
        make_folder(self.place.parent)
        check_writable(self.outputs.meta)
        check_writable(self.place)
        with claim(self.outputs) as scratch:
            if scratch is None:
                return Outcome(self.path, Status.BUSY, reason=f"{self.path}: another run is at it; it is left to that one")
            try:
                meta = self.meta
                if not self.copy.force and self.standing(meta) is not None:
                    return Outcome(self.path, Status.SKIPPED, meta.duration_s, meta.faces)
                return self._make(meta, progress, scratch)
            except OSError as error:
                raise UnreadableError(unreadable(error, self.path)) from error

    def _make(self, meta: Meta, progress: Progress | None, scratch: Path) -> Outcome:
        video = probe(self.path, self.limits.max_pixels)
        report = read_report(self.path, self.outputs, meta)
        plan = _Plan.of(self, video, report)
        target = self.place.with_name(f"{self.place.name}.{self.copy.container or plan.container}")
        self._check_free(target, meta)

        def advance(done_s: float) -> None:
            if progress is not None:
                progress(done_s, meta.duration_s or video.duration_s)

        advance(0.0)
        with _work_folder(target, self.outputs, scratch) as folder:
            made = folder / f"copy.{plan.container}"
            complaints = plan.make(made, advance)
            if not is_unchanged(meta.source, self.path):
                raise UnreadableError(f"{self.path}: has changed while it was read; annotate it again when it is complete")
            self._put(made, target, meta, scratch)
        remarks = [target.name, *plan.remarks]
        if complaints:
            remarks.append(f"damaged: the decoder complained {complaints} times")
        emotion = dominant_emotion(report.pieces)
        return Outcome(self.path, Status.RENDERED, meta.duration_s, meta.faces, emotion, "; ".join(remarks))

    def _put(self, made: Path, target: Path, meta: Meta, scratch: Path) -> None:
        """Puts a copy into its place, after the meta file knows it: were it the other way, a kill could leave a stranger."""
        self._check_free(target, meta)
        known = Render(self.copy.kind, self.copy.language, self._report_hash(meta), hash_file(made))
        meta = replace(meta, renders={**meta.renders, self._way(target): known})
        try:
            apply_usual_mode(made)
            with made.open("rb") as file:
                os.fsync(file.fileno())
            remove(target)
            write_whole(self.outputs.meta, meta.to_json(), scratch)
            os.replace(made, target)
        except OSError as error:
            raise OutputError(sentence(target, error)) from error

    def _check_free(self, target: Path, meta: Meta) -> None:
        """Sees to it that nothing is lost where the copy goes.

        Raises:
            OutputError: something is there that this program did not make.
        """
        if not os.path.lexists(target):
            return
        known = meta.renders.get(self._way(target))
        if known is None or target.is_symlink() or not target.is_file() or hash_file(target) != known.hash:
            raise OutputError(f"{target}: not written, since a file is there that this program did not make; move it away")

    def _way(self, path: Path) -> str:
        try:
            way = os.path.relpath(path, self.outputs.base.parent)
        except ValueError:
            way = os.path.abspath(path)
        return plain_text(Path(way).as_posix())

    def _report_hash(self, meta: Meta) -> str:
        return meta.outputs.get(plain_name(self.outputs.csv)) or ""


@dataclass(frozen=True)
class _Plan:
    """How a copy is made: byte by byte, or else by ffmpeg with ``tracks``, or with pictures that are ``drawn`` into."""

    video: Video
    limits: Limits
    container: str
    is_exact: bool = False
    drawing: str | None = None
    tracks: tuple[Subtitles, ...] | None = None
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: RenderJob, video: Video, report: Report) -> _Plan:
        """The way that suits a video and what its report tells.

        Raises:
            OutputError: the container that is asked for does not take the video's pictures as they are.
        """
        copy, own, has_faces = job.copy, job.path.suffix[1:].lower(), bool(report.face_cues)
        asked = copy.container.lower()
        if not has_faces and own and asked in ("", own):
            return cls(video, job.limits, own, is_exact=True, remarks=(_NO_FACES,))
        container = asked or (container_for_burning if has_faces and copy.kind == BOXES else container_for_copying)(video)
        lost = left_out(video.streams, container)
        can_copy = all(stream.index != video.stream for stream in lost)
        if copy.kind == BOXES and (has_faces or not can_copy):
            drawing = ass.draw(report, copy.language, font=FONT, with_bars=True)
            lost = [stream for stream in lost if stream.kind == "subtitle"]
            return cls(
                video, job.limits, container, drawing=drawing, remarks=_remarks(lost, container, "no faces", has_faces)
            )
        if not can_copy:
            raise OutputError(f"{job.path}: .{container} does not take its pictures as they are; give --container mkv")
        tracks = tuple(_tracks(report, copy.language, container)) if has_faces else ()
        return cls(video, job.limits, container, tracks=tracks, remarks=_remarks(lost, container, _NO_FACES, has_faces))

    def make(self, path: Path, advance: Callable[[float], None]) -> int:
        """Writes the copy and tells how often the decoder complained. Errors as for `burn` and `mux`."""
        if self.is_exact:
            try:
                shutil.copyfile(self.video.path, path)
            except OSError as error:
                raise OutputError(sentence(path, error)) from error
            return 0
        if self.tracks is not None:
            return mux(self.video, self.tracks, path, limits=self.limits, progress=advance).warning_count
        return burn(self.video, self.drawing, path, limits=self.limits, progress=advance).warning_count


def _remarks(lost: Sequence[Stream], container: str, without_faces: str, has_faces: bool) -> tuple[str, ...]:
    """What to say of a copy: that there are no faces, and which streams are left out."""
    named = ", ".join(f"{stream.codec} ({stream.kind})" for stream in lost)
    losses = (f"without {named}, which .{container} does not take",) if named else ()
    return losses if has_faces else (without_faces, *losses)


def _tracks(report: Report, language: str, container: str) -> Iterator[Subtitles]:
    """The tracks for a container: subtitles, and those drawn around faces where it takes them."""
    plain, drawn = TITLES[language]
    texts = [("srt", srt.write(report, language), plain)]
    if container == MATROSKA:
        texts.append(("ass", ass.write(report, language), drawn))
    for kind, text, title in texts:
        if text is not None:
            yield Subtitles(text, kind, LANGUAGES[language], title)


@contextlib.contextmanager
def _work_folder(target: Path, outputs: Outputs, scratch: Path) -> Iterator[Path]:
    """An empty folder for a copy in the making, on the disk of the target.

    Raises:
        OutputError: another run makes a copy of that name, or the folder takes no files.
    """
    with contextlib.ExitStack() as stack:
        if target.parent != outputs.base.parent:
            sweep(target.parent)
            other = stack.enter_context(claim(Outputs(target)))
            if other is None:
                raise OutputError(f"{target}: another run is writing it; it is left to that one")
            scratch = other
        folder = scratch / "copy"
        folder.mkdir()
        yield folder


def find_renders(
    paths: Sequence[Path],
    copy: Copy | None = None,
    selection: Selection | None = None,
    target: Path | None = None,
    limits: Limits = ONE_CORE,
) -> list[RenderJob | Obstacle]:
    """A job for every video below ``paths``.

    ``target`` is a file (.mp4, .mkv) for the copy of one video, or a directory: copies go there in a tree like the
    archive's, and reports are looked for there too, before those beside the videos.

    Raises:
        SettingsError: the target is a video itself, or a file for several, or copies of two roots have one place.
    """
    copy, selection = copy or Copy(), selection or Selection()
    found = list(walk(paths, selection))
    videos = [entry for entry in found if isinstance(entry, Path)]
    file = _file_of(target, videos)
    if file is not None:
        if len(videos) > 1 or any(path.is_dir() for path in paths):
            raise SettingsError(f"-o {file}: is one file, but there may be several videos; give a directory")
        copy = replace(copy, container=file.suffix[1:])
    beside = name_outputs(videos)
    mirrored = None if target is None or file is not None else name_outputs(videos, mirror(videos, paths, target))
    entries: list[RenderJob | Obstacle] = []
    for entry in found:
        if isinstance(entry, Obstacle):
            entries.append(entry)
            continue
        own = beside[entry] if mirrored is None else mirrored[entry]
        reported = own if own.meta.exists() else beside[entry]
        usual = own.base.with_name(f"{own.base.name}{OUTPUT_MARK}.{copy.kind}.{copy.language}")
        entries.append(RenderJob(entry, reported, usual if file is None else file.with_suffix(""), copy, limits))
    return entries


def _file_of(target: Path | None, videos: Sequence[Path]) -> Path | None:
    """The target if it is meant as a file, by its ending, and None if it is a directory.

    Raises:
        SettingsError: it is one of the videos, or a file of a kind that is not written.
    """
    if target is None or target.is_dir():
        return None
    if any(is_same_file(target, video) for video in videos):
        raise SettingsError(f"-o {target}: is the video itself, which is never written to; give another name")
    ending = target.suffix[1:].lower()
    if ending in CONTAINERS_WRITTEN:
        return target
    if ending in VIDEO_ENDINGS:
        known = " or ".join(f".{name}" for name in CONTAINERS_WRITTEN)
        raise SettingsError(f"-o {target}: copies are written as {known}; give such a name, or a directory")
    return None


def is_same_file(target: Path, video: Path) -> bool:
    """Whether a target is a video itself: by links, or by a name that differs in the case of letters only."""
    with contextlib.suppress(OSError):
        if os.path.samefile(target, video):
            return True
    target, video = (Path(os.path.realpath(path)) for path in (target, video))
    return str(target).casefold() == str(video).casefold()


def render_archive(
    entries: Iterable[RenderJob | Obstacle], workers: Workers | None = None
) -> Generator[Outcome, None, None]:
    """Makes copies as `find_renders` finds them, and tells what became of each video, as they are done.

    Without ``workers`` this process does it all. A single video gets all cores. What killed runs left is removed first.

    Raises:
        FFmpegError: boxes are wanted, and there is no ffmpeg that can draw them.
    """
    workers = workers or InlineWorkers()
    entries = list(entries)
    for folder in dict.fromkeys(entry.place.parent for entry in entries if isinstance(entry, RenderJob)):
        sweep(folder)
    jobs = yield from settle(entries, _finished)
    yield from run_decoding(jobs, workers)


def _finished(job: RenderJob) -> Outcome | None:
    """The outcome of a video of which a copy stands, or cannot be made; None if there is work."""
    try:
        meta = job.meta
    except ReportError as error:
        return Outcome(job.path, Status.FAILED, reason=str(error), trace=traceback.format_exc())
    except OSError as error:
        return Outcome(job.path, Status.FAILED, reason=unreadable(error, job.path), trace=traceback.format_exc())
    if job.copy.force or job.standing(meta) is None:
        return None
    return Outcome(job.path, Status.SKIPPED, meta.duration_s, meta.faces)
