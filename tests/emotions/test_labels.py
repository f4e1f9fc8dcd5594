from __future__ import annotations

import pytest

from annotate.emotions.labels import EMOTIONS, SYNONYMS, WORDS, emotion_name, unknown_emotion


def test_every_language_has_a_word_of_its_own_for_every_emotion() -> None:
    for language, words in WORDS.items():
        assert set(words) == set(EMOTIONS), language
        assert len(set(words.values())) == len(EMOTIONS), language


def test_russian_words() -> None:
    assert [WORDS["ru"][emotion] for emotion in EMOTIONS] == [
        "гнев",
        "отвращение",
        "страх",
        "счастье",
        "нейтральное состояние",
        "печаль",
        "удивление",
    ]


def test_every_synonym_means_one_emotion_and_is_none_itself() -> None:
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
def test_names_and_synonyms_mean_classes_of_the_model(text: str, known: tuple[str, ...], expected: str | None) -> None:
    assert emotion_name(text, known) == expected


@pytest.mark.parametrize(("text", "guess"), [("hapiness", "'happiness'"), ("suprised", "'surprise'"), ("zzz", "anger")])
def test_a_mistyped_emotion_gets_a_suggestion_and_the_list(text: str, guess: str) -> None:
    error = unknown_emotion(text)
    assert text in error.problem
    assert guess in str(error)
    assert all(emotion in error.remedy for emotion in EMOTIONS)
