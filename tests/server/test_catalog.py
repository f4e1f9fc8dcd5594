"""Repeated scans of an archive."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from annotate.archive.layout import outputs_of_report
from annotate.archive.scan import scan
from annotate.batch.plan import Decision, decide
from annotate.batch.run import annotate_archive
from annotate.emotions.classifier import load_classifier
from annotate.results.corrections import Correction, add_lines
from annotate.results.meta import Meta, read_meta
from annotate.server import catalog as catalog_module
from annotate.server import sidecars
from annotate.server.catalog import AnnotationState, Catalog, CatalogVideo
from annotate.server.queue import Queue
from annotate.server.settings import ServeSettings
from annotate.span import Span
from annotate.storage.values import PathOrUrl

YEAR_S = 365 * 86400


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts of sidecars read and decisions made."""
    count: Counter[str] = Counter()

    def read(path: PathOrUrl) -> Meta | None:
        count["read"] += 1
        return read_meta(path)

    def decide_and_count(*arguments: object) -> Decision:
        count["decided"] += 1
        return decide(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sidecars, "read_meta", read)
    monkeypatch.setattr(catalog_module, "decide", decide_and_count)
    return count


def open_catalog(archive: Path, data: Path, *, write: bool = False) -> Catalog:
    data.mkdir(exist_ok=True)
    settings = ServeSettings(data, archive, write=write)
    return Catalog(settings, Queue(data / "queue.sqlite"), load_classifier().model_hash)


def by_name(catalog: Catalog) -> dict[str, CatalogVideo]:
    return {video.name: video for video in catalog.scan().videos.values()}


def test_unchanged_videos_are_neither_read_nor_decided_again(
    archive: Path, tmp_path: Path, empty_clip: Path, counts: Counter[str]
) -> None:
    list(annotate_archive(scan([archive])))
    catalog = open_catalog(archive, tmp_path / "data")
    states = {name: video.annotation_state for name, video in by_name(catalog).items()}
    assert states == {
        "a.mp4": AnnotationState.ANNOTATED,
        "b.mp4": AnnotationState.ANNOTATED,
        "broken.mp4": AnnotationState.FAILED,
    }
    assert "not a" in by_name(catalog)["broken.mp4"].reason
    assert counts["read"] == 2
    counts.clear()
    assert catalog.scan().videos == catalog.scan().videos
    assert counts == {}
    shutil.copy(empty_clip, archive / "new.mp4")
    assert by_name(catalog)["new.mp4"].annotation_state is AnnotationState.MISSING
    assert counts == {"decided": 2}
    counts.clear()
    os.utime(archive / "a.emotions.meta.json", (YEAR_S, YEAR_S))
    assert by_name(catalog)["a.mp4"].annotation_state is AnnotationState.ANNOTATED
    assert counts == {"read": 1, "decided": 1}


def test_outputs_are_named_as_the_command_line_names_them(archive: Path, tmp_path: Path) -> None:
    shutil.copy(archive / "a.mp4", archive / "a.mkv")
    expected = {item.video: item.outputs for item in scan([archive])}  # type: ignore[union-attr]
    writing = open_catalog(archive, tmp_path / "data", write=True)
    assert {video.path: video.target for video in writing.scan().videos.values()} == expected
    reading = open_catalog(archive, tmp_path / "other")
    targets = {video.path: video.target.base for video in reading.scan().videos.values()}
    roots = {
        target.parents[len(video.relative_to(archive).parts) - 1]  # type: ignore[union-attr]
        for video, target in targets.items()
    }
    assert len(roots) == 1
    (root,) = roots
    assert root.parent == tmp_path / "other" / "archives"
    mirrored = {video: root / outputs.base.relative_to(archive) for video, outputs in expected.items()}  # type: ignore
    assert targets == mirrored


def test_results_beside_the_videos_and_in_the_data_folder_are_found(archive: Path, tmp_path: Path) -> None:
    catalog = open_catalog(archive, tmp_path / "data")
    target = by_name(catalog)["a.mp4"].target
    list(annotate_archive(scan([archive / "a.mp4"])))
    assert by_name(catalog)["a.mp4"].outputs != target
    list(annotate_archive(scan([archive], output_dir=target.base.parent)))
    corrected = outputs_of_report(archive / "a.emotions.csv").corrections
    corrected.write_bytes(add_lines(b"", [Correction(Span(0, 10_000), "disgust", 1)]))
    stats = by_name(catalog)["a.mp4"].stats
    assert stats is not None
    assert stats.dominant == "disgust"
    corrected.unlink()
    (archive / "a.emotions.csv").unlink()
    video = by_name(catalog)["a.mp4"]
    assert (video.outputs, video.annotation_state) == (target, AnnotationState.ANNOTATED)


def test_caches_forget_deleted_videos(archive: Path, tmp_path: Path, counts: Counter[str]) -> None:
    list(annotate_archive(scan([archive / "a.mp4"])))
    catalog = open_catalog(archive, tmp_path / "data")
    catalog.scan()
    hidden = archive / ".a.mp4"
    (archive / "a.mp4").rename(hidden)
    assert "a.mp4" not in by_name(catalog)
    counts.clear()
    hidden.rename(archive / "a.mp4")
    assert by_name(catalog)["a.mp4"].annotation_state is AnnotationState.ANNOTATED
    assert counts == {"read": 1, "decided": 2}
