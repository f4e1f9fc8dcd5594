"""Persons in summaries, moments and the player: over an archive, and in single videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from annotate import export, find_moments, summarize
from annotate.analytics.read import read_reports
from annotate.analytics.summary import Tally
from annotate.archive.layout import ARCHIVE_PERSONS, outputs_of_report
from annotate.archive.stored_report import read_report
from annotate.player.player import player_data
from annotate.results.meta import read_meta
from annotate.results.persons import PersonRow, format_persons, tracks_of
from annotate.storage.values import SkippedPath
from tests.analytics.samples import MOVIE, block, report
from tests.cli.answers import run

CLIP = (block(1, 0, 1000, 4000, "sadness"), block(2, 0, 5000, 6000, "fear"))
PERSONS = {"a/movie.mp4": {1: (1, "Ann"), 2: (2, "")}, "clip.mp4": {1: (2, ""), 2: (1, "Ann")}}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive with the persons `PERSONS`, and a video without."""
    rows = []
    tables = [report(tmp_path / "a", "movie.mp4", MOVIE), report(tmp_path, "clip.mp4", CLIP)]
    for table, (video, persons) in zip(tables, PERSONS.items(), strict=True):
        tracks = tracks_of(read_report(table).table)
        rows += [PersonRow(track, *persons[track.face_id], video=video) for track in tracks]
        sidecar = outputs_of_report(table).meta
        meta = read_meta(sidecar)
        assert meta is not None
        path = ARCHIVE_PERSONS if table.parent == tmp_path else f"../{ARCHIVE_PERSONS}"
        sidecar.write_text(replace(meta, persons=(path,)).to_json())
    (tmp_path / ARCHIVE_PERSONS).write_text(format_persons(rows))
    report(tmp_path, "other.mp4", [block(1, 0, 0, 900, "anger")])
    return tmp_path


def test_a_row_per_person_over_the_archive(archive: Path) -> None:
    rows = summarize(archive, by="person").set_index("person")
    assert rows["name"].to_dict() == {1: "Ann", 2: ""}
    assert rows["videos"].tolist() == [2, 2]
    assert rows["faces"].tolist() == [2, 2]
    assert rows["face_s"].tolist() == [2.0 + 1.0, 0.8 + 3.0]
    assert rows["duration_s"].tolist() == [20.0, 20.0]
    assert rows.loc[1, "fear"] == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.parametrize("every_frame", [False, True])
def test_exports_say_whose_the_faces_are(archive: Path, tmp_path: Path, every_frame: bool) -> None:
    done = export(archive, archive / "out.csv", every_frame=every_frame)
    table = pd.read_csv(done.path, keep_default_na=False)
    whose = table.assign(video=[Path(video).name for video in table["video"]]).drop_duplicates(["video", "face_id"])
    assert whose[["video", "face_id", "person", "name"]].to_numpy().tolist() == [
        ["movie.mp4", 1, "1", "Ann"],
        ["movie.mp4", 2, "2", ""],
        ["clip.mp4", 1, "2", ""],
        ["clip.mp4", 2, "1", "Ann"],
        ["other.mp4", 1, "", ""],
    ]
    meanings = pd.read_csv(done.codebook).set_index("column")["source"]
    assert meanings[["person", "name"]].tolist() == ["persons", "persons"]


def test_people_are_counted_apart_from_face_tracks(archive: Path) -> None:
    tally = Tally("video")
    for batch in read_reports(sorted(archive.rglob("*.emotions.csv"))):
        assert not isinstance(batch, SkippedPath)
        tally.add(batch)
    summary = tally.summary()
    assert summary.rows[["faces", "people"]].to_numpy().tolist() == [[2, 2], [2, 2], [1, 0]]
    assert summary.totals[["faces", "people"]].to_numpy().tolist() == [[5, 2]]
    folders = summarize(archive, by="folder")
    assert folders["people"].tolist() == [2, 2]
    assert "people" not in summarize(archive / "other.emotions.csv").columns
    assert summarize(archive / "other.emotions.csv", by="person").empty


def test_numbers_of_a_video_alone_are_its_own(archive: Path) -> None:
    for name in ("one", "two"):
        table = report(archive / "own", f"{name}.mp4", [block(1, 0, 0, 900, "anger")])
        rows = [PersonRow(track, 1) for track in tracks_of(read_report(table).table)]
        outputs_of_report(table).persons.write_text(format_persons(rows))
        sidecar = outputs_of_report(table).meta
        meta = read_meta(sidecar)
        assert meta is not None
        sidecar.write_text(replace(meta, persons=(outputs_of_report(table).persons.name,)).to_json())
    rows = summarize(archive / "own", by="person")
    assert rows["person"].tolist() == [1, 1]
    assert [Path(video).name for video in rows["video"]] == ["one.mp4", "two.mp4"]


@pytest.mark.parametrize("person", ["ann", "1"])
def test_moments_of_a_person(archive: Path, person: str) -> None:
    found = find_moments(archive, persons=person)
    assert {(Path(row.video).name, row.face_id) for row in found.itertuples()} == {("movie.mp4", 1), ("clip.mp4", 2)}
    assert set(found["name"]) == {"Ann"}
    assert find_moments(archive, persons="nobody").empty


def test_persons_that_were_never_told_apart_are_said_to_be_so(archive: Path) -> None:
    unknown, untold = (run("find", str(path), "--person", "nobody") for path in (archive, archive / "other.emotions.csv"))
    assert (unknown.status, untold.status) == (0, 0)
    assert ("annotate summarize" in unknown.errors, "annotate summarize" in untold.errors) == (True, False)
    assert ("annotate persons" in unknown.errors, "annotate persons" in untold.errors) == (False, True)


def test_tables_of_moments_are_as_before_without_persons(archive: Path) -> None:
    assert "person" not in find_moments(archive / "other.emotions.csv").columns


def test_lanes_of_the_player_join_the_tracks_of_a_person(tmp_path: Path) -> None:
    read = read_report(report(tmp_path, "clip.mp4", CLIP))
    assert [lane["face"] for lane in player_data(read)["lanes"]] == [1, 2]
    joined = replace(read, columns=read.table.assign(person=3, name="Ann"))
    data = player_data(joined, {2: "face.jpg"})
    (lane,) = data["lanes"]
    assert (lane["person"], lane["name"], lane["thumbnail"]) == (3, "Ann", "face.jpg")
    assert [span[:2] for span in lane["spans"]] == [[1000, 4000], [5000, 6000]]
    assert (data["labels"], data["named"]) == ({1: "Ann", 2: "Ann"}, [1, 2])
