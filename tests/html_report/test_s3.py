"""Pages about archives in S3: metadata comes from listings, without a request per file."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.html_report.build import PageOptions, WrittenPage, write_page
from annotate.results.meta import describe_source, read_meta
from annotate.storage.base import parse_path
from tests.analytics.samples import CLIP, MOVIE, meta_of, report
from tests.html_report.archives import annotated
from tests.object_store import Bucket

COUNT = 12


@pytest.fixture
def films(bucket: Bucket, tmp_path: Path) -> Bucket:
    """Return a bucket with annotated videos in three folders below a prefix."""
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


def page_of(url: str, tmp_path: Path, options: PageOptions | None = None) -> WrittenPage:
    """Write a page about an S3 prefix."""
    return write_page([parse_path(url)], tmp_path / "page.html", options)


def test_a_page_needs_only_listings_and_the_content_of_reports(films: Bucket, tmp_path: Path) -> None:
    written = page_of(f"{films.url}/films", tmp_path)
    assert (len(written.contents.reports), written.problems, written.unplayable) == (COUNT, [], COUNT)
    assert {method for method, _ in films.requests} == {"list_objects_v2", "get"}
    assert sum(method != "get" for method, _ in films.requests) < 5
    assert {key for method, key in films.requests if method == "get"} == {
        key for key in films.keys if not key.endswith(".mp4")
    }


def test_problems_have_paths_below_the_common_prefix(films: Bucket, tmp_path: Path) -> None:
    films.put("films/0/0.emotions.csv", b"damaged")
    films.put("films/2/fresh.mp4", b"video")
    problems = page_of(f"{films.url}/films", tmp_path).problems
    assert [(problem.path, problem.kind) for problem in problems] == [
        ("0/0.emotions.csv", "skipped"),
        ("2/fresh.mp4", "no table"),
    ]


def test_outputs_in_s3_and_local_videos(bucket: Bucket, color_clip: Path, tmp_path: Path) -> None:
    videos = tmp_path / "films"
    videos.mkdir()
    for name in ("a.webm", "b.webm"):
        shutil.copy(color_clip, videos / name)
        path = annotated(videos / name)
        for made in (path, meta_of(path)):
            bucket.put(f"outputs/{made.name}", made)
            made.unlink()
    options = PageOptions(videos=videos)
    written = page_of(f"{bucket.url}/outputs", tmp_path, options)
    assert (len(written.contents.reports), written.problems, written.unplayable) == (2, [], 0)
    bucket.put("outputs/b.emotions.csv", b"damaged")
    (problem,) = page_of(f"{bucket.url}/outputs", tmp_path, options).problems
    assert (problem.path, problem.kind) == (f"{bucket.url}/outputs/b.emotions.csv", "skipped")
