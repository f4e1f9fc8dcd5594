"""Find the transcripts of annotated videos: beside them, named after them, or in a folder of their own."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from annotate.analytics.speech.read import SPEAKERS_ENDING, TEXT_ENDINGS, ReadingOptions, read_transcript
from annotate.analytics.speech.utterances import Transcript
from annotate.analytics.video_names import VideoNames
from annotate.archive.discover import VIDEO_EXTENSIONS, without_extension
from annotate.archive.layout import REPORT_ENDING, is_output
from annotate.errors import AnnotateError, CodingError, NotATranscriptError, TranscriptError
from annotate.results.meta import normal_form
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import counted

_ENDINGS = (*TEXT_ENDINGS, SPEAKERS_ENDING)


@dataclass(frozen=True)
class TranscriptOptions:
    """Where transcripts are, and how they are read.

    ``folder`` is a folder of transcripts, or one file; without it they are beside the videos. Only those count whose names
    match one of the shell patterns ``names``, if there are any.
    """

    folder: PathOrUrl | None = None
    names: tuple[str, ...] = ()
    reading: ReadingOptions = field(default_factory=ReadingOptions)


@dataclass
class Transcripts:
    """The files of each video, by the path of its table, and remarks on those that were read.

    ``remarks`` are sentences on files that are left out or partly used, ``skipped`` those that cannot be used.
    """

    options: TranscriptOptions = field(default_factory=TranscriptOptions)
    files: dict[PathOrUrl, list[PathOrUrl]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    skipped: list[SkippedPath] = field(default_factory=list)
    without: list[PathOrUrl] = field(default_factory=list)
    """Tables of videos that have no transcript, not even a damaged one, of those that were asked for."""

    _read: dict[PathOrUrl, Transcript | None] = field(default_factory=dict)

    def of(self, report: PathOrUrl) -> Transcript | None:
        """Return the transcript of the video with the table ``report``, read once; None if there is none."""
        if report not in self._read:
            failures = len(self.skipped)
            self._read[report] = self._first(report)
            if self._read[report] is None and len(self.skipped) == failures:
                self.without.append(report)
        return self._read[report]

    def forget(self, report: PathOrUrl) -> None:
        """Drop a transcript that is not needed any more, so that memory does not grow with the archive."""
        if report in self._read:
            self._read[report] = None

    def closing_remark(self) -> str:
        """Return how many videos have no transcript, as a sentence, with a remedy if none has one; empty if all do."""
        count, folder = len(self.without), self.options.folder
        if not count:
            return ""
        where = "in " + str(folder) if folder is not None else "beside it" if count == 1 else "beside them"
        named = ". Name transcripts after their videos" + ("" if folder is not None else ", or name their folder")
        remedy = "" if self.files else named
        return f"{counted(count, 'video')} left out: no transcript {where}{remedy}"

    def _first(self, report: PathOrUrl) -> Transcript | None:
        """Return the first transcript that can be used."""
        files = self.files.get(report, [])
        speakers = next((file for file in files if file.suffix.lower() == SPEAKERS_ENDING), None)
        texts = [file for file in files if file.suffix.lower() in TEXT_ENDINGS]
        stem = without_extension(report.name.removesuffix(REPORT_ENDING))
        for number, file in enumerate(texts):
            try:
                transcript = read_transcript(file, stem, speakers, self.options.reading)
            except NotATranscriptError as error:
                if len(texts) == 1:
                    self.remarks.append(f"{error}")
            except AnnotateError as error:
                self.skipped.append(SkippedPath(error.path or file, error.problem, error.remedy))  # type: ignore[arg-type]
            else:
                others = ", ".join(other.name for other in texts[number + 1 :])
                if others:
                    self.remarks.append(f"{file} is read, not {others} beside it")
                if remark := transcript.remark():
                    self.remarks.append(remark)
                return transcript
        if speakers is None or texts:
            return None
        try:
            return read_transcript(speakers, stem, options=self.options.reading)
        except AnnotateError as error:
            self.skipped.append(SkippedPath(speakers, error.problem, error.remedy))
            return None


def find_transcripts(
    reports: Sequence[PathOrUrl],
    options: TranscriptOptions | None = None,
    folders: Mapping[PathOrUrl, PathOrUrl] | None = None,
) -> Transcripts:
    """Return the transcripts of the videos with the tables ``reports``.

    ``folders`` are those of the videos, by table, where they are not those of the tables.

    Raises:
        TranscriptError: the folder of transcripts does not exist, or has none.
    """
    options = options or TranscriptOptions()
    found = Transcripts(options)
    if options.folder is not None:
        _find_in(options.folder, reports, found)
    else:
        by_folder: dict[PathOrUrl, list[PathOrUrl]] = {}
        for report in reports:
            by_folder.setdefault((folders or {}).get(report, report.parent), []).append(report)
        for folder, own in by_folder.items():
            _find_beside(folder, own, found)
    for files in found.files.values():
        files.sort(key=_rank)
    return found


def _find_beside(folder: PathOrUrl, reports: Sequence[PathOrUrl], found: Transcripts) -> None:
    """Add the files of a folder that are named after one of its videos; one that is not annotated keeps its own."""
    try:
        entries = storage_for(folder).list_dir(folder)
    except OSError:
        return
    owners: dict[str, PathOrUrl | None] = {
        _folded(without_extension(entry.name)): None
        for entry in entries
        if entry.suffix[1:].lower() in VIDEO_EXTENSIONS and not is_output(entry.name)
    }
    bases = {_folded(report.name.removesuffix(REPORT_ENDING)): report for report in reports}
    owners |= {without_extension(base): report for base, report in bases.items()} | bases
    for entry in entries:
        if _is_transcript(entry, found.options):
            owner = next((owners[name] for name in _prefixes(_folded(entry.stem)) if name in owners), None)
            if owner is not None:
                found.files.setdefault(owner, []).append(entry)


def _find_in(folder: PathOrUrl, reports: Sequence[PathOrUrl], found: Transcripts) -> None:
    """Add the files below a folder, or one file, that are named after one of the videos."""
    storage = storage_for(folder)
    if not storage.exists(folder):
        raise TranscriptError("no such file or directory", "check --transcripts", path=folder)
    is_folder = storage.is_dir(folder)
    entries = [entry for entry in storage.walk(folder) if not isinstance(entry, SkippedPath)]
    entries = [entry for entry in entries if _is_transcript(entry, found.options)]
    if not entries:
        raise TranscriptError("no transcripts", f"give a folder with {', '.join(_ENDINGS)}", path=folder)
    names, unknown = VideoNames(reports), list[PathOrUrl]()
    for entry in entries:
        if not is_folder and len(reports) == 1:
            found.files.setdefault(reports[0], []).append(entry)
            continue
        relative = storage.subpath(entry, folder).parent.as_posix() if is_folder else "."
        places = (f"{relative}/{name}" for name in _prefixes(entry.stem))
        try:
            owner = next((report for report in map(names.find, places) if report is not None), None)
        except CodingError as error:
            found.skipped.append(SkippedPath(entry, error.problem, error.remedy))
            continue
        if owner is None:
            unknown.append(entry)
        else:
            found.files.setdefault(owner, []).append(entry)
    if unknown:
        files = counted(len(unknown), "transcript")
        found.remarks.append(f"{folder}: {files} of no annotated video left out ({unknown[0].name}, for example)")


def _is_transcript(path: PathOrUrl, options: TranscriptOptions) -> bool:
    name = path.name.casefold()
    is_wanted = not options.names or any(fnmatch.fnmatchcase(name, pattern.casefold()) for pattern in options.names)
    return path.suffix.lower() in _ENDINGS and not is_output(path.name) and is_wanted


def _prefixes(stem: str) -> Iterator[str]:
    """Yield a name, and it without its last parts: ``movie.en``, ``movie``."""
    while stem:
        yield stem
        stem = stem.rpartition(".")[0]


def _rank(path: PathOrUrl) -> tuple[int, int, str]:
    """Return the sort key of the transcripts of one video: by ending, then the name without further parts first."""
    ending = path.suffix.lower()
    return _ENDINGS.index(ending), path.name.count("."), path.name


def _folded(name: str) -> str:
    return normal_form(name).casefold()
