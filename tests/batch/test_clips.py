"""Folders of clips: what is cut, named and listed, what a second run does, and what is never written over."""

from __future__ import annotations

import csv
import functools
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import annotate
from annotate.analysis.tools import Tools
from annotate.analytics.face_filter import FaceFilter
from annotate.analytics.moments import MomentQuery, search_moments
from annotate.batch import clip_sheet
from annotate.batch import clips as clips_module
from annotate.batch.clip_folder import ClipFolder, ClipRow, open_folder, read_folder
from annotate.batch.clip_job import BLURRED, BOXES, ClipOptions
from annotate.batch.clip_reel import Piece, pieces_of, write_reel
from annotate.batch.clip_sheet import size_px, write_sheets
from annotate.batch.clips import ClipPlan, check_space, make_clips_of, plan_clips
from annotate.batch.executor import InlineExecutor
from annotate.batch.job import Outcome, Status
from annotate.errors import OutputError, SettingsError
from annotate.media.probe import probe
from annotate.results.meta import describe_source, read_meta
from annotate.span import Span
from tests.analytics.samples import block, meta_of, report
from tests.media.counted import make_counted, numbers
from tests.media.test_encode import draws

BLOCKS = (
    block(1, 0, 200, 1000, "anger", confidence=0.5),
    block(1, 1, 1000, 1600, "happiness", confidence=0.75),
    block(1, 2, 1600, 2200, "happiness", confidence=0.5),
    block(2, 0, 800, 1400, "anger"),
)
"""Moments: 0.2 to 1.0 s, 0.8 to 1.4 s, 1.0 to 2.2 s."""

NAMES = [
    "a_00-00-00.200_0.800s_anger_face1.mp4",
    "a_00-00-00.800_0.600s_anger_face2.mp4",
    "a_00-00-01.000_1.200s_happiness_face1.mp4",
]


def add_video(folder: Path, name: str = "a.mp4", size: str = "64x48") -> Path:
    """Make a video of 60 numbered frames at 25 per second, and its table."""
    folder.mkdir(parents=True, exist_ok=True)
    video = make_counted(folder / name, size=size)
    width, height = map(int, size.split("x"))
    table = report(folder, name, BLOCKS, duration_s=2.4, frames=60)
    meta = read_meta(meta_of(table))
    assert meta is not None
    meta = replace(meta, source=describe_source(video), width_px=width, height_px=height)
    meta_of(table).write_text(meta.to_json())
    return video


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    """A folder with one annotated video."""
    add_video(tmp_path / "archive")
    return tmp_path / "archive"


@functools.cache
def tools() -> Tools:
    """Return tools for all tests, so that ffmpeg is searched for once."""
    return Tools()


def executor() -> InlineExecutor:
    """Return an executor in this process."""
    inline = InlineExecutor()
    inline.__dict__["tools"] = tools()
    return inline


def make(
    *paths: Path, to: Path, emotions: Sequence[str] = (), videos: Path | None = None, **options: object
) -> tuple[list[Outcome], ClipPlan]:
    """Make the clips of all moments below paths."""
    chosen = ClipOptions(**options)  # type: ignore[arg-type]
    with open_folder(to, chosen.made_with()) as folder:
        moments, _ = search_moments(paths, MomentQuery(emotions), FaceFilter())
        plan = plan_clips(moments, folder, chosen, paths, videos)
        outcomes = list(make_clips_of(plan, folder, chosen, executor()))
        folder.write_table()
    return outcomes, plan


@pytest.fixture
def opened(counted: Path, tmp_path: Path) -> Iterator[ClipFolder]:
    """A folder with the clips of the archive."""
    make(counted, to=tmp_path / "out")
    with open_folder(tmp_path / "out", []) as folder:
        yield folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "clips.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@draws
def test_clips_begin_with_the_frame_of_their_moment_and_are_listed(counted: Path, tmp_path: Path) -> None:
    outcomes, plan = make(counted, to=tmp_path / "out", lead_in_s=0.4, lead_out_s=0.6)
    assert {outcome.status for outcome in outcomes} == {Status.RENDERED}
    shown = [(0, 1600), (400, 2000), (600, 2400)]
    listed = rows(tmp_path / "out")
    assert [row["file"] for row in listed] == NAMES
    for (start_ms, end_ms), row in zip(shown, listed, strict=True):
        assert (float(row["clip_start_time"]), float(row["clip_end_time"])) == (start_ms / 1000, end_ms / 1000)
        frames = numbers(tmp_path / "out" / row["file"])
        assert frames == [(40 * count, start_ms // 40 + count) for count in range((end_ms - start_ms) // 40)]
    last = listed[2]
    assert (last["video"], last["face_id"], last["emotion"]) == ("../archive/a.mp4", "1", "happiness")
    assert [float(last[name]) for name in ("start_time", "end_time", "confidence")] == [1.0, 2.2, 0.625]
    assert {"person", "name", "source", "trial", "gif"}.isdisjoint(last)
    assert sorted(contents(tmp_path / "out")) == sorted([*NAMES, "clips.csv", "clips.json"])
    assert plan.size_bytes >= sum((tmp_path / "out" / name).stat().st_size for name in NAMES)


@draws
def test_a_second_run_makes_only_what_is_missing(counted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(counted, to=out, emotions=["happiness"])
    assert len(rows(out)) == 1
    make(counted, to=out)
    before = contents(out)
    times = {name: (out / name).stat().st_mtime_ns for name in before}
    assert make(counted, to=out)[1].existing == 3
    assert {name: (out / name).stat().st_mtime_ns for name in before if name != "clips.json"} == {
        name: time for name, time in times.items() if name != "clips.json"
    }
    (out / NAMES[0]).unlink()
    outcomes, plan = make(counted, to=out)
    assert ([outcome.path for outcome in outcomes], plan.existing) == ([out / NAMES[0]], 2)
    assert contents(out) == before
    (out / "clips.csv").write_text("mine")
    make(counted, to=out)
    assert (out / "clips.csv").read_text() == "mine"  # nothing is new
    (out / NAMES[2]).unlink()
    make(counted, to=out, emotions=["anger"])
    assert (out / "clips.csv.bak-1").read_text() == "mine"
    assert [row["file"] for row in rows(out)] == NAMES[:2]


@draws
def test_only_missing_gifs_are_made(counted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(counted, to=out, emotions=["happiness"])
    before = (out / NAMES[2]).stat().st_mtime_ns
    (outcome,), _ = make(counted, to=out, emotions=["happiness"], with_gif=True)
    (row,) = rows(out)
    assert (outcome.status, row["gif"], row["file"]) == (Status.RENDERED, NAMES[2].replace("mp4", "gif"), NAMES[2])
    assert (out / NAMES[2]).stat().st_mtime_ns == before
    with Image.open(out / row["gif"]) as image:
        assert (image.size, image.n_frames) == ((64, 48), 15)
    assert (row["clip_start_time"], row["clip_end_time"]) == ("1.0", "2.2")
    for with_gif in (True, False):  # a GIF whose clip is gone is still that of the clip
        (out / NAMES[2]).unlink()
        (outcome,), plan = make(counted, to=out, emotions=["happiness"], with_gif=with_gif)
        assert (outcome.status, plan.skipped) == (Status.RENDERED, [])
        assert (rows(out)[0]["gif"], rows(out)[0]["file"]) == (row["gif"], NAMES[2])


@draws
def test_videos_of_one_name_do_not_collide(tmp_path: Path) -> None:
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "out"
    for folder in (first / "one", first / "two", second):
        add_video(folder)
    shutil.copytree(second, tmp_path / "third")
    make(first, second, tmp_path / "third", to=out, emotions=["happiness"])
    files = [row["file"] for row in rows(out)]
    name = NAMES[2]
    assert {f"one/{name}", f"two/{name}", name} < {*files}
    (hashed,) = {*files} - {f"one/{name}", f"two/{name}", name}
    assert hashed.startswith(name.removesuffix(".mp4") + "~")
    before = contents(out)
    assert make(tmp_path / "third", to=out, emotions=["happiness"])[1].existing == 1
    assert contents(out) == before


@draws
@pytest.mark.skipif(sys.platform != "linux", reason="other file systems have no such names")
def test_names_that_are_no_utf_8_are_made_so(counted: Path, tmp_path: Path) -> None:
    for path in list(counted.iterdir()):
        path.rename(counted / path.name.replace("a.", "a\udcff.", 1))
    folder = counted.rename(tmp_path / "b\udcfe")
    for _ in range(2):
        table = annotate.make_clips([folder.parent], tmp_path / "out", "happiness", copy=True)
        assert table["file"].tolist() == [f"b_/{NAMES[2].replace('a_', 'a__', 1)}"]


def test_files_of_others_are_never_written_over(counted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / NAMES[1]).write_bytes(b"mine")
    outcomes, plan = make(counted, to=out)
    assert ([entry.path for entry in plan.skipped], len(outcomes)) == ([out / NAMES[1]], 2)
    (out / NAMES[0]).unlink()

    class Rival(InlineExecutor):
        """Another program writes the file while the clip is made."""

        def submit(self, task, job):  # type: ignore[no-untyped-def]
            future = super().submit(task, job)
            (out / NAMES[0]).write_bytes(b"theirs")
            return future

    with open_folder(out, []) as folder:
        moments, _ = search_moments(counted, MomentQuery(), FaceFilter())
        plan = plan_clips(moments, folder, ClipOptions(), [counted])
        (outcome,) = make_clips_of(plan, folder, ClipOptions(), Rival())
    assert (outcome.status, outcome.about) == (Status.FAILED, out / NAMES[0])
    assert [(out / name).read_bytes() for name in NAMES[:2]] == [b"theirs", b"mine"]
    assert not list(out.glob(".annotate-*"))


def test_folders_of_other_options_and_other_runs_are_refused(counted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(counted, to=out, is_copied=True, emotions=["happiness"])
    with pytest.raises(SettingsError, match="--copy"):
        make(counted, to=out)
    with open_folder(out, ["--copy"]), pytest.raises(OutputError, match="another run"):
        make(counted, to=out, is_copied=True)
    others = '{"clips": {}, "others": {"reel.mp4": []}, "made_with": []}'
    for damaged in ("", "[]", '{"clips": {"a": {}}, "others": {}, "made_with": []}', others):
        (out / "clips.json").write_text(damaged)
        with pytest.raises(SettingsError, match="record"):
            make(counted, to=out, is_copied=True)
    options = ClipOptions(1, 0.5, drawing=BLURRED, keep=(2, 1), has_sound=False)
    assert " ".join(options.made_with()) == "--lead-in 1 --lead-out 0.5 --blur --keep 1 --keep 2 --no-sound"
    drawn = ClipOptions(drawing=BOXES, language="ru", is_corrected=False)
    assert drawn.made_with() == ["--boxes", "--lang ru", "--without-corrections"]


def test_changed_and_missing_videos_are_said_and_others_made(counted: Path, tmp_path: Path) -> None:
    out, video = tmp_path / "out", counted / "a.mp4"
    make(counted, to=out, is_copied=True, emotions=["happiness"])
    video.write_bytes(video.read_bytes() + b"more")
    add_video(counted, "b.mp4")
    outcomes, _ = make(counted, to=out, is_copied=True)
    failed = {(outcome.path.name, outcome.about) for outcome in outcomes if outcome.status is Status.FAILED}
    assert failed == {(Path(name).stem, video) for name in NAMES[:2]}
    assert [row["video"].rpartition("/")[2] for row in rows(out)] == ["a.mp4", "b.mp4", "b.mp4", "b.mp4"]
    meta = read_meta(counted / "a.emotions.meta.json")
    assert meta is not None
    (counted / "a.emotions.meta.json").write_text(replace(meta, source=describe_source(video)).to_json())
    _, plan = make(counted, to=out, is_copied=True, emotions=["happiness"])
    assert [entry.path for entry in plan.skipped] == [out / NAMES[2]]
    elsewhere = tmp_path / "videos"
    elsewhere.mkdir()
    (counted / "b.mp4").rename(elsewhere / "b.mp4")
    _, plan = make(counted / "b.emotions.csv", to=tmp_path / "other", is_copied=True)
    assert [(entry.path.name, "--videos" in entry.remedy) for entry in plan.skipped] == [("b.mp4", True)]
    outcomes, _ = make(counted, to=tmp_path / "other", is_copied=True, videos=elsewhere, emotions=["happiness"])
    assert [outcome.status for outcome in outcomes] == [Status.RENDERED]
    assert rows(tmp_path / "other")[0]["video"] == "../videos/b.mp4"


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_space(tmp_path / "new/folder", 1000)
    monkeypatch.setattr(clips_module.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 0, 60_000_000))
    check_space(tmp_path, 9_000_000)
    with pytest.raises(OutputError, match="about 11 MB needed, 10 MB free"):
        check_space(tmp_path, 11_000_000)


def row(file: str, start_ms: int, end_ms: int, video: str = "a.mp4") -> ClipRow:
    return ClipRow(file, video, "", 1, "anger", 1.0, start_ms, end_ms, start_ms, end_ms)


def test_no_second_is_twice_in_the_reel() -> None:
    clips = [row("1", 0, 1000), row("2", 500, 2000), row("3", 600, 1500), row("4", 3000, 4000), row("5", 0, 500, "b.mp4")]
    assert pieces_of(clips) == [
        Piece("1", Span(0, 1000)),
        Piece("2", Span(500, 1500)),
        Piece("4", Span(0, 1000)),
        Piece("5", Span(0, 500)),
    ]


@draws
def test_reel_and_sheets_follow_the_clips_of_the_folder(opened: ClipFolder, counted: Path) -> None:
    reel, (sheet,) = write_reel(opened), write_sheets(opened)
    assert reel is not None
    assert numbers(reel) == [(40 * count, 5 + count) for count in range(50)]
    with Image.open(sheet) as image:
        assert image.size == size_px(3) == (1008, 252)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    middle = 16 + 3 * 15  # frame 15 of the first clip, at 0.6 s
    assert pixels[100, 150].mean() == pytest.approx((middle - 16) * 255 / 219, abs=3)
    assert (pixels[200:250, 12:300].min() < 100, (pixels[:11] == 255).all()) == (True, True)
    times = [path.stat().st_mtime_ns for path in (reel, sheet)]
    assert (write_reel(opened), write_sheets(opened)) == (reel, [sheet])
    assert [path.stat().st_mtime_ns for path in (reel, sheet)] == times
    (opened.path / NAMES[2]).unlink()
    write_reel(opened)
    write_sheets(opened)
    assert len(numbers(reel)) == 30
    with Image.open(sheet) as image:
        assert image.size == size_px(2)
    (opened.path / NAMES[1]).unlink()
    (opened.path / "sheet-2.png").mkdir()
    with pytest.raises(OutputError):
        opened.check_replaceable("sheet-2.png")
    for path, write in ((reel, write_reel), (sheet, write_sheets)):
        path.write_bytes(b"mine")
        with pytest.raises(OutputError):
            write(opened)
        assert path.read_bytes() == b"mine"


def test_sheets_that_are_not_needed_any_more_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that somebody changed stays, and so does a file that only has the name of one."""
    monkeypatch.setattr(clip_sheet, "ROWS", 1)
    monkeypatch.setattr(clip_sheet, "_draw", lambda rows, *others: f"{len(rows)}".encode())
    clips = {str(number): row(f"{number}.mp4", 0, 1000) for number in range(15)}
    folder = ClipFolder(tmp_path / "out", [], tmp_path, clips)
    folder.path.mkdir()
    for one in clips.values():
        (folder.path / one.file).touch()
    assert [path.name for path in write_sheets(folder)] == ["sheet.png", "sheet-2.png", "sheet-3.png", "sheet-4.png"]
    (folder.path / "sheet-3.png").write_bytes(b"mine")
    (folder.path / "sheet-5.png").write_bytes(b"mine")
    for number in range(11):
        (folder.path / f"{number}.mp4").unlink()
    write_sheets(folder)
    left = {path.name: path.read_bytes() for path in folder.path.glob("*.png")}
    assert left == {"sheet.png": b"4", "sheet-3.png": b"mine", "sheet-5.png": b"mine"}
    assert list(read_folder(folder.path, [], tmp_path).others) == ["sheet.png"]


@draws
def test_the_python_function_returns_the_table(counted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (counted / "b.emotions.csv").write_bytes((counted / "a.emotions.csv").read_bytes())
    with pytest.warns(UserWarning, match="skipped"):
        table = annotate.make_clips(counted, out, "anger", lead_in_s=0.1, sheet=True, reel=True)
    assert list(table["clip_start_time"]) == [0.1, 0.7]
    assert {path.name for path in out.iterdir()} == {*table["file"], "clips.csv", "clips.json", "sheet.png", "reel.mp4"}
    assert json.loads((out / "clips.json").read_text())["made_with"] == ["--lead-in 0.1"]
    assert probe(out / "reel.mp4").duration_s == pytest.approx(1.3, abs=0.05)
    (counted / "b.emotions.csv").unlink()
    row = table.iloc[0]
    correction = f"{row['face_id']},{row['start_time']},{row['end_time']},fear"
    (counted / "a.emotions.corrections.csv").write_text(f"face_id,start_time,end_time,emotion\n{correction}\n")
    for corrections, count in ((True, 1), (False, 2)):
        made = annotate.make_clips(counted, tmp_path / f"{corrections}", "anger", copy=True, corrections=corrections)
        assert len(made) == count
    with pytest.raises(SettingsError):
        annotate.make_clips(counted, out, copy=True, boxes=True)
    with pytest.raises(SettingsError):
        annotate.make_clips(counted, "s3://bucket/out")
