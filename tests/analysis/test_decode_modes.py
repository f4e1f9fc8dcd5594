"""Analyses that leave frames out, compared with those of all frames; chunks are one second long where they matter."""

from __future__ import annotations

import functools
import itertools
import threading
from pathlib import Path

import numpy as np
import pytest

from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze, analyze_in_chunks
from annotate.analysis.pipeline import Analysis
from annotate.api import iterate_annotations
from annotate.media.skipping import BY_CODEC, DAMAGED, NOTHING, TIMES
from annotate.settings import ALL_FRAMES, KEY, REFERENCE, Settings
from tests.benchmarks.decode_modes import Agreement, compare
from tests.clips import SAMPLES, encode_once, make_from_images
from tests.media.test_skipping import B_FRAMES

FRAME_MS = 40
"""Interval of the frames of all clips but the phone's, whose is 40.08 ms."""

MAX_CHANGE = 0.2
"""Maximum difference of a probability: with it, only emotions that were nearly equal change."""


@pytest.fixture(scope="module")
def talking(media: Path) -> Path:
    """Four seconds of a moving face, with B-frames and a key frame every second."""
    return encode_once(media / "talking.mp4", "-i", SAMPLES / "portrait.mp4", "-t", "4", "-an", *B_FRAMES)


@functools.cache
def run(path: Path, decode: str, chunk_s: int = 300) -> tuple[Analysis, list[Annotation]]:
    analysis = Analysis.open(path, Settings(decode=decode, chunk_s=chunk_s))
    return analysis, analyze(analysis)


@pytest.mark.parametrize("name", ["talking", "two_faces.mp4", "phone.mov"])
def test_reference_frames_give_blocks_at_the_same_times(talking: Path, name: str) -> None:
    path = talking if name == "talking" else SAMPLES / name
    (analysis, annotations), (whole_analysis, whole) = run(path, REFERENCE), run(path, ALL_FRAMES)
    assert analysis.left_out > 0.3 * analysis.decoding.frames
    assert (analysis.decoding, analysis.sizes, analysis.decoded_whole) == (whole_analysis.decoding, whole_analysis.sizes, "")
    assert [place(each) for each in annotations] == [place(each) for each in whole]
    shifts_ms = np.abs(np.array([times(each) for each in annotations]) - np.array([times(each) for each in whole]))
    comes_in = np.array([each.face_id == 2 and name == "two_faces.mp4" for each in whole])
    assert shifts_ms[~comes_in].max() <= FRAME_MS
    assert shifts_ms.max() <= Settings().detection_interval_ms  # a face that comes in may be found one pass later
    assert compare(whole, annotations).share >= 0.95
    changes = np.array([each.probabilities for each in annotations]) - np.array([each.probabilities for each in whole])
    assert np.abs(changes).max() < MAX_CHANGE


def place(annotation: Annotation) -> tuple[object, ...]:
    return annotation.face_id, annotation.block, annotation.frames


def times(annotation: Annotation) -> tuple[int, ...]:
    """Return start and end, and those of the frames' numbers, in milliseconds."""
    frames = annotation.first_frame, annotation.last_frame
    return annotation.span.start_ms, annotation.span.end_ms, *(FRAME_MS * frame for frame in frames)


def test_without_b_frames_nothing_changes_but_the_remark(face_clip: Path) -> None:
    (analysis, annotations), (whole_analysis, whole) = run(face_clip, REFERENCE), run(face_clip, ALL_FRAMES)
    assert annotations == whole
    assert (analysis.decoded_whole, whole_analysis.decoded_whole) == (NOTHING, "")


def test_key_frames_give_rows_of_one_frame(talking: Path) -> None:
    analysis, annotations = run(talking, KEY)
    assert [(each.span.start_ms, each.span.end_ms) for each in annotations] == [
        (ms, ms + 1000) for ms in range(0, 4000, 1000)
    ]
    assert [(each.first_frame, each.last_frame) for each in annotations] == [(n, n + 24) for n in range(0, 100, 25)]
    assert [(each.face_id, each.block) for each in annotations] == [(1, block) for block in range(4)]
    assert {(each.frames, each.detections, each.overlap) for each in annotations} == {(1, 1, 0)}
    assert [[(box.time_ms, box.box) for box in each.detected] for each in annotations] == [
        [(each.span.start_ms, each.box)] for each in annotations
    ]
    assert (analysis.decoding.frames, analysis.decoding.end_ms, analysis.blocks.faces) == (100, 4000, 1)
    assert analysis.decoded_whole == ""


def test_key_frames_agree_with_the_time_around_them(talking: Path) -> None:
    agreement = compare(run(talking, ALL_FRAMES)[1], run(talking, KEY)[1])
    assert agreement.share > 0.7
    assert agreement.covered == 1


def test_key_frames_far_apart_leave_time_without_rows(tmp_path: Path, face_image: Path) -> None:
    sparse = make_from_images(tmp_path / "sparse.mp4", [(face_image, 3.2)], options=(*B_FRAMES, "-g", "75"))
    annotations = run(sparse, KEY)[1]
    assert [(each.span.start_ms, each.span.end_ms) for each in annotations] == [(0, 1000), (3000, 3200)]
    assert [(each.first_frame, each.last_frame) for each in annotations] == [(0, 24), (75, 79)]


@pytest.mark.parametrize("decode", [REFERENCE, KEY])
def test_a_video_whose_frames_match_no_packets_is_decoded_whole(tmp_path: Path, talking: Path, decode: str) -> None:
    untimed = encode_once(tmp_path / "untimed.avi", "-i", talking, "-t", "1", "-c:v", "mpeg4", "-bf", "2", "-q:v", "3")
    analysis, annotations = run(untimed, decode)
    assert annotations == run(untimed, ALL_FRAMES)[1]
    assert annotations
    assert analysis.decoded_whole == TIMES


def test_a_codec_that_decoders_treat_differently_is_decoded_whole(tmp_path: Path, talking: Path) -> None:
    path = encode_once(tmp_path / "a.webm", "-i", talking, "-t", "1", "-c:v", "libvpx", "-cpu-used", "8", "-b:v", "1M")
    analysis, annotations = run(path, KEY)
    assert annotations == run(path, ALL_FRAMES)[1]
    assert analysis.decoded_whole == BY_CODEC


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, talking: Path) -> Path:
    """The talking face with a byte changed here and there, in many frames."""
    content = bytearray(talking.read_bytes())
    for position in range(len(content) // 4, len(content) // 4 + 60_000, 200):
        content[position] ^= 0xFF
    path = tmp_path_factory.mktemp("damaged") / "damaged.mp4"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("decode", [REFERENCE, KEY])
def test_a_damaged_video_is_decoded_whole(damaged: Path, decode: str) -> None:
    analysis, annotations = run(damaged, decode)
    assert analysis.decoded_whole == DAMAGED
    assert annotations == run(damaged, ALL_FRAMES)[1]


def test_chunks_of_reference_frames_equal_the_whole(talking: Path) -> None:
    sequential, expected = run(talking, REFERENCE, chunk_s=1)
    chunks = Analysis.open(talking, Settings(decode=REFERENCE, chunk_s=1))
    annotations = analyze_in_chunks(chunks, threading.Semaphore(2))
    assert annotations is not None
    assert sorted(annotations, key=lambda each: (each.span.start_ms, each.block)) == expected
    for name in ("decoding", "blocks", "sizes", "small_faces", "left_out", "decoded_whole"):
        assert getattr(chunks, name) == getattr(sequential, name)
    assert 0 < chunks.left_out < 100


def test_key_frames_are_analyzed_in_one_piece(talking: Path) -> None:
    analysis = Analysis.open(talking, Settings(decode=KEY, chunk_s=1))
    assert analyze_in_chunks(analysis, threading.Semaphore(2)) is None
    assert analyze(analysis, threading.Semaphore(2)) == run(talking, KEY)[1]


def test_annotations_are_iterated_in_any_mode(talking: Path) -> None:
    first = list(itertools.islice(iterate_annotations(talking, Settings(decode=KEY)), 2))
    assert first == run(talking, KEY)[1][:2]


def test_agreement_is_measured_over_common_face_time(talking: Path) -> None:
    whole = run(talking, ALL_FRAMES)[1]
    assert compare(whole, whole) == Agreement(4000, 4000, 4000)
    assert compare(whole, []) == Agreement(4000, 0, 0)
