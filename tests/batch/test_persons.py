"""Persons of an archive: numbered from stored descriptors, shown in outputs, kept, moved and forgotten."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotate.archive.layout import ARCHIVE_PERSONS, OutputOptions, outputs_of_report
from annotate.archive.persons import read_person_rows
from annotate.archive.scan import ArchiveItem, scan
from annotate.archive.stored_report import read_report
from annotate.batch.convert import convert_archive, scan_reports
from annotate.batch.forget import forget_archive
from annotate.batch.job import Status
from annotate.batch.persons import (
    delete_descriptors,
    describe_archive,
    edit_persons,
    is_numbered,
    number_persons,
    show_persons,
    split_off,
)
from annotate.errors import OutputError, ReportError
from annotate.persons.descriptor import DIMENSIONS
from annotate.persons.storage import format_descriptors
from annotate.persons.tracks import TrackVectors
from annotate.results.meta import Render, hash_content, parse_meta, read_meta
from annotate.results.persons import merge_persons, name_person
from annotate.results.table import PERSON
from annotate.storage.base import storage_for
from annotate.storage.local.files import write_atomic
from tests.analytics.samples import block, report
from tests.runs import check

VIDEOS = {"a/one.mp4": "xy", "a/two.mp4": "y", "three.mp4": "xzx"}
"""The videos of the archive, each with the faces of its tracks one after another."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of annotated videos whose face tracks are described; the videos are a byte each."""
    root = tmp_path / "films"
    for name, faces in VIDEOS.items():
        video = root / name
        blocks = [block(number, 0, 1000 * number, 1000 * number + 900, "fear") for number in range(1, len(faces) + 1)]
        table = report(video.parent, video.name, blocks)
        video.write_bytes(b".")
        os.utime(video, ns=(1, 1))
        meta = read_meta(outputs_of_report(table).meta)
        assert meta is not None
        meta = replace(meta, source=replace(meta.source, hash=name), width_px=640, height_px=360)
        outputs_of_report(table).meta.write_text(meta.to_json())
        vectors = np.eye(DIMENSIONS, dtype=np.float32)[[ord(face) - ord("x") for face in faces]]
        tracks = TrackVectors(tuple(range(1, len(faces) + 1)), vectors, np.ones(len(faces), np.int64))
        content = format_descriptors(tracks, hash_content(table.read_bytes()))
        write_atomic(outputs_of_report(table).descriptors, content, private=True)
    return root


def items_of(root: Path) -> list[ArchiveItem]:
    return [item for item in scan([root]) if isinstance(item, ArchiveItem)]


def number(root: Path) -> Path:
    """Number the persons of an archive; return its file."""
    file = root / ARCHIVE_PERSONS
    number_persons(file, items_of(root))
    assert {outcome.status for outcome in show_persons(file, items_of(root))} == {Status.CONVERTED}
    return file


def persons(root: Path, name: str) -> list[tuple[int, str]]:
    """Return the persons of the face tracks of a video, as its report is read."""
    found = read_report((root / name).with_suffix(".emotions.csv")).persons
    return [(person.number, person.name) for _, person in sorted(found.items())]


def test_one_person_has_one_number_in_all_videos(archive: Path) -> None:
    file = archive / ARCHIVE_PERSONS
    assert not is_numbered(file, items_of(archive))
    number(archive)
    assert persons(archive, "a/one.mp4") == [(1, ""), (2, "")]
    assert persons(archive, "a/two.mp4") == [(2, "")]
    assert persons(archive, "three.mp4") == [(1, ""), (3, ""), (1, "")]
    assert is_numbered(file, items_of(archive))
    assert check([archive]) == []


def test_described_videos_are_skipped_and_descriptors_deleted(archive: Path) -> None:
    path = archive / "three.emotions.descriptors.npz"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {outcome.status for outcome in describe_archive(items_of(archive))} == {Status.UP_TO_DATE}
    delete_descriptors(items_of(archive))
    assert not list(archive.rglob("*.npz"))


def test_what_people_say_stands_when_numbers_are_given_anew(archive: Path) -> None:
    file = number(archive)
    edit_persons(file, [lambda rows: name_person(rows, 2, "Ann"), lambda rows: split_off(rows, "three.mp4", 3)])
    list(show_persons(file, items_of(archive)))
    assert persons(archive, "a/two.mp4") == [(2, "Ann")]
    assert persons(archive, "three.mp4") == [(1, ""), (3, ""), (4, "")]
    number(archive)
    assert persons(archive, "a/one.mp4") == [(1, ""), (2, "Ann")]
    assert persons(archive, "three.mp4") == [(1, ""), (3, ""), (4, "")]
    edit_persons(file, [lambda rows: merge_persons(rows, [1, 4])])
    assert persons(archive, "three.mp4") == [(1, ""), (3, ""), (1, "")]


def test_it_survives_a_new_annotation_with_other_numbers_of_tracks(archive: Path) -> None:
    file = number(archive)
    edit_persons(file, [lambda rows: name_person(rows, 3, "Ann")])
    table = archive / "three.emotions.csv"
    before = read_meta(outputs_of_report(table).meta)
    blocks = [block(new, 0, 1000 * old, 1000 * old + 900, "anger") for new, old in ((2, 1), (3, 2), (1, 3))]
    report(archive, "three.mp4", blocks)
    after = read_meta(outputs_of_report(table).meta)
    assert before is not None
    assert after is not None
    outputs_of_report(table).meta.write_text(replace(after, persons=before.persons).to_json())
    assert persons(archive, "three.mp4") == [(1, ""), (1, ""), (3, "Ann")]


def test_a_moved_video_is_found_by_its_hash_and_takes_its_own_file_along(archive: Path) -> None:
    number(archive)
    (item,) = [item for item in items_of(archive) if item.video.name == "two.mp4"]
    number_persons(item.outputs.persons, [item])
    edit_persons(item.outputs.persons, [lambda rows: name_person(rows, 1, "Ann")], item)
    list(show_persons(item.outputs.persons, [item]))
    for path in list((archive / "a").glob("two.*")):
        shutil.move(path, path.with_name(path.name.replace("two", "four")))
    assert persons(archive, "a/four.mp4") == [(2, "")]
    assert check([archive]) == []
    (archive / ARCHIVE_PERSONS).unlink()
    assert persons(archive, "a/four.mp4") == [(1, "Ann")]


def test_formats_are_written_again_and_edited_ones_stay(archive: Path) -> None:
    list(convert_archive(scan_reports([archive]), OutputOptions(("srt", "textgrid"), "ru")))
    edited = archive / "a/one.emotions.TextGrid"
    edited.write_text("mine")
    file = number(archive)
    edit_persons(file, [lambda rows: name_person(rows, 2, "Ann")])
    remarks = {outcome.path.name: outcome.problem for outcome in show_persons(file, items_of(archive))}
    assert "Ann: " in (archive / "a/two.emotions.ru.srt").read_text()
    assert edited.read_text() == "mine"
    assert "one.emotions.TextGrid" in remarks["one.mp4"]
    assert [finding.path for finding in check([archive])] == [edited]


def test_rendered_videos_with_other_labels_are_outdated(archive: Path) -> None:
    file = number(archive)
    for name in VIDEOS:
        sidecar = outputs_of_report((archive / name).with_suffix(".emotions.csv")).meta
        meta = read_meta(sidecar)
        assert meta is not None
        renders = {kind: Render(kind, language, "ab", "cd") for kind, language in (("boxes", "en"), ("blurred", ""))}
        sidecar.write_text(replace(meta, renders=renders).to_json())
    changed = edit_persons(file, [lambda rows: name_person(rows, 3, "Ann")])
    list(show_persons(file, items_of(archive), changed))
    reports = {
        item.video.name: [render.report for render in item.meta.renders.values()] for item in items_of(archive) if item.meta
    }
    assert changed == {"three.mp4"}
    assert reports == {"one.mp4": ["ab", "ab"], "two.mp4": ["ab", "ab"], "three.mp4": ["", "ab"]}


def test_a_file_that_another_run_works_on_is_left(archive: Path) -> None:
    file = number(archive)
    with storage_for(file).lock(archive / "archive"), pytest.raises(OutputError):
        edit_persons(file, [lambda rows: name_person(rows, 1, "Ann")])


def test_everything_is_forgotten(archive: Path) -> None:
    list(convert_archive(scan_reports([archive]), OutputOptions(("srt",))))
    paths = {path for path in archive.rglob("*") if path.is_file() and not path.name.endswith(".npz")}
    before = {path: path.read_bytes() for path in paths}
    file = number(archive)
    edit_persons(file, [lambda rows: name_person(rows, 2, "Ann")])
    list(show_persons(file, items_of(archive)))
    assert {outcome.status for outcome in forget_archive(items_of(archive), [file])} == {Status.CONVERTED}
    assert {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()} == before


def test_a_video_alone_is_forgotten_with_its_rows_and_its_column(archive: Path) -> None:
    file = number(archive)
    table = archive / "three.emotions.csv"
    lines = table.read_text().splitlines()
    content = "\n".join([f"{lines[0]},{PERSON}", *(f"{line},1" for line in lines[1:])]) + "\n"
    table.write_text(content)
    sidecar = outputs_of_report(table).meta
    meta = parse_meta(sidecar.read_bytes())
    assert meta is not None
    outputs = {table.name: hash_content(content.encode())}
    sidecar.write_text(replace(meta, outputs=outputs, settings={**meta.settings, "persons": True}).to_json())
    (item,) = [item for item in items_of(archive) if item.video.name == "three.mp4"]
    assert [outcome.status for outcome in forget_archive([item], [])] == [Status.CONVERTED]
    assert table.read_text().splitlines() == lines
    assert persons(archive, "three.mp4") == []
    assert {row.video for row in read_person_rows(file)} == {"a/one.mp4", "a/two.mp4"}
    assert [finding for finding in check([archive]) if finding.path.suffix == ".csv"] == []


def test_a_damaged_file_is_reported(archive: Path) -> None:
    file = number(archive)
    file.write_text("person,name\n1,Ann\n")
    assert [(finding.path, finding.kind.value) for finding in check([archive])] == [(file, "damaged")]
    with pytest.raises(ReportError) as failure:
        persons(archive, "three.mp4")
    assert failure.value.path == file


def test_persons_that_nobody_told_apart_cannot_be_edited(archive: Path) -> None:
    with pytest.raises(ReportError):
        edit_persons(archive / ARCHIVE_PERSONS, [lambda rows: name_person(rows, 1, "Ann")])
