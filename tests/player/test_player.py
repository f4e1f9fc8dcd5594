"""Data, texts and scripts of the player."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from annotate.emotions.labels import EMOTION_WORDS, EMOTIONS
from annotate.emotions.palette import COLORS, text_color
from annotate.player.player import player_data, player_script, player_style
from annotate.player.strings import PLAYER_WORDS
from annotate.results.corrected import apply_corrections
from annotate.results.corrections import Correction
from annotate.span import Span
from tests.results.reports import CLIPPED, SIZE_PX, box_at, make_report


def test_one_lane_per_face_with_non_overlapping_spans() -> None:
    data = player_data(make_report(), {2: "data:image/jpeg;base64,AA"})
    assert (data["end_ms"], data["width_px"], data["height_px"]) == (6000, *SIZE_PX)
    assert [(lane["face"], lane["thumbnail"]) for lane in data["lanes"]] == [(1, None), (2, "data:image/jpeg;base64,AA")]
    for lane in data["lanes"]:
        assert [tuple(span[:2]) for span in lane["spans"]] == CLIPPED[lane["face"]]
    assert [EMOTIONS[span[2]] for span in data["lanes"][0]["spans"]] == ["happiness", "happiness", "sadness", "fear"]


def test_scores_are_in_ten_thousandths() -> None:
    report = make_report()
    first = report.table.iloc[0]
    span = player_data(report)["lanes"][0]["spans"][0]
    assert span[3:] == [round(first[name] * 10_000) for name in EMOTIONS]
    assert span[3 + span[2]] == max(span[3:]) == round(first["confidence"] * 10_000)


def test_colors_come_from_the_palette() -> None:
    emotions = player_data(make_report())["emotions"]
    assert emotions == [{"name": name, "colour": COLORS[name], "ink": text_color(name)} for name in EMOTIONS]


def test_cues_belong_to_a_face_and_are_placed_above_it() -> None:
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


def test_a_single_face_is_not_numbered_and_a_video_without_faces_has_no_lanes() -> None:
    assert not player_data(make_report(faces=1))["numbered"]
    data = player_data(make_report(faces=0))
    assert (data["lanes"], data["cues"], data["end_ms"]) == ([], [], 6000)


def test_with_an_unknown_frame_size_cues_have_no_position() -> None:
    data = player_data(make_report(size_px=(0, 0)))
    assert {tuple(cue[4:]) for cue in data["cues"]} == {(None, None)}


def test_data_can_be_written_as_json() -> None:
    data = player_data(make_report())
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_every_language_has_all_texts_and_the_script_contains_them() -> None:
    english = PLAYER_WORDS["en"]
    assert set(PLAYER_WORDS) == set(EMOTION_WORDS)
    for language, table in PLAYER_WORDS.items():
        assert table.keys() == english.keys()
        assert table["emotions"] == EMOTION_WORDS[language]
        for key, text in table.items():
            if isinstance(text, str):
                assert text.count("{") == english[key].count("{"), (language, key)
    words = player_script().rsplit("AnnotatePlayer.words = ", 1)[1].removesuffix(";\n")
    assert json.loads(words)["ru"]["emotions"]["fear"] == "страх"


def test_script_and_style_fetch_nothing_and_evaluate_nothing() -> None:
    """They must work under a strict content security policy, and names must never become markup."""
    script = player_script()
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "new Function", "fetch(", "http:", "https:"):
        assert forbidden not in script.replace("http://www.w3.org/2000/svg", "")
    assert 'setAttribute("style"' not in script
    assert "url(" not in player_style()
    assert "@import" not in player_style()
    assert "</script" not in script
    assert "</style" not in player_style()


def test_what_people_corrected_has_what_the_machine_says_beside_it() -> None:
    report = make_report()
    assert not any("corrected" in lane for lane in player_data(report)["lanes"])
    table = apply_corrections(report.table, [Correction(Span(2000, 2500), "fear", 2)]).table
    first, second = player_data(replace(report, columns=table))["lanes"]
    assert "corrected" not in first
    assert second["corrected"] == [[2000, 2500, EMOTIONS.index("anger")]]
    assert second["spans"][0][:3] == [2000, 2500, EMOTIONS.index("fear")]
