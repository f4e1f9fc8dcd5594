"""Corrections as labels: clips of the face that somebody spoke about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from annotate.archive.scan import ArchiveItem, scan
from annotate.batch.corrections import adding, confirmed, edit_corrections
from annotate.results.corrections import EXCLUDE, Correction
from annotate.results.persons import PersonRow, format_persons, tracks_of
from annotate.span import Span
from annotate.training.dataset.corrected import read_corrected
from annotate.training.dataset.storage import open_dataset
from tests.cli.answers import run
from tests.clips import make_from_images
from tests.runs import annotate


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, face_image: Path) -> Path:
    """Two faces, one above the other, for 1.2 s, with the lower one corrected and the upper one confirmed."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "a").mkdir()
    make_from_images(
        folder / "a/two.mp4", [(face_image, 1.2)], size=(320, 240), filters="split[a][b];[b]hflip[c];[a][c]vstack"
    )
    list(annotate([folder]))
    (item,) = [item for item in scan([folder]) if isinstance(item, ArchiveItem)]
    lower = Correction(Span(0, 1000), "disgust", 2, author="Ann", time="2026-01-01T00:00:00Z")
    edit_corrections(item, adding(lambda _: [lower, replace(lower, span=Span(1000, 1200), emotion=EXCLUDE)]))
    upper = replace(lower, face_id=1, span=Span(200, 1000), emotion="", time="2026-01-01T00:00:01Z")
    edit_corrections(item, adding(lambda report: confirmed(report, upper)))
    return folder


def test_what_people_said_of_a_face_becomes_blocks_of_that_face(films: Path, tmp_path: Path) -> None:
    table = read_corrected(films)
    assert table.omissions == []
    corrected = [clip for clip in table.clips if clip.emotion == "disgust"]
    assert [(clip.video, clip.span, clip.subject) for clip in corrected] == [("a/two.mp4", Span(0, 1000), "")]
    kept = [clip for clip in table.clips if clip not in corrected]
    assert (kept[0].span.start_ms, kept[-1].span.end_ms) == (200, 1000)
    answer = run("dataset", "build", "--corrections", films, "-o", tmp_path / "blocks", "--extra", "disgust")
    assert answer.status == 0
    origins = open_dataset(tmp_path / "blocks").origins
    assert {(row.face_id, row.emotion) for row in origins.itertuples()} == {
        (2, "disgust"),
        *((1, clip.emotion) for clip in kept),
    }
    lower = origins[origins["face_id"] == 2]
    assert lower[["start_time", "end_time"]].to_numpy().tolist() == [[0.0, 0.8]]
    assert (lower["end_time"] <= 1.0).all()


def test_a_named_person_is_the_subject(films: Path) -> None:
    (item,) = [item for item in scan([films]) if isinstance(item, ArchiveItem)]
    assert item.meta is not None
    from annotate.archive.stored_report import read_report

    tracks = tracks_of(read_report(item.outputs.csv, is_corrected=False).table)
    item.outputs.persons.write_text(format_persons([PersonRow(track, track.face_id, "Bea") for track in tracks]))
    meta = replace(item.meta, persons=(item.outputs.persons.name,))
    before = item.outputs.meta.read_text()
    item.outputs.meta.write_text(meta.to_json())
    assert {clip.subject for clip in read_corrected(films).clips} == {"Bea"}
    item.outputs.meta.write_text(before)


def test_arguments_fit_each_other(films: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("video,start,end,emotion\ntwo,0,1,happy\n")
    for arguments in ([], [labels], ["--corrections", labels], [labels, films, "--corrections", films]):
        assert run("dataset", "build", *arguments, "-o", tmp_path / "blocks").status == 2
