"""Parallel analysis of chunks, which are one second long here, so that short clips have many."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.chunks import ChunkEnd, ChunkStart
from annotate.analysis.parallel import analyze, analyze_in_chunks
from annotate.analysis.pipeline import Analysis
from annotate.archive.stored_report import read_report
from annotate.batch.processes import ProcessExecutor
from annotate.errors import DecodingError
from annotate.faces.portraits import Portrait
from annotate.media.decoding_report import DecodingReport
from annotate.settings import Settings
from tests.clips import H264, make_face_image, make_from_images, make_pattern
from tests.runs import annotate

SETTINGS = Settings(chunk_s=1, hop=8)
"""Blocks overlap, but not those of two chunks."""

SHORT_GOPS = (*H264, "-g", "9", "-fps_mode", "passthrough")


def summarize_portraits(portraits: Sequence[Portrait]) -> np.ndarray:
    """Return numbers that differ for other portraits, in place of descriptors."""
    rows = [(one.time_ms, one.worth, one.box.x, *one.pixels[::20, ::20].ravel()[:20]) for one in portraits]
    return np.array(rows, np.float32)


def open_described(path: Path, settings: Settings = SETTINGS) -> Analysis:
    """Return an analysis that keeps portraits."""
    analysis = Analysis.open(path, settings)
    analysis.describe = summarize_portraits
    return analysis


def block_ids(annotations: Iterable[Annotation]) -> list[tuple[int, int]]:
    return sorted((each.face_id, each.block) for each in annotations)


@pytest.fixture(scope="module")
def lively_clip(tmp_path_factory: pytest.TempPathFactory, face_image: Path) -> Path:
    """5.44 s of cuts between one face and two, at a variable frame rate."""
    folder = tmp_path_factory.mktemp("lively")
    two = make_face_image(folder / "two.png", sample="two_faces.mp4", time_s=5)
    shots = [(face_image, 1.3), (two, 2.2), (face_image, 1.9)]
    dropped_frames = "select='not(eq(mod(n\\,7)\\,3)+eq(mod(n\\,11)\\,5))'"
    return make_from_images(folder / "lively.mp4", shots, size=(640, 360), filters=dropped_frames, options=SHORT_GOPS)


@pytest.fixture(scope="module")
def sequential(lively_clip: Path) -> tuple[Analysis, list[Annotation]]:
    """The sequential analysis of the lively clip, and its annotations."""
    analysis = open_described(lively_clip)
    return analysis, list(analyze(analysis))


@dataclass
class _ParallelRun:
    """A parallel analysis of the lively clip with two more cores, afterwards."""

    annotations: list[Annotation] | None
    cores: threading.Semaphore
    progress: list[float]


@pytest.fixture(scope="module")
def parallel(lively_clip: Path) -> _ParallelRun:
    analysis, cores, progress = Analysis.open(lively_clip, SETTINGS), threading.Semaphore(2), list[float]()
    analysis.progress = progress.append
    return _ParallelRun(analyze_in_chunks(analysis, cores), cores, progress)


def test_parallel_analysis_equals_sequential_analysis(
    lively_clip: Path, sequential: tuple[Analysis, list[Annotation]]
) -> None:
    parallel_analysis = open_described(lively_clip)
    sequential_analysis, expected = sequential
    annotations = analyze_in_chunks(parallel_analysis, threading.Semaphore(3))
    assert annotations is not None
    key = lambda each: (each.span, each.face_id, each.block)  # noqa: E731
    assert sorted(annotations, key=key) == sorted(expected, key=key)
    for name in ("decoding", "blocks", "sizes", "small_faces"):
        assert getattr(parallel_analysis, name) == getattr(sequential_analysis, name)
    described = [
        {face_id: (track.count, track.total.tolist()) for face_id, track in analysis.described.items()}
        for analysis in (sequential_analysis, parallel_analysis)
    ]
    assert described[0] == described[1]
    assert {face_id: count for face_id, (count, _) in described[0].items()} == {1: 2, 2: 3, 3: 3, 4: 3}
    assert (sequential_analysis.decoding.frames, sequential_analysis.decoding.end_ms) == (107, 5440)
    assert {each.face_id for each in expected} == {1, 2, 3, 4}


def test_boundaries_split_neither_faces_nor_frames(lively_clip: Path, sequential: tuple[Analysis, list[Annotation]]) -> None:
    whole, chunks = analyze(Analysis.open(lively_clip)), sequential[1]
    assert {each.face_id for each in chunks} == {each.face_id for each in whole}
    for face_id in {each.face_id for each in whole}:
        in_whole, in_chunks = ([each for each in found if each.face_id == face_id] for found in (whole, chunks))
        assert in_chunks[0].span.start_ms == in_whole[0].span.start_ms
        assert in_chunks[-1].span.end_ms == in_whole[-1].span.end_ms
        assert in_chunks[-1].last_frame == in_whole[-1].last_frame
        assert [each.block for each in in_chunks] == list(range(len(in_chunks)))


def test_outputs_do_not_depend_on_the_number_of_jobs(tmp_path: Path, lively_clip: Path) -> None:
    reports = []
    for jobs in (1, 3):
        video = tmp_path / str(jobs) / "clip.mp4"
        video.parent.mkdir()
        video.write_bytes(lively_clip.read_bytes())
        outcomes = list(annotate([video], replace(SETTINGS, persons=True), executor=ProcessExecutor(jobs)))
        assert [(outcome.status.value, outcome.faces) for outcome in outcomes] == [("annotated", 4)]
        reports.append([(video.parent / f"clip.emotions.{ending}").read_bytes() for ending in ("csv", "en.srt")])
    assert reports[0] == reports[1]
    persons = read_report(video.with_suffix(".emotions.csv")).persons
    assert {face_id: person.number for face_id, person in persons.items()} == {1: 1, 2: 2, 3: 1, 4: 1}


def test_progress_is_the_sum_over_chunks(parallel: _ParallelRun) -> None:
    assert parallel.annotations is not None
    assert max(parallel.progress) == pytest.approx(5.44, abs=0.3)


def test_all_cores_are_released(parallel: _ParallelRun) -> None:
    cores = parallel.cores
    assert [cores.acquire(False) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("extension", ["ts", "avi"])
def test_containers_that_are_not_seekable_are_not_split(tmp_path: Path, extension: str) -> None:
    clip = make_pattern(tmp_path / f"clip.{extension}", duration_s=3)
    assert analyze_in_chunks(Analysis.open(clip, SETTINGS), threading.Semaphore(2)) is None


def test_short_videos_are_not_split(face_clip: Path) -> None:
    assert analyze_in_chunks(Analysis.open(face_clip, Settings(chunk_s=2)), threading.Semaphore(2)) is None


def test_damaged_videos_are_decoded_sequentially_by_one_thread(tmp_path: Path, lively_clip: Path) -> None:
    content = bytearray(lively_clip.read_bytes())
    for position in range(len(content) // 2, len(content) // 2 + 4000, 40):
        content[position] ^= 0xFF
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    analysis = Analysis.open(damaged, SETTINGS)
    annotations = analyze(analysis, threading.Semaphore(2))
    assert analysis.decoding.warning_count
    assert analysis.limits.threads == 1
    assert block_ids(annotations) == block_ids(Analysis.open(damaged, SETTINGS, limits=analysis.limits))


def test_an_error_in_one_chunk_is_raised(lively_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> Iterator[None]:
        raise DecodingError("no frame", path="clip.mp4")

    monkeypatch.setattr(Analysis, "chunk_items", fail)
    with pytest.raises(DecodingError) as raised:
        analyze_in_chunks(Analysis.open(lively_clip, SETTINGS), threading.Semaphore(2))
    assert (raised.value.problem, raised.value.path) == ("no frame", "clip.mp4")


def test_decoding_from_the_middle_gives_the_times_of_decoding_from_the_start(lively_clip: Path) -> None:
    analysis = Analysis.open(lively_clip, SETTINGS)
    (start, *_, end) = list(analysis.chunk_items(DecodingReport(), 3, 4))
    whole = [item for item in analysis.chunk_items(DecodingReport()) if isinstance(item, ChunkStart)]
    assert isinstance(start, ChunkStart)
    assert isinstance(end, ChunkEnd)
    assert end.next_frame is not None
    assert start.first.is_same_frame_as(whole[3].first)
    assert end.next_frame.is_same_frame_as(whole[4].first)
