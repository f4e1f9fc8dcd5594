"""Crops of face tracks, and tracks that are on screen together."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotate.errors import DecodingError, ModelError
from annotate.faces.portraits import Portrait
from annotate.media.decode import Frame, decode
from annotate.media.decoding_command import FrameChoice
from annotate.media.probe import probe
from annotate.persons import descriptor, tracks
from annotate.persons.descriptor import DIMENSIONS, NETWORK, PACKAGE
from annotate.persons.storage import format_descriptors, parse_descriptors
from annotate.persons.tracks import (
    SeenBlock,
    TrackVectors,
    choose_crops,
    describe_tracks,
    number_persons,
    on_screen_together,
    seen_blocks,
)
from annotate.results.report import Report
from annotate.settings import KEY
from tests.results.reports import make_report

MANY = tuple((1, number, 800 * number, 800 * (number + 1), "fear", 0) for number in range(9))


def seen(**columns: list[float]) -> Report:
    """Return a report of one face track of nine blocks, with some columns replaced."""
    report = make_report(faces=1, blocks=MANY)
    usual = {"yaw": [0.0] * 9, "pitch": [0.0] * 9, "sharpness": [0.1] * 9, "face_px": [100.0] * 9, "quality": [1.0] * 9}
    return replace(report, columns=report.table.assign(**{**usual, **columns}))


def blocks_of(report: Report) -> list[int]:
    """Return the numbers of the blocks that crops are from."""
    return [position.time_ms // 800 for position in choose_crops(report, seen_blocks(report), 5)]


def test_crops_are_from_the_sharpest_and_most_frontal_blocks() -> None:
    assert blocks_of(seen()) == [0, 1, 2, 3, 4]
    assert blocks_of(seen(yaw=[60.0, -60.0, 50.0, 70.0, 0, 0, 0, 0, 0])) == [4, 5, 6, 7, 8]
    assert blocks_of(seen(sharpness=[0.1, 0.001] * 4 + [0.1])) == [0, 2, 4, 6, 8]
    assert blocks_of(seen(face_px=[20.0] * 4 + [80.0] * 5)) == [4, 5, 6, 7, 8]


def test_a_table_without_appearance_has_crops_by_face_score() -> None:
    report = seen(yaw=[np.nan] * 9, face_score=[0.1] * 4 + [0.9] * 5)
    assert blocks_of(report) == [4, 5, 6, 7, 8]


def test_tracks_on_screen_together_share_frames() -> None:
    blocks = (*MANY, *((2, number, 800 * number + 300, 800 * number + 1100, "fear", 0) for number in range(9)))
    report = make_report(faces=2, blocks=blocks)
    sharpness = [0.1 if row.face_id == 1 else 0.1 - 0.001 * row.block for row in report.table.itertuples()]
    usual = {"yaw": 0.0, "pitch": 0.0, "face_px": 100.0, "quality": 1.0, "sharpness": sharpness}
    report = replace(report, columns=report.table.assign(**usual))
    positions = choose_crops(report, seen_blocks(report), 5)
    assert len(positions) == 2 * 5
    assert len({position.time_ms for position in positions}) <= 6


def test_crops_follow_the_face() -> None:
    report = make_report()
    positions = choose_crops(report, seen_blocks(report), 2)
    assert len([position for position in positions if position.face_id == 1]) == 2
    first = next(position for position in positions if position.face_id == 1)
    assert first.box == make_report().placed_boxes.at(1, first.time_ms)


def test_a_single_crop_is_early_and_shared() -> None:
    starts_ms = {1: (0, 1000, 2000), 2: (400, 1400, 2400)}
    worths = {1: (0.5, 0.85, 1.0), 2: (0.9, 1.0, 0.7)}
    blocks = tuple(
        (face, number, start, start + 800, "fear", 0)
        for face, starts in starts_ms.items()
        for number, start in enumerate(starts)
    )
    seen = {
        face: [SeenBlock(start, start + 800, worth) for start, worth in zip(starts, worths[face], strict=True)]
        for face, starts in starts_ms.items()
    }
    alone = choose_crops(make_report(faces=2, blocks=blocks), {1: seen[1]}, 1)
    assert [position.time_ms for position in alone] == [1400]
    both = choose_crops(make_report(faces=2, blocks=blocks), seen, 1)
    assert [(position.time_ms, position.face_id) for position in both] == [(1400, 1), (1400, 2)]


def test_tracks_that_overlap_in_time_are_on_screen_together() -> None:
    assert on_screen_together(make_report()) == {(1, 2)}
    blocks = ((1, 0, 0, 900, "fear", 0), (2, 0, 900, 1800, "fear", 0), (3, 0, 100, 1000, "fear", 0))
    assert on_screen_together(make_report(faces=3, blocks=blocks)) == {(1, 3), (2, 3)}


def describe_brightness(portraits: Sequence[Portrait]) -> np.ndarray:
    """Return descriptors that tell bright faces from dark ones."""
    vectors = np.zeros((len(portraits), DIMENSIONS), np.float32)
    vectors[range(len(portraits)), [int(portrait.pixels.mean() > 100) for portrait in portraits]] = 1
    return vectors


def test_tracks_without_a_decodable_frame_are_persons_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = tuple((face, 0, 1000 * face, 1000 * face + 800, "fear", 0) for face in range(1, 5))
    report = make_report(faces=4, blocks=blocks)
    positions = [tracks.CropPosition(1000 * face + 400, face, tracks.Box(0, 0, 80, 80)) for face in range(1, 5)]

    def read(path: Path, time_ms: int, **options: object) -> np.ndarray:
        if time_ms > 4000:
            raise DecodingError("no frame")
        return np.full((360, 640, 3), 200 if 2000 < time_ms < 3000 else 50, np.uint8)

    monkeypatch.setattr(tracks, "read_still", read)
    monkeypatch.setattr(tracks, "probe", lambda *arguments, **options: None)
    monkeypatch.setattr(tracks, "leaves_out", lambda *arguments: False)
    monkeypatch.setattr(tracks, "choose_crops", lambda *arguments: positions)
    described = describe_tracks(Path("a.mp4"), report, describe_brightness)
    assert described.crops.tolist() == [1, 1, 1, 0]
    assert number_persons(report, described) == {1: 1, 2: 2, 3: 1, 4: 3}


def test_key_frames_are_decoded_alone_and_other_tracks_have_stills(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (key_ms,) = {frame.span.start_ms for frame in decode(probe(face_clip), (64, 36), choice=FrameChoice(KEY, repeats=False))}
    found: list[Portrait] = []

    def describe(portraits: Sequence[Portrait]) -> np.ndarray:
        found.extend(portraits)
        return describe_brightness(portraits)

    sought: list[int] = []

    def read(path: Path, time_ms: int, **options: object) -> np.ndarray:
        sought.append(time_ms)
        return np.zeros((36, 64, 3), np.uint8)

    monkeypatch.setattr(tracks, "read_still", read)
    blocks = ((1, 0, key_ms, key_ms + 800, "fear", 0), (2, 0, key_ms + 1000, key_ms + 1800, "fear", 0))
    described = describe_tracks(face_clip, make_report(faces=2, blocks=blocks), describe)
    assert described.crops.tolist() == [1, 1]
    assert [portrait.time_ms for portrait in found] == [key_ms, *sought]
    assert sought == [key_ms + 1400]


@pytest.mark.parametrize(("late_sharpness", "needed"), [(0.02, 4), (0.1, 10)])
def test_no_more_key_frames_are_decoded_than_portraits_gain_by(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch, late_sharpness: float, needed: int
) -> None:
    count = 10
    frames = [frame for frame, _ in zip(decode(probe(face_clip), (64, 36)), range(count), strict=False)]
    times_ms = [frame.span.start_ms for frame in frames]
    decoded = list[int]()

    def decode_keys(*arguments: object, **options: object) -> Generator[Frame, None, None]:
        for frame in frames:
            decoded.append(frame.span.start_ms)
            yield frame

    monkeypatch.setattr(tracks, "decode", decode_keys)
    blocks = tuple((1, number, time_ms, time_ms + 20, "fear", 0) for number, time_ms in enumerate(times_ms))
    report = make_report(faces=1, blocks=blocks)
    sharpness = [0.01 if number < 1 else late_sharpness if number > 6 else 0.02 for number in range(count)]
    usual = {"yaw": 0.0, "pitch": 0.0, "face_px": 100.0, "quality": 1.0, "sharpness": sharpness}
    report = replace(report, columns=report.table.assign(**usual))
    described = describe_tracks(face_clip, report, describe_brightness)
    assert decoded == times_ms[:needed]
    assert described.crops.tolist() == [2]


def test_stored_descriptors_are_those_of_their_table() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, DIMENSIONS)).astype(np.float32)
    content = format_descriptors(TrackVectors((3, 5), vectors, np.array([5, 1])), "ab")
    read = parse_descriptors(content, "ab")
    assert read is not None
    assert (read.face_ids, read.crops.tolist()) == ((3, 5), [5, 1])
    assert np.array_equal(read.vectors, vectors)
    assert parse_descriptors(content, "cd") is None
    assert parse_descriptors(content[:-40], "ab") is None


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / PACKAGE / "models").mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").write_text("raise ImportError('it must not be imported')")
    (tmp_path / PACKAGE / "models" / NETWORK).write_bytes(b"another")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError) as failure:
        descriptor.find_file(NETWORK)
    assert failure.value.path == tmp_path / PACKAGE / "models" / NETWORK
