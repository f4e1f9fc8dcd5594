from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import DatasetError
from annotate.span import Span
from annotate.training.dataset.footage import Library, Place
from annotate.training.dataset.labels import Fault, Omission, Piece

SPAN = Span(1000, 2000)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for name in ("Movie.MP4", "x/take.mkv", "y/take.mkv", "Ab-1/utterance_1.mp4", "Ab-1/utterance_2.mp4", "cd/movie.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return Library(tmp_path)


def found(library: Library, video: str, utterance: str = "") -> tuple[str, str, Span | None]:
    place = library.find(Piece(video, utterance, SPAN, 0))
    assert isinstance(place, Place)
    return library.name(place.path), place.video, place.span


@pytest.mark.parametrize("name", ["Movie.MP4", "movie", "MOVIE.mp4"])
def test_a_whole_video_by_its_id_or_file_name(library: Library, name: str) -> None:
    assert found(library, name) == ("Movie.MP4", "Movie.MP4", SPAN)
    assert found(library, name, "utterance_7.mp4") == ("Movie.MP4", "movie" if name == "movie" else name[:5], SPAN)


def test_an_utterance_is_a_file_of_its_own(library: Library) -> None:
    assert found(library, "ab-1", "utterance_2.mp4") == ("Ab-1/utterance_2.mp4", "ab-1", None)
    assert found(library, "Ab-1", "utterance_1") == ("Ab-1/utterance_1.mp4", "Ab-1", None)


def test_a_folder_tells_two_of_one_name_apart(library: Library) -> None:
    assert found(library, "x/take") == ("x/take.mkv", "x/take.mkv", SPAN)
    ambiguous = library.find(Piece("take", "", SPAN, 0))
    assert isinstance(ambiguous, Omission)
    assert "name its folder too" in str(ambiguous)


def test_what_is_missing_is_told(library: Library) -> None:
    missing = library.find(Piece("nowhere", "", SPAN, 6))
    assert isinstance(missing, Omission)
    assert missing.fault is Fault.MISSING
    assert str(missing).startswith("nowhere 1-2 s (surprise): no such video below ")


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no video lies below it"):
        Library(tmp_path)
