from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from annotate.archive.output_tree import mirror
from annotate.archive.scan import scan
from annotate.batch.job import Status
from annotate.batch.run import plan_archive
from annotate.errors import SettingsError
from tests.runs import annotate


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_one_root_is_mirrored_as_it_is(tmp_path: Path) -> None:
    deep, flat = touch(tmp_path / "in/a/b/deep.mp4"), touch(tmp_path / "in/flat.mp4")
    folders = mirror([deep, flat], [tmp_path / "in"], tmp_path / "out")
    assert folders == {deep: tmp_path / "out/a/b", flat: tmp_path / "out"}


def test_several_roots_keep_their_names(tmp_path: Path) -> None:
    one, two, single = (touch(tmp_path / name) for name in ("one/a.mp4", "two/x/a.mp4", "three/b.mp4"))
    folders = mirror([one, two, single], [tmp_path / "one", tmp_path / "two", single], tmp_path / "out")
    assert folders == {one: tmp_path / "out/one", two: tmp_path / "out/two/x", single: tmp_path / "out/three"}


def test_roots_that_would_write_the_same_file_are_refused(tmp_path: Path) -> None:
    one, two = touch(tmp_path / "1/tapes/a.mp4"), touch(tmp_path / "2/tapes/A.mp4")
    with pytest.raises(SettingsError, match=r"1/tapes/a\.mp4 and .*2/tapes/A\.mp4 would both be written to .*out/tapes"):
        mirror([one, two], [one.parent, two.parent], tmp_path / "out")


def test_the_archive_is_not_written_to_and_the_mirror_is_read_for_skipping(tmp_path: Path, empty_clip: Path) -> None:
    source = touch(tmp_path / "in/tapes/a.mp4")
    shutil.copy(empty_clip, source)
    videos, target = [tmp_path / "in"], tmp_path / "out"
    assert [planned.what for planned in plan_archive(scan(videos, output_dir=target))] == ["annotate: not annotated yet"]
    assert not (tmp_path / "out").exists()
    statuses = [[outcome.status for outcome in annotate(videos, output_dir=target)] for _ in range(2)]
    assert statuses == [[Status.NO_FACES], [Status.UP_TO_DATE]]
    assert os.listdir(source.parent) == ["a.mp4"]
    assert sorted(os.listdir(tmp_path / "out/tapes")) == ["a.emotions.csv", "a.emotions.meta.json"]
    assert [planned.what for planned in plan_archive(scan(videos, output_dir=target))] == ["skip: up to date"]
