"""Reading many reports: what is whole is taken, the rest told apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.analytics import read
from annotate.analytics.read import Batch, read_reports
from annotate.archive.find_reports import find_reports
from annotate.archive.stored_report import AGAIN
from annotate.emotions.labels import EMOTIONS
from annotate.results.intervals import pieces
from annotate.results.table import parse_table
from annotate.storage.base import parse_path
from annotate.storage.values import SkippedPath
from tests.analytics.samples import CLIP, MOVIE, block, change_meta, meta_of, replace_content, report
from tests.object_store import Bucket

OTHERS = ("calm", '"very" calm')


def batches(*paths: Path) -> list[Batch]:
    """All of which must be whole."""
    found = list(read_reports(paths))
    assert all(isinstance(one, Batch) for one in found), found
    return [one for one in found if isinstance(one, Batch)]


def rows(batch: Batch) -> list[list[object]]:
    """The pieces, row by row."""
    return batch.pieces.astype({"emotion": str}).to_numpy().tolist()


def reason(path: Path) -> str:
    """Why a report is left out."""
    (found,) = read_reports([path])
    assert isinstance(found, SkippedPath)
    assert found.path == path
    return found.problem


def test_pieces_of_several_reports(tmp_path: Path) -> None:
    """What the tail of face 1 shares with the block before belongs to that."""
    paths = [report(tmp_path, "a.mp4", MOVIE), report(tmp_path, "b.mp4", ()), report(tmp_path, "c.mp4", CLIP)]
    (batch,) = batches(*paths)
    assert rows(batch) == [
        [0, 1, 0, 800, "anger", 0.5],
        [0, 1, 800, 1600, "happiness", 0.75],
        [0, 1, 1600, 2000, "happiness", 0.5],
        [0, 2, 1500, 2300, "anger", 1.0],
        [2, 1, 1000, 4000, "sadness", 1.0],
    ]
    assert [(found.path, found.video, found.duration_ms) for found in batch.reports.values()] == [
        (path, str(tmp_path / f"{name}.mp4"), 10_000) for path, name in zip(paths, "abc", strict=True)
    ]


def test_reports_of_models_with_other_classes(tmp_path: Path) -> None:
    other = block(1, 0, 0, 500, "calm", classes=OTHERS)
    paths = [
        report(tmp_path, "a.mp4", CLIP),
        report(tmp_path, "b.mp4", [other], classes=OTHERS),
        report(tmp_path, "c.mp4", CLIP),
    ]
    (batch,) = batches(*paths)
    assert [row[:1] + row[4:5] for row in rows(batch)] == [[0, "sadness"], [1, "calm"], [2, "sadness"]]
    assert [found.class_names for found in batch.reports.values()] == [EMOTIONS, OTHERS, EMOTIONS]


def test_batches_are_bounded_and_numbers_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_BATCH_BYTES", 1)
    found = batches(*(report(tmp_path, f"{name}.mp4", CLIP) for name in "abc"))
    assert [list(batch.reports) for batch in found] == [[0], [1], [2]]


def test_paths_are_taken_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_BATCH_BYTES", 1)
    taken = []

    def paths() -> Iterator[Path]:
        for name in "ab":
            taken.append(name)
            yield report(tmp_path, f"{name}.mp4", CLIP)

    next(iter(read_reports(paths())))
    assert taken == ["a"]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 20), st.integers(1, 9), st.sampled_from(EMOTIONS)), max_size=12))
def test_pieces_are_those_that_other_outputs_have(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[int, int, int, str]]
) -> None:
    path = report(
        tmp_path_factory.mktemp("reports"),
        "a.mp4",
        [block(face, number, 100 * at, 100 * (at + length), name) for number, (face, at, length, name) in enumerate(blocks)],
    )
    (batch,) = batches(path)
    expected = pieces(parse_table(path.read_bytes()))
    assert [tuple(row[1:5]) for row in rows(batch)] == [
        (piece.face_id, piece.span.start_ms, piece.span.end_ms, piece.emotion) for piece in expected
    ]


def test_damaged_and_half_reports_are_left_out(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    whole = path.read_bytes()
    for content in (whole[:-40], whole[: whole.rindex(b"\n", 0, -1) + 1], whole.replace(b"0.800", b"0.900"), b""):
        path.write_bytes(content)
        assert reason(path).startswith("damaged or cut off, not as its meta file says")


def test_a_report_without_meta_file_is_left_out(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    meta_of(path).write_text('{"duration_s": 1e9')
    assert reason(path).startswith("its meta file is damaged, ")
    meta_of(path).unlink()
    assert reason(path).startswith("its meta file is missing, ")


def test_a_report_its_meta_file_does_not_know_is_left_out(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    change_meta(path, outputs={})
    assert reason(path).startswith("damaged or cut off")


def test_a_report_of_another_version_is_left_out(tmp_path: Path) -> None:
    assert reason(report(tmp_path, "a.mp4", CLIP, version=1)).startswith("made by another version of the analysis")


@pytest.mark.parametrize("duration_s", [-1.0, 1e300, float("nan"), float("inf")])
def test_a_length_that_cannot_be_is_left_out(tmp_path: Path, duration_s: float) -> None:
    assert "meta file" in reason(report(tmp_path, "a.mp4", CLIP, duration_s=duration_s))


@pytest.mark.parametrize("name", ["", ".", "..", "../b.mp4", "/etc/passwd", "a\0b.mp4"])
def test_a_name_that_is_none_is_left_out(tmp_path: Path, name: str) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    change_meta(path, source={"name": name, "size_bytes": 1, "mtime_ns": 1, "hash": ""})
    assert reason(path).startswith("its meta file names no video")


@pytest.mark.parametrize("base", ["caf\udce9", "caf\udce9.mp4"])
def test_a_video_whose_name_is_not_utf_8_is_found_beside_its_report(tmp_path: Path, base: str) -> None:
    path = report(tmp_path, r"caf\xe9.mp4", CLIP, base=base)
    (batch,) = batches(path)
    assert batch.reports[0].video_path == tmp_path / "caf\udce9.mp4"
    assert batch.reports[0].video == str(tmp_path / r"caf\xe9.mp4")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("4.000", "nan", "a number is missing"),
        ("4.000", "1e300", "cannot be"),
        ("1.000,4", "-1.000,4", "cannot be"),
        ("face_id", "face", "the column face_id is missing"),
        ("4.000", "four", "a number is missing or too large"),
        ("1,0,0,0", "99999999999999999999,0,0,0", "a number is missing or too large"),
        ("surprise", "x" * 200_000, "field larger than field limit"),
    ],
)
def test_a_report_that_is_none_is_left_out_and_no_other(tmp_path: Path, old: str, new: str, why: str) -> None:
    """The hash of what was never written by this program is right here, so that it is parsed."""
    paths = [report(tmp_path, f"{name}.mp4", CLIP) for name in "abc"]
    replace_content(paths[1], old, new)
    skipped, batch = read_reports(paths)
    assert isinstance(skipped, SkippedPath)
    assert isinstance(batch, Batch)
    assert (skipped.path, skipped.remedy) == (paths[1], AGAIN)
    assert skipped.problem.startswith("not a report of this program (")
    assert why in skipped.problem
    assert [row[0] for row in rows(batch)] == [0, 2]


def test_reports_in_object_storage_are_listed_once_and_each_file_is_read_once(bucket: Bucket, tmp_path: Path) -> None:
    for number in range(9):
        for path in (made := report(tmp_path, f"{number}.mp4", CLIP), meta_of(made)):
            bucket.put(f"films/{number % 3}/{path.name}", path)
    bucket.delete("films/0/0.emotions.meta.json")
    bucket.requests.clear()
    skipped, batch = read_reports(find_reports([parse_path(f"{bucket.url}/films")]).reports)
    assert isinstance(skipped, SkippedPath)
    assert isinstance(batch, Batch)
    assert (str(skipped.path), len(batch.reports)) == (f"{bucket.url}/films/0/0.emotions.csv", 8)
    assert sum(method == "list_objects_v2" for method, _ in bucket.requests) == 2
    assert sorted(key for method, key in bucket.requests if method != "list_objects_v2") == bucket.keys


def test_nothing_gives_nothing() -> None:
    assert list(read_reports([])) == []
