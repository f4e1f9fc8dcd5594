"""Agreement with codings, compared with numbers computed by hand and by scikit-learn."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

import annotate
from annotate.archive.stored_report import read_report
from annotate.emotions.labels import EMOTIONS
from annotate.errors import CodingError, SettingsError
from annotate.results.formats.registry import TRACK_FORMATS, format_track
from tests.analytics.agreement.samples import FILM, film, sized, write
from tests.analytics.samples import block, report


def seconds(found: annotate.Agreement) -> dict[tuple[str, str], float]:
    """Return the cells of the confusion matrix that are not 0."""
    cells = found.confusion.stack()
    return {(str(code), str(emotion)): float(value) for (code, emotion), value in cells[cells > 0].items()}


def test_samples_are_at_the_middle_of_each_step(tmp_path: Path) -> None:
    """Happiness has the steps around 0.5, 0.7 and 0.9 s, sadness that around 1.1 s: the earlier of two codes holds."""
    film(tmp_path)
    coding = write(tmp_path / "film.csv", "0.41,0.91,happy", "0.7,1.2,sad", "1.2,1.21,anger", "2.2,2.9,Surprised")
    found = annotate.agree(tmp_path, coding, step_s=0.2)
    assert seconds(found) == pytest.approx(
        {("happiness", "happiness"): 0.6, ("sadness", "neutral"): 0.2, ("surprise", "surprise"): 0.2}
    )
    assert found.compared_s == pytest.approx(1.0)
    assert found.percent_agreement == pytest.approx(80)
    assert (found.without_row_s, found.without_code_s) == pytest.approx((0.4, 1.4))
    assert found.left_out_s == pytest.approx(1.8)


def test_figures_equal_those_of_scikit_learn(tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    emotions = random.choice(EMOTIONS[:4], 60)
    film(tmp_path, blocks=[block(1, n, n * 500, n * 500 + 500, name) for n, name in enumerate(emotions)], duration_s=30)
    codes = np.where(random.random(60) < 0.6, emotions, random.choice(EMOTIONS[:4], 60))
    rows = [f"{0.3 + n * 0.5},{0.8 + n * 0.5},{name}" for n, name in enumerate(codes)]
    found = annotate.agree(tmp_path, write(tmp_path / "film.csv", *rows))
    at_s = np.arange(0.05, 30, 0.1)
    at_s = at_s[at_s > 0.3]
    model, human = emotions[(at_s / 0.5).astype(int)], codes[((at_s - 0.3) / 0.5).astype(int)]
    assert found.compared_s == pytest.approx(len(at_s) * 0.1)
    assert found.kappa == pytest.approx(sklearn.cohen_kappa_score(human, model))
    assert found.percent_agreement == pytest.approx(100 * sklearn.accuracy_score(human, model))
    expected = sklearn.precision_recall_fscore_support(human, model, labels=EMOTIONS[:4])[:3]
    assert (
        pytest.approx(np.stack(expected), abs=1e-4)
        == found.by_emotion.loc[list(EMOTIONS[:4]), ["precision", "recall", "f1"]].to_numpy().T
    )
    for name in EMOTIONS[:4]:
        kappa = sklearn.cohen_kappa_score(human == name, model == name)
        assert found.by_emotion.loc[name, "kappa"] == pytest.approx(kappa, abs=1e-4)
    matrix = sklearn.confusion_matrix(human, model, labels=EMOTIONS) * 0.1
    assert found.confusion.to_numpy() == pytest.approx(matrix, abs=1e-3)


BOTH = (
    sized(block(1, 0, 0, 1000, "neutral"), 50),
    sized(block(2, 0, 0, 1000, "happiness"), 90),
    sized(block(3, 0, 0, 1000, "sadness"), 60),
)


@pytest.mark.parametrize(
    ("face", "code", "seen"),
    [
        ("largest", "sad", "happiness"),
        ("first", "sad", "neutral"),
        ("any", "sad", "sadness"),
        ("any", "anger", "happiness"),
    ],
)
def test_the_face_that_counts(tmp_path: Path, face: str, code: str, seen: str) -> None:
    film(tmp_path, blocks=BOTH)
    found = annotate.agree(tmp_path, write(tmp_path / "film.csv", f"0,1,{code}"), face=face)
    assert [emotion for _, emotion in seconds(found)] == [seen]


def test_codes_of_faces(tmp_path: Path) -> None:
    """A code of a face is compared with that face; a face that the table does not have is left out."""
    film(tmp_path, blocks=BOTH)
    coding = write(tmp_path / "film.csv", "0,1,sad,3", "0,.5,happy,1", "0,1,anger,9", columns="start,end,emotion,face")
    found = annotate.agree(tmp_path, coding)
    assert seconds(found) == pytest.approx({("sadness", "sadness"): 1.0, ("happiness", "neutral"): 0.5})
    assert (found.without_row_s, found.without_code_s) == pytest.approx((1.0, 0.5))


def test_codes_of_persons_need_a_table_that_has_them(tmp_path: Path) -> None:
    film(tmp_path, blocks=BOTH)
    coding = write(tmp_path / "film.csv", "0,1,happy,Eva", columns="start,end,emotion,person")
    assert annotate.agree(tmp_path, coding).kappa != 0
    write(coding, "0,1,happy,Eva", "0,1,happy,Max", columns="start,end,emotion,person")
    with pytest.raises(CodingError, match="2 persons"):
        annotate.agree(tmp_path, coding)


def test_labels_are_names_synonyms_or_mapped(tmp_path: Path) -> None:
    film(tmp_path)
    coding = write(tmp_path / "film.csv", "0,.4,Happy", "1,1.5,contempt", "2,2.5,bored")
    found = annotate.agree(tmp_path, coding, labels={"Contempt": "disgusted"})
    assert seconds(found) == pytest.approx({("happiness", "happiness"): 0.4, ("disgust", "neutral"): 0.5})
    assert found.unmapped == {"bored": 0.5}
    with pytest.raises(SettingsError, match="disgst"):
        annotate.agree(tmp_path, coding, labels={"contempt": "disgst"})


def test_several_coders(tmp_path: Path) -> None:
    """Ten samples that both coded, of which they agree on 6; the last 5 have one coder only."""
    film(tmp_path)
    rows = ("0,1,happy,anna", "1,2.5,neutral,anna", "0,0.6,happy,ben", "0.6,1,sad,ben")
    found = annotate.agree(tmp_path, write(tmp_path / "film.csv", *rows, columns="start,end,emotion,coder"))
    assert {name: round(figures.compared_s, 3) for name, figures in found.coders.items()} == {"anna": 2.5, "ben": 1.0}
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.figures.percent_agreement) == ("anna", "ben", pytest.approx(60))
    assert pair.figures.kappa.value == pytest.approx(0)
    assert found.fleiss_kappa == pytest.approx(1 - 0.4 / (1 - 0.8**2 - 0.2**2))
    assert found.krippendorff_alpha == pytest.approx(1 - 19 * 4 * 2 / (2 * 16 * 4))
    assert found.compared_s == pytest.approx(3.5)


def test_coders_by_file_and_by_folder(tmp_path: Path) -> None:
    film(tmp_path / "films")
    for name in ("anna/film.csv", "ben/film.csv"):
        write(tmp_path / "codings" / name, "0,1,happy")
    write(tmp_path / "more/film.cleo.csv", "0,1,sad")
    found = annotate.agree(tmp_path / "films", [tmp_path / "codings"])
    assert list(found.coders) == ["anna", "ben"]
    assert list(annotate.agree(tmp_path / "films", tmp_path / "more").coders) == ["cleo"]
    by_path = [tmp_path / "codings/ben/film.csv", tmp_path / "codings/anna"]
    assert list(annotate.agree(tmp_path / "films", by_path).coders) == ["anna", "ben"]
    write(tmp_path / "codings/anna/other/film.csv", "0,1,happy")
    with pytest.raises(CodingError, match="second coding"):
        annotate.agree(tmp_path / "films", tmp_path / "codings")


def test_the_interval_is_a_bootstrap_over_videos(tmp_path: Path) -> None:
    """Videos weigh by their time; with one video there is no interval."""
    rows = []
    for number in range(6):
        film(tmp_path, f"v{number}.mp4")
        code = "neutral" if number else "happy"
        rows += [f"v{number}.mp4,0,1,happy", f"v{number}.mp4,1,{1.2 if number else 2},{code}"]
    coding = write(tmp_path / "all.csv", *rows, columns="video,start,end,emotion")
    found = annotate.agree(tmp_path, coding)
    assert found.figures.videos == 6
    assert found.percent_agreement == pytest.approx(100 * (5 * 1.2 + 1) / (5 * 1.2 + 2))
    assert found.figures.kappa.low < found.kappa < found.figures.kappa.high == 1
    with pytest.warns(UserWarning, match="5 videos left out"):
        single = annotate.agree(tmp_path / "v0.emotions.csv", coding)
    assert single.figures.cells["kappa_low"] is None


def test_moments_of_disagreement_by_length_and_confidence(tmp_path: Path) -> None:
    film(tmp_path)
    coding = write(tmp_path / "film.csv", "0,.6,anger", "0.6,2,happy", "2,2.5,fear")
    moments = annotate.agree(tmp_path, coding).disagreement_table()
    assert moments["start_time"].tolist() == [1.0, 0.0, 2.0]
    assert moments.iloc[0].to_dict() == {
        "video": str(tmp_path / "film.mp4"),
        "coder": "coder",
        "face_id": 1,
        "start_time": 1.0,
        "end_time": 2.0,
        "duration_s": 1.0,
        "code": "happiness",
        "emotion": "neutral",
        "confidence": 0.6,
    }


def test_the_document_and_the_table(tmp_path: Path) -> None:
    film(tmp_path)
    found = annotate.agree(tmp_path, write(tmp_path / "film.csv", "0,1,happy", "1,2,sad"))
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    named = {"kappa", "percent_agreement", "by_emotion", "confusion", "coders", "step_s", "compared_s", "left_out_s"}
    assert named <= document.keys()
    assert (document["percent_agreement"], document["compared_s"], document["step_s"]) == (50.0, 2.0, 0.1)
    assert document["confusion"]["seconds"][EMOTIONS.index("sadness")][EMOTIONS.index("neutral")] == 1.0
    assert document["by_emotion"]["anger"]["kappa"] is None
    assert [each["coder"] for each in document["coders"]] == ["coder"]
    table = found.table()
    assert table["group"].tolist() == ["all", *["emotion"] * 7, "coder"]
    assert table["kappa"].iloc[0] == document["kappa"]


def test_what_cannot_be_compared_gets_a_sentence(tmp_path: Path) -> None:
    film(tmp_path / "films")
    coding = write(tmp_path / "other.csv", "0,1,happy")
    with pytest.raises(CodingError, match="no table has a coding"):
        annotate.agree(tmp_path / "films", coding)
    both = write(tmp_path / "both.csv", "film,0,1,happy", "x,0,1,happy", columns="video,start,end,emotion")
    with pytest.warns(UserWarning, match=r"1 video left out \(x\)"):
        annotate.agree(tmp_path / "films", both)
    for options in ({"step_s": 0}, {"face": "smallest"}):
        with pytest.raises(SettingsError):
            annotate.agree(tmp_path / "films", coding, **options)  # type: ignore[arg-type]


def test_the_order_of_videos_does_not_matter(tmp_path: Path) -> None:
    """Reports in two batches give the same figures as in one, with other classes."""
    film(tmp_path, "a.mp4")
    classes = ("joy", "neutral", "surprise")
    blocks = [block(1, 0, 0, 1000, "joy", classes=classes)]
    report(tmp_path, "b.mp4", blocks, classes=classes)
    coding = write(tmp_path / "all.csv", "a,0,1,happy", "b,0,1,happy", columns="video,start,end,emotion")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = annotate.agree([tmp_path / "a.emotions.csv", tmp_path / "b.emotions.csv"], coding)
        other = annotate.agree([tmp_path / "b.emotions.csv", tmp_path / "a.emotions.csv"], coding)
    assert_frame_equal(one.confusion, other.confusion)
    assert seconds(one) == pytest.approx({("happiness", "happiness"): 1.0})
    assert FILM[0].emotion in one.confusion


def test_what_annotate_wrote_for_elan_and_praat_agrees_with_itself(annotated_samples: Path, tmp_path: Path) -> None:
    """A coder who corrects nothing agrees on every face and sample."""
    for name in ("eaf", "textgrid"):
        ending = TRACK_FORMATS[name].ending
        text = format_track(name, read_report(annotated_samples / "two_faces.emotions.csv"), "en") or ""
        coding = tmp_path / f"two_faces.emotions{ending}"
        coding.write_text(text, encoding="utf-8")
        found = annotate.agree(annotated_samples, coding)
        assert (found.percent_agreement, found.kappa, found.left_out_s) == (100, 1, 0)
        assert found.compared_s > 11
