"""Chunks of long videos; here they are a second long, so that short clips have many."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import ChunkEnd, ChunkStart
from annotate.analysis.parallel import analyze, analyze_in_chunks
from annotate.analysis.pipeline import Analysis
from annotate.batch.processes import ProcessExecutor
from annotate.errors import DecodingError
from annotate.media.decode import DecodingReport
from annotate.settings import Settings
from tests.clips import H264, make_face_picture, make_from_pictures, make_pattern
from tests.runs import annotate

SETTINGS = Settings(chunk_s=1)
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


@pytest.fixture(scope="module")
def in_turn(lively_clip: Path) -> tuple[Analysis, list[Annotation]]:
    """The analysis of the lively clip, chunk by chunk, and its annotations."""
    analysis = Analysis.open(lively_clip, SETTINGS)
    return analysis, list(analyze(analysis))


@dataclass
class _AtOnce:
    """An analysis of the lively clip, two chunks at once: ``cores`` and ``told`` as they are afterwards."""

    annotations: list[Annotation] | None
    cores: threading.Semaphore
    told: list[float]


@pytest.fixture(scope="module")
def two_at_once(lively_clip: Path) -> _AtOnce:
    analysis, cores, told = Analysis.open(lively_clip, SETTINGS), threading.Semaphore(2), list[float]()
    analysis.progress = told.append
    return _AtOnce(analyze_in_chunks(analysis, cores), cores, told)


def test_chunks_at_once_give_the_same_as_chunks_in_turn(
    lively_clip: Path, in_turn: tuple[Analysis, list[Annotation]]
) -> None:
    at_once = Analysis.open(lively_clip, SETTINGS)
    by_chunk, expected = in_turn
    annotations = analyze_in_chunks(at_once, threading.Semaphore(3))
    assert annotations is not None
    key = lambda each: (each.span, each.face_id, each.block)  # noqa: E731
    assert sorted(annotations, key=key) == sorted(expected, key=key)
    assert (at_once.decoding, at_once.blocks) == (by_chunk.decoding, by_chunk.blocks)
    assert (by_chunk.decoding.frames, by_chunk.decoding.end_ms) == (107, 5440)
    assert {each.face_id for each in expected} == {1, 2, 3, 4}


def test_seams_break_neither_faces_nor_frames(lively_clip: Path, in_turn: tuple[Analysis, list[Annotation]]) -> None:
    whole, chunks = analyze(Analysis.open(lively_clip)), in_turn[1]
    assert {each.face_id for each in chunks} == {each.face_id for each in whole}
    for face_id in {each.face_id for each in whole}:
        of_whole, of_chunks = ([each for each in found if each.face_id == face_id] for found in (whole, chunks))
        assert of_chunks[0].span.start_ms == of_whole[0].span.start_ms
        assert of_chunks[-1].span.end_ms == of_whole[-1].span.end_ms
        assert of_chunks[-1].last_frame == of_whole[-1].last_frame
        assert [each.block for each in of_chunks] == list(range(len(of_chunks)))


def test_outputs_are_the_same_with_any_number_of_jobs(tmp_path: Path, lively_clip: Path) -> None:
    reports = []
    for jobs in (1, 3):
        video = tmp_path / str(jobs) / "clip.mp4"
        video.parent.mkdir()
        video.write_bytes(lively_clip.read_bytes())
        outcomes = list(annotate([video], SETTINGS, executor=ProcessExecutor(jobs)))
        assert [(outcome.status.value, outcome.faces) for outcome in outcomes] == [("annotated", 4)]
        reports.append([(video.parent / f"clip.emotions.{ending}").read_bytes() for ending in ("csv", "en.srt")])
    assert reports[0] == reports[1]


def test_progress_adds_up(two_at_once: _AtOnce) -> None:
    assert two_at_once.annotations is not None
    assert max(two_at_once.told) == pytest.approx(5.44, abs=0.3)


def test_all_cores_are_given_back(two_at_once: _AtOnce) -> None:
    cores = two_at_once.cores
    assert [cores.acquire(False) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("ending", ["ts", "avi"])
def test_containers_that_cannot_be_entered_anywhere_are_left_whole(tmp_path: Path, ending: str) -> None:
    clip = make_pattern(tmp_path / f"clip.{ending}", duration_s=3)
    assert analyze_in_chunks(Analysis.open(clip, SETTINGS), threading.Semaphore(2)) is None


def test_short_videos_are_left_whole(face_clip: Path) -> None:
    assert analyze_in_chunks(Analysis.open(face_clip, Settings(chunk_s=2)), threading.Semaphore(2)) is None


def test_damaged_videos_are_decoded_whole_by_one_thread(tmp_path: Path, lively_clip: Path) -> None:
    content = bytearray(lively_clip.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 4000, 40):
        content[place] ^= 0xFF
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    analysis = Analysis.open(damaged, SETTINGS)
    annotations = analyze(analysis, threading.Semaphore(2))
    assert analysis.decoding.warning_count
    assert analysis.limits.threads == 1
    assert ordered(annotations) == ordered(Analysis.open(damaged, SETTINGS, limits=analysis.limits))


def test_an_error_in_one_chunk_is_raised(lively_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> Iterator[None]:
        raise DecodingError("nothing", path="clip.mp4")

    monkeypatch.setattr(Analysis, "chunk_items", broken)
    with pytest.raises(DecodingError, match="nothing"):
        analyze_in_chunks(Analysis.open(lively_clip, SETTINGS), threading.Semaphore(2))


def test_a_decoding_from_the_middle_has_the_times_of_one_from_the_start(lively_clip: Path) -> None:
    analysis = Analysis.open(lively_clip, SETTINGS)
    (start, *_, end) = list(analysis.chunk_items(DecodingReport(), 3, 4))
    whole = [item for item in analysis.chunk_items(DecodingReport()) if isinstance(item, ChunkStart)]
    assert isinstance(start, ChunkStart)
    assert isinstance(end, ChunkEnd)
    assert end.following is not None
    assert start.first.shows_the_same_as(whole[3].first)
    assert end.following.shows_the_same_as(whole[4].first)
