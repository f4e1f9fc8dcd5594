"""Pages about archives in object storage: what listings tell is not asked for again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.html_report.build import Options, Written, write_page
from annotate.results.meta import describe_source, read_meta
from annotate.storage.base import parse_path
from tests.analytics.samples import CLIP, MOVIE, meta_of, report
from tests.html_report.archives import annotated
from tests.object_store import Bucket

COUNT = 12


@pytest.fixture
def films(bucket: Bucket, tmp_path: Path) -> Bucket:
    """Videos in three folders below a prefix, each with its report."""
    for number in range(COUNT):
        key = f"films/{number % 3}/{number}.mp4"
        bucket.put(key, b"video")
        path = report(tmp_path / "made", f"{number}.mp4", MOVIE if number % 2 else CLIP)
        meta = read_meta(meta_of(path))
        assert meta is not None
        source = describe_source(parse_path(f"{bucket.url}/{key}"))
        meta_of(path).write_text(replace(meta, source=source).to_json())
        bucket.put(f"films/{number % 3}/{path.name}", path)
        bucket.put(f"films/{number % 3}/{meta_of(path).name}", meta_of(path))
    bucket.requests.clear()
    return bucket


def page_of(place: str, tmp_path: Path, options: Options | None = None) -> Written:
    """A page about what lies below an address."""
    return write_page([parse_path(place)], tmp_path / "page.html", options)


def test_a_page_needs_listings_and_the_content_of_reports_only(films: Bucket, tmp_path: Path) -> None:
    written = page_of(f"{films.url}/films", tmp_path)
    assert (len(written.contents.reports), written.problems, written.unreachable) == (COUNT, [], COUNT)
    assert {method for method, _ in films.requests} == {"list_objects_v2", "get"}
    assert sum(method != "get" for method, _ in films.requests) < 5
    assert {key for method, key in films.requests if method == "get"} == {
        key for key in films.keys if not key.endswith(".mp4")
    }


def test_what_is_not_whole_is_told_below_the_folder_of_all(films: Bucket, tmp_path: Path) -> None:
    films.put("films/0/0.emotions.csv", b"damaged")
    films.put("films/2/fresh.mp4", b"video")
    problems = page_of(f"{films.url}/films", tmp_path).problems
    assert [(problem.path, problem.kind) for problem in problems] == [
        ("0/0.emotions.csv", "left out"),
        ("2/fresh.mp4", "missing"),
    ]


def test_outputs_in_object_storage_and_videos_here(bucket: Bucket, colours_clip: Path, tmp_path: Path) -> None:
    videos = tmp_path / "films"
    videos.mkdir()
    for name in ("a.webm", "b.webm"):
        shutil.copy(colours_clip, videos / name)
        path = annotated(videos / name)
        for made in (path, meta_of(path)):
            bucket.put(f"outputs/{made.name}", made)
            made.unlink()
    options = Options(videos=videos)
    written = page_of(f"{bucket.url}/outputs", tmp_path, options)
    assert (len(written.contents.reports), written.problems, written.unreachable) == (2, [], 0)
    bucket.put("outputs/b.emotions.csv", b"damaged")
    (problem,) = page_of(f"{bucket.url}/outputs", tmp_path, options).problems
    assert (problem.path, problem.kind) == (f"{bucket.url}/outputs/b.emotions.csv", "left out")
