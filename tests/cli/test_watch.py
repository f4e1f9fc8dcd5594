"""``annotate PATH... --watch``: each wait of the command is a step of the test, and half the time to settle."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotate.archive.changes import Changes
from annotate.batch.watch import WatchOptions
from tests.cli.answers import Answer, names, run

SETTLE_S = WatchOptions.settle_s


@pytest.fixture
def watch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Iterator[None]], Answer]]:
    """A function that watches ``videos``; it goes on to the next step at each wait, and ends with SIGTERM after the last."""
    handler = signal.getsignal(signal.SIGTERM)

    def run_steps(steps: Iterator[None], *options: str) -> Answer:
        now_s = 0.0

        def wait(changes: Changes, timeout_s: float, pause_s: float) -> bool:
            nonlocal now_s
            now_s += SETTLE_S / 2
            next(steps, None)
            return True

        monkeypatch.setattr(Changes, "wait", wait)
        monkeypatch.setattr("annotate.batch.watch.monotonic", lambda: now_s)
        return run("videos", "--watch", "--poll", "1", *options)

    yield run_steps
    signal.signal(signal.SIGTERM, handler)


def end() -> None:
    """End the command as ``systemctl stop`` does."""
    signal.raise_signal(signal.SIGTERM)


def wait_for(path: Path) -> Iterator[None]:
    """Let the command go on until a file is there."""
    for _ in range(100):
        if path.exists():
            return
        yield


def test_a_file_that_arrives_in_parts_is_annotated_once(
    folder: Path, empty_clip: Path, watch: Callable[[Iterator[None]], Answer]
) -> None:
    def steps() -> Iterator[None]:
        content = empty_clip.read_bytes()
        for part in (content[:500], content[500:1000], content[1000:2000], content[2000:]):
            with (folder / "videos/b.mp4").open("ab") as file:
                file.write(part)
            yield
        yield from wait_for(folder / "videos/b.emotions.meta.json")
        (folder / "videos/c.mp4").write_text("text")
        yield from wait_for(folder / "videos/c.emotions.failed.json")
        end()

    answer = watch(steps())
    assert answer.status == 0
    assert answer.output == ""
    lines = [line.split(": ")[:2] for line in answer.errors.splitlines()]
    assert [line[0] for line in lines] == ["Watching videos", "videos/a.mp4", "videos/b.mp4", "failed", "Stopped watching."]
    assert "1 video, 1 to annotate" in lines[0][1]


def test_a_folder_that_goes_away_does_not_end_it(
    folder: Path, empty_clip: Path, watch: Callable[[Iterator[None]], Answer]
) -> None:
    def steps() -> Iterator[None]:
        yield from wait_for(folder / "videos/a.emotions.meta.json")
        shutil.rmtree(folder / "videos")
        yield
        yield
        (folder / "videos").mkdir()
        shutil.copy(empty_clip, folder / "videos/b.mp4")
        yield from wait_for(folder / "videos/b.emotions.meta.json")
        end()

    answer = watch(steps())
    assert answer.status == 0
    assert answer.errors.count("skipped: videos: ") == 1
    assert names(folder / "videos") == ["b.emotions.csv", "b.emotions.meta.json", "b.mp4"]


def test_ctrl_c_while_a_video_is_annotated_ends_it(
    folder: Path, watch: Callable[[Iterator[None]], Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("annotate.batch.run.annotate_archive", interrupted)
    answer = watch(iter(()))
    assert answer.status == 0
    assert answer.errors.splitlines()[-2].startswith("Interrupted: 1 ")
    assert names(folder / "videos") == ["a.mp4"]


@pytest.mark.parametrize("options", [("--poll", "5"), ("--settle", "5"), ("--watch", "--force"), ("--watch", "--dry-run")])
def test_options_that_do_not_fit(folder: Path, options: tuple[str, ...]) -> None:
    answer = run("videos", *options)
    assert (answer.status, answer.output) == (2, "")
    assert "--watch" in answer.errors
    assert names(folder / "videos") == ["a.mp4"]
