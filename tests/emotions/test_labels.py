from __future__ import annotations

from annotate.emotions.labels import EMOTIONS, WORDS


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
