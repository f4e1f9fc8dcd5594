"""Content of timelines and sheets, by pixels and texts, and the files that `annotate plot` writes."""

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
from annotate.plots.figures import encode_figure, plot_style, text_width_in, write_image
from annotate.plots.timeline import draw_timeline
from annotate.results.persons import Person, apply_persons
from tests.analytics.samples import CLIP, block, report
from tests.results.reports import make_report
from tests.runs import annotate

pytest.importorskip("matplotlib")


def to_pixels(content: bytes) -> NDArray[np.int64]:
    """Decode a PNG to an RGB array of shape (height, width, 3), 0..255."""
    from matplotlib.image import imread

    return (np.asarray(imread(io.BytesIO(content), format="png"))[..., :3] * 255).round().astype(int)


def timeline(ending: str = ".png", **options: object) -> bytes:
    with plot_style():
        return encode_figure(draw_timeline(make_report(), "movie.mp4", **options), ending)  # type: ignore[arg-type]


def has_color(image: NDArray[np.int64], emotion: str) -> NDArray[np.bool_]:
    """Return which pixels have the color of an emotion."""
    expected = np.array(list(bytes.fromhex(COLORS[emotion][1:])))
    result: NDArray[np.bool_] = (abs(image - expected) < 4).all(axis=2)
    return result


def test_columns_show_times_and_probabilities() -> None:
    """Margins are 0.78 inches on the left and 0.2 inches on the right; the video lasts 6 s, face 1 is seen for 2.8 s."""
    image = to_pixels(timeline())
    assert image.shape[1] == 1440
    left_px, second_px = 0.78 * 200, (7.2 - 0.78 - 0.2) * 200 / 6
    happiness = has_color(image, "happiness")
    legend = np.flatnonzero(happiness[:100].any(axis=1))
    happiness[: legend[-1] + 1] = False
    columns = np.flatnonzero(happiness.any(axis=0))
    assert (columns[0], columns[-1]) == pytest.approx((left_px, left_px + 1.602 * second_px), abs=3)
    rows = np.flatnonzero(happiness.any(axis=1))
    assert len(rows) == pytest.approx(0.88 * 0.6 * 200, abs=3)
    anger = has_color(image, "anger")
    anger[: legend[-1] + 1] = False
    columns = np.flatnonzero(anger.any(axis=0))
    assert (columns[0], columns[-1]) == pytest.approx((left_px + 2 * second_px, left_px + 2.9 * second_px), abs=3)
    assert np.flatnonzero(anger.any(axis=1))[0] > rows[-1]


def test_matplotlib_settings_of_the_user_do_not_change_images() -> None:
    import matplotlib as mpl

    expected = timeline(".svg"), timeline(".png")
    with mpl.rc_context({"svg.hashsalt": None, "font.size": 20, "axes.grid": True, "savefig.dpi": 30}):
        assert (timeline(".svg"), timeline(".png")) == expected
    assert b"<dc:date>" not in expected[0]
    assert not re.search(rb"20\d\d-\d\d-\d\d", expected[1])


@pytest.mark.parametrize("title", ["<b>&\"'.mp4", "$x$ \\frac", "電影.mp4", "x" * 300])
def test_title_may_be_any_file_name(title: str) -> None:
    with plot_style():
        content = encode_figure(draw_timeline(make_report(faces=1), title), ".svg")
    assert ElementTree.fromstring(content).tag.endswith("svg")


def test_hidden_face_tracks_are_counted_in_a_note() -> None:
    with plot_style():
        both = draw_timeline(make_report(), "movie.mp4")
        one = draw_timeline(make_report(), "movie.mp4", max_lanes=1)
        none = draw_timeline(make_report(faces=0), "movie.mp4")
    assert [axes.get_ylabel() for axes in both.axes] == ["face 1", "face 2"]
    assert [axes.get_ylabel() for axes in one.axes] == ["face 2"]
    (note,) = [text.get_text() for text in one.texts if "not shown" in text.get_text()]
    assert re.findall(r"[\d:]+", note.replace("shown: ", "")) == ["1", "0:03"]
    assert [text.get_text() for text in none.axes[0].texts] == ["no faces"]
    assert [text.get_text() for text in both.axes[0].texts] == ["happiness", "sadness", "fear"]


def test_tracks_of_one_person_are_one_lane() -> None:
    blocks = tuple((face, 0, 1000 * face, 1000 * face + 800, "fear", 0) for face in range(1, 5))
    made = make_report(faces=4, blocks=blocks)
    persons = {1: Person(2, "Ann"), 2: Person(1), 3: Person(2, "Ann")}
    shown = replace(made, columns=apply_persons(made.table, persons))
    with plot_style():
        figures = [draw_timeline(shown, "movie.mp4", language) for language in ("en", "ru")]
        one = draw_timeline(shown, "movie.mp4", max_lanes=1)
    labels = [[axes.get_ylabel() for axes in figure.axes] for figure in figures]
    assert labels == [["Ann", "person 1", "face 4"], ["Ann", "человек 1", "лицо 4"]]
    assert [axes.get_ylabel() for axes in one.axes] == ["Ann"]
    (collection,) = one.axes[0].collections
    columns = {path.get_extents().x0 for path in collection.get_paths()}
    assert columns == {1, 3}


def test_columns_of_a_long_video_are_means_over_blocks() -> None:
    report = make_report(blocks=tuple((1, at, 100 * at, 100 * at + 100, "fear", 0) for at in range(3000)))
    with plot_style():
        figure = draw_timeline(replace(report, meta=replace(report.meta, duration_s=300.0)), "movie.mp4")
        (collection,) = figure.axes[0].collections
    heights = [path.vertices[2][1] - path.vertices[0][1] for path in collection.get_paths()]
    assert len(heights) == 1000 * len(EMOTIONS)
    assert max(heights) == pytest.approx(0.88)


def test_text_width_is_estimated_closely() -> None:
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


def test_sheet_shows_the_face_and_its_box(done: Path) -> None:
    assert run("--frames", done / "face.mp4").exit_code == 0
    image = to_pixels(Path("face.frames.png").read_bytes())
    emotion = max(COLORS, key=lambda name: has_color(image, name).sum())
    marked = has_color(image, emotion)
    strip = np.flatnonzero(marked.mean(axis=1) > 0.6)
    frame = marked[: strip[0] - 3]
    columns, rows = (np.flatnonzero(frame.sum(axis=axis) > 100) for axis in (0, 1))
    inside = image[rows[0] + 8 : rows[-1] - 8, columns[0] + 8 : columns[-1] - 8]
    assert 0.9 < (columns[-1] - columns[0]) / (rows[-1] - rows[0]) < 1.1
    assert inside.std() > 30
    assert abs(image[strip[-1] - 2, 20] - np.array(list(bytes.fromhex(COLORS[emotion][1:])))).max() < 4


def test_image_names_are_unique_and_printed(done: Path) -> None:
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


def test_without_the_video_only_the_timeline_is_drawn(done: Path) -> None:
    expected = run(done / "face.mp4", "-o", "before.png")
    assert expected.exit_code == 0
    (done / "face.mp4").unlink()
    assert run(done / "face.mp4", "-o", "after.png").exit_code == 0
    assert Path("after.png").read_bytes() == Path("before.png").read_bytes()
    result = run("--frames", done / "face.emotions.csv")
    assert (result.exit_code, Path("face.frames.png").exists()) == (1, False)
    assert "face.mp4: " in result.stderr
    assert "(No such file or directory)" in result.stderr


def test_videos_in_another_folder_than_their_tables(done: Path) -> None:
    shutil.copytree(done, "results", ignore=lambda folder, names: [name for name in names if name.endswith(".mp4")])
    assert run("--frames", done / "other", "-o", "beside.png").exit_code == 0
    assert run("--frames", "results/other", "--videos", done / "other", "-o", "apart.png").exit_code == 0
    assert Path("apart.png").read_bytes() == Path("beside.png").read_bytes()
    assert run("--frames", "results", "--videos", done, "-o", "plots").stderr.count("skipped: ") == 1
    assert run("--frames", "results/face.emotions.csv", "--videos", done).exit_code == 2


def test_a_failing_video_does_not_stop_the_others(done: Path) -> None:
    with (done / "face.mp4").open("ab") as file:
        file.write(b"more")
    result = run("--frames", done)
    assert result.exit_code == 1
    assert re.search(r"face\.mp4: .*changed.*`annotate ", result.stderr)
    assert re.search(r"empty\.mp4: .*no faces", result.stderr)
    assert len(result.stdout.splitlines()) == 1
    shutil.copy(done / "empty.mp4", done / "none.mp4")
    result = run(done / "none.mp4")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.search(r"none\.mp4: .*`annotate ", result.stderr)


def test_output_file_needs_one_video_and_a_known_extension(done: Path) -> None:
    result = run(done, "-o", "all.png")
    assert result.exit_code == 2
    assert re.search(r"-o all\.png: .*\b3\b", result.stderr)
    assert not Path("all.png").exists()
    result = run(done / "face.mp4", "-o", "face.pdf")
    assert result.exit_code == 2
    assert re.search(r"-o face\.pdf: .*\.png or \.svg", result.stderr)
    assert not Path("face.pdf").exists()


def test_only_images_written_by_annotate_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError) as raised:
        write_image(path, b"new")
    assert raised.value.path == path
    assert path.read_bytes() == b"mine"
    for ending in (".png", ".svg"):
        own = tmp_path / f"own{ending}"
        for content in (timeline(ending), timeline(ending, language="ru")):
            write_image(own, content)
            assert own.read_bytes() == content
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "own.png")
    with pytest.raises(OutputError):
        write_image(link, b"new")


def test_missing_matplotlib_is_reported_with_the_extra(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    result = run(done)
    assert (result.exit_code, list(Path().glob("*.png"))) == (2, [])
    assert all(word in result.stderr for word in ("matplotlib", "[plot]"))


def test_a_damaged_table_is_reported(done: Path) -> None:
    (done / "face.emotions.csv").write_text("face_id\n1\n")
    result = run(done / "face.mp4")
    assert result.exit_code == 1
    assert re.search(r"face\.emotions\.csv: .*damaged", result.stderr)


def test_one_timeline_per_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The axis is the time of the trial; its only face shows sadness from 1 s, half of the first trial."""
    monkeypatch.chdir(tmp_path)
    report(tmp_path / "in", "b.mp4", CLIP, duration_s=5.0)
    rows = ("1/a,b.mp4,0,2,film", "2,b.mp4,4,5,rest", "3,none,0,1,rest")
    Path("trials.csv").write_text("\n".join(["trial,video,start,end,condition", *rows]))
    result = run("in", "--trials", "trials.csv")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["b.1_a.timeline.png", "b.2.timeline.png"]
    assert "1 trial of videos without a table" in result.stderr
    sad = has_color(to_pixels(Path("b.1_a.timeline.png").read_bytes()), "sadness")
    columns = np.flatnonzero(sad[sad.shape[0] // 2 :].any(axis=0))
    assert 0.4 < (columns[-1] - columns[0]) / sad.shape[1] / ((7.2 - 0.78 - 0.2) / 7.2) < 0.6
    assert run("in", "--trials", "trials.csv", "-o", "one.png").exit_code == 2
    assert run("in", "--baseline-trial", "film").exit_code == 2
    blocks = [block(1, number, number * 800, number * 800 + 800, "sadness", confidence=0.4) for number in range(4)]
    report(tmp_path / "in", "b.mp4", blocks, duration_s=5.0)
    result = run("in", "--trials", "trials.csv", "--baseline-trial", "film", "-o", "relative")
    assert result.stdout.splitlines() == ["relative/b.1_a.timeline.png", "relative/b.2.timeline.png"]
    pixels = to_pixels(Path("relative/b.1_a.timeline.png").read_bytes())
    assert has_color(pixels, "neutral").sum() > 3 * has_color(pixels, "sadness").sum()
    assert run("in", "--trials", "trials.csv", "--frames", "-q").stderr.count("skipped") == 2
