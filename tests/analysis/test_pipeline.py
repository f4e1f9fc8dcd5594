from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import annotate
from annotate.analysis.annotation import Annotation
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis, analyzed_size_px
from annotate.analysis.sampling import picture_sampling
from annotate.results.boxes import collect_trajectories, format_boxes
from annotate.settings import AUTOMATIC_THREADS, KEY, Limits, Settings
from annotate.span import Span
from tests.clips import SHARED_CLIPS, make_face_image, make_from_images, make_pattern


def annotations_of(path: Path, settings: Settings | None = None) -> list[Annotation]:
    return analyze(Analysis.open(path, settings))


def test_one_face(face_clip: Path) -> None:
    """50 frames give two blocks, and a third one that ends with the track."""
    analysis = Analysis.open(face_clip)
    annotations = analyze(analysis)
    assert [(each.face_id, each.block, each.span, each.overlap) for each in annotations] == [
        (1, 0, Span(0, 800), 0),
        (1, 1, Span(800, 1600), 0),
        (1, 2, Span(1200, 2000), 10),
    ]
    assert [(each.first_frame, each.last_frame, each.frames) for each in annotations] == [
        (0, 19, 20),
        (20, 39, 20),
        (30, 49, 20),
    ]
    assert [each.detections for each in annotations] == [3, 1, 2]  # of a face that hardly moves
    assert all(sum(each.probabilities) == pytest.approx(1, abs=1e-5) for each in annotations)
    assert (analysis.decoding.frames, analysis.decoding.end_ms, analysis.blocks.faces) == (50, 2000, 1)
    assert analysis.missing_s == 0


def test_no_faces(empty_clip: Path) -> None:
    analysis = Analysis.open(empty_clip)
    assert analyze(analysis) == []
    assert (analysis.decoding.frames, analysis.blocks.faces) == (25, 0)


@pytest.mark.parametrize(
    ("rate", "blocks"), [("5", [(0, 4000)]), ("60", [(0, 667), (667, 1333), (1333, 2000), (1333, 2000)])]
)
def test_slow_and_fast_sources(tmp_path: Path, face_image: Path, rate: str, blocks: list[tuple[int, int]]) -> None:
    duration_s = 4 if rate == "5" else 2
    path = make_from_images(tmp_path / "clip.mp4", [(face_image, duration_s)], rate=rate)
    annotations = annotations_of(path)
    expected = [Span(*block) for block in dict.fromkeys(blocks)]
    assert [each.span for each in annotations] == expected
    assert annotations[-1].last_frame == int(rate) * duration_s - 1


def test_a_block_never_crosses_a_cut(tmp_path: Path, face_image: Path) -> None:
    other = make_face_image(tmp_path / "other.png", filters="hflip,crop=iw*0.7:ih*0.7:iw*0.15:0")
    path = make_from_images(tmp_path / "cut.mp4", [(face_image, 1.2), (other, 1.2)])
    annotations = annotations_of(path)
    assert {(each.face_id, each.span) for each in annotations} == {
        (1, Span(0, 800)),
        (1, Span(400, 1200)),
        (2, Span(1200, 2000)),
        (2, Span(1600, 2400)),
    }


def test_boxes_are_in_pixels_of_the_displayed_frame(tmp_path: Path, face_image: Path) -> None:
    """The same image at 320 x 240 and at 1440 x 1080, which is analyzed at 600 lines."""
    small = make_from_images(tmp_path / "small.mp4", [(face_image, 0.4)], size=(320, 240))
    large = make_from_images(tmp_path / "large.mp4", [(face_image, 0.4)], size=(1440, 1080))
    (first,), (second,) = annotations_of(small), annotations_of(large)
    scaled = first.box.scaled(4.5)
    assert (second.box.x, second.box.y) == pytest.approx((scaled.x, scaled.y), abs=40)
    assert second.box.width == pytest.approx(scaled.width, rel=0.1)
    assert Analysis.open(large).video.width_px == 1440
    cut = make_from_images(tmp_path / "cut.mp4", [(face_image, 0.4)], size=(320, 240), filters="crop=200:240:120:0")
    (at_edge,) = annotations_of(cut)
    assert at_edge.box.x == pytest.approx(first.box.x - 120, abs=15)
    assert at_edge.box.x < -5


def test_analyzed_size(empty_clip: Path) -> None:
    video = Analysis.open(empty_clip).video
    assert analyzed_size_px(video, 0.15) == (160, 120)
    large = replace(video, width_px=3840, height_px=2160)
    sizes = {0.02: (1920, 1080), 0.1: (1280, 720), 0.12: (1067, 600), 0.9: (1024, 576)}
    assert {min_face: analyzed_size_px(large, min_face) for min_face in sizes} == sizes
    nearly = replace(video, width_px=1280, height_px=720)
    assert analyzed_size_px(nearly, 0.12) == (1280, 720)
    assert analyzed_size_px(replace(video, width_px=180, height_px=65_536), 0.15) == (45, 16_384)


def test_two_faces_on_screen(tmp_path: Path, face_image: Path) -> None:
    both = "split[a][b];[b]hflip[c];[a][c]hstack"
    path = make_from_images(tmp_path / "two.mp4", [(face_image, 0.8)], size=(320, 240), filters=both)
    first, second = annotations_of(path)
    assert (first.face_id, second.face_id) == (1, 2)
    assert first.span == second.span == Span(0, 800)
    assert first.box.x + first.box.width < 320 < second.box.x + second.box.width / 2


def test_decoding_threads_do_not_change_the_result(face_clip: Path) -> None:
    one, *many = (analyze(Analysis.open(face_clip, limits=Limits(threads))) for threads in (1, 4, AUTOMATIC_THREADS))
    assert many == [one, one]


def test_warnings_with_several_threads_cause_decoding_with_one(tmp_path: Path, face_image: Path) -> None:
    path = make_from_images(tmp_path / "damaged.ts", [(face_image, 3)])
    data = bytearray(path.read_bytes())
    for start in (len(data) // 3, len(data) // 2):
        data[start : start + 2000] = bytes(2000)
    path.write_bytes(data)
    analysis = Analysis.open(path, limits=Limits(4))
    annotations = analyze(analysis)
    assert analysis.limits.threads == 1
    assert analysis.decoding.warning_count > 0
    assert annotations == analyze(Analysis.open(path, limits=Limits(1)))


def test_a_truncated_video_reports_the_missing_seconds(tmp_path: Path) -> None:
    path = make_pattern(tmp_path / "cut.mkv", duration_s=8, size="320x240")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    analysis = Analysis.open(path)
    analyze(analysis)
    assert 2 < analysis.missing_s < 6
    assert analysis.missing_s == pytest.approx(8 - analysis.decoding.end_s, abs=0.1)


def test_the_public_functions(face_clip: Path, empty_clip: Path) -> None:
    table = annotate.annotate_video(str(face_clip))
    assert table["start_time"].tolist() == [0.0, 0.8, 1.2]
    assert list(annotate.annotate_video(empty_clip).columns) == list(table.columns)
    streamed = annotate.iterate_annotations(face_clip)
    assert next(streamed).span == Span(0, 800)
    streamed.close()  # type: ignore[attr-defined]
    with pytest.raises(annotate.UnreadableError):
        annotate.iterate_annotations("missing.mp4")


def test_public_names() -> None:
    assert sorted(annotate.__all__, key=str.lower) == sorted(set(annotate.__all__), key=str.lower)
    assert all(hasattr(annotate, name) for name in annotate.__all__)
    assert set(annotate.__all__) <= set(dir(annotate))
    errors = [getattr(annotate, name) for name in annotate.__all__ if name.endswith("Error")]
    assert all(issubclass(error, annotate.AnnotateError) for error in errors)


def test_a_hop_adds_blocks_in_between_and_changes_nothing_else(face_clip: Path) -> None:
    whole, hopped = (analyze(Analysis.open(face_clip, Settings(hop=hop))) for hop in (20, 4))
    assert [each.span.start_ms for each in hopped] == [*range(0, 1201, 160), 1200]
    boxes = [format_boxes(collect_trajectories(annotations)) for annotations in (whole, hopped)]
    assert boxes[0] == boxes[1]
    by_frame = {each.first_frame: each for each in hopped}
    for each in whole:
        assert by_frame[each.first_frame].probabilities == pytest.approx(each.probabilities, abs=1e-6)
    table = annotate.annotate_video(face_clip, Settings(hop=10))
    assert table["own_end_time"].tolist() == [0.6, 1.0, 1.4, 2.0]


@pytest.mark.parametrize(("hop", "interval_s"), [(20, 0.16), (8, 0.16), (10, 0.08), (5, None), (1, None)])
def test_pictures_are_those_that_blocks_of_a_hop_need(face_clip: Path, hop: int, interval_s: float | None) -> None:
    analysis = Analysis.open(face_clip, Settings(hop=hop))
    sampling = picture_sampling(analysis.video, analysis.classifier.contract, analysis.settings)
    assert (sampling and sampling.interval_s) == interval_s


def test_key_frames_have_no_hop() -> None:
    with pytest.raises(annotate.SettingsError, match="hop"):
        Settings(hop=5, decode=KEY)


@pytest.mark.parametrize(
    "changes",
    [{"hop": 0}, {"hop": 21}, {"min_face": 0}, {"min_face": 2}, {"detection_interval_ms": 0}, {"track_overlap": 1.0}],
)
def test_settings_out_of_range_are_rejected(changes: dict[str, float]) -> None:
    with pytest.raises(annotate.SettingsError, match=next(iter(changes))):
        Settings(**changes)  # type: ignore[arg-type]


@pytest.mark.skipif(not SHARED_CLIPS.exists(), reason="needs the research clips")
@pytest.mark.parametrize("name", ["happy", "angry", "neutral"])
def test_posed_clips_are_classified_as_posed(name: str) -> None:
    emotion = {"happy": "happiness", "angry": "anger", "neutral": "neutral"}[name]
    seconds: dict[str, float] = {}
    for each in annotations_of(SHARED_CLIPS / "posed" / f"{name}.mp4"):
        seconds[each.emotion] = seconds.get(each.emotion, 0) + each.span.duration_s
    assert max(seconds, key=lambda key: seconds[key]) == emotion
