"""Videos that were renamed with their outputs, names in other Unicode forms, and long names."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from annotate.analytics.read import ReportBatch, read_reports
from annotate.archive.find_reports import find_reports
from annotate.archive.layout import OutputOptions, candidate_outputs
from annotate.archive.scan import scan
from annotate.archive.stored_report import read_report
from annotate.batch.convert import convert_archive, scan_reports
from annotate.batch.job import Status
from annotate.batch.render import SOFT, RenderOptions, render_archive, scan_renders
from annotate.settings import Settings
from tests.runs import annotate, check, name_all

NAMING = OutputOptions(("csv", "json", "eaf", "otio"))
NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory, face_clip: Path) -> Path:
    """An annotated video called ``café`` in the form NFC; read-only."""
    folder = tmp_path_factory.mktemp("annotated")
    shutil.copy2(face_clip, folder / f"{NFC}.mp4")
    list(annotate([folder]))
    return folder


@pytest.fixture(params=["party", NFD, f"{NFC}.1"])
def renamed(annotated: Path, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """A copy in which the video and all its outputs have another name, which is returned too."""
    folder = Path(shutil.copytree(annotated, tmp_path / "renamed"))
    for path in list(folder.iterdir()):
        path.rename(path.with_name(request.param + path.name.removeprefix(NFC)))
    return folder, request.param


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_command_takes_a_renamed_video_under_its_new_name(renamed: tuple[Path, str]) -> None:
    folder, name = renamed
    before, video, table = contents(folder), folder / f"{name}.mp4", folder / f"{name}.emotions.csv"
    assert [(outcome.path, outcome.status) for outcome in annotate([folder])] == [(video, Status.UP_TO_DATE)]
    assert check([folder]) == []
    assert find_reports([video]).reports == [table] == find_reports([folder]).reports
    (batch,) = read_reports([table])
    assert isinstance(batch, ReportBatch)
    assert [report.video_path for report in batch.reports.values()] == [video]
    assert len(batch.blocks) > 0
    report = read_report(table)
    assert (report.video, report.meta.source.name) == (video.name, video.name)
    assert contents(folder) == before
    (outcome,) = convert_archive(scan_reports([folder]), OutputOptions(("vtt",)))
    assert (outcome.path, outcome.status) == (video, Status.CONVERTED)
    assert (folder / f"{name}.emotions.en.vtt").exists()
    (outcome,) = render_archive(scan_renders([folder]))
    assert (outcome.path, outcome.status) == (video, Status.RENDERED)
    assert (folder / f"{name}.emotions.boxes.en.mp4").exists()
    assert check([folder]) == []


@pytest.fixture(scope="module")
def naming(tmp_path_factory: pytest.TempPathFactory, face_clip: Path) -> Path:
    """A video called ``old`` with the outputs that name it inside; read-only."""
    folder = tmp_path_factory.mktemp("naming")
    shutil.copy2(face_clip, folder / "old.mp4")
    list(annotate([folder], options=NAMING))
    return folder


@pytest.fixture
def named_anew(naming: Path, tmp_path: Path) -> Path:
    """A copy in which the video and its outputs are called ``new``."""
    folder = Path(shutil.copytree(naming, tmp_path / "named"))
    for path in list(folder.iterdir()):
        path.rename(path.with_name("new" + path.name.removeprefix("old")))
    return folder


def test_outputs_that_name_a_renamed_video_are_written_again(
    named_anew: Path, naming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate.batch.annotate.analyze", lambda *arguments: pytest.fail("decoded"))
    eaf, sidecar = named_anew / "new.emotions.eaf", named_anew / "new.emotions.meta.json"
    former = sidecar.read_bytes()
    eaf.write_text(eaf.read_text() + "<!-- mine -->\n")
    edited = eaf.read_bytes()
    (outcome,) = annotate([named_anew])
    assert outcome.status is Status.CONVERTED
    assert eaf.name in outcome.problem
    assert eaf.read_bytes() == edited
    for ending in ("json", "otio"):
        text = (named_anew / f"new.emotions.{ending}").read_text()
        assert text == (naming / f"old.emotions.{ending}").read_text().replace("old.mp4", "new.mp4")
    assert [finding.path for finding in check([named_anew])] == [eaf]
    after = contents(named_anew)
    assert b"old" not in after[sidecar.name]
    assert [outcome.status for outcome in annotate([named_anew])] == [Status.UP_TO_DATE]
    assert contents(named_anew) == after
    sidecar.write_bytes(former)  # as if the run was killed before it wrote the sidecar
    assert [outcome.status for outcome in annotate([named_anew])] == [Status.CONVERTED]
    assert contents(named_anew) == after


def test_rendering_a_renamed_video_writes_its_name_too(named_anew: Path) -> None:
    (outcome,) = render_archive(scan_renders([named_anew], RenderOptions(SOFT)))
    assert outcome.status is Status.RENDERED
    assert b"old.mp4" not in (named_anew / "new.emotions.json").read_bytes()
    assert check([named_anew]) == []


def test_a_renamed_video_whose_table_was_edited_is_not_decoded(named_anew: Path) -> None:
    table = named_anew / "new.emotions.csv"
    table.write_text(table.read_text() + "\n")
    before = contents(named_anew)
    assert [outcome.status for outcome in annotate([named_anew], options=NAMING)] == [Status.UP_TO_DATE]
    assert contents(named_anew) == before


def test_a_video_of_which_only_the_form_of_the_name_changed_keeps_its_outputs(annotated: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(annotated, tmp_path / "moved"))
    video = (folder / f"{NFC}.mp4").rename(folder / f"{NFD}.mp4")
    before = contents(folder)
    assert [(outcome.path, outcome.status) for outcome in annotate([folder])] == [(video, Status.UP_TO_DATE)]
    assert check([folder]) == []
    (table,) = find_reports([video]).reports
    assert table == folder / f"{NFC}.emotions.csv"
    assert read_report(table).video == video.name
    assert [outcome.status for outcome in convert_archive(scan_reports([folder]), OutputOptions())] == [Status.UP_TO_DATE]
    assert contents(folder) == before


def test_a_name_that_is_too_long_in_another_form_is_no_error(annotated: Path, tmp_path: Path) -> None:
    folder, name = Path(shutil.copytree(annotated, tmp_path / "long")), unicodedata.normalize("NFC", "é" * 100)
    for path in list(folder.iterdir()):
        path.rename(path.with_name(name + path.name.removeprefix(NFC)))
    (folder / f"{name}.mp4").unlink()
    assert read_report(folder / f"{name}.emotions.csv").video == f"{name}.mp4"


def test_another_video_of_the_new_name_is_annotated(annotated: Path, tmp_path: Path, empty_clip: Path) -> None:
    folder = Path(shutil.copytree(annotated, tmp_path / "other"))
    for path in list(folder.iterdir()):
        path.rename(path.with_name("party" + path.name.removeprefix(NFC)))
    shutil.copy(empty_clip, folder / "party.mp4")
    assert [outcome.status for outcome in annotate([folder])] == [Status.NO_FACES]


def test_two_forms_of_a_name_never_share_outputs(tmp_path: Path, face_clip: Path, empty_clip: Path) -> None:
    one, two = tmp_path / f"{NFC}.mp4", tmp_path / f"{NFD}.mp4"
    shutil.copy(face_clip, one)
    shutil.copy(empty_clip, two)
    names = name_all([one, two])
    keys = {unicodedata.normalize("NFC", str(outputs.base)) for outputs in names.values()}
    assert len(keys) == 2
    first = [outcome.status for outcome in annotate([tmp_path])]
    assert sorted(status.value for status in first) == ["annotated", "no_faces"]
    assert name_all([one, two]) == names
    assert [outcome.status for outcome in annotate([one])] == [Status.UP_TO_DATE]
    assert [outcome.status for outcome in annotate([two])] == [Status.UP_TO_DATE]
    assert check([tmp_path]) == []


@pytest.mark.parametrize("stem", ["a" * 251, "b" * 233, "ж" * 125, "a" * 215])
def test_long_names_have_shortened_outputs_that_every_command_finds(tmp_path: Path, face_clip: Path, stem: str) -> None:
    video = tmp_path / f"{stem}.mp4"
    shutil.copy(face_clip, video)
    assert [outcome.status for outcome in annotate([tmp_path])] == [Status.ANNOTATED]
    names = {name for name in os.listdir(tmp_path) if ".emotions." in name}
    assert {name.partition(".emotions.")[2] for name in names} == {"csv", "boxes.csv", "en.srt", "meta.json"}
    assert all(len(os.fsencode(name)) < 235 for name in names)
    assert [outcome.status for outcome in annotate([tmp_path])] == [Status.UP_TO_DATE]
    assert check([tmp_path]) == []
    (table,) = find_reports([video]).reports
    assert find_reports([tmp_path]).reports == [table]
    assert read_report(table).video == video.name
    assert [outcome.status for outcome in render_archive(scan_renders([tmp_path]))] == [Status.RENDERED]
    other = annotate([tmp_path], Settings(detection_interval_ms=100), options=OutputOptions(("csv", "textgrid")))
    assert [outcome.status for outcome in other] == [Status.ANNOTATED]
    assert check([tmp_path])[0].path.name.endswith(".boxes.en.mp4")


def test_long_names_with_a_common_start_have_outputs_of_their_own(tmp_path: Path) -> None:
    videos = [tmp_path / f"{'a' * 240}{number}.mp4" for number in range(3)]
    for video in videos:
        video.touch()
    assert len({outputs.base for outputs in name_all(videos).values()}) == 3
    assert len(list(scan([tmp_path]))) == 3


def test_outputs_of_a_long_name_that_were_not_shortened_are_still_found(tmp_path: Path, face_clip: Path) -> None:
    shutil.copy(face_clip, tmp_path / "a.mp4")
    list(annotate([tmp_path]))
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name("b" * 225 + path.name.removeprefix("a")))
    video = tmp_path / f"{'b' * 225}.mp4"
    assert [outcome.status for outcome in annotate([tmp_path])] == [Status.UP_TO_DATE]
    assert find_reports([video]).reports == [tmp_path / f"{'b' * 225}.emotions.csv"]
    assert len(candidate_outputs(video, tmp_path)) > 2
