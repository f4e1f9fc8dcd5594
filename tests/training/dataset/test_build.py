from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.analysis.pipeline import analyzed_frames, analyzed_size_px, track_faces
from annotate.emotions.contract import Contract
from annotate.errors import DatasetError
from annotate.faces.blocks import Block, BlockReport, cut_blocks
from annotate.media.decode import decode
from annotate.media.probe import probe
from annotate.settings import DETECTORS, Settings
from annotate.span import Span
from annotate.training.dataset import build as building
from annotate.training.dataset.build import BuildReport, BuildSettings, ClipBlocks, build, count_by_kind, cut_clips
from annotate.training.dataset.footage import ClipLocation
from annotate.training.dataset.labels import LabeledClip, LabelTable, Omission, OmissionKind
from annotate.training.dataset.storage import Split, open_dataset
from tests.clips import H264, SAMPLES, make_from_images, run_ffmpeg

HAPPINESS, SADNESS = 3, 5
SETTINGS = BuildSettings()


@functools.cache
def annotated_blocks(path: Path) -> list[Block]:
    """Return the blocks that annotating passes to the classifier."""
    video, settings = probe(path), Settings()
    frames = decode(video, analyzed_size_px(video, settings.min_face))
    events = track_faces(analyzed_frames(frames, video, Contract(), settings), settings)
    return list(cut_blocks(events, Contract(), settings.min_track_frames, BlockReport()))


def cut(path: Path, spans: list[Span | None], max_blocks: int = 1) -> list[ClipBlocks]:
    locations = [
        ClipLocation(LabeledClip(path.name, "", span or Span(0, 1), HAPPINESS), path.name, path, span) for span in spans
    ]
    return list(cut_clips(path, locations, [max_blocks] * len(locations), SETTINGS))


def frames_of(clip: ClipBlocks) -> list[tuple[int, int, int]]:
    return [(block.first_frame, block.last_frame, block.frames) for block in clip.blocks]


@pytest.fixture(scope="module")
def changing_clip(media: Path, face_image: Path) -> Path:
    """One second of two faces, then 0.8 s of another: faces 1, 2 and 3."""
    both = make_from_images(
        media / "both.mp4", [(face_image, 1)], size=(320, 240), filters="split[a][b];[b]hflip[c];[a][c]vstack"
    )
    one = make_from_images(media / "one.mp4", [(face_image, 0.8)], filters="hflip,pad=320:480")
    path = media / "changing.mp4"
    run_ffmpeg("-i", both, "-i", one, "-filter_complex", "[0][1]concat=n=2:v=1[out]", "-map", "[out]", *H264, path)
    return path


def test_blocks_equal_those_of_annotating(face_clip: Path) -> None:
    """Annotating cuts 50 frames into blocks 0-19, 20-39 and 30-49; here blocks start 10 frames apart."""
    (found,) = cut(face_clip, [None], max_blocks=9)
    assert frames_of(found) == [(0, 19, 20), (10, 29, 20), (20, 39, 20), (30, 49, 20)]
    annotated = {block.first_frame: block for block in annotated_blocks(face_clip)}
    for block in found.blocks:
        if same := annotated.get(block.first_frame):
            assert (block.pixels == same.pixels).all()
            assert (block.span, block.box, block.face_id) == (same.span, same.box, same.face_id)
    assert (found.blocks[1].pixels[:10] == annotated[0].pixels[10:]).all()
    assert (found.blocks[1].pixels[10:] == annotated[20].pixels[:10]).all()


def test_blocks_start_at_the_start_of_the_clip(face_clip: Path) -> None:
    middle, short, shorter, past_end = cut(face_clip, [Span(400, 1300), Span(600, 1000), Span(1000, 1120), Span(5000, 6000)])
    by_start = {found.location.span: frames_of(found) for found in (middle, short, shorter, past_end)}
    assert by_start[Span(400, 1300)] == [(10, 29, 20)]
    assert by_start[Span(600, 1000)] == [(15, 24, 10)]
    assert by_start[Span(1000, 1120)] == []
    assert by_start[Span(5000, 6000)] == []


def test_a_short_clip_gives_one_padded_block(face_clip: Path) -> None:
    (found,) = cut(face_clip, [Span(0, 400)], max_blocks=3)
    (block,) = found.blocks
    assert (block.pixels[10:] == block.pixels[9]).all()
    assert block.span == Span(0, 400)


def test_the_face_with_most_frames_is_used_with_its_id_in_the_table(changing_clip: Path) -> None:
    whole, end = sorted(cut(changing_clip, [None, Span(700, 1800)]), key=lambda found: found.location.span is not None)
    assert [(block.face_id, block.span) for block in whole.blocks] == [(1, Span(0, 800))]
    assert [(block.face_id, block.span) for block in end.blocks] == [(3, Span(1000, 1800))]
    annotated = {(block.face_id, block.span) for block in annotated_blocks(changing_clip)}
    assert {(1, Span(0, 800)), (3, Span(1000, 1800))} < annotated


def test_decoding_stops_after_the_last_clip_without_changing_blocks() -> None:
    """Frames are held until the next detection pass over the whole frame, 2 s into the 12 s of the video."""
    video = SAMPLES / "portrait.mp4"
    reached_s = []
    location = ClipLocation(LabeledClip("face", "", Span(0, 400), HAPPINESS), "face", video, Span(0, 400))
    (found,) = cut_clips(video, [location], [2], SETTINGS, lambda _, done_s, duration_s: reached_s.append(done_s))
    assert frames_of(found) == [(0, 9, 10)]
    assert 0.4 <= max(reached_s) < 3
    assert (found.blocks[0].pixels[:10] == annotated_blocks(video)[0].pixels[:10]).all()


@pytest.fixture
def videos(tmp_path: Path, face_clip: Path, empty_clip: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "id").mkdir(parents=True)
    shutil.copy(face_clip, folder / "happy.mp4")
    shutil.copy(face_clip, folder / "id/utterance_1.mp4")
    shutil.copy(empty_clip, folder / "empty.mp4")
    (folder / "broken.mp4").write_bytes(b"no video at all")
    return folder


def test_dataset_of_all_labeled_clips(
    videos: Path, face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def counted(video: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        decoded.append(video.path.name)
        return decode(video, *arguments, **options)

    monkeypatch.setattr(building, "decode", counted)
    earlier = Omission(OmissionKind.UNREADABLE, "earlier")
    clips = [
        LabeledClip("happy", "", Span(0, 1000), HAPPINESS),
        LabeledClip("nowhere", "", Span(0, 1000), HAPPINESS),
        LabeledClip("empty", "", Span(0, 1000), HAPPINESS),
        LabeledClip("broken.mp4", "", Span(0, 1000), HAPPINESS),
        LabeledClip("HAPPY.MP4", "", Span(1000, 2000), HAPPINESS),
        LabeledClip("id", "utterance_1.mp4", Span(70_000, 71_000), SADNESS, "Ann"),
    ]
    report = build(LabelTable(clips, [earlier]), videos, tmp_path / "blocks", SETTINGS)
    assert sorted(decoded) == ["empty.mp4", "happy.mp4", "utterance_1.mp4"]
    assert count_by_kind(report.omissions) == {
        OmissionKind.UNREADABLE: 1,
        OmissionKind.MISSING: 1,
        OmissionKind.BROKEN: 1,
        OmissionKind.FACELESS: 1,
    }
    assert (report.clips, report.videos) == (6, 4)
    dataset = open_dataset(tmp_path / "blocks")
    columns = ["video", "file", "subject", "start_time", "end_time", "start_frame", "end_frame", "emotion"]
    assert list(dataset.origins[columns].itertuples(index=False, name=None)) == [
        ("happy.mp4", "happy.mp4", "", 0.0, 0.8, 0, 19, "happiness"),
        ("happy.mp4", "happy.mp4", "", 1.0, 1.8, 25, 44, "happiness"),
        ("id", "id/utterance_1.mp4", "Ann", 0.0, 0.8, 0, 19, "sadness"),
        ("id", "id/utterance_1.mp4", "Ann", 0.4, 1.2, 10, 29, "sadness"),
        ("id", "id/utterance_1.mp4", "Ann", 0.8, 1.6, 20, 39, "sadness"),
        ("id", "id/utterance_1.mp4", "Ann", 1.2, 2.0, 30, 49, "sadness"),
    ]
    assert dataset.details["extra"] == ["sadness"]
    assert dataset.details["detector"] == DETECTORS[SETTINGS.analysis.detector]
    assert set(dataset.origins.loc[dataset.origins["video"] == "happy.mp4", "split"]) == {Split().part("happy")}
    assert set(dataset.origins.loc[dataset.origins["video"] == "id", "split"]) == {Split().part("id", "Ann")}
    assert (dataset.pixels[0] == annotated_blocks(face_clip)[0].pixels).all()
    assert np.array_equal(dataset.pixels[4], annotated_blocks(face_clip)[1].pixels)


def test_no_dataset_is_written_without_blocks(videos: Path, tmp_path: Path) -> None:
    labels = LabelTable([LabeledClip("empty", "", Span(0, 1000), HAPPINESS)])
    report = build(labels, videos, tmp_path / "blocks", SETTINGS)
    assert report == BuildReport(1, 1, [], report.omissions)
    assert not (tmp_path / "blocks").exists()
    (tmp_path / "blocks").touch()
    with pytest.raises(DatasetError) as refused:
        build(labels, videos, tmp_path / "blocks", SETTINGS)
    assert refused.value.path == tmp_path / "blocks"
