"""One row per frame and face, from blocks and boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import annotate
from annotate.analysis.annotation import Annotation
from annotate.analytics import frame_table
from annotate.analytics.table_writers import WRITERS
from annotate.emotions.labels import EMOTIONS
from annotate.errors import SettingsError
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.faces.pose import Pose
from annotate.faces.quality import Appearance
from annotate.media.decode import decode
from annotate.media.probe import probe
from annotate.media.sizing import Sizing
from annotate.results.boxes import BoxTrajectories, format_boxes
from annotate.results.meta import hash_content
from tests.analytics.agreement.samples import write
from tests.analytics.samples import change_meta, report
from tests.analytics.test_export_archive import read_back
from tests.runs import annotate as annotate_videos

FRAME_MS = 40


def block(
    number: int, first: int, probability: float, *, frames: int = 20, overlap: int = 0, yaw_deg: float = 0
) -> Annotation:
    """Return a block of face 1 at 25 frames per second, with a probability of fear; the rest is neutral."""
    shares = {"fear": probability, "neutral": 1 - probability}
    span = annotate.Span(first * FRAME_MS, (first + frames) * FRAME_MS)
    seen = Appearance(Pose(yaw_deg), 0.05, 0.5, 80)
    probabilities = tuple(shares.get(name, 0.0) for name in EMOTIONS)
    box = Box(10.0 * number, 0, 80, 80)
    last = first + frames - 1
    return Annotation(1, number, first, last, span, box, 1.0, frames, 4, overlap, EMOTIONS, probabilities, (), seen)


TRACK = (block(0, 10, 0.0), block(1, 30, 1.0), block(2, 40, 0.5, overlap=10), block(3, 100, 0.2, frames=5))
"""Frames 10 to 59, of which the last block begins ten frames before its own time, and 100 to 104."""


def export(folder: Path, output: Path, **options: object) -> pd.DataFrame:
    done = annotate.export(folder, output, every_frame=True, **options)  # type: ignore[arg-type]
    table = read_back(done.path, "frames")
    assert done.rows == len(table)
    return table


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    report(tmp_path / "in", "a.mp4", TRACK)
    report(tmp_path / "in", "b.mp4", ())
    return tmp_path / "in"


@pytest.mark.parametrize("ending", WRITERS)
def test_each_frame_has_a_row_in_every_format(
    archive: Path, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ending == ".duckdb":
        pytest.importorskip("duckdb")
    monkeypatch.setattr(frame_table, "PART_ROWS", 7)
    table = export(archive, tmp_path / f"out{ending}")
    assert table["frame"].tolist() == [*range(10, 60), *range(100, 105)]
    assert table["start_time"].tolist() == pytest.approx([frame * 0.04 for frame in table["frame"]])
    assert table["end_time"].tolist() == pytest.approx([frame * 0.04 + 0.04 for frame in table["frame"]])
    assert table["block"].tolist() == [0] * 20 + [1] * 20 + [2] * 10 + [3] * 5
    assert Path(table["video"][0]).name == "a.mp4"
    codebook = pd.read_csv(tmp_path / "out.codebook.csv", keep_default_na=False)
    assert codebook["column"].tolist() == list(table.columns)
    meanings = codebook.set_index("column")["meaning"]
    assert all("interpolated" in meanings[name] for name in ("x", "fear", "yaw", "emotion", "confidence", "quality"))


def test_values_are_interpolated_between_the_middles_of_blocks(archive: Path, tmp_path: Path) -> None:
    """Middles of blocks are at the ends of frames 19, 39 and 49; beyond them, and over the gap, nothing changes."""
    table = export(archive, tmp_path / "out.csv").set_index("frame")
    expected = np.interp(np.arange(10, 60) + 0.5, [20, 40, 50], [0, 1, 0.5]).round(4)
    assert table.loc[10:59, "fear"].tolist() == pytest.approx(expected.tolist(), abs=1e-4)
    assert table.loc[100:, "fear"].tolist() == [0.2] * 5
    assert table.loc[[29, 30], "emotion"].tolist() == ["neutral", "fear"]
    assert (table["confidence"] == table[list(EMOTIONS)].max(axis=1)).all()
    assert table.loc[30, "x"] == pytest.approx(10 * 10.5 / 20, abs=0.06)
    assert table.loc[100, "x"] == 30


def test_angles_take_the_shorter_way(tmp_path: Path) -> None:
    report(tmp_path, "a.mp4", [block(0, 0, 1, yaw_deg=170), block(1, 20, 1, yaw_deg=-170)])
    yaw = export(tmp_path, tmp_path / "out.csv")["yaw"]
    assert yaw.abs().min() >= 170
    assert yaw.between(-180, 180).all()


def test_boxes_are_those_of_detections(archive: Path, tmp_path: Path) -> None:
    table = archive / "a.emotions.csv"
    boxes = BoxTrajectories((1, TimedBox(frame * FRAME_MS, Box(frame, 5, 80, 90))) for frame in range(10, 60, 10))
    path = table.with_name("a.emotions.boxes.csv")
    path.write_text(format_boxes(boxes))
    change_meta(table, outputs={each.name: hash_content(each.read_bytes()) for each in (table, path)})
    rows = export(archive, tmp_path / "out.csv").set_index("frame")
    assert rows.loc[10:50, "x"].tolist() == [*range(10, 51)]
    assert rows.loc[51:59, "x"].tolist() == [50] * 9
    assert rows[["y", "height"]].drop_duplicates().to_numpy().tolist() == [[5, 90]]
    path.write_text("damaged")
    with pytest.warns(UserWarning, match="boxes"):
        assert len(export(archive, tmp_path / "out.csv")) == 0


def test_corrections_trials_and_limits(archive: Path, tmp_path: Path) -> None:
    """The person's label stands with certainty, beside what the machine says; what is excluded has no rows."""
    lines = "face_id,start_time,end_time,emotion,author\n1,0.8,1.2,anger,Ann\n1,1.6,2.4,exclude,Ann\n"
    (archive / "a.emotions.corrections.csv").write_text(lines)
    trials = write(tmp_path / "t.csv", "a,0.4,1.0,x", "a,1.4,9,y", columns="video,start,end,condition")
    with pytest.warns(UserWarning, match="1 video without a trial"):
        table = export(archive, tmp_path / "out.csv", trials=trials)
    assert table["frame"].tolist() == [*range(10, 25), *range(35, 40), *range(100, 105)]
    assert table["condition"].tolist() == ["x"] * 15 + ["y"] * 10
    said = table["frame"].between(20, 24)
    assert (table["source"] == "author").tolist() == said.tolist()
    assert table.loc[
        said, ["emotion", "confidence", "anger", "neutral", "author"]
    ].drop_duplicates().to_numpy().tolist() == [["anger", 1, 1, 0, "Ann"]]
    machine = table.loc[said, "machine_confidence"]
    assert machine.tolist() == pytest.approx(np.interp(np.arange(20, 25) + 0.5, [20, 40], [1, 0]).tolist(), abs=1e-4)
    assert (table.loc[~said, "confidence"] == table.loc[~said, "machine_confidence"]).all()
    assert len(export(archive, tmp_path / "out.csv", min_face_px=999)) == 0
    with pytest.raises(SettingsError):
        annotate.export(archive, tmp_path / "x.csv", every_frame=True, trials=trials, baseline_trial="x")


@pytest.mark.parametrize("hop", [20, 3])
def test_frames_are_those_of_the_video(face_clip: Path, tmp_path: Path, hop: int) -> None:
    """Rows that overlap give each frame once."""
    (tmp_path / "in").mkdir()
    copy = tmp_path / "in/face.mp4"
    copy.write_bytes(face_clip.read_bytes())
    list(annotate_videos([copy], settings=annotate.Settings(hop=hop)))
    table = export(copy, tmp_path / "out.csv")
    starts_s = [frame.span.start_s for frame in decode(probe(copy), Sizing(64, 9999, 0.25))]
    assert table["frame"].tolist() == list(range(len(starts_s)))
    assert table["start_time"].tolist() == pytest.approx(starts_s, abs=0.001)
