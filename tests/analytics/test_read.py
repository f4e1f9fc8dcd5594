"""Reading many reports: intact ones are parsed, others skipped with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.analytics import read
from annotate.analytics.read import ReportBatch, read_reports
from annotate.archive.find_reports import find_reports
from annotate.archive.stored_report import ANNOTATE_AGAIN
from annotate.emotions.labels import EMOTIONS
from annotate.results.intervals import clip_overlaps
from annotate.results.table import parse_table
from annotate.storage.base import parse_path
from annotate.storage.values import SkippedPath
from tests.analytics.samples import CLIP, MOVIE, block, change_meta, meta_of, replace_content, report
from tests.object_store import Bucket

OTHERS = ("calm", '"very" calm')


def batches(*paths: Path) -> list[ReportBatch]:
    """Return the batches of reports, all of which must be intact."""
    found = list(read_reports(paths))
    assert all(isinstance(batch, ReportBatch) for batch in found), found
    return [batch for batch in found if isinstance(batch, ReportBatch)]


def rows(batch: ReportBatch) -> list[list[object]]:
    """Return the blocks of a batch as rows."""
    return batch.blocks.astype({"emotion": str}).to_numpy().tolist()


def reason(path: Path) -> str:
    """Return the problem for which a report is skipped."""
    (found,) = read_reports([path])
    assert isinstance(found, SkippedPath)
    assert found.path == path
    return found.problem


def test_blocks_of_several_reports(tmp_path: Path) -> None:
    """The overlap of the last two blocks of face 1 belongs to the first of them."""
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


def test_batches_are_bounded_and_reports_are_numbered_across_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_BATCH_BYTES", 1)
    found = batches(*(report(tmp_path, f"{name}.mp4", CLIP) for name in "abc"))
    assert [list(batch.reports) for batch in found] == [[0], [1], [2]]


def test_paths_are_consumed_lazily(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_blocks_equal_the_clipped_blocks_of_other_outputs(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[int, int, int, str]]
) -> None:
    path = report(
        tmp_path_factory.mktemp("reports"),
        "a.mp4",
        [block(face, number, 100 * at, 100 * (at + length), name) for number, (face, at, length, name) in enumerate(blocks)],
    )
    (batch,) = batches(path)
    expected = clip_overlaps(parse_table(path.read_bytes()))
    assert [tuple(row[1:5]) for row in rows(batch)] == [
        (block.face_id, block.span.start_ms, block.span.end_ms, block.emotion) for block in expected
    ]


def test_damaged_and_truncated_reports_are_skipped(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", MOVIE)
    intact = path.read_bytes()
    for content in (intact[:-40], intact[: intact.rindex(b"\n", 0, -1) + 1], intact.replace(b"0.800", b"0.900"), b""):
        path.write_bytes(content)
        assert "damaged" in reason(path)


def test_reports_without_a_valid_sidecar_are_skipped(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    meta_of(path).write_text('{"duration_s": 1e9')
    assert "damaged" in reason(path)
    meta_of(path).unlink()
    assert "missing" in reason(path)


def test_a_report_that_its_sidecar_does_not_list_is_skipped(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    change_meta(path, outputs={})
    assert "damaged" in reason(path)


def test_a_report_of_a_later_analysis_version_is_skipped(tmp_path: Path) -> None:
    assert "version" in reason(report(tmp_path, "a.mp4", CLIP, version=99))


@pytest.mark.parametrize("duration_s", [-1.0, 1e300, float("nan"), float("inf")])
def test_an_invalid_video_length_is_skipped(tmp_path: Path, duration_s: float) -> None:
    assert "sidecar" in reason(report(tmp_path, "a.mp4", CLIP, duration_s=duration_s))


@pytest.mark.parametrize("name", ["", ".", "..", "../b.mp4", "/etc/passwd", "a\0b.mp4"])
def test_an_invalid_video_name_is_skipped(tmp_path: Path, name: str) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    change_meta(path, source={"name": name, "size_bytes": 1, "mtime_ns": 1, "hash": ""})
    assert "video" in reason(path)


@pytest.mark.parametrize("base", ["caf\udce9", "caf\udce9.mp4"])
def test_a_video_with_a_name_that_is_not_utf_8_is_found_beside_its_report(tmp_path: Path, base: str) -> None:
    path = report(tmp_path, r"caf\xe9.mp4", CLIP, base=base)
    (batch,) = batches(path)
    assert batch.reports[0].video_path == tmp_path / "caf\udce9.mp4"
    assert batch.reports[0].video == str(tmp_path / r"caf\xe9.mp4")


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("4.000", "nan", "number"),
        ("4.000", "1e300", "time"),
        ("1.000,4", "-1.000,4", "time"),
        ("face_id", "face", "face_id"),
        ("4.000", "four", "number"),
        ("1,0,0,0", "99999999999999999999,0,0,0", "number"),
        ("surprise", "x" * 200_000, "field limit"),
    ],
)
def test_only_the_invalid_report_of_several_is_skipped(tmp_path: Path, old: str, new: str, cause: str) -> None:
    """The sidecar has the hash of the invalid content, so that it gets parsed."""
    paths = [report(tmp_path, f"{name}.mp4", CLIP) for name in "abc"]
    replace_content(paths[1], old, new)
    skipped, batch = read_reports(paths)
    assert isinstance(skipped, SkippedPath)
    assert isinstance(batch, ReportBatch)
    assert (skipped.path, skipped.remedy) == (paths[1], ANNOTATE_AGAIN)
    assert cause in skipped.problem
    assert [row[0] for row in rows(batch)] == [0, 2]


def test_reading_from_s3_needs_one_listing_and_one_request_per_file(bucket: Bucket, tmp_path: Path) -> None:
    for number in range(9):
        for path in (made := report(tmp_path, f"{number}.mp4", CLIP), meta_of(made)):
            bucket.put(f"films/{number % 3}/{path.name}", path)
    bucket.delete("films/0/0.emotions.meta.json")
    bucket.requests.clear()
    skipped, batch = read_reports(find_reports([parse_path(f"{bucket.url}/films")]).reports)
    assert isinstance(skipped, SkippedPath)
    assert isinstance(batch, ReportBatch)
    assert (str(skipped.path), len(batch.reports)) == (f"{bucket.url}/films/0/0.emotions.csv", 8)
    assert sum(method == "list_objects_v2" for method, _ in bucket.requests) == 2
    assert sorted(key for method, key in bucket.requests if method != "list_objects_v2") == bucket.keys


def test_no_paths_give_no_batches() -> None:
    assert list(read_reports([])) == []
