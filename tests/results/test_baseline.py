"""Probabilities relative to each face's own baseline, with synthetic faces whose scores differ by a constant."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from annotate.emotions.labels import EMOTIONS
from annotate.errors import SettingsError
from annotate.results.baseline import (
    FIRST_S,
    FLOOR,
    MIN_BASELINE_BLOCKS,
    REFERENCE_NEUTRAL,
    Floats,
    add_baseline,
    check_baseline,
    face_baseline,
    log_ratios,
    reference,
    relative_probabilities,
)
from annotate.results.formats.json_document import write
from annotate.results.table import class_names_of, format_table, parse_table, relative_columns, to_table
from annotate.settings import BASELINES, FIRST_SECONDS, MEDIAN, NO_BASELINE
from annotate.span import Span
from tests.results.formats.test_json_document import schema
from tests.results.reports import make_report
from tests.results.test_table import ANNOTATION

METHODS = tuple(name for name in BASELINES if name != NO_BASELINE)
NEUTRAL = EMOTIONS.index("neutral")
BLOCK_S = 0.8


def softmax(scores: Floats) -> Floats:
    """Return the probabilities of scores, the last axis being the classes."""
    exponentials = np.exp(scores)
    result: Floats = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def relative_of(scores: Floats, method: str, face_ids: list[int] | None = None) -> Floats:
    """Return the relative probabilities of blocks, one every 0.8 s, by default of one face."""
    count = len(scores)
    faces, starts_s = np.array(face_ids or [1] * count), BLOCK_S * np.arange(count)
    return relative_probabilities(softmax(scores), faces, starts_s, reference(EMOTIONS), method)


def scores_of_a_face(seed: int, count: int = 9) -> Floats:
    """Return scores of blocks, all of whose probabilities are above the floor."""
    return np.random.default_rng(seed).uniform(-0.7, 0.7, (count, len(EMOTIONS)))


def table_of(probabilities: Floats, face_ids: list[int]) -> pd.DataFrame:
    """Return a table of blocks, one every 0.8 s."""
    blocks = [
        replace(ANNOTATION, face_id=face_id, block=number, span=Span(800 * number, 800 * number + 800), probabilities=row)
        for number, (face_id, row) in enumerate(zip(face_ids, map(tuple, probabilities.tolist()), strict=True))
    ]
    return to_table(blocks, EMOTIONS)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_added_to_the_scores_of_a_face_changes_nothing(method: str) -> None:
    scores, offset = scores_of_a_face(1), np.array([0.9, 0, 0, -0.4, 0, 0.7, 0])
    assert min(softmax(scores).min(), softmax(scores + offset).min()) > FLOOR
    assert not np.allclose(softmax(scores), softmax(scores + offset), atol=0.05)
    np.testing.assert_allclose(relative_of(scores + offset, method), relative_of(scores, method))


@pytest.mark.parametrize("method", METHODS)
def test_faces_are_independent(method: str) -> None:
    one, two = scores_of_a_face(1), scores_of_a_face(2)
    both = np.stack([one, two], axis=1).reshape(-1, len(EMOTIONS))
    starts_s = np.repeat(BLOCK_S * np.arange(len(one)), 2)
    faces = np.array([7, 3] * len(one))
    found = relative_probabilities(softmax(both), faces, starts_s, reference(EMOTIONS), method)
    np.testing.assert_allclose(found[0::2], relative_of(one, method))
    np.testing.assert_allclose(found[1::2], relative_of(two, method))


@pytest.mark.parametrize("method", METHODS)
def test_a_block_like_the_baseline_is_the_reference_and_a_change_stands_out(method: str) -> None:
    sad_at_rest = np.array([0, 0, 0, 0, 0, 1.5, 0.0])
    scores = np.tile(sad_at_rest, (9, 1))
    scores[6, EMOTIONS.index("happiness")] += np.log(30)
    found = relative_of(scores, method)
    assert softmax(scores)[0].argmax() == EMOTIONS.index("sadness")
    np.testing.assert_allclose(found[:6], np.tile(reference(EMOTIONS), (6, 1)))
    np.testing.assert_allclose(found[6, [3, NEUTRAL]], [30 * 0.05 / 2.45, 0.7 / 2.45])  # 2.45 = 0.95 + 30 * 0.05


def test_the_reference_is_neutral() -> None:
    assert reference(EMOTIONS)[NEUTRAL] == REFERENCE_NEUTRAL == 0.7
    assert sorted(reference(EMOTIONS).round(6)) == [0.05] * 6 + [0.7]
    assert reference(["Neutral", "joy"]).round(6).tolist() == [0.7, 0.3]


def test_methods_take_the_mean_of_the_beginning_or_the_median_of_all() -> None:
    ratios = np.array([[0.0], [1.0], [2.0], [4.0], [9.0], [9.0]])
    starts_s = 100 + np.array([0, 1, FIRST_S - 0.001, FIRST_S, 4, 5])
    assert face_baseline(ratios, starts_s, FIRST_SECONDS) == 1.0
    assert face_baseline(ratios, starts_s, MEDIAN) == 3.0
    with pytest.raises(ValueError, match="mean"):
        face_baseline(ratios, starts_s, "mean")


def test_small_probabilities_count_as_the_floor() -> None:
    assert log_ratios(np.array([0, 0.99])).tolist() == log_ratios(np.array([FLOOR, 0.99])).tolist()


def test_a_face_with_too_few_blocks_has_empty_columns() -> None:
    few = MIN_BASELINE_BLOCKS - 1
    faces = [1] * 5 + [2] * few
    table = add_baseline(table_of(softmax(scores_of_a_face(3, len(faces))), faces), MEDIAN)
    assert table["relative_emotion"].ne("").tolist() == [True] * 5 + [False] * few
    assert table["relative_anger"].notna().tolist() == [True] * 5 + [False] * few
    text = format_table(table)
    assert text.splitlines()[-1].endswith(",1,4.800,5.600" + "," * (2 + len(EMOTIONS)))
    assert_frame_equal(parse_table(text.encode()), table)
    alone = parse_table(format_table(add_baseline(table_of(softmax(scores_of_a_face(3, few)), [1] * few), MEDIAN)).encode())
    assert (alone["relative_emotion"].tolist(), alone["relative_fear"].isna().all()) == ([""] * few, True)


def test_columns_are_added_at_the_end_and_no_other_changes() -> None:
    plain = table_of(softmax(scores_of_a_face(4)), [1] * 9)
    assert add_baseline(plain, NO_BASELINE) is plain
    table = add_baseline(plain, FIRST_SECONDS)
    added = ("relative_emotion", "relative_confidence", *(f"relative_{name}" for name in EMOTIONS))
    assert tuple(table.columns) == (*plain.columns, *added)
    assert (relative_columns(EMOTIONS), class_names_of(table)) == (added, EMOTIONS)
    assert_frame_equal(table[list(plain.columns)], plain)
    lines = zip(format_table(plain).splitlines(), format_table(table).splitlines(), strict=True)
    assert all(longer.startswith(f"{line},") for line, longer in lines)
    numbers = table[list(added[2:])]
    assert (numbers.sum(axis=1) - 1).abs().max() < 0.001
    assert (numbers.max(axis=1) == table["relative_confidence"]).all()
    assert (numbers.idxmax(axis=1) == "relative_" + table["relative_emotion"]).all()
    assert_frame_equal(parse_table(format_table(table).encode()), table)


def test_a_table_without_faces_has_the_columns() -> None:
    table = add_baseline(to_table([], EMOTIONS), MEDIAN)
    assert format_table(table).endswith("relative_surprise\n")
    assert_frame_equal(parse_table(format_table(table).encode()), table)


def test_damaged_columns_are_refused() -> None:
    text = format_table(add_baseline(table_of(softmax(scores_of_a_face(4)), [1] * 9), MEDIAN))
    with pytest.raises(ValueError, match="relative_fear is missing"):
        parse_table(text.replace("relative_fear", "relative_fury").encode())
    first = text.splitlines()[1].split(",")
    with pytest.raises(ValueError, match="relative number"):
        parse_table(text.replace(",".join(first), ",".join([*first[:-1], ""])).encode())


def test_a_model_without_neutral_is_refused() -> None:
    check_baseline(NO_BASELINE, ["joy", "fear"])
    with pytest.raises(SettingsError):
        check_baseline(MEDIAN, ["joy", "fear"])


def test_the_json_document_has_the_columns() -> None:
    report = make_report()
    table = add_baseline(report.table, MEDIAN)
    content = json.loads(write(replace(report, columns=table), "en"))
    jsonschema.Draft202012Validator(schema()).validate(content)
    found = {each["face_id"]: each["relative"] for each in content["annotations"]}
    first = content["annotations"][0]["relative"]
    assert (found[2], first["emotion"]) == (None, table["relative_emotion"][0])
    assert first["probabilities"] == {name: table[f"relative_{name}"][0] for name in EMOTIONS}
    assert not any("relative" in each for each in json.loads(write(report, "en"))["annotations"])
