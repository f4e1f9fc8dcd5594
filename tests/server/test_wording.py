"""Words that may leave this machine."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem
from annotate.archive.validity import current_meta
from annotate.batch.job import Outcome
from annotate.errors import NotAVideoError, OutputError, ReportError
from annotate.server.wording import for_readers_elsewhere
from annotate.storage.values import SkippedPath

FOLDER = Path("/srv/films")


def test_problem_and_remedy_are_told_without_the_path() -> None:
    error = NotAVideoError("not a video", "check its download", path=FOLDER / "a.mp4")
    assert for_readers_elsewhere(error) == "not a video; check its download"
    assert for_readers_elsewhere(Outcome.failed(FOLDER / "a.mp4", error)) == "not a video; check its download"


def test_of_another_file_the_name_is_told() -> None:
    error = OutputError("cannot be written (no space left)", "make room", path=FOLDER / "a.emotions.csv")
    outcome = Outcome.failed(FOLDER / "a.mp4", error)
    assert for_readers_elsewhere(outcome, outcome.about) == "a.emotions.csv: cannot be written (no space left); make room"
    assert for_readers_elsewhere(error, "ffmpeg") == "ffmpeg: cannot be written (no space left); make room"


def test_of_a_relative_path_all_is_told() -> None:
    skipped = SkippedPath(FOLDER / "old", "the directory cannot be read", "check its permissions", is_folder=True)
    assert for_readers_elsewhere(skipped, PurePath("new/old")) == (
        "new/old: the directory cannot be read; check its permissions"
    )


def test_commands_to_run_on_this_machine_are_left_out(tmp_path: Path) -> None:
    item = ArchiveItem.read(tmp_path / "a.mp4", Outputs(tmp_path / "a"))
    with pytest.raises(ReportError) as raised:
        current_meta(item)
    assert str(tmp_path) in raised.value.remedy
    assert for_readers_elsewhere(raised.value) == raised.value.problem


@pytest.mark.parametrize(
    "problem",
    [
        "an error of this program (FileNotFoundError: [Errno 2] No such file: '/srv/films/a.mp4')",
        "/usr/bin/ffmpeg lacks libass",
        "no whole copy could be made (/srv/films/a.mp4: corrupt)",
        "see file:///srv/films/a.mp4",
    ],
)
def test_a_problem_with_a_path_is_left_to_the_log(problem: str) -> None:
    told = for_readers_elsewhere(OutputError(problem, "install it in /opt", path=FOLDER))
    assert "/" not in told
    assert told


def test_names_that_are_no_text_can_be_sent() -> None:
    error = NotAVideoError("not a video \udcff", path=FOLDER / "caf\udce9.mp4")
    assert for_readers_elsewhere(error, error.path) == "caf\\xe9.mp4: not a video \\udcff"
