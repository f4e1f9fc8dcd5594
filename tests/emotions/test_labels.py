from __future__ import annotations

import pytest

from annotate.emotions.labels import EMOTION_WORDS, EMOTIONS, SYNONYMS, resolve_emotion, unknown_emotion_error


def test_every_language_has_a_distinct_word_for_every_emotion() -> None:
    for language, words in EMOTION_WORDS.items():
        assert set(words) == set(EMOTIONS), language
        assert len(set(words.values())) == len(EMOTIONS), language


def test_russian_words() -> None:
    assert [EMOTION_WORDS["ru"][emotion] for emotion in EMOTIONS] == [
        "гнев",
        "отвращение",
        "страх",
        "счастье",
        "нейтральное состояние",
        "печаль",
        "удивление",
    ]


def test_every_emotion_has_synonyms_and_none_is_an_emotion_itself() -> None:
    assert set(SYNONYMS.values()) == set(EMOTIONS)
    assert not set(SYNONYMS) & set(EMOTIONS)


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("happy", EMOTIONS, "happiness"),
        (" Sad ", EMOTIONS, "sadness"),
        ("ANGER", EMOTIONS, "anger"),
        ("happy", ("happy", "sad"), "happy"),
        ("happy", ("joy",), None),
        ("Contempt", ("contempt",), "contempt"),
        ("", EMOTIONS, None),
    ],
)
def test_names_and_synonyms_are_resolved_to_classes_of_the_model(
    text: str, known: tuple[str, ...], expected: str | None
) -> None:
    assert resolve_emotion(text, known) == expected


@pytest.mark.parametrize(("text", "suggestion"), [("hapiness", "'happiness'"), ("suprised", "'surprise'"), ("zzz", "anger")])
def test_the_error_of_an_unknown_emotion_has_a_suggestion_and_all_choices(text: str, suggestion: str) -> None:
    error = unknown_emotion_error(text)
    assert text in error.problem
    assert suggestion in str(error)
    assert all(emotion in error.remedy for emotion in EMOTIONS)
