"""The seven emotions the default model tells apart, and the words people read for them."""

from __future__ import annotations

from collections.abc import Mapping

EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""Class order of the default model: the six of Ekman (1992) and neutral."""

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {emotion: emotion for emotion in EMOTIONS},
    "ru": {
        "anger": "гнев",
        "disgust": "отвращение",
        "fear": "страх",
        "happiness": "счастье",
        "neutral": "нейтральное состояние",
        "sadness": "печаль",
        "surprise": "удивление",
    },
}
"""Words for each language tag."""


def word(emotion: str, language: str) -> str:
    """Return the word for an emotion; another model's classes keep their own names.

    >>> word("sadness", "ru"), word("contempt", "ru")
    ('печаль', 'contempt')
    """
    return WORDS[language].get(emotion, emotion)
