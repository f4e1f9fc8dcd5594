"""The command `annotate report`, and the content of the page."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from annotate import extras
from annotate.cli.main import main
from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.html_report import build
from annotate.html_report.build import PageOptions, write_page
from annotate.results.boxes import BoxTrajectories
from annotate.results.meta import hash_content, read_meta
from tests.analytics.samples import CLIP, MOVIE, block, meta_of, report
from tests.archive.test_status import write_failure
from tests.html_report.archives import annotated


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Run the command; return its exit status, stdout and stderr."""
    result = CliRunner().invoke(main, ["report", *map(str, arguments)])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, result.stdout, result.stderr


class Page(HTMLParser):
    """Parses the tables of a page, as rows of text, and its scripts by id."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.scripts: dict[str, str] = {}
        self._id: str | None = None
        self._in_cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True
        elif tag == "script":
            self._id = dict(attrs).get("id") or ""
            self.scripts.setdefault(self._id, "")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")
        self._id = None if tag == "script" else self._id

    def handle_data(self, data: str) -> None:
        if self._id is not None:
            self.scripts[self._id] += data
        elif self._in_cell:
            self.tables[-1][-1][-1] += data

    def data(self, name: str) -> Any:
        """Return the data of a JSON script."""
        return json.loads(self.scripts[f"data-{name}"])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return a folder with reports of two videos that do not exist, one of which lasts an hour and has no faces."""
    report(tmp_path / "in/new", "a.mp4", MOVIE)
    report(tmp_path / "in", "b.mp4", (), duration_s=3725.0)
    return tmp_path / "in"


def test_page_has_the_numbers_of_the_summary(archive: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    status, output, errors = run(archive, "-o", page)
    assert (status, output) == (0, f"{page}: 2 videos.\n")
    assert errors.startswith(f"{page}: 2 of 2 videos ")
    assert "--videos" in errors
    shares, folders, confidence = Page(page).tables
    assert shares[1] == ["anger", "57.1%", "0.03"]
    assert folders[1] == ["new", "57%", "0%", "0%", "43%", "0%", "0%", "0%"]
    assert [row[0].replace("\N{EN DASH}", "-") for row in confidence] == ["Confidence", "50%-55%", "75%-80%", "95%-100%"]
    videos = Page(page).data("table")
    assert [(video["name"], video["folder"], video.get("main")) for video in videos] == [
        *(("b.mp4", "in", None), ("a.mp4", "new", "anger")),
    ]
    assert [video["numbers"] for video in videos] == [
        [3725.0, 0.0, 0.0, 0.0, None, None],
        [10.0, 2.3, 2.8, 2.0, pytest.approx(2 / 2.8, abs=1e-4), pytest.approx(60 / 2.8, abs=0.1)],
    ]
    assert videos[1]["shares"] == {"anger": 0.5714, "happiness": 0.4286}


def test_charts_have_the_same_numbers(archive: Path, tmp_path: Path) -> None:
    run(archive, "-o", tmp_path / "report.html")
    page = tmp_path / "report.html"
    figures = {part["key"]: part["series"] for part in Page(page).data("figures")}
    assert list(figures) == ["shares", "confidence"]
    assert [each["values"] for each in figures["shares"]] == [[0.5714], [0], [0], [0.4286], [0], [0], [0]]
    assert re.findall(r"--share: ([\d.]+)%", page.read_text())[:7] == ["57.1", "0.0", "0.0", "42.9", "0.0", "0.0", "0.0"]
    minutes = {each["emotion"]: each["values"] for each in figures["confidence"]}
    assert minutes["anger"][10] == pytest.approx(0.8 / 60, abs=1e-4)
    assert minutes["happiness"][15] == pytest.approx(0.8 / 60, abs=1e-4)
    assert sum(map(sum, minutes.values())) == pytest.approx(2.8 / 60, abs=3e-4)


def test_the_page_is_light_and_names_its_library(archive: Path, tmp_path: Path) -> None:
    """Without videos, a page is below half a megabyte; the license of the library demands its notice."""
    run(archive, "-o", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert len(text) < 500_000
    assert "Chart.js Contributors" in text
    assert "MIT License" in (Path(build.__file__).parent / "LICENSE_CHART_JS").read_text()


def test_data_of_each_video_is_in_the_page(archive: Path, tmp_path: Path) -> None:
    run(archive, "-o", tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    table = page.data("table")
    assert [video["url"] for video in table] == ["./in/b.mp4", "./in/new/a.mp4"]
    lanes = page.data(table[1]["key"])["lanes"]
    assert [[span[:3] for span in lane["spans"]] for lane in lanes] == [
        [[0, 800, 0], [800, 1600, 3], [1600, 2000, 3]],
        [[1500, 2300, 0]],
    ]
    assert page.data(table[0]["key"])["lanes"] == []


def test_page_does_not_depend_on_the_order_of_paths_or_the_number_of_jobs(archive: Path, tmp_path: Path) -> None:
    pages = []
    for number, paths in enumerate(([archive / "new", archive], [archive, archive / "new"], [archive])):
        page = tmp_path / f"{number}.html"
        write_page(paths, page, PageOptions(jobs=1 + number))
        pages.append(page.read_bytes())
    assert pages[0] == pages[1] == pages[2]


def test_problems_are_listed_with_their_reasons(archive: Path, tmp_path: Path, empty_clip: Path) -> None:
    truncated = report(archive, "half.mp4", MOVIE)
    truncated.write_text(truncated.read_text()[:-10])
    report(archive, "old.mp4", CLIP, version=99)
    (archive / "b.mp4").write_bytes(b"another")
    for name in ("fresh.mp4", "none.mp4"):
        shutil.copy(empty_clip, archive / name)
    write_failure(archive / "fail.mp4")
    shutil.copy(empty_clip, archive / "gone.mp4")
    annotated(archive / "gone.mp4").unlink()
    shutil.copy(empty_clip, archive / "cut.mp4")
    cut = annotated(archive / "cut.mp4")
    meta = read_meta(meta_of(cut))
    assert meta is not None
    meta_of(cut).write_text(replace(meta, missing_s=3.25).to_json())
    page = tmp_path / "report.html"
    status, output, errors = run(archive, archive / "none.mp4", "-o", page)
    assert (status, output.startswith(f"{page}: 3 videos, 8 problems ")) == (1, True)
    problems = Page(page).tables[3]
    assert [row[:2] for row in problems[1:]] == [
        ["b.mp4", "Outdated"],
        ["cut.mp4", "Damaged"],
        ["fail.mp4", "Failed"],
        ["fresh.mp4", "No table"],
        ["gone.mp4", "No table"],
        ["half.emotions.csv", "Skipped"],
        ["none.mp4", "Skipped"],
        ["old.emotions.csv", "Skipped"],
    ]
    words = ("changed", "last 3.2 s", "a text file", "annotated yet", "deleted", "damaged", "run `annotate ", "version")
    assert [(row[0], word) for word, row in zip(words, problems[1:], strict=True) if word not in row[2].lower()] == []
    assert f"`annotate {archive}/none.mp4`" in problems[7][2]
    assert [line.split(": ")[:2] for line in errors.splitlines()[:3]] == [
        ["skipped", str(archive / name)] for name in ("none.mp4", "half.emotions.csv", "old.emotions.csv")
    ]


def test_only_the_invalid_report_of_several_is_skipped(archive: Path, tmp_path: Path) -> None:
    """Its hash is right and its numbers can be summed, but an emotion has no column."""
    path = report(archive, "c.mp4", CLIP)
    text = path.read_text().replace(",sadness,1.0000", ",boredom,1.0000")
    path.write_text(text)
    meta = read_meta(meta_of(path))
    assert meta is not None
    meta_of(path).write_text(replace(meta, outputs={path.name: hash_content(text.encode())}).to_json())
    page = tmp_path / "report.html"
    status, _, errors = run(archive, "-o", page)
    assert (status, errors.startswith("skipped: c.mp4: ")) == (1, True)
    ((name, kind, reason),) = Page(page).tables[3][1:]
    assert (name, kind) == ("c.mp4", "Skipped")
    assert "column" in reason
    table = Page(page).data("table")
    assert [f"data-{video['key']}" in Page(page).scripts for video in table] == [True, False, True]


def test_damaged_boxes_only_remove_the_positions_of_cues(color_clip: Path, tmp_path: Path) -> None:
    shutil.copy(color_clip, tmp_path / "a.webm")
    annotated(tmp_path / "a.webm", boxes=BoxTrajectories([(1, TimedBox(0, Box(0, 50, 40, 40)))]))
    (tmp_path / "a.emotions.boxes.csv").write_text("face_id,time\n")
    run(tmp_path, "-o", tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    (video,) = page.data("table")
    assert {tuple(cue[4:]) for cue in page.data(video["key"])["cues"]} == {(None, None)}
    assert page.tables[3][1][:2] == ["a.webm", "Incomplete"]


def test_thumbnails_can_be_turned_off(color_clip: Path, tmp_path: Path) -> None:
    shutil.copy(color_clip, tmp_path / "a.webm")
    annotated(tmp_path / "a.webm")
    page = tmp_path / "report.html"
    for options, has_any in (((), True), (("--no-thumbnails",), False)):
        assert run(tmp_path, "-o", page, *options) == (0, f"{page}: 1 video.\n", "")
        (video,) = Page(page).data("table")
        thumbnails = [lane["thumbnail"] for lane in Page(page).data(video["key"])["lanes"]]
        assert [bool(thumbnail) for thumbnail in thumbnails] == [has_any] * 2
    (tmp_path / "a.webm").write_bytes(b"another video")
    run(tmp_path, "-o", page)
    assert "data:image/jpeg" not in page.read_text()


def test_videos_in_another_folder_than_their_outputs(color_clip: Path, tmp_path: Path) -> None:
    """Outputs are as ``annotate videos -o outputs`` writes them."""
    videos, outputs = tmp_path / "videos", tmp_path / "outputs"
    (videos / "sub").mkdir(parents=True)
    for name in ("sub/a.webm", "sub/b.webm"):
        shutil.copy(color_clip, videos / name)
    made = annotated(videos / "sub/a.webm")
    (outputs / "sub").mkdir(parents=True)
    for path in (made, meta_of(made)):
        path.rename(outputs / "sub" / path.name)
    page = outputs / "report.html"
    status, output, errors = run(outputs, "--videos", videos, "-o", page)
    assert (status, output.startswith(f"{page}: 1 video, 1 problem "), errors) == (0, True, "")
    (video,) = Page(page).data("table")
    assert video["url"] == "./../videos/sub/a.webm"
    assert all(lane["thumbnail"] for lane in Page(page).data(video["key"])["lanes"])
    assert Page(page).tables[3][1][:2] == ["b.webm", "No table"]
    status, _, errors = run(outputs, videos, "--videos", videos, "-o", page)
    assert (status, "one directory" in errors) == (2, True)


def test_data_of_many_videos_is_in_separate_files(archive: Path, tmp_path: Path) -> None:
    page, folder = tmp_path / "many.html", tmp_path / "many_files"
    write_page([archive], page, PageOptions(max_inline=1))
    table = Page(page).data("table")
    assert [f"data-{video['key']}" in Page(page).scripts for video in table] == [False, False]
    receive = re.compile(r'AnnotateReport\.receive\("(\w+)", (\{.*\})\);\n$')
    for video in table:
        match = receive.search((tmp_path / video["part"]).read_text())
        assert match is not None
        assert match[1] == video["key"]
        assert json.loads(match[2])["end_ms"] == round(video["numbers"][0] * 1000)
    assert len(list(folder.iterdir())) == 3
    write_page([archive], page)
    assert not folder.exists()


def test_many_videos_have_separate_files(tmp_path: Path) -> None:
    assert PageOptions().max_inline == 200
    for number in range(5):
        report(tmp_path / "in", f"{number}.mp4", (block(1, 0, number, number + 800, "fear"),))
    page, options = tmp_path / "report.html", PageOptions(max_inline=4)
    write_page([tmp_path / "in"], page, options)
    assert len(list((tmp_path / "report_files").iterdir())) == 6
    (tmp_path / "in/3.emotions.csv").unlink()
    write_page([tmp_path / "in"], page, options)
    assert not (tmp_path / "report_files").exists()


def test_the_previous_page_stays_intact_if_writing_fails(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "report.html"
    write_page([archive], page, PageOptions(max_inline=1))
    before = {path: path.read_bytes() for path in [page, *(tmp_path / "report_files").iterdir()]}
    report(archive, "c.mp4", CLIP)

    def fail(*arguments: object, **options: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "_render", fail)
    with pytest.raises(KeyboardInterrupt):
        write_page([archive], page, PageOptions(max_inline=1))
    assert {path: path.read_bytes() for path in before} == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_markup_in_names_is_shown_as_text(tmp_path: Path) -> None:
    names = ["<b>&\"'.mp4", "<script><!--.mp4", "a{{ 7 * 7 }}.mp4"]
    classes = ("<i>x</i>", "b", "c", "d", "e", "f", "g")
    for name in names:
        report(tmp_path / "in", name, (block(1, 0, 0, 800, classes[0], classes=classes),), classes=classes)
    run(tmp_path / "in", "-q", "-o", tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert [video["name"] for video in page.data("table")] == sorted(names)
    text = (tmp_path / "report.html").read_text()
    assert not [mark for mark in ("<b>", "<!--.", "<i>x", ">49.") if mark in text]
    assert page.data("figures")[0]["series"][0]["emotion"] == classes[0]


def test_names_with_control_characters_and_invalid_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"a\x1b[2J\xe9\n")
    report(folder, "b.mp4", CLIP)
    report(tmp_path, "c.mp4", CLIP)
    status, output, _ = run(tmp_path, "-o", tmp_path / "report.html")
    assert (status, "\x1b" in output) == (0, False)
    page = Page(tmp_path / "report.html")
    assert ("b.mp4", r"a\x1b[2J\xe9\n") in [(video["name"], video["folder"]) for video in page.data("table")]
    assert "./a%1B%5B2J%E9%0A/b.mp4" in [video["url"] for video in page.data("table")]


def test_heat_map_shows_the_folders_with_the_most_face_time(tmp_path: Path) -> None:
    for number in range(43):
        report(tmp_path / f"in/{number:02d}", "a.mp4", (block(1, 0, 0, 800 + number, "fear"),))
    run(tmp_path / "in", "-q", "-o", tmp_path / "report.html")
    folders = Page(tmp_path / "report.html").tables[1]
    assert [row[0] for row in folders[1:]] == [f"{number:02d}" for number in range(3, 43)]
    assert re.search(r"\b40 folders\b.*, of 43\.", (tmp_path / "report.html").read_text())


def test_no_faces_give_no_charts(tmp_path: Path) -> None:
    report(tmp_path / "in", "a.mp4", ())
    assert run(tmp_path / "in", "-q", "-o", tmp_path / "report.html") == (0, "", "")
    page = Page(tmp_path / "report.html")
    assert (len(page.tables), page.data("figures")) == (0, [])
    assert "No faces found" in (tmp_path / "report.html").read_text()
    assert "Chart.js Contributors" not in (tmp_path / "report.html").read_text()


def test_a_directory_without_tables_suggests_to_annotate_it(tmp_path: Path) -> None:
    for has_video in (False, True):
        if has_video:
            (tmp_path / "a.mp4").write_bytes(b"")
        status, output, errors = run(tmp_path, "-o", tmp_path / "report.html")
        assert (status, output, errors.startswith(f"{tmp_path}: no tables")) == (1, "", True)
        assert (f"`annotate {tmp_path}`" in errors) == has_video
        assert not (tmp_path / "report.html").exists()


def test_a_missing_path_is_reported(tmp_path: Path) -> None:
    status, output, errors = run(tmp_path / "none", "-o", tmp_path / "report.html")
    assert (status, output) == (2, "")
    assert f"{tmp_path}/none: " in errors
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("in", "-o", "report.pdf"), 2, ".html or .htm"),
        (("in", "-o", "a.mp4"), 2, ".html or .htm"),
        (("in", "--jobs", "0"), 2, "0 is not in the range x>=1"),
        ((), 2, "Missing argument 'PATH...'"),
    ],
)
def test_wrong_usage(
    archive: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, message: str
) -> None:
    monkeypatch.chdir(archive.parent)
    found, output, errors = run(*arguments)
    assert (found, output) == (status, "")
    assert message in " ".join(errors.split())
    assert os.listdir() == ["in"]


@pytest.mark.parametrize(("library", "package"), [("jinja2", "jinja2"), ("PIL", "pillow")])
def test_a_missing_package_is_reported_before_work_begins(
    archive: Path, monkeypatch: pytest.MonkeyPatch, library: str, package: str
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == library else find_spec(name))
    monkeypatch.setattr(build, "collect", lambda *arguments: pytest.fail("work has started"))
    status, _, errors = run(archive, "-o", archive / "report.html")
    assert status == 2
    assert f" needs {package}, " in errors
    assert "[report]" in errors
