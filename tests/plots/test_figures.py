"""What stands in timelines and on sheets, by pixel, and how they become files."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from annotate import extras
from annotate.archive.layout import OutputOptions
from annotate.cli.main import main
from annotate.emotions.labels import EMOTIONS
from annotate.emotions.palette import COLORS
from annotate.errors import OutputError
from annotate.plots.figures import encode, style, text_width_in, write_picture
from annotate.plots.timeline import draw_timeline
from tests.results.reports import make_report
from tests.runs import annotate

pytest.importorskip("matplotlib")


def to_pixels(content: bytes) -> NDArray[np.int64]:
    """A PNG as (height, width, 3)."""
    from matplotlib.image import imread

    return (np.asarray(imread(io.BytesIO(content), format="png"))[..., :3] * 255).round().astype(int)


def timeline(ending: str = ".png", **options: object) -> bytes:
    with style():
        return encode(draw_timeline(make_report(), "movie.mp4", **options), ending)  # type: ignore[arg-type]


def has_colour(picture: NDArray[np.int64], emotion: str) -> NDArray[np.bool_]:
    wanted = np.array(list(bytes.fromhex(COLORS[emotion][1:])))
    result: NDArray[np.bool_] = (abs(picture - wanted) < 4).all(axis=2)
    return result


def test_columns_stand_at_their_times_and_are_as_high_as_their_probability() -> None:
    """Lanes begin 0.78 inches from the left and end 0.2 from the right; the video lasts 6 s, of which face 1 has 2.8."""
    picture = to_pixels(timeline())
    assert picture.shape[1] == 1440
    left_px, second_px = 0.78 * 200, (7.2 - 0.78 - 0.2) * 200 / 6
    happiness = has_colour(picture, "happiness")
    legend = np.flatnonzero(happiness[:100].any(axis=1))
    happiness[: legend[-1] + 1] = False
    columns = np.flatnonzero(happiness.any(axis=0))
    assert (columns[0], columns[-1]) == pytest.approx((left_px, left_px + 1.602 * second_px), abs=3)
    rows = np.flatnonzero(happiness.any(axis=1))
    assert len(rows) == pytest.approx(0.88 * 0.6 * 200, abs=3)
    anger = has_colour(picture, "anger")
    anger[: legend[-1] + 1] = False
    columns = np.flatnonzero(anger.any(axis=0))
    assert (columns[0], columns[-1]) == pytest.approx((left_px + 2 * second_px, left_px + 2.9 * second_px), abs=3)
    assert np.flatnonzero(anger.any(axis=1))[0] > rows[-1]


def test_pictures_are_the_same_bytes_whatever_the_settings_of_matplotlib() -> None:
    import matplotlib as mpl

    expected = timeline(".svg"), timeline(".png")
    with mpl.rc_context({"svg.hashsalt": None, "font.size": 20, "axes.grid": True, "savefig.dpi": 30}):
        assert (timeline(".svg"), timeline(".png")) == expected
    assert b"<dc:date>" not in expected[0]
    assert not re.search(rb"20\d\d-\d\d-\d\d", expected[1])


@pytest.mark.parametrize("title", ["<b>&\"'.mp4", "$x$ \\frac", "電影.mp4", "x" * 300])
def test_any_name_is_a_title(title: str) -> None:
    with style():
        content = encode(draw_timeline(make_report(faces=1), title), ".svg")
    assert ElementTree.fromstring(content).tag.endswith("svg")


def test_faces_beyond_the_most_are_counted_not_drawn() -> None:
    with style():
        both = draw_timeline(make_report(), "movie.mp4")
        one = draw_timeline(make_report(), "movie.mp4", max_lanes=1)
        none = draw_timeline(make_report(faces=0), "movie.mp4")
    assert [axes.get_ylabel() for axes in both.axes] == ["face 1", "face 2"]
    assert [axes.get_ylabel() for axes in one.axes] == ["face 2"]
    assert "faces not shown: 1, seen for 0:03 in all" in [text.get_text() for text in one.texts]
    assert [text.get_text() for text in none.axes[0].texts] == ["no faces"]
    assert [text.get_text() for text in both.axes[0].texts] == ["happiness", "sadness", "fear"]


def test_blocks_too_many_to_see_are_put_together() -> None:
    report = make_report(blocks=tuple((1, at, 100 * at, 100 * at + 100, "fear", 0) for at in range(3000)))
    with style():
        figure = draw_timeline(replace(report, meta=replace(report.meta, duration_s=300.0)), "movie.mp4")
        (collection,) = figure.axes[0].collections
    heights = [path.vertices[2][1] - path.vertices[0][1] for path in collection.get_paths()]
    assert len(heights) == 1000 * len(EMOTIONS)
    assert max(heights) == pytest.approx(0.88)


def test_letters_fit_where_they_are_said_to() -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    for text in ("happiness", "нейтральное состояние", "1: disgust 0.93", "0:01.5"):
        width_pt = TextPath((0, 0), text, size=7.5, prop=FontProperties(family="DejaVu Sans")).get_extents().width
        assert 0.7 * text_width_in(text, 7.5) < width_pt / 72 <= text_width_in(text, 7.5) * 1.07


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, face_clip: Path, empty_clip: Path) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    (folder / "other").mkdir()
    for name in ("face.mp4", "other/face.mp4"):
        shutil.copy2(face_clip, folder / name)
    shutil.copy2(empty_clip, folder / "empty.mp4")
    list(annotate([folder], options=OutputOptions(("csv",))))
    return folder


@pytest.fixture
def done(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(archive, tmp_path / "done"))
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, ["plot", *map(str, arguments)])
    assert not isinstance(result.exception, Exception), result.exception
    return result


def test_a_sheet_shows_the_face_in_its_frame(done: Path) -> None:
    assert run("--frames", done / "face.mp4").exit_code == 0
    picture = to_pixels(Path("face.frames.png").read_bytes())
    emotion = max(COLORS, key=lambda name: has_colour(picture, name).sum())
    marked = has_colour(picture, emotion)
    strip = np.flatnonzero(marked.mean(axis=1) > 0.6)
    frame = marked[: strip[0] - 3]
    columns, rows = (np.flatnonzero(frame.sum(axis=axis) > 100) for axis in (0, 1))
    inside = picture[rows[0] + 8 : rows[-1] - 8, columns[0] + 8 : columns[-1] - 8]
    assert 0.9 < (columns[-1] - columns[0]) / (rows[-1] - rows[0]) < 1.1
    assert inside.std() > 30
    assert abs(picture[strip[-1] - 2, 20] - np.array(list(bytes.fromhex(COLORS[emotion][1:])))).max() < 4


def test_names_are_found_for_all_and_told(done: Path) -> None:
    result = run(done, "-o", "plots", "--svg")
    assert result.exit_code == 0
    names = ["empty.timeline.svg", "face.2.timeline.svg", "face.timeline.svg"]
    assert sorted(path.name for path in Path("plots").iterdir()) == names
    assert result.stdout.splitlines() == [
        "plots/empty.timeline.svg",
        "plots/face.timeline.svg",
        "plots/face.2.timeline.svg",
    ]
    first = {path.name: path.read_bytes() for path in Path("plots").iterdir()}
    assert run(done, "-o", "plots", "--svg").exit_code == 0
    assert {path.name: path.read_bytes() for path in Path("plots").iterdir()} == first


def test_where_the_video_is_gone_the_timeline_is_plotted_and_the_sheet_is_not(done: Path) -> None:
    expected = run(done / "face.mp4", "-o", "before.png")
    assert expected.exit_code == 0
    (done / "face.mp4").unlink()
    assert run(done / "face.mp4", "-o", "after.png").exit_code == 0
    assert Path("after.png").read_bytes() == Path("before.png").read_bytes()
    result = run("--frames", done / "face.emotions.csv")
    assert (result.exit_code, Path("face.frames.png").exists()) == (1, False)
    assert "face.mp4: cannot be read (No such file or directory), so there are no frames; plot its timeline" in result.stderr


def test_videos_may_lie_apart_from_their_reports(done: Path) -> None:
    shutil.copytree(done, "results", ignore=lambda folder, names: [name for name in names if name.endswith(".mp4")])
    assert run("--frames", done / "other", "-o", "beside.png").exit_code == 0
    assert run("--frames", "results/other", "--videos", done / "other", "-o", "apart.png").exit_code == 0
    assert Path("apart.png").read_bytes() == Path("beside.png").read_bytes()
    assert run("--frames", "results", "--videos", done, "-o", "plots").stderr.count("left out") == 1
    assert run("--frames", "results/face.emotions.csv", "--videos", done).exit_code == 2


def test_one_that_cannot_be_shown_does_not_stop_the_others(done: Path) -> None:
    with (done / "face.mp4").open("ab") as file:
        file.write(b"more")
    result = run("--frames", done)
    assert result.exit_code == 1
    assert "face.mp4: has changed since it was annotated; run `annotate" in result.stderr
    assert "empty.mp4: no faces, so there are no frames to show" in result.stderr
    assert len(result.stdout.splitlines()) == 1
    result = run(done / "none.mp4")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "none.mp4: no report; make one with `annotate" in result.stderr


def test_one_file_is_for_one_report(done: Path) -> None:
    result = run(done, "-o", "all.png")
    assert result.exit_code == 2
    assert "-o all.png: is one file, but there are 3 reports; give a directory" in result.stderr
    result = run(done / "face.mp4", "-o", "face.pdf")
    assert result.exit_code == 2
    assert "-o face.pdf: the ending says what is written; choose .png or .svg" in result.stderr
    assert not Path("face.pdf").exists()


def test_only_pictures_of_this_program_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="a file is there that this program did not plot") as raised:
        write_picture(path, b"new")
    assert raised.value.path == path
    assert path.read_bytes() == b"mine"
    for ending in (".png", ".svg"):
        own = tmp_path / f"own{ending}"
        for content in (timeline(ending), timeline(ending, language="ru")):
            write_picture(own, content)
            assert own.read_bytes() == content
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "own.png")
    with pytest.raises(OutputError):
        write_picture(link, b"new")


def test_a_missing_library_is_said_with_the_command(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    result = run(done)
    assert (result.exit_code, list(Path().glob("*.png"))) == (2, [])
    assert all(word in result.stderr for word in ("matplotlib", "annotate[plot]"))


def test_a_damaged_report_is_named(done: Path) -> None:
    (done / "face.emotions.csv").write_text("face_id\n1\n")
    result = run(done / "face.mp4")
    assert result.exit_code == 1
    assert "face.emotions.csv: damaged or cut off" in result.stderr
