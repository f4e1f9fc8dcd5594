"""Parts of long videos; here they are a second long, so that short clips have many."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyse, annotate_parts
from annotate.analysis.pipeline import Analysis
from annotate.batch.processes import ProcessWorkers
from annotate.batch.run import annotate_archive
from annotate.errors import DecodingError
from annotate.media.decode import DecodingReport
from annotate.settings import Settings
from tests.clips import H264, make_face_picture, make_from_pictures, make_pattern

SETTINGS = Settings(part_s=1)
SHORT_GROUPS = (*H264, "-g", "9", "-fps_mode", "passthrough")


def ordered(annotations: Iterable[Annotation]) -> list[tuple[int, int]]:
    return sorted((each.face_id, each.block) for each in annotations)


@pytest.fixture(scope="module")
def lively_clip(tmp_path_factory: pytest.TempPathFactory, face_picture: Path) -> Path:
    """Cuts between one face and two, frames left out unevenly: 5.44 s."""
    folder = tmp_path_factory.mktemp("lively")
    two = make_face_picture(folder / "two.png", sample="two_faces.mp4", time_s=5)
    shots = [(face_picture, 1.3), (two, 2.2), (face_picture, 1.9)]
    uneven = "select='not(eq(mod(n\\,7)\\,3)+eq(mod(n\\,11)\\,5))'"
    return make_from_pictures(folder / "lively.mp4", shots, size=(640, 360), filters=uneven, options=SHORT_GROUPS)


def test_parts_at_once_give_what_parts_in_turn_give(lively_clip: Path) -> None:
    in_turn, at_once = Analysis.open(lively_clip, SETTINGS), Analysis.open(lively_clip, SETTINGS)
    expected = analyse(in_turn)
    annotations = annotate_parts(at_once, threading.Semaphore(3))
    assert annotations is not None
    key = lambda each: (each.span, each.face_id, each.block)  # noqa: E731
    assert sorted(annotations, key=key) == sorted(expected, key=key)
    assert (at_once.decoding, at_once.blocks) == (in_turn.decoding, in_turn.blocks)
    assert (in_turn.decoding.frames, in_turn.decoding.end_ms) == (107, 5440)
    assert {each.face_id for each in expected} == {1, 2, 3, 4}


def test_seams_break_neither_faces_nor_frames(lively_clip: Path) -> None:
    whole, parts = analyse(Analysis.open(lively_clip)), analyse(Analysis.open(lively_clip, SETTINGS))
    assert {each.face_id for each in parts} == {each.face_id for each in whole}
    for face_id in {each.face_id for each in whole}:
        of_whole, of_parts = ([each for each in found if each.face_id == face_id] for found in (whole, parts))
        assert of_parts[0].span.start_ms == of_whole[0].span.start_ms
        assert of_parts[-1].span.end_ms == of_whole[-1].span.end_ms
        assert of_parts[-1].last_frame == of_whole[-1].last_frame
        assert [each.block for each in of_parts] == list(range(len(of_parts)))


def test_outputs_are_the_same_with_any_number_of_jobs(tmp_path: Path, lively_clip: Path) -> None:
    reports = []
    for jobs in (1, 3):
        video = tmp_path / str(jobs) / "clip.mp4"
        video.parent.mkdir()
        video.write_bytes(lively_clip.read_bytes())
        outcomes = list(annotate_archive([video], SETTINGS, workers=ProcessWorkers(jobs)))
        assert [(outcome.status.value, outcome.faces) for outcome in outcomes] == [("annotated", 4)]
        reports.append([(video.parent / f"clip.emotions.{ending}").read_bytes() for ending in ("csv", "en.srt")])
    assert reports[0] == reports[1]


def test_progress_adds_up(lively_clip: Path) -> None:
    told: list[float] = []
    analysis = Analysis.open(lively_clip, SETTINGS)
    analysis.progress = told.append
    assert annotate_parts(analysis, threading.Semaphore(2)) is not None
    assert max(told) == pytest.approx(5.44, abs=0.3)


def test_all_cores_are_given_back(lively_clip: Path) -> None:
    cores = threading.Semaphore(2)
    annotate_parts(Analysis.open(lively_clip, SETTINGS), cores)
    assert [cores.acquire(False) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("ending", ["ts", "avi"])
def test_containers_that_cannot_be_entered_anywhere_are_left_whole(tmp_path: Path, ending: str) -> None:
    clip = make_pattern(tmp_path / f"clip.{ending}", duration_s=3)
    assert annotate_parts(Analysis.open(clip, SETTINGS), threading.Semaphore(2)) is None


def test_short_videos_are_left_whole(face_clip: Path) -> None:
    assert annotate_parts(Analysis.open(face_clip, Settings(part_s=2)), threading.Semaphore(2)) is None


def test_damaged_videos_are_decoded_whole_by_one_thread(tmp_path: Path, lively_clip: Path) -> None:
    content = bytearray(lively_clip.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 4000, 40):
        content[place] ^= 0xFF
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    analysis = Analysis.open(damaged, SETTINGS)
    annotations = analyse(analysis, threading.Semaphore(2))
    assert analysis.decoding.warning_count
    assert analysis.limits.threads == 1
    assert ordered(annotations) == ordered(Analysis.open(damaged, SETTINGS, limits=analysis.limits))


def test_an_error_in_one_part_is_raised(lively_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> Iterator[None]:
        raise DecodingError("clip.mp4: nothing")

    monkeypatch.setattr(Analysis, "stream", broken)
    with pytest.raises(DecodingError, match="nothing"):
        annotate_parts(Analysis.open(lively_clip, SETTINGS), threading.Semaphore(2))


def test_a_decoding_from_the_middle_has_the_times_of_one_from_the_start(lively_clip: Path) -> None:
    analysis = Analysis.open(lively_clip, SETTINGS)
    (start, *_, end) = list(analysis.stream(DecodingReport(), 3, 4))
    whole = [part for part in analysis.stream(DecodingReport()) if hasattr(part, "first")]
    assert start.first.shows_the_same_as(whole[3].first)
    assert end.following.shows_the_same_as(whole[4].first)
