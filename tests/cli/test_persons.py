"""``annotate --persons`` and ``annotate persons``, with real descriptors."""

from __future__ import annotations

import csv
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from annotate.archive.stored_report import read_report
from annotate.batch.job import Status
from annotate.persons.descriptor import PACKAGE
from tests.cli.answers import Answer, run
from tests.clips import H264, SAMPLES, SHARED_CLIPS, run_ffmpeg
from tests.runs import annotate

pytestmark = pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")

OTHER = SHARED_CLIPS / "intel/head-pose-face-detection-male.gif"


def in_folder(folder: Path, *arguments: str) -> Answer:
    """Run a command in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run(*arguments)


SCALED = "scale=640:360,setsar=1,fps=25"
SHOTS = (
    f"[0:v]trim=0.5:1.3,{SCALED}",
    f"[1:v]trim=0.5:1.3,{SCALED}",
    f"[0:v]trim=2:2.8,{SCALED},eq=brightness=-0.15",
    f"[1:v]trim=2:2.8,{SCALED},eq=contrast=1.2",
    "[0:v]trim=3:3.8,scale=800:450,crop=640:360,setsar=1,fps=25",
    f"[1:v]trim=3:3.8,{SCALED}",
)


def cut(path: Path, *videos: Path, shots: tuple[str, ...] = SHOTS) -> None:
    """Write shots of videos one after another."""
    chains = [f"{shot},setpts=PTS-STARTPTS,format=yuv420p[v{number}]" for number, shot in enumerate(shots)]
    joined = "".join(f"[v{number}]" for number in range(len(shots))) + f"concat=n={len(shots)}[out]"
    inputs = [argument for video in videos for argument in ("-i", video)]
    run_ffmpeg(*inputs, "-filter_complex", ";".join([*chains, joined]), "-map", "[out]", *H264, path)


def column(path: Path) -> list[tuple[int, int]]:
    """Return face track and person of the rows of a table, each pair once, and check that the column is the last."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-1] == "person"
    return sorted({(int(row["face_id"]), int(row["person"])) for row in rows})


@pytest.mark.skipif(not OTHER.exists(), reason="the clips of other people are not there")
def test_two_people_in_six_shots_are_two_persons(tmp_path: Path) -> None:
    cut(tmp_path / "six.mp4", SAMPLES / "portrait.mp4", OTHER)
    assert in_folder(tmp_path, "-q", "--persons", ".", "--log", "log.jsonl").status == 0
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert (line["faces"], line["people"]) == (6, 2)
    assert column(tmp_path / "six.emotions.csv") == [(1, 1), (2, 2), (3, 1), (4, 2), (5, 1), (6, 2)]


PLAIN = f"trim=1:3,{SCALED}"
VIEWS = {
    "plain.mp4": f"[0:v]{PLAIN}",
    "small.mp4": f"[0:v]{PLAIN},scale=384:216,pad=640:360:-1:-1:gray,eq=gamma=0.6",
    "leaning.mp4": f"[0:v]{PLAIN},hflip,rotate=0.2:fillcolor=gray,eq=gamma=1.5",
    "together.mp4": f"[0:v]{PLAIN},scale=480:270,setsar=1[a];[1:v]{PLAIN},scale=480:270,setsar=1[b];[a][b]hstack",
}
"""One person in four files, at two sizes, in three lights and three poses, in the last one beside another person."""


@pytest.mark.skipif(not OTHER.exists(), reason="the clips of other people are not there")
def test_one_person_in_four_files_is_one_person(tmp_path: Path) -> None:
    for name, shot in VIEWS.items():
        cut(tmp_path / name, SAMPLES / "portrait.mp4", OTHER, shots=(shot,))
    assert in_folder(tmp_path, "-q", ".").status == 0
    answer = in_folder(tmp_path, "persons", ".")
    assert (answer.status, "2 persons in 5 face tracks" in answer.last_line) == (0, True), answer
    shown = {name: read_report(tmp_path / name.replace(".mp4", ".emotions.csv")).persons for name in VIEWS}
    assert sorted(person.number for person in shown.pop("together.mp4").values()) == [1, 2]
    assert len({person.number for own in shown.values() for person in own.values()}) == 1


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two annotated videos of one person, one of them with a cut."""
    folder = tmp_path_factory.mktemp("annotated")
    cut(folder / "a.mp4", SAMPLES / "portrait.mp4", SAMPLES / "no_face.mp4", shots=(SHOTS[0], SHOTS[1], SHOTS[4]))
    cut(folder / "b.mp4", SAMPLES / "portrait.mp4", shots=SHOTS[2:3])
    outcomes = [outcome.status for outcome in annotate([folder])]
    assert outcomes == [Status.ANNOTATED] * 2
    return folder


@pytest.fixture
def films(annotated: Path, tmp_path: Path) -> Path:
    """A copy of the annotated videos."""
    return Path(shutil.copytree(annotated, tmp_path / "films"))


def names(folder: Path) -> list[str]:
    return [name for video in "ab" for name in read_report(folder / f"{video}.emotions.csv").names.values()]


def test_an_archive_is_numbered_named_and_forgotten(films: Path) -> None:
    before = {path.name: path.read_bytes() for path in films.iterdir()}
    answer = in_folder(films, "persons", ".")
    assert answer.status == 0
    assert "1 person in 3 face tracks" in answer.last_line
    assert {path.name for path in films.iterdir()} - set(before) == {"archive.emotions.persons.csv"}
    assert {name: (films / name).read_bytes() for name in before if name.endswith(".csv")}.items() <= before.items()
    (films / "names.csv").write_text("person,name\n1,Eileen\n")
    assert in_folder(films, "persons", ".", "--names", "names.csv").status == 0
    assert names(films) == ["Eileen"] * 3
    assert "Eileen: " in (films / "a.emotions.en.srt").read_text()
    assert in_folder(films, "-q", ".").status == 0
    assert in_folder(films, "persons", ".", "-q", "--split", "b.mp4:1", "--name", "2=Other").status == 0
    assert names(films) == ["Eileen", "Eileen", "Other"]
    assert in_folder(films, "persons", ".", "-q", "--merge", "1,2").status == 0
    assert names(films) == ["Eileen"] * 3
    assert in_folder(films, "check", ".").status == 0
    assert in_folder(films, "persons", ".", "--forget").status == 0
    (films / "names.csv").unlink()
    assert {path.name: path.read_bytes() for path in films.iterdir()} == before


def test_a_video_has_numbers_of_its_own(films: Path) -> None:
    assert in_folder(films, "persons", "a.mp4", "-q", "--keep-embeddings").status == 0
    assert (films / "a.emotions.descriptors.npz").exists()
    assert in_folder(films, "persons", "a.mp4", "-q", "--name", "1=Eileen").status == 0
    assert names(films) == ["Eileen"] * 2
    assert not (films / "archive.emotions.persons.csv").exists()
    assert in_folder(films, "check", ".").status == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--name", "host"),
        ("--merge", "3"),
        ("--split", "a.mp4"),
        ("--name", "9=host"),
        ("--split", "a.mp4:9"),
        ("--names", "a.emotions.csv"),
    ],
)
def test_mistakes_are_reported(films: Path, options: tuple[str, str]) -> None:
    shutil.copy(films / "a.emotions.csv", films / "archive.emotions.persons.csv")
    assert in_folder(films, "persons", ".", *options).status in (1, 2)


def test_numbers_belong_to_one_path(films: Path) -> None:
    assert in_folder(films, "persons", "a.mp4", "b.mp4", "--name", "1=host").status == 2
