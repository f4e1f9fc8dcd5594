"""Summaries, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate.archive.walk import Obstacle
from annotate.cli import main
from annotate.emotions.labels import EMOTIONS
from annotate.errors import ReportError
from annotate.faces.box import Box
from annotate.pipeline import Annotation
from annotate.reports.summary import VideoSummary, find_reports, summarize_report, to_frame
from annotate.timeline import Span
from annotate.tracks.meta import Meta, Source
from annotate.tracks.table import format_table, to_table

META = Meta(1, "annotate", "0", {}, Source("", 1, 1, ""), 100, 10.0, 0.0, 2, 0, {}, "5.1", {})


def block(face_id: int, number: int, start_ms: int, end_ms: int, emotion: str, *, overlap: int = 0) -> Annotation:
    """A block that is certain of its emotion."""
    probabilities = tuple(float(name == emotion) for name in EMOTIONS)
    span, box = Span(start_ms, end_ms), Box(0, 0, 80, 80)
    return Annotation(face_id, number, 0, 0, span, box, 1.0, 20, 4, overlap, EMOTIONS, probabilities)


MOVIE = (
    block(1, 0, 0, 800, "anger"),
    block(1, 1, 800, 1600, "happiness"),
    block(1, 2, 1200, 2000, "happiness", overlap=10),
    block(2, 0, 1500, 2300, "anger"),
)
"""Face 1: 0.8 s of anger, 1.2 s of happiness; face 2: 0.8 s of anger; 2.3 s with a face."""

CLIP = (block(1, 0, 1000, 4000, "sadness"),)


def report(
    folder: Path, video: str, blocks: tuple[Annotation, ...], *, base: str = "", duration_s: float | None = 10.0
) -> Path:
    """A report as a run leaves it, with a meta file if the length is given."""
    folder.mkdir(parents=True, exist_ok=True)
    base = base or Path(video).stem
    path = folder / f"{base}.emotions.csv"
    path.write_text(format_table(to_table(blocks, EMOTIONS)))
    if duration_s is not None:
        meta = replace(META, source=Source(video, 1, 1, ""), duration_s=duration_s)
        (folder / f"{base}.emotions.meta.json").write_text(meta.to_json())
    return path


def summarize(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the command."""
    result = CliRunner().invoke(main, ["summarize", *map(str, arguments)])
    assert isinstance(result.exception, SystemExit | None)
    return result.exit_code, result.stdout, result.stderr


def test_one_report_in_numbers(tmp_path: Path) -> None:
    expected = VideoSummary(str(tmp_path / "movie.mov"), 10.0, 2.3, 2, {"anger": 1.6, "happiness": 1.2})
    assert summarize_report(report(tmp_path, "movie.mov", MOVIE)) == expected


def test_without_meta_the_last_block_gives_the_length(tmp_path: Path) -> None:
    found = summarize_report(report(tmp_path, "movie.mov", MOVIE, duration_s=None))
    assert (found.video, found.duration_s) == (str(tmp_path / "movie"), 2.3)


def test_a_video_without_faces_counts_with_its_length(tmp_path: Path) -> None:
    expected = VideoSummary(str(tmp_path / "movie.mov"), 10.0, 0.0, 0, {})
    assert summarize_report(report(tmp_path, "movie.mov", ())) == expected


def test_a_row_a_video_totals_last(tmp_path: Path) -> None:
    paths = [
        report(tmp_path, "a.mp4", MOVIE),
        report(tmp_path, "b.mp4", CLIP, duration_s=5.0),
        report(tmp_path, "c.mp4", ()),
    ]
    frame = to_frame([summarize_report(path) for path in paths])
    assert list(frame.columns) == ["video", "duration_s", "face_s", "faces", "dominant", *EMOTIONS]
    none = [0.0] * 7
    anger, happiness, sadness = (EMOTIONS.index(name) for name in ("anger", "happiness", "sadness"))

    def shares(**seconds: float) -> list[float]:
        whole = sum(seconds.values())
        return [round(seconds.get(name, 0.0) / whole, 4) for name in EMOTIONS]

    assert frame.to_numpy().tolist() == [
        [str(tmp_path / "a.mp4"), 10.0, 2.3, 2, "anger", *shares(anger=1.6, happiness=1.2)],
        [str(tmp_path / "b.mp4"), 5.0, 3.0, 1, "sadness", *shares(sadness=3.0)],
        [str(tmp_path / "c.mp4"), 10.0, 0.0, 0, "", *none],
        ["total", 25.0, 5.3, 3, "sadness", *shares(anger=1.6, happiness=1.2, sadness=3.0)],
    ]
    assert frame.iloc[0, 5 + anger] == 0.5714
    assert frame.iloc[0, 5 + happiness] == 0.4286
    assert frame.iloc[3, 5 + sadness] == 0.5172


def test_classes_of_another_model_come_after_the_usual_ones() -> None:
    frame = to_frame([VideoSummary("a", 1.0, 1.0, 1, {"contempt": 0.75, "fear": 0.25})])
    assert list(frame.columns[5:]) == [*EMOTIONS, "contempt"]
    assert frame[["dominant", "fear", "contempt"]].to_numpy().tolist() == [["contempt", 0.25, 0.75]] * 2


def test_reports_are_found_below_directories_sorted(tmp_path: Path) -> None:
    paths = [report(tmp_path / "b", "z.mp4", ()), report(tmp_path / "a", "y.mp4", ()), report(tmp_path, "c.mp4", ())]
    (tmp_path / "notes.csv").write_text("a,b\n")
    assert list(find_reports([tmp_path])) == [paths[1], paths[0], paths[2]]


def test_hidden_files_are_no_reports(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", ())
    (tmp_path / "._a.emotions.csv").write_bytes(b"\x00\x05\x16\x07")
    assert list(find_reports([tmp_path])) == [path]


def test_a_video_stands_for_its_report(tmp_path: Path) -> None:
    first, second = report(tmp_path, "a.mov", CLIP), report(tmp_path, "a.mp4", MOVIE, base="a.mp4")
    assert list(find_reports([tmp_path / "a.mov", tmp_path / "a.mp4", first])) == [first, second]


def test_a_video_does_not_stand_for_the_report_of_another(tmp_path: Path) -> None:
    report(tmp_path, "a.mov", CLIP)
    (tmp_path / "a.mov").touch()
    (tmp_path / "a.mp4").touch()
    (found,) = find_reports([tmp_path / "a.mp4"])
    assert isinstance(found, Obstacle)


def test_a_report_that_is_met_twice_counts_once(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    status, output, _ = summarize(tmp_path, path, tmp_path / "a.mp4", "-o", tmp_path / "summary.csv")
    assert status == 0
    assert output.count("a.mp4") == 1
    assert (tmp_path / "summary.csv").read_text().splitlines()[-1].startswith("total,10.0,3.0,1,sadness,")


@pytest.mark.parametrize("name", ["gone", "gone.mp4", "gone.emotions.csv"])
def test_a_missing_report_is_an_obstacle(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert list(find_reports([path])) == [Obstacle(path, f"{path}: no report; make one with `annotate {path}`")]


def test_a_damaged_report_raises(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    path.write_text(path.read_text()[:-3])
    with pytest.raises(ReportError, match="its last line is cut off"):
        summarize_report(path)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_times_that_are_no_numbers_raise(tmp_path: Path, value: str) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    path.write_text(path.read_text().replace("4.000", value))
    with pytest.raises(ReportError):
        summarize_report(path)


def test_a_damaged_meta_file_counts_as_none(tmp_path: Path) -> None:
    path = report(tmp_path, "a.mp4", CLIP)
    (tmp_path / "a.emotions.meta.json").write_text('{"duration_s": 1e9')
    assert summarize_report(path).duration_s == 4.0


def test_the_command_prints_a_table_and_writes_it(tmp_path: Path) -> None:
    report(tmp_path / "in", "a.mp4", MOVIE)
    report(tmp_path / "in", "b.mp4", CLIP, duration_s=3725.0)
    status, output, errors = summarize(tmp_path / "in", "-o", tmp_path / "summary.csv")
    assert (status, errors) == (0, "")
    rows = [line.split() for line in output.splitlines()]
    a, b = str(tmp_path / "in/a.mp4"), str(tmp_path / "in/b.mp4")
    assert rows[0] == ["video", "length", "with", "face", "faces", "mostly", *EMOTIONS]
    assert rows[2] == [a, "0:10", "0:02", "2", "anger", "57%", "0%", "0%", "43%", "0%", "0%", "0%"]
    assert rows[3] == [b, "1:02:05", "0:03", "1", "sadness", "0%", "0%", "0%", "0%", "0%", "100%", "0%"]
    assert rows[4] == ["total", "1:02:15", "0:05", "3", "sadness", "28%", "0%", "0%", "21%", "0%", "52%", "0%"]
    assert (tmp_path / "summary.csv").read_text() == (
        f"video,duration_s,face_s,faces,dominant,{','.join(EMOTIONS)}\n"
        f"{a},10.0,2.3,2,anger,0.5714,0.0,0.0,0.4286,0.0,0.0,0.0\n"
        f"{b},3725.0,3.0,1,sadness,0.0,0.0,0.0,0.0,0.0,1.0,0.0\n"
        "total,3735.0,5.3,3,sadness,0.2759,0.0,0.0,0.2069,0.0,0.5172,0.0\n"
    )


def test_a_damaged_report_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    report(tmp_path, "a.mp4", MOVIE)
    broken = report(tmp_path, "b.mp4", CLIP)
    broken.write_text("no report\n")
    status, output, errors = summarize(tmp_path)
    assert status == 1
    assert errors.startswith(f"left out: {broken}: not a whole report of this program (")
    assert errors.count("\n") == 1
    assert [line.split()[0] for line in output.splitlines()[2:]] == [str(tmp_path / "a.mp4"), "total"]


def test_a_missing_report_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "gone.mp4"
    assert summarize(path) == (1, "", f"left out: {path}: no report; make one with `annotate {path}`\n")


def test_a_directory_without_reports_is_a_sentence(tmp_path: Path) -> None:
    assert summarize(tmp_path) == (0, "", f"no reports below {tmp_path}; `annotate {tmp_path}` makes them\n")


def test_a_summary_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    report(tmp_path, "a.mp4", MOVIE)
    target = tmp_path / "gone" / "summary.csv"
    status, _, errors = summarize(tmp_path, "-o", target)
    assert status == 1
    assert errors.startswith(f"Error: {target}: cannot be written (No such file or directory)")
