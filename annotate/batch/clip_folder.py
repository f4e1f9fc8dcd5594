"""The folder of clips: which are made, their table, and the record by which a second run makes only what is missing.

``clips.json`` is the record. A clip is added to it before it is moved to its name, so that a run that is killed in between
makes the clip again; what is not in the record is a file of somebody else, which is never written over.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from annotate.analytics.export import encode_table
from annotate.analytics.moments import Moment
from annotate.analytics.speech.spoken import SPEAKER, TEXT
from annotate.archive.layout import kept_path
from annotate.batch.rendering import move_into_place
from annotate.batch.write import unknown_file_error
from annotate.errors import OutputError, SettingsError, read_error, write_error
from annotate.results.meta import hash_content, hash_file, json_safe_text
from annotate.span import MS_PER_S, Span
from annotate.storage.base import storage_for
from annotate.version import VERSION

RECORD, TABLE, REEL, SHEET = "clips.json", "clips.csv", "reel.mp4", "sheet{number}.png"
"""Names in the folder: record, table, joined video, and contact sheets, of which the first has no number."""

_DOCUMENT_VERSION = 1
_OPTIONAL = ("person", "name", "source", "machine_emotion", "trial", "condition", "participant", "text", "speaker")
"""Columns that the table has only if one of the clips has a value."""


@dataclass(frozen=True)
class ClipRow:
    """A clip in the record: names of its files, its moment, and the span of the video that it shows, in milliseconds.

    ``video`` is the relative path from the folder to the video, and ``source_hash`` the hash of the video in its sidecar.
    """

    file: str
    video: str
    source_hash: str
    face_id: int
    emotion: str
    confidence: float
    start_ms: int
    end_ms: int
    clip_start_ms: int = 0
    clip_end_ms: int = 0
    gif: str = ""
    person: int = 0
    name: str = ""
    source: str = ""
    machine_emotion: str = ""
    trial: str = ""
    condition: str = ""
    participant: str = ""
    text: str = ""
    speaker: str = ""

    @classmethod
    def of(cls, moment: Moment, folder: Path, source_hash: str) -> ClipRow:
        """Return the row of a moment whose clip is not made yet."""
        trial, video = moment.trial, moment.report.video_path
        groups = ("", "", "") if trial is None else (trial.name, trial.condition, trial.participant)
        further = {} if trial is None else trial.further
        text = further.get(TEXT, "")
        is_corrected = moment.report.is_corrected
        return cls(
            "",
            json_safe_text(storage_for(video).relative(video, folder)),
            source_hash,
            moment.face_id,
            moment.emotion,
            moment.confidence,
            moment.span.start_ms,
            moment.span.end_ms,
            person=moment.person.number,
            name=moment.person.name,
            source=moment.source if is_corrected else "",
            machine_emotion=moment.machine_emotion if is_corrected else "",
            trial=groups[0] if groups[0] != text else "",
            condition=groups[1],
            participant=groups[2],
            text=text,
            speaker=further.get(SPEAKER, ""),
        )

    @property
    def span(self) -> Span:
        """The span of the moment."""
        return Span(self.start_ms, self.end_ms)

    @property
    def shown(self) -> Span:
        """The span of the video that the clip shows."""
        return Span(self.clip_start_ms, self.clip_end_ms)

    @property
    def order(self) -> tuple[str, int, int, str]:
        """Key by which clips are ordered: video, then time."""
        return self.video, self.start_ms, self.face_id, self.file

    def is_of(self, other: ClipRow) -> bool:
        """Return whether both are of one moment of one video."""
        return (self.video, self.face_id, self.span, self.emotion) == (
            other.video,
            other.face_id,
            other.span,
            other.emotion,
        )


@dataclass(frozen=True)
class OtherFile:
    """The table, a reel or a sheet in the record: the hash of the file, and that of what it was made from, if it is kept."""

    hash: str
    made_from: str = ""


def to_table(rows: list[ClipRow]) -> pd.DataFrame:
    """Return a table with one row per clip, and times in seconds."""
    columns: dict[str, list[Any]] = {
        "file": [row.file for row in rows],
        "gif": [row.gif for row in rows],
        "video": [row.video for row in rows],
        "face_id": [row.face_id for row in rows],
        "emotion": [row.emotion for row in rows],
        "confidence": [row.confidence for row in rows],
        "start_time": [row.start_ms / MS_PER_S for row in rows],
        "end_time": [row.end_ms / MS_PER_S for row in rows],
        "clip_start_time": [row.clip_start_ms / MS_PER_S for row in rows],
        "clip_end_time": [row.clip_end_ms / MS_PER_S for row in rows],
    }
    columns |= {name: [getattr(row, name) for row in rows] for name in _OPTIONAL}
    for name in ("gif", *_OPTIONAL):
        if not any(columns[name]):
            del columns[name]
    return pd.DataFrame(columns)


@dataclass
class ClipFolder:
    """A folder of clips with its record, and a folder for unfinished files on the same disk.

    ``clips`` are the rows by name, and ``others`` the other files by name.
    """

    path: Path
    made_with: list[str]
    scratch: Path
    clips: dict[str, ClipRow] = field(default_factory=dict)
    others: dict[str, OtherFile] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)

    @property
    def rows(self) -> list[ClipRow]:
        """The clips that exist, ordered by video and time."""
        rows = [row for row in self.clips.values() if (self.path / row.file).is_file()]
        return sorted(rows, key=lambda row: row.order)

    def has(self, name: str) -> bool:
        """Return whether a file in the record exists."""
        return (self.path / name).is_file()

    def gif_of(self, name: str) -> Path | None:
        """Return the GIF that was made of a clip, which may be gone itself; None if there is none."""
        known = self.clips.get(name)
        return self.path / known.gif if known is not None and known.gif and self.has(known.gif) else None

    def publish(self, name: str, row: ClipRow, files: tuple[Path, ...]) -> None:
        """Add a clip to the record, then move its files to their names; a GIF that was made of it before is replaced.

        Raises:
            OutputError: a file of somebody else has the name, or it cannot be written.
        """
        targets = {file: self.path / f"{name}{file.suffix}" for file in files}
        earlier = self.gif_of(name)
        for target in targets.values():
            if os.path.lexists(target) and target != earlier:
                raise unknown_file_error(target)
        is_unchanged = earlier is not None and self.clips[name].source_hash == row.source_hash
        names = {target.suffix: str(target.relative_to(self.path).as_posix()) for target in targets.values()}
        gif = names.pop(".gif", self.clips[name].gif if is_unchanged else "")
        self.clips[name] = replace(row, file=next(iter(names.values()), row.file), gif=gif)
        self.save()
        for file, target in targets.items():
            storage_for(target.parent).ensure_dir(target.parent)
            self._move(file, target)

    def update(self, name: str, row: ClipRow) -> None:
        """Replace what the record says of the moment of a clip that exists."""
        known = self.clips[name]
        self.clips[name] = replace(
            row, file=known.file, gif=known.gif, clip_start_ms=known.clip_start_ms, clip_end_ms=known.clip_end_ms
        )

    def is_made_from(self, name: str, made_from: str) -> bool:
        """Return whether another file exists that was made from this."""
        return self.has(name) and name in self.others and self.others[name].made_from == made_from

    def publish_other(self, name: str, file: Path, made_from: str) -> None:
        """Move a reel or a sheet to its name; an earlier one is replaced.

        Raises:
            OutputError: a file of somebody else, or a changed one, has the name, or it cannot be written.
        """
        target = self.path / name
        self.check_replaceable(name)
        self.others[name] = OtherFile(hash_file(file), made_from)
        self.save()
        self._move(file, target)

    def check_replaceable(self, name: str) -> None:
        """Check that the name of a reel or a sheet is free, or that of one that nobody changed.

        Raises:
            OutputError: it is not.
        """
        target = self.path / name
        if os.path.lexists(target) and not self._is_as_written(target):
            raise unknown_file_error(target)

    def remove_others(self, names: Iterable[str]) -> None:
        """Delete reels or sheets in the record that are not needed any more; those that somebody changed stay, as theirs.

        Raises:
            OutputError: one cannot be deleted.
        """
        for name in names:
            if self._is_as_written(path := self.path / name):
                try:
                    storage_for(path).delete(path)
                except OSError as error:
                    raise write_error(path, error) from error
            del self.others[name]
            self.save()

    def write_table(self) -> pd.DataFrame:
        """Write the table of the clips that exist, and return it; one that was changed is kept under another name.

        Raises:
            OutputError: it cannot be written.
        """
        table, path = to_table(self.rows), self.path / TABLE
        content = encode_table(table, path.suffix, ["confidence"])
        written = OtherFile(hash_content(content))
        if os.path.lexists(path):
            if not path.is_symlink() and self.others.get(TABLE) == written:
                return table
            if not self._is_as_written(path):
                kept = kept_path(path)
                storage_for(path).rename(path, kept)
                self.kept.append(f"{path} was not as annotate wrote it, kept as {kept.name}")
        self.others[TABLE] = written
        self.save()
        storage_for(path).write_atomic(path, content, self.scratch)
        return table

    def empty_folder(self, name: str) -> Path:
        """Return a new folder for unfinished files."""
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        storage_for(folder).ensure_dir(folder)
        return folder

    def save(self) -> None:
        """Write the record."""
        document = {
            "document_version": _DOCUMENT_VERSION,
            "program": f"annotate {VERSION}",
            "made_with": self.made_with,
            "clips": {name: asdict(row) for name, row in self.clips.items()},
            "others": {name: [file.hash, file.made_from] for name, file in self.others.items()},
        }
        text = json.dumps(document, ensure_ascii=False, indent=1)
        storage_for(self.path).write_atomic(self.path / RECORD, text, self.scratch)

    def _is_as_written(self, path: Path) -> bool:
        known = self.others.get(path.name)
        return known is not None and not path.is_symlink() and path.is_file() and hash_file(path) == known.hash

    def _move(self, file: Path, target: Path) -> None:
        try:
            move_into_place(file, target)
        except OSError as error:
            raise write_error(target, error) from error


@contextlib.contextmanager
def open_folder(path: Path, made_with: list[str]) -> Iterator[ClipFolder]:
    """Open a folder of clips, new or with clips of the same options; no other run can open it meanwhile.

    Raises:
        OutputError: another run is writing to it, or it is not writable.
        SettingsError: its clips were made with other options, or its record is damaged.
    """
    storage = storage_for(path)
    storage.ensure_dir(path)
    storage.sweep(path)
    with storage.lock(path / "clips") as lock:
        if lock is None or lock.scratch is None:
            raise OutputError("another run is writing clips to it", "rerun when it has finished", path=path)
        yield read_folder(path, made_with, lock.scratch)


def read_folder(path: Path, made_with: list[str], scratch: Path) -> ClipFolder:
    """Return a folder as its record describes it; raise as `open_folder` does."""
    folder = ClipFolder(path, made_with, scratch)
    try:
        content = (path / RECORD).read_bytes()
    except FileNotFoundError:
        return folder
    except OSError as error:
        raise read_error(path / RECORD, error) from error
    try:
        document = json.loads(content)
        rows = {str(name): _row(row) for name, row in document["clips"].items()}
        others = {str(name): OtherFile(*map(str, parts)) for name, parts in document["others"].items()}
        earlier = [str(option) for option in document["made_with"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        remedy = "give another folder, or move this file away with the clips"
        raise SettingsError("not a record of clips", remedy, path=path / RECORD) from None
    if rows and earlier != made_with:
        options = " ".join(earlier) or "no --lead-in, --copy, --boxes or --blur"
        remedy = "give the same options, or another folder with -o"
        raise SettingsError(f"its clips were made with other options ({options})", remedy, path=path)
    return replace(folder, clips=rows, others=others)


def _row(values: Mapping[str, Any]) -> ClipRow:
    row = ClipRow(**values)
    if not all(isinstance(getattr(row, name), int) for name in ("start_ms", "end_ms", "clip_start_ms", "clip_end_ms")):
        raise TypeError("times are whole milliseconds")
    return row
