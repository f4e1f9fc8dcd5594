"""Error messages for clients, without absolute paths."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from annotate.archive.layout import Outputs
from annotate.archive.scan import ArchiveItem
from annotate.archive.validity import current_meta
from annotate.batch.job import Outcome
from annotate.errors import NotAVideoError, OutputError, ReportError, format_error
from annotate.server.messages import public_message
from annotate.storage.values import SkippedPath

FOLDER = Path("/srv/films")


def test_problem_and_remedy_are_included_without_the_path() -> None:
    error = NotAVideoError("not a video", "download it again", path=FOLDER / "a.mp4")
    assert public_message(error) == "not a video. Download it again."
    assert public_message(Outcome.failed(FOLDER / "a.mp4", error)) == "not a video. Download it again."


def test_another_file_is_included_by_name() -> None:
    problem, remedy = "cannot be written (no space left)", "free up disk space"
    error = OutputError(problem, remedy, path=FOLDER / "a.emotions.csv")
    outcome = Outcome.failed(FOLDER / "a.mp4", error)
    assert public_message(outcome, outcome.about) == format_error(problem, remedy, "a.emotions.csv")
    assert public_message(error, "ffmpeg") == format_error(problem, remedy, "ffmpeg")


def test_a_relative_path_is_included_in_full() -> None:
    skipped = SkippedPath(FOLDER / "old", "cannot be read", "check its permissions", is_folder=True)
    assert public_message(skipped, PurePath("new/old")) == format_error("cannot be read", "check its permissions", "new/old")


def test_remedies_with_commands_for_the_server_are_omitted(tmp_path: Path) -> None:
    item = ArchiveItem.read(tmp_path / "a.mp4", Outputs(tmp_path / "a"))
    with pytest.raises(ReportError) as raised:
        current_meta(item)
    assert str(tmp_path) in raised.value.remedy
    assert public_message(raised.value) == raised.value.problem


@pytest.mark.parametrize(
    "problem",
    [
        "internal error (FileNotFoundError: [Errno 2] No such file: '/srv/films/a.mp4')",
        "/usr/bin/ffmpeg lacks libass",
        "cannot be rendered (/srv/films/a.mp4: corrupt)",
        "see file:///srv/films/a.mp4",
    ],
)
def test_a_problem_with_a_path_is_replaced(problem: str) -> None:
    message = public_message(OutputError(problem, "install it in /opt", path=FOLDER))
    assert "/" not in message
    assert message


def test_names_that_are_not_valid_unicode_are_escaped() -> None:
    error = NotAVideoError("not a video \udcff", path=FOLDER / "caf\udce9.mp4")
    assert public_message(error, error.path) == "caf\\xe9.mp4: not a video \\xff"
