from __future__ import annotations

from pathlib import Path

from tests.cli.answers import names, run

NOTHING_FOUND = "no videos below {}: files are taken by their endings, such as .mp4, .mkv or .mov\n"


def test_check_tells_what_is_wrong_and_deletes_what_is_stale(folder: Path) -> None:
    run("videos")
    whole = run("check", "videos")
    assert (whole.status, whole.output) == (0, "1 video checked: all is well.\n")
    (folder / "videos/a.mp4").rename(folder / "videos/b.mp4")
    gone = "videos/a.emotions.meta.json: stale: its video a.mp4 is gone\n"
    answer = run("check", "videos")
    new = "videos/b.mp4: missing: not annotated yet\n"
    assert (answer.status, answer.output) == (1, f"{new}{gone}1 video checked: 1 missing, 1 stale.\n")
    assert run("-q", "check", "videos").output == new + gone
    deleted = "".join(f"videos/a.emotions.{ending}: deleted\n" for ending in ("csv", "meta.json"))
    assert run("check", "videos", "--delete-stale", "-q").output == new + gone + deleted
    assert names(folder / "videos") == ["b.mp4"]


def test_check_of_another_tree(folder: Path) -> None:
    run("videos", "-o", "results")
    assert run("check", "videos", "--output-dir", "results").status == 0
    assert run("check", "videos").status == 1
    (folder / "videos/a.mp4").unlink()
    assert run("check", "videos", "--output-dir", "results").output.startswith(
        "results/a.emotions.meta.json: stale: its video"
    )


def test_check_where_there_is_nothing(folder: Path) -> None:
    (folder / "empty").mkdir()
    answer = run("check", "empty")
    assert (answer.status, answer.output, answer.errors) == (0, "", NOTHING_FOUND.format("empty"))
    assert "nowhere: unreadable: no such file" in run("check", "nowhere").output
