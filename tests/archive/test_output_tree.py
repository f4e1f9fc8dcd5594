"""Separate output folders with the directory tree of the archive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from annotate.archive.output_tree import map_output_folders
from annotate.archive.scan import scan
from annotate.batch.job import Status
from annotate.batch.run import plan_archive
from annotate.errors import SettingsError
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


def test_roots_with_colliding_outputs_are_refused(tmp_path: Path) -> None:
    one, two = touch(tmp_path / "1/tapes/a.mp4"), touch(tmp_path / "2/tapes/A.mp4")
    with pytest.raises(SettingsError, match=r"1/tapes/a\.mp4 .*2/tapes/A\.mp4 .*out/tapes"):
        map_output_folders([one, two], [one.parent, two.parent], tmp_path / "out")


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
