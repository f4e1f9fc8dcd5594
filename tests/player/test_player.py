"""What the player is given, as numbers."""

from __future__ import annotations

import json

import pytest

from annotate.emotions.labels import EMOTIONS, WORDS
from annotate.emotions.palette import COLORS, ink
from annotate.player.player import player_data, player_script, player_style
from annotate.player.strings import PLAYER_WORDS
from tests.results.reports import CLIPPED, SIZE_PX, box_at, make_report


def test_a_lane_a_face_whose_spans_are_the_blocks_without_what_the_one_before_covers() -> None:
    data = player_data(make_report(), {2: "data:image/jpeg;base64,AA"})
    assert (data["end_ms"], data["width_px"], data["height_px"]) == (6000, *SIZE_PX)
    assert [(lane["face"], lane["thumbnail"]) for lane in data["lanes"]] == [(1, None), (2, "data:image/jpeg;base64,AA")]
    for lane in data["lanes"]:
        assert [tuple(span[:2]) for span in lane["spans"]] == CLIPPED[lane["face"]]
    assert [EMOTIONS[span[2]] for span in data["lanes"][0]["spans"]] == ["happiness", "happiness", "sadness", "fear"]


def test_all_scores_of_a_block_in_ten_thousandths() -> None:
    report = make_report()
    first = report.table.iloc[0]
    span = player_data(report)["lanes"][0]["spans"][0]
    assert span[3:] == [round(first[name] * 10_000) for name in EMOTIONS]
    assert span[3 + span[2]] == max(span[3:]) == round(first["confidence"] * 10_000)


def test_colours_are_the_palette_s() -> None:
    emotions = player_data(make_report())["emotions"]
    assert emotions == [{"name": name, "colour": COLORS[name], "ink": ink(name)} for name in EMOTIONS]


def test_cues_are_those_of_each_face_and_stand_above_it() -> None:
    report = make_report()
    data = player_data(report)
    shown = {(start, end, face, EMOTIONS[emotion]) for start, end, face, emotion, *_ in data["cues"]}
    assert {(2000, 2901, 2, "anger"), (4000, 5999, 2, "surprise")} <= shown
    assert data["numbered"]
    first = data["cues"][0]
    box = box_at(1, 0)
    assert first[4:] == [
        pytest.approx(box.y / SIZE_PX[1] - 0.07, abs=1e-3),
        pytest.approx((box.x + box.width) / SIZE_PX[0], abs=1e-3),
    ]


def test_one_face_alone_needs_no_number_and_a_video_without_faces_has_nothing_to_show() -> None:
    assert not player_data(make_report(faces=1))["numbered"]
    data = player_data(make_report(faces=0))
    assert (data["lanes"], data["cues"], data["end_ms"]) == ([], [], 6000)


def test_a_picture_of_unknown_size_leaves_cues_where_browsers_put_them() -> None:
    data = player_data(make_report(size_px=(0, 0)))
    assert {tuple(cue[4:]) for cue in data["cues"]} == {(None, None)}


def test_it_is_json_of_plain_numbers() -> None:
    data = player_data(make_report())
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_every_language_has_all_words_and_the_script_has_them_all() -> None:
    english = PLAYER_WORDS["en"]
    assert set(PLAYER_WORDS) == set(WORDS)
    for language, table in PLAYER_WORDS.items():
        assert table.keys() == english.keys()
        assert table["emotions"] == WORDS[language]
        for key, text in table.items():
            if isinstance(text, str):
                assert text.count("{") == english[key].count("{"), (language, key)
    words = player_script().rsplit("AnnotatePlayer.words = ", 1)[1].removesuffix(";\n")
    assert json.loads(words)["ru"]["emotions"]["fear"] == "страх"


def test_nothing_in_script_and_style_is_fetched_evaluated_or_set_as_markup() -> None:
    """So that they work under a content security policy, and names never become tags."""
    script = player_script()
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "new Function", "fetch(", "http:", "https:"):
        assert forbidden not in script.replace("http://www.w3.org/2000/svg", "")
    assert 'setAttribute("style"' not in script
    assert "url(" not in player_style()
    assert "@import" not in player_style()
    assert "</script" not in script
    assert "</style" not in player_style()
