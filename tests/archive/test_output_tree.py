"""Separate output folders with the directory tree of the archive."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

from annotate.archive.output_tree import map_output_folders
from annotate.archive.scan import ArchiveItem, scan
from annotate.batch.job import Status
from annotate.batch.run import plan_archive
from annotate.storage.values import SkippedPath
from tests.runs import annotate


def touch(path: Path) -> Path:
    """Create an empty file and its parents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_outputs_of_one_root_keep_its_tree(tmp_path: Path) -> None:
    deep, flat = touch(tmp_path / "in/a/b/deep.mp4"), touch(tmp_path / "in/flat.mp4")
    folders = map_output_folders([deep, flat], [tmp_path / "in"], tmp_path / "out")
    assert folders == {deep: tmp_path / "out/a/b", flat: tmp_path / "out"}


def test_each_of_several_roots_has_a_folder_of_its_name(tmp_path: Path) -> None:
    one, two, single = (touch(tmp_path / name) for name in ("one/a.mp4", "two/x/a.mp4", "three/b.mp4"))
    folders = map_output_folders([one, two, single], [tmp_path / "one", tmp_path / "two", single], tmp_path / "out")
    assert folders == {one: tmp_path / "out/one", two: tmp_path / "out/two/x", single: tmp_path / "out/three"}


def test_a_collision_of_roots_costs_only_its_videos(tmp_path: Path, empty_clip: Path) -> None:
    one, two, three = (touch(tmp_path / name) for name in ("1/tapes/a.mp4", "2/tapes/A.mp4", "2/tapes/b.mp4"))
    for video in (one, two, three):
        shutil.copy(empty_clip, video)
    roots, target = [one.parent, two.parent], tmp_path / "out"
    statuses = {outcome.path: outcome.status for outcome in annotate(roots, output_dir=target)}
    assert statuses == {one: Status.NO_FACES, two: Status.FAILED, three: Status.NO_FACES}
    (entry,) = [entry for entry in scan(roots, output_dir=target) if isinstance(entry, SkippedPath)]
    assert entry.path == two
    assert str(one) in entry.problem
    assert "--output-dir" in entry.remedy
    assert sorted(path.name for path in (target / "tapes").glob("*.csv")) == ["a.emotions.csv", "b.emotions.csv"]


def test_names_of_one_folder_that_collide_on_some_disks_have_outputs_of_other_names(tmp_path: Path) -> None:
    names = ["a.mp4", "A.mp4", *(f"{unicodedata.normalize(form, 'é')}.mp4" for form in ("NFC", "NFD"))]
    videos = [touch(tmp_path / "in" / name) for name in names]
    items = list(scan([tmp_path / "in"], output_dir=tmp_path / "out"))
    bases = {item.video: item.outputs.base for item in items if isinstance(item, ArchiveItem)}
    assert set(bases) == set(videos)
    assert len({unicodedata.normalize("NFC", str(base).casefold()) for base in bases.values()}) == 4


def test_the_archive_is_not_written_to_and_existing_outputs_are_skipped(tmp_path: Path, empty_clip: Path) -> None:
    source = touch(tmp_path / "in/tapes/a.mp4")
    shutil.copy(empty_clip, source)
    videos, target = [tmp_path / "in"], tmp_path / "out"
    (planned,) = plan_archive(scan(videos, output_dir=target))
    assert planned.description.startswith("annotate:")
    assert not (tmp_path / "out").exists()
    statuses = [[outcome.status for outcome in annotate(videos, output_dir=target)] for _ in range(2)]
    assert statuses == [[Status.NO_FACES], [Status.UP_TO_DATE]]
    assert os.listdir(source.parent) == ["a.mp4"]
    assert sorted(os.listdir(tmp_path / "out/tapes")) == ["a.emotions.csv", "a.emotions.meta.json"]
    (planned,) = plan_archive(scan(videos, output_dir=target))
    assert planned.description.startswith("skip:")
