"""What is to be done in an archive in which files arrive, on a clock of the test."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import Scan, scan
from annotate.batch.run import Plan
from annotate.batch.watch import Look, Watch, WatchOptions
from annotate.errors import StorageError
from tests.runs import annotate

SETTLE_S, RETRY_S = WatchOptions.settle_s, WatchOptions.retry_s


@dataclass
class Watched:
    """A folder that is watched; ``now_s`` is the time."""

    folder: Path
    now_s: float = 0.0
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.watch = Watch(lambda: scan([self.folder]), self.plan, WatchOptions(), lambda: self.now_s)

    def look(self, after_s: float = 0.0) -> Look:
        """Look some seconds later."""
        self.now_s += after_s
        return self.watch.look()

    def taken(self, after_s: float = 0.0) -> list[str]:
        """Return the names of the videos that are taken some seconds later."""
        items = self.look(after_s).ready
        self.watch.tried(items)
        return [item.video.name for item in items]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """An empty folder that is watched."""
    return Watched(tmp_path / "films")


def test_a_file_that_grows_is_taken_once_when_it_is_complete(watched: Watched) -> None:
    video = watched.folder / "a.mp4"
    for _ in range(4):
        with video.open("a") as file:
            file.write("frames")
        assert watched.taken(SETTLE_S - 1) == []
    assert watched.taken(SETTLE_S - 1) == []
    assert watched.taken(1) == ["a.mp4"]
    assert watched.taken(SETTLE_S) == []


def test_the_next_look_is_when_a_file_will_have_settled(watched: Watched) -> None:
    assert watched.look().next_s == WatchOptions.rescan_s
    (watched.folder / "a.mp4").write_text("frames")
    look = watched.look()
    assert (look.waiting, look.next_s, look.videos) == (1, SETTLE_S, 1)
    assert watched.look(SETTLE_S - 3).next_s == 3
    polling = replace(watched.watch, options=WatchOptions(poll_s=2.0))
    assert polling.look().next_s == 2
    assert watched.watch.look(is_notified=False).next_s <= WatchOptions.unnotified_s


def test_a_file_that_is_renamed_into_place_or_deleted_meanwhile(watched: Watched) -> None:
    (watched.folder / "a.mp4.part").write_text("frames")
    (watched.folder / "b.mp4").write_text("frames")
    assert watched.taken() == []
    (watched.folder / "a.mp4.part").rename(watched.folder / "a.mp4")
    (watched.folder / "b.mp4").unlink()
    assert watched.taken(SETTLE_S) == []
    assert watched.taken(SETTLE_S) == ["a.mp4"]


def test_a_folder_that_goes_away_and_comes_back(watched: Watched) -> None:
    (watched.folder / "a.mp4").write_text("frames")
    watched.look()
    moved = watched.folder.rename(watched.folder.with_name("gone"))
    first, second = watched.look(SETTLE_S), watched.look(SETTLE_S)
    assert (first.ready, second.ready) == ([], [])
    assert [str(watched.folder) in problem for problem in first.problems] == [True]
    assert second.problems == []
    moved.rename(watched.folder)
    assert watched.taken(SETTLE_S) == []
    assert watched.taken(SETTLE_S) == ["a.mp4"]


def test_storage_that_does_not_answer_is_reported_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: Exception) -> Scan:
        raise error

    (watched.folder / "a.mp4").write_text("frames")
    watched.look()
    for error in (StorageError("no answer", path="s3://a"), OSError(116, "Stale file handle", "films")):
        with monkeypatch.context() as patch:
            patch.setattr(watched.watch, "rescan", partial(fail, error))
            assert [len(watched.look(1).problems) for _ in range(2)] == [1, 0]
    assert watched.taken(SETTLE_S) == ["a.mp4"]


def test_what_failed_is_tried_again_when_it_changes_or_later(watched: Watched) -> None:
    video = watched.folder / "a.mp4"
    video.write_text("frames")
    watched.look()
    assert watched.taken(SETTLE_S) == ["a.mp4"]
    assert watched.taken(RETRY_S - 1) == []
    assert watched.taken(1) == ["a.mp4"]
    video.write_text("other frames")
    assert watched.taken(1) == []
    assert watched.taken(SETTLE_S) == ["a.mp4"]


def test_recorded_failures_are_left_alone_or_tried_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "films")
    (watched.folder / "a.mp4").write_text("text")
    list(annotate([watched.folder]))
    for retry_failed, expected in ((False, []), (True, ["a.mp4"])):
        watched = replace(watched, plan=Plan(options=OutputOptions(retry_failed=retry_failed)))
        assert watched.look().failed == (not retry_failed)
        assert watched.taken(SETTLE_S) == expected
        assert watched.taken(2 * RETRY_S) == []
        assert watched.look().failed == 1


def test_finished_videos_are_not_taken(watched: Watched, empty_clip: Path) -> None:
    shutil.copy(empty_clip, watched.folder / "a.mp4")
    list(annotate([watched.folder]))
    watched.look()
    assert watched.taken(SETTLE_S) == []
    (watched.folder / "a.emotions.csv").unlink()
    watched.look()
    assert watched.taken(SETTLE_S) == ["a.mp4"]
