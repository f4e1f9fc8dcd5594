"""Names of outputs, and the action that a video needs."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.archive.layout import OutputOptions, Outputs
from annotate.batch.plan import Action
from annotate.results.meta import Meta, describe_source, hash_content, result_settings
from annotate.settings import HOG, MEDIAN, Settings
from annotate.version import ANALYSIS_VERSION
from tests.runs import decide_now, name_all

MODEL_HASH = "0123456789abcdef"
SETTINGS = Settings()
REPORT = b"report\n"

STEMS = st.sampled_from(["a", "A", "b", "a.mov", "a.MOV", "a.mp4", "a.mov.mp4"])
ENDINGS = st.sampled_from([".mp4", ".MP4", ".mov", ".MOV", ".avi"])


def make(folder: Path, *names: str) -> list[Path]:
    """Create files with these names."""
    for name in names:
        (folder / name).write_bytes(name.encode())
    return [folder / name for name in names]


def write_annotated(video: Path, paths: Outputs, **changes: object) -> None:
    """Write the table, English subtitles and sidecar of a finished run beside a video."""
    paths.csv.write_bytes(REPORT)
    subtitles = paths.track("srt", "en")
    subtitles.write_bytes(b"subtitles")
    meta = Meta(
        analysis_version=ANALYSIS_VERSION,
        program="annotate",
        model_hash=MODEL_HASH,
        settings=result_settings(SETTINGS),
        source=describe_source(video),
        frames=50,
        duration_s=2.0,
        missing_s=0.0,
        faces=1,
        dropped_tracks=0,
        warnings={},
        ffmpeg="5.1",
        outputs={paths.csv.name: hash_content(REPORT), subtitles.name: hash_content(b"subtitles")},
    )
    paths.meta.write_text(replace(meta, **changes).to_json(), encoding="utf-8")  # type: ignore[arg-type]


def bases(videos: list[Path]) -> dict[str, str]:
    """Return the base name of the outputs of each video by file name."""
    return {video.name: outputs.base.name for video, outputs in name_all(videos).items()}


@pytest.fixture
def movie(tmp_path: Path) -> tuple[Path, Outputs]:
    """A video with all its outputs."""
    (video,) = make(tmp_path, "movie.mp4")
    outputs = Outputs(tmp_path / "movie")
    write_annotated(video, outputs)
    return video, outputs


def test_output_names(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "movie")
    names = [outputs.csv.name, outputs.meta.name, outputs.boxes.name, outputs.track("srt", "ru").name]
    assert names == [f"movie.emotions.{ending}" for ending in ("csv", "meta.json", "boxes.csv", "ru.srt")]
    assert outputs.csv.parent == tmp_path
    assert outputs.tracks(OutputOptions(("csv", "srt"), "en")) == {"srt": tmp_path / "movie.emotions.en.srt"}
    assert outputs.tracks(OutputOptions(("csv",))) == {}


def test_outputs_are_named_after_the_stem(tmp_path: Path) -> None:
    assert bases(make(tmp_path, "movie.mp4", "Film.2.mkv")) == {"movie.mp4": "movie", "Film.2.mkv": "Film.2"}


def test_the_first_video_in_order_owns_a_shared_stem(tmp_path: Path) -> None:
    expected = {"a.mov": "a", "a.mp4": "a.mp4", "a.webm": "a.webm"}
    assert bases(make(tmp_path, "a.webm", "a.mp4", "a.mov")) == expected


def test_equal_stems_in_different_folders_do_not_collide(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    videos = make(tmp_path, "a.mp4", "x/a.mov")
    assert [outputs.base for outputs in name_all(videos).values()] == [tmp_path / "a", tmp_path / "x/a"]


def test_the_owner_keeps_its_name_when_an_earlier_video_is_added(tmp_path: Path) -> None:
    first, later = make(tmp_path, "a.mp4", "a.avi")
    write_annotated(first, Outputs(tmp_path / "a"))
    assert bases([first, later]) == {"a.avi": "a.avi", "a.mp4": "a"}
    assert bases([later]) == {"a.avi": "a.avi"}


def test_the_name_of_a_deleted_owner_is_reused(tmp_path: Path) -> None:
    first, later = make(tmp_path, "a.mp4", "a.avi")
    write_annotated(first, Outputs(tmp_path / "a"))
    first.unlink()
    assert bases([later]) == {"a.avi": "a"}


def test_a_longer_name_is_kept_when_the_shorter_becomes_free(tmp_path: Path) -> None:
    owner, other = make(tmp_path, "a.mov", "a.mp4")
    write_annotated(owner, Outputs(tmp_path / "a"))
    write_annotated(other, Outputs(tmp_path / "a.mp4"))
    owner.unlink()
    assert bases([other]) == {"a.mp4": "a.mp4"}


def test_a_sidecar_with_a_path_as_video_name_owns_nothing(tmp_path: Path) -> None:
    (video,) = make(tmp_path, "a.mp4")
    outputs = Outputs(tmp_path / "a")
    for name in ("../a.mov", "", "/etc/passwd"):
        write_annotated(video, outputs, source=replace(describe_source(video), name=name))
        assert bases([video]) == {"a.mp4": "a"}


def test_names_are_compared_without_case(tmp_path: Path) -> None:
    assert bases([tmp_path / "a.mp4", tmp_path / "A.mov"]) == {"A.mov": "A", "a.mp4": "a.mp4"}


def test_the_owner_keeps_its_name_when_another_case_is_added(tmp_path: Path) -> None:
    first, later = make(tmp_path, "a.mp4", "A.mov")
    write_annotated(first, Outputs(tmp_path / "a"))
    assert bases([first, later]) == {"A.mov": "A.mov", "a.mp4": "a"}


def test_names_that_contain_extensions(tmp_path: Path) -> None:
    found = bases(make(tmp_path, "a.mov", "a.mov.mp4", "a.mp4"))
    assert found == {"a.mov": "a", "a.mov.mp4": "a.mov", "a.mp4": "a.mp4"}


def test_a_second_run_gives_the_same_names(tmp_path: Path) -> None:
    videos = make(tmp_path, "a.avi", "a.mov", "a.mov.mp4", "a.mp4")
    first = name_all(videos)
    for video, outputs in first.items():
        write_annotated(video, outputs)
    assert name_all(videos) == first


@settings(deadline=None)
@given(st.sets(st.builds(str.__add__, STEMS, ENDINGS)))
def test_names_are_always_distinct(names: set[str]) -> None:
    folder = Path("nowhere")
    found = [outputs.csv.name.casefold() for outputs in name_all([folder / name for name in names]).values()]
    assert len(found) == len(set(found)) == len(names)


@settings(deadline=None)
@given(st.lists(st.builds(str.__add__, STEMS.filter(str.islower), ENDINGS.filter(str.islower)), unique=True, max_size=5))
def test_names_do_not_change_when_videos_are_added_one_by_one(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept: dict[Path, Outputs] = {}
        for name in names:
            make(Path(folder), name)
            found = name_all([*kept, Path(folder, name)])
            assert {video: found[video] for video in kept} == kept
            kept = found
            write_annotated(Path(folder, name), found[Path(folder, name)])


def test_names_do_not_depend_on_the_selected_videos(tmp_path: Path) -> None:
    videos = make(tmp_path, "a.avi", "a.mov")
    for video, outputs in name_all(videos).items():
        write_annotated(video, outputs)
    assert bases(videos[1:]) == {"a.mov": "a.mov"}


def test_a_new_video_is_annotated(tmp_path: Path) -> None:
    (video,) = make(tmp_path, "a.mp4")
    assert decide_now(video, Outputs(tmp_path / "a"), OutputOptions(), SETTINGS, MODEL_HASH).action is Action.ANNOTATE


def test_a_finished_video_is_skipped(movie: tuple[Path, Outputs]) -> None:
    decision = decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH)
    action, meta = decision.action, decision.meta
    assert action is Action.SKIP
    assert meta is not None
    assert (meta.faces, meta.duration_s) == (1, 2.0)


def test_a_renamed_folder_changes_nothing(movie: tuple[Path, Outputs], tmp_path: Path) -> None:
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    assert (
        decide_now(moved / "movie.mp4", Outputs(moved / "movie"), OutputOptions(), SETTINGS, MODEL_HASH).action
        is Action.SKIP
    )


def test_force_annotates_again(movie: tuple[Path, Outputs]) -> None:
    assert decide_now(*movie, OutputOptions(force=True), SETTINGS, MODEL_HASH).action is Action.ANNOTATE


@pytest.mark.parametrize("options", [OutputOptions(), OutputOptions(("srt",))])
def test_missing_subtitles_are_converted(movie: tuple[Path, Outputs], options: OutputOptions) -> None:
    movie[1].track("srt", "en").unlink()
    decision = decide_now(*movie, options, SETTINGS, MODEL_HASH)
    action, meta = decision.action, decision.meta
    assert action is Action.CONVERT
    assert meta is not None
    assert meta.source.name == "movie.mp4"


def test_another_language_is_converted(movie: tuple[Path, Outputs]) -> None:
    assert decide_now(*movie, OutputOptions(language="ru"), SETTINGS, MODEL_HASH).action is Action.CONVERT


def test_subtitles_may_be_missing_if_not_requested(movie: tuple[Path, Outputs]) -> None:
    movie[1].track("srt", "en").unlink()
    assert decide_now(*movie, OutputOptions(("csv",), "ru"), SETTINGS, MODEL_HASH).action is Action.SKIP


def test_subtitles_without_cues_have_no_file(tmp_path: Path) -> None:
    (video,) = make(tmp_path, "a.mp4")
    outputs = Outputs(tmp_path / "a")
    known = {outputs.csv.name: hash_content(REPORT), outputs.track("srt", "en").name: None}
    write_annotated(video, outputs, outputs=known)
    outputs.track("srt", "en").unlink()
    assert decide_now(video, outputs, OutputOptions(), SETTINGS, MODEL_HASH).action is Action.SKIP


def test_unknown_subtitles_do_not_count_as_output(movie: tuple[Path, Outputs]) -> None:
    movie[1].track("srt", "ru").write_text("unknown")
    assert decide_now(*movie, OutputOptions(language="ru"), SETTINGS, MODEL_HASH).action is Action.CONVERT


@pytest.mark.parametrize(
    ("settings", "model_hash"),
    [
        (Settings(min_face=0.2), MODEL_HASH),
        (Settings(detection_interval_ms=100), MODEL_HASH),
        (Settings(detector=HOG), MODEL_HASH),
        (Settings(baseline=MEDIAN), MODEL_HASH),
        (SETTINGS, "another"),
    ],
)
def test_other_settings_or_model_annotate_again(movie: tuple[Path, Outputs], settings: Settings, model_hash: str) -> None:
    assert decide_now(*movie, OutputOptions(), settings, model_hash).action is Action.ANNOTATE


def test_the_path_of_the_model_is_ignored(movie: tuple[Path, Outputs]) -> None:
    assert decide_now(*movie, OutputOptions(), Settings(model=Path("copy.onnx")), MODEL_HASH).action is Action.SKIP


def test_another_analysis_version_annotates_again(movie: tuple[Path, Outputs]) -> None:
    write_annotated(*movie, analysis_version=ANALYSIS_VERSION + 1)
    assert decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH).action is Action.ANNOTATE


def test_another_program_version_is_ignored(movie: tuple[Path, Outputs]) -> None:
    write_annotated(*movie, program="annotate 99.0")
    assert decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH).action is Action.SKIP


def test_a_changed_video_annotates_again(movie: tuple[Path, Outputs]) -> None:
    video, _ = movie
    video.write_bytes(video.read_bytes()[::-1])
    os.utime(video, ns=(0, 1))
    assert decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH).action is Action.ANNOTATE


def test_a_copied_video_with_another_modification_time_is_skipped(movie: tuple[Path, Outputs]) -> None:
    os.utime(movie[0], ns=(0, 1))
    assert decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH).action is Action.SKIP


def test_a_missing_table_annotates_again(movie: tuple[Path, Outputs]) -> None:
    movie[1].csv.unlink()
    assert decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH).action is Action.ANNOTATE


def test_a_damaged_table_is_not_converted(movie: tuple[Path, Outputs]) -> None:
    movie[1].csv.write_bytes(REPORT[:-2])
    movie[1].track("srt", "en").unlink()
    assert decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH).action is Action.ANNOTATE


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"source": {}})])
def test_a_damaged_sidecar_annotates_again(movie: tuple[Path, Outputs], text: str) -> None:
    movie[1].meta.write_text(text)
    assert decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH).action is Action.ANNOTATE


def test_a_missing_video_raises(movie: tuple[Path, Outputs]) -> None:
    movie[0].unlink()
    with pytest.raises(FileNotFoundError):
        decide_now(*movie, OutputOptions(), SETTINGS, MODEL_HASH)
