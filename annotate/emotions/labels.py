"""The seven emotions of the default model, their translations and synonyms."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from annotate.errors import SettingsError
from annotate.text import suggest

EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""Classes of the default model, in order: the six basic emotions of Ekman (1992) and neutral."""

NEUTRAL = "neutral"

EMOTION_WORDS: Mapping[str, Mapping[str, str]] = {
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
"""Language tag -> emotion -> the word shown to users."""

CAPTION_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "anger": "angry",
        "disgust": "disgusted",
        "fear": "afraid",
        "happiness": "smiling",
        "sadness": "sad",
        "surprise": "surprised",
    },
    "ru": {
        "anger": "злится",
        "disgust": "чувствует отвращение",
        "fear": "боится",
        "happiness": "улыбается",
        "sadness": "грустит",
        "surprise": "удивляется",
    },
}
"""Language tag -> emotion -> what a caption says of the face; in Russian words that fit men and women."""

SYNONYMS: Mapping[str, str] = {
    synonym: emotion
    for emotion, synonyms in {
        "anger": "angry angered annoyed ang",
        "disgust": "disgusted dis",
        "fear": "fearful afraid scared frightened fea",
        "happiness": "happy joy joyful happily hap",
        "neutral": "calm neutrality neu",
        "sadness": "sad sorrow unhappy",
        "surprise": "surprised surprising astonished sur",
    }.items()
    for synonym in synonyms.split()
}
"""Synonym, as users type it or common data sets have it -> emotion."""


def resolve_emotion(text: str, known: Collection[str] = EMOTIONS) -> str | None:
    """Return the class among ``known`` with this name or synonym, ignoring case; None if there is none.

    >>> resolve_emotion("Happy"), resolve_emotion("sadness"), resolve_emotion("bored")
    ('happiness', 'sadness', None)
    >>> resolve_emotion("happy", ["happy", "bored"])
    'happy'
    """
    folded = text.strip().casefold()
    by_name = {name.casefold(): name for name in known}
    return text if text in known else by_name.get(folded) or by_name.get(SYNONYMS.get(folded, ""))


def unknown_emotion_error(text: str, known: Collection[str] = EMOTIONS) -> SettingsError:
    """Return the error to raise if ``text`` is none of the classes ``known``; it suggests the most similar class."""
    words = {word: name for word in (*known, *SYNONYMS) if (name := resolve_emotion(word, known))}
    return SettingsError(
        f"unknown emotion {text!r}{suggest(text.casefold(), words, words)}", f"choose from {', '.join(sorted(known))}"
    )


def emotion_word(emotion: str, language: str) -> str:
    """Return the word for an emotion in ``language``; classes of other models are returned unchanged.

    >>> emotion_word("sadness", "ru"), emotion_word("contempt", "ru")
    ('печаль', 'contempt')
    """
    return EMOTION_WORDS[language].get(emotion, emotion)


def caption_word(emotion: str, language: str) -> str:
    """Return what a caption says of a face with an emotion; classes of other models are returned unchanged.

    >>> caption_word("happiness", "en"), caption_word("joy", "ru"), caption_word("contempt", "en")
    ('smiling', 'улыбается', 'contempt')
    """
    return CAPTION_WORDS[language].get(resolve_emotion(emotion) or "", emotion)


def is_neutral(emotion: str) -> bool:
    """Return whether a class is neutral, or a synonym of it."""
    return resolve_emotion(emotion) == NEUTRAL
