"""Trials: figures by trial, condition and participant, compared with numbers computed by hand."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import annotate
from annotate.analytics.trials import match_trials, read_trials
from annotate.emotions.labels import EMOTIONS
from annotate.errors import CodingError, SettingsError, UnreadableError
from annotate.results.baseline import log_ratios, reference
from annotate.settings import MEDIAN
from tests.analytics.agreement.samples import write
from tests.analytics.samples import CLIP, MOVIE, block, report

COLUMNS = "video,start,end,condition,participant,order"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """`MOVIE` (a.mp4) and `CLIP` (b.mp4, sadness from 1 to 4 s)."""
    report(tmp_path / "in", "a.mp4", MOVIE)
    report(tmp_path / "in", "b.mp4", CLIP, duration_s=5.0)
    return tmp_path / "in"


@pytest.fixture
def trials(tmp_path: Path) -> Path:
    """Three trials of two participants: of a.mp4 the first 1.6 s and the rest until 3 s, of b.mp4 from 0 to 2 s."""
    rows = ("a.mp4,0,1.6,film,P1,x", "a,1.6,3,rest,P1,y", "b.mp4,0,2,film,P2,z")
    return write(tmp_path / "trials.csv", *rows, columns=COLUMNS)


def test_rows_by_trial(archive: Path, trials: Path) -> None:
    """In the first trial face 1 has 0.8 s of anger and 0.8 s of happiness, face 2 0.1 s of anger; one change."""
    rows = annotate.summarize(archive, trials=trials)
    key = ["trial", "condition", "participant", "video", "older", "order"]
    assert list(rows.columns[: len(key)]) == key
    assert rows[["trial", "condition", "participant", "order"]].to_numpy().tolist() == [
        ["1", "film", "P1", "x"],
        ["2", "rest", "P1", "y"],
        ["3", "film", "P2", "z"],
    ]
    numbers = rows[["duration_s", "face_s", "face_time_s", "faces", "anger", "happiness", "sadness"]].to_numpy()
    assert numbers.tolist() == [
        [1.6, 1.6, 1.7, 2, 0.5294, 0.4706, 0],
        [1.4, 0.7, 1.1, 2, 0.6364, 0.3636, 0],
        [2.0, 1.0, 1.0, 1, 0, 0, 1.0],
    ]
    assert rows["changes_per_minute"].tolist() == [round(60 / 1.7, 2), 0, 0]


@pytest.mark.parametrize(
    ("by", "names", "counts", "face_time_s"),
    [("condition", ["film", "rest"], [2, 1], [2.7, 1.1]), ("participant", ["P1", "P2"], [2, 1], [2.8, 1.0])],
)
def test_rows_by_group(
    archive: Path, trials: Path, by: str, names: list[str], counts: list[int], face_time_s: list[float]
) -> None:
    rows = annotate.summarize(archive, by, trials=trials)
    assert [rows[name].tolist() for name in (by, "trials", "face_time_s")] == [names, counts, face_time_s]
    assert list(rows.columns[:3]) == [by, "trials", "older"]


def test_moments_end_with_their_trial(archive: Path, trials: Path) -> None:
    found = annotate.find_moments(archive, "happiness", trials=trials)
    assert found[["start_time", "end_time", "trial", "condition", "order"]].to_numpy().tolist() == [
        [0.8, 1.6, "1", "film", "x"],
        [1.6, 2.0, "2", "rest", "y"],
    ]


def test_agreement_by_group(archive: Path, trials: Path, tmp_path: Path) -> None:
    coding = write(tmp_path / "all.csv", "a,0,2,anger", "b,0,4,sad", columns="video,start,end,emotion")
    found = annotate.agree(archive, coding, trials=trials, face="first")
    assert found.compared_s == pytest.approx(1.6 + 0.4 + 1.0)
    percents = {by: {name: each.percent_agreement for name, each in own.items()} for by, own in found.groups.items()}
    assert percents["trial"] == pytest.approx({"1": 50, "2": 0, "3": 100})
    assert percents["condition"] == pytest.approx({"film": 100 * 1.8 / 2.6, "rest": 0})
    assert percents["participant"] == pytest.approx({"P1": 40, "P2": 100})
    assert [row["condition"] for row in found.document()["by_condition"]] == ["film", "rest"]
    assert set(found.table()["group"]) >= {"trial", "condition", "participant"}


def test_missing_overlapping_and_late_trials_are_told(archive: Path, tmp_path: Path) -> None:
    rows = ("a,0,1,x", "a,.5,2,y", "c,0,1,x", "c,1,2,x", "d,0,1,x", "a,2,99,x")
    path = write(tmp_path / "t.csv", *rows, columns="video,start,end,condition")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = annotate.summarize(archive, trials=path)
    assert found["trial"].tolist() == ["1", "2", "6"]
    assert found["duration_s"].tolist() == [1, 1.5, 8]
    said = [str(warning.message) for warning in caught]
    missing = "3 trials of videos without a table left out (c, d)"
    for part in ("trials 1 and 2 of a overlap", missing, "1 video without a trial", "trial 6 ends after"):
        assert any(part in text for text in said), part


def test_names_of_trials_may_repeat_in_participants(archive: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "1,a,0,1,P1", "1,b,0,1,P2", "2,b,1,2,P2", columns="trial,video,start,end,participant")
    assert [trial.name for trial in read_trials(path).trials] == ["P1 1", "P2 1", "2"]


@pytest.mark.parametrize("row", ["", "a,0", "a,2,1", ",0,1", "a,x,1"])
def test_a_table_that_cannot_be_used_gets_a_sentence(archive: Path, tmp_path: Path, row: str) -> None:
    path = write(tmp_path / "t.csv", row, columns="video,start,end")
    with pytest.raises(CodingError) as caught:
        annotate.summarize(archive, trials=path)
    assert caught.value.path == path
    with pytest.raises(UnreadableError):
        annotate.summarize(archive, trials=tmp_path / "none.csv")


def test_a_name_of_two_videos_needs_its_folder(archive: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "x/a.emotions.csv", tmp_path / "y/a.emotions.csv"]
    with pytest.raises(CodingError, match="2 videos"):
        match_trials(read_trials(write(tmp_path / "t.csv", "a,0,1", columns="video,start,end")), paths)
    named = match_trials(read_trials(write(tmp_path / "t.csv", "y/a.mp4,0,1", columns="video,start,end")), paths)
    assert list(named.by_report) == [paths[1]]


def test_what_people_corrected_counts_in_trials(archive: Path, trials: Path, tmp_path: Path) -> None:
    (archive / "a.emotions.corrections.csv").write_text("face_id,start_time,end_time,emotion,author\n1,0,0.4,fear,Ann\n")
    rows = annotate.summarize(archive, trials=trials)
    assert rows.loc[0, ["face_time_s", "fear"]].tolist() == [1.7, pytest.approx(0.4 / 1.7, abs=1e-4)]
    with pytest.warns(UserWarning, match="participants left out"):
        annotate.export(archive, tmp_path / "out.csv", trials=trials, baseline_trial="rest")
    table = pd.read_csv(tmp_path / "out.csv", keep_default_na=False).groupby("source")[["author", "machine_emotion"]].first()
    assert table.loc["author"].tolist() == ["Ann", "anger"]


@pytest.mark.parametrize(
    "options",
    [{"by": "condition"}, {"by": "video", "trials": "x"}, {"baseline_trial": "x"}, {"trials": "x", "baseline_trial": "no"}],
)
def test_options_that_do_not_fit(archive: Path, trials: Path, options: dict[str, str]) -> None:
    given = {name: str(trials) if name == "trials" else value for name, value in options.items()}
    with pytest.raises(SettingsError):
        annotate.summarize(archive, **given)  # type: ignore[arg-type]


def test_baseline_of_the_participant(tmp_path: Path) -> None:
    """P1 looks sad in the neutral trial, in another video, and more so later; P2 has no neutral trial."""
    rest = [block(1, n, n * 800, n * 800 + 800, "sadness", confidence=0.4) for n in range(4)]
    task = [block(3, 0, 0, 800, "sadness", confidence=0.4), block(3, 1, 800, 1600, "happiness", confidence=0.94)]
    for name, blocks in (("rest", rest), ("task", task), ("other", task)):
        report(tmp_path, f"{name}.mp4", blocks)
    rows = ("rest,0,4,neutral,P1", "task,0,2,task,P1", "other,0,2,task,P2")
    trials = write(tmp_path / "t.csv", *rows, columns="video,start,end,condition,participant")
    with pytest.warns(UserWarning, match=r"1 participant left out \(P2\)"):
        found = annotate.find_moments(tmp_path, trials=trials, baseline_trial="neutral")
    shown = found[["video", "emotion"]].assign(video=[Path(name).stem for name in found["video"]])
    assert shown.to_numpy().tolist() == [["rest", "neutral"], ["task", "neutral"], ["task", "happiness"]]
    expected = np.array([[0.1] * 7, [0.01] * 7])
    expected[[0, 1], [EMOTIONS.index("sadness"), EMOTIONS.index("happiness")]] = (0.4, 0.94)
    ratios = log_ratios(expected)
    scores = np.exp(ratios[1] - ratios[0] + np.log(reference(EMOTIONS)))
    assert found["confidence"].tolist() == pytest.approx([0.7, 0.7, (scores / scores.sum()).max()], abs=2e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coding = write(tmp_path / "coding.csv", "task,0,2,neutral", columns="video,start,end,emotion")
        agreement = annotate.agree(tmp_path, coding, trials=trials, baseline_trial="neutral")
        assert agreement.percent_agreement == pytest.approx(50)
        table = annotate.summarize(tmp_path, "condition", trials=trials, baseline_trial="neutral")
    assert dict(zip(table["condition"], table["dominant"], strict=True)) == {"neutral": "neutral", "task": "happiness"}
    assert isinstance(table, pd.DataFrame)


def test_an_export_has_what_is_relative_to_a_trial_beside_the_rest(tmp_path: Path) -> None:
    """It replaces what is relative to the face; a person's label stands, and who has no baseline trial has none."""
    rest = [block(1, n, n * 800, n * 800 + 800, "sadness", confidence=0.4) for n in range(4)]
    task = [block(1, n, n * 800, n * 800 + 800, "sadness", confidence=0.4) for n in range(3)]
    for name, blocks in (("rest", rest), ("task", task), ("other", task)):
        report(tmp_path, f"{name}.mp4", blocks, baseline=MEDIAN)
    (tmp_path / "task.emotions.corrections.csv").write_text("face_id,start_time,end_time,emotion\n1,0.8,1.6,anger\n")
    rows = ("rest,0,4,neutral,P1", "task,0,2.4,task,P1", "other,0,2.4,task,P2")
    trials = write(tmp_path / "t.csv", *rows, columns="video,start,end,condition,participant")
    with pytest.warns(UserWarning, match="P2"):
        done = annotate.export(tmp_path, tmp_path / "out.csv", trials=trials, baseline_trial="neutral")
    table = pd.read_csv(done.path, keep_default_na=False)
    assert len(table) == 10
    assert table["relative_emotion"].tolist() == [""] * 3 + ["neutral"] * 4 + ["neutral", "anger", "neutral"]
    assert table["relative_neutral"].tolist() == [""] * 3 + ["0.7"] * 5 + ["0.0", "0.7"]
    assert table["emotion"].tolist() == ["sadness"] * 8 + ["anger", "sadness"]
    assert "in trials called 'neutral'" in done.codebook.read_text()
