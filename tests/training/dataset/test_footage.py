from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import DatasetError
from annotate.span import Span
from annotate.training.dataset.footage import ClipLocation, Footage
from annotate.training.dataset.labels import LabeledClip, Omission, OmissionKind

SPAN = Span(1000, 2000)


@pytest.fixture
def footage(tmp_path: Path) -> Footage:
    for name in ("Movie.MP4", "x/take.mkv", "y/take.mkv", "Ab-1/utterance_1.mp4", "Ab-1/utterance_2.mp4", "cd/movie.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return Footage(tmp_path)


def found(footage: Footage, video: str, utterance: str = "") -> tuple[str, str, Span | None]:
    location = footage.find(LabeledClip(video, utterance, SPAN, 0))
    assert isinstance(location, ClipLocation)
    return footage.relative_path(location.path), location.video, location.span


@pytest.mark.parametrize("name", ["Movie.MP4", "movie", "MOVIE.mp4"])
def test_a_whole_video_is_found_by_id_or_file_name(footage: Footage, name: str) -> None:
    assert found(footage, name) == ("Movie.MP4", "Movie.MP4", SPAN)
    assert found(footage, name, "utterance_7.mp4") == ("Movie.MP4", "movie" if name == "movie" else name[:5], SPAN)


def test_an_utterance_is_found_as_a_separate_file(footage: Footage) -> None:
    assert found(footage, "ab-1", "utterance_2.mp4") == ("Ab-1/utterance_2.mp4", "ab-1", None)
    assert found(footage, "Ab-1", "utterance_1") == ("Ab-1/utterance_1.mp4", "Ab-1", None)


def test_a_folder_disambiguates_equal_names(footage: Footage) -> None:
    assert found(footage, "x/take") == ("x/take.mkv", "x/take.mkv", SPAN)
    ambiguous = footage.find(LabeledClip("take", "", SPAN, 0))
    assert isinstance(ambiguous, Omission)
    assert ambiguous.kind is OmissionKind.MISSING
    assert all(name in str(ambiguous) for name in ("x/take.mkv", "y/take.mkv"))


def test_a_missing_video_is_an_omission(footage: Footage) -> None:
    missing = footage.find(LabeledClip("nowhere", "", SPAN, 6))
    assert isinstance(missing, Omission)
    assert missing.kind is OmissionKind.MISSING
    assert str(missing).startswith("nowhere 1-2 s (surprise): ")


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as refused:
        Footage(tmp_path)
    assert refused.value.path == tmp_path
