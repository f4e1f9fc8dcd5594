"""The seven emotions the default model tells apart, and the words people read for them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from annotate.errors import SettingsError

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
"""Other names of the emotions, as people type them and common data sets have them -> ours."""


def emotion_name(text: str, known: Collection[str] = EMOTIONS) -> str | None:
    """Return the class among ``known`` that a name or a synonym means, in any case; None if there is none.

    >>> emotion_name("Happy"), emotion_name("sadness"), emotion_name("bored"), emotion_name("happy", ["happy", "bored"])
    ('happiness', 'sadness', None, 'happy')
    """
    folded = text.strip().casefold()
    by_name = {name.casefold(): name for name in known}
    return text if text in known else by_name.get(folded) or by_name.get(SYNONYMS.get(folded, ""))


def unknown_emotion(text: str, known: Collection[str] = EMOTIONS) -> SettingsError:
    """Return what to raise for a name that means none of the classes ``known``, with the nearest one."""
    near = difflib.get_close_matches(text.casefold(), [*known, *SYNONYMS], n=1)
    name = emotion_name(near[0], known) if near else None
    guess = f" (did you mean {name!r}?)" if name else ""
    return SettingsError(f"no emotion {text!r}{guess}", f"choose from {', '.join(sorted(known))}")


def word(emotion: str, language: str) -> str:
    """Return the word for an emotion; another model's classes keep their own names.

    >>> word("sadness", "ru"), word("contempt", "ru")
    ('печаль', 'contempt')
    """
    return WORDS[language].get(emotion, emotion)
