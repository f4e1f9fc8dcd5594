"""Texts of the player, in the languages of subtitles."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from annotate.emotions.labels import EMOTION_WORDS

_LEFT_RIGHT, _UP_DOWN = "\N{LEFTWARDS ARROW} \N{RIGHTWARDS ARROW}", "\N{UPWARDS ARROW} \N{DOWNWARDS ARROW}"

_ENGLISH = {
    "allFaces": "All faces",
    "confidence": "Model confidence",
    "downloads": "Downloads",
    "emotion": "Emotion",
    "end": "End",
    "face": "Face {number}",
    "faceColumn": "Face",
    "keys": f"Keys: {_LEFT_RIGHT} previous or next change of emotion, {_UP_DOWN} another face, Space to play or pause.",
    "machine": "Machine, where a person decided",
    "more": "Show {number} more of {total}",
    "noFaces": "No faces found in this video.",
    "noFace": "no face",
    "open": "Open the file",
    "person": "Person {number}",
    "reviewed": "a person says so; machine: {emotion}",
    "start": "Start",
    "table": "Show as a table",
    "timeline": "Timeline",
    "track": "Emotions",
    "unplayable": "This browser cannot play {name}: it does not support the format, or the file was moved or deleted. "
    "The timeline still works.",
    "video": "Video {name}",
    "zoomIn": "Zoom in",
    "zoomOut": "Zoom out",
}

_RUSSIAN = {
    "allFaces": "Все лица",
    "confidence": "Уверенность модели",
    "downloads": "Скачать",
    "emotion": "Эмоция",
    "end": "Конец",
    "face": "Лицо {number}",
    "faceColumn": "Лицо",
    "keys": f"Клавиши: {_LEFT_RIGHT} предыдущая или следующая смена эмоции, {_UP_DOWN} другое лицо, пробел "
    "\N{EM DASH} пуск и пауза.",
    "machine": "Машина, где решил человек",
    "more": "Показать ещё {number} из {total}",
    "noFaces": "В этом видео лиц не найдено.",
    "noFace": "лица нет",
    "open": "Открыть файл",
    "person": "Человек {number}",
    "reviewed": "так решил человек; машина: {emotion}",
    "start": "Начало",
    "table": "Показать таблицей",
    "timeline": "Шкала времени",
    "track": "Эмоции",
    "unplayable": "Браузер не может воспроизвести {name}: формат не поддерживается, либо файл перемещён или удалён. "
    "Шкала времени всё равно работает.",
    "video": "Видео {name}",
    "zoomIn": "Увеличить масштаб",
    "zoomOut": "Уменьшить масштаб",
}

PLAYER_WORDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "en": MappingProxyType({**_ENGLISH, "language": "en", "emotions": dict(EMOTION_WORDS["en"])}),
        "ru": MappingProxyType({**_RUSSIAN, "language": "ru", "emotions": dict(EMOTION_WORDS["ru"])}),
    }
)
"""The option ``words`` of `AnnotatePlayer.mount` by language: texts by key, and ``emotions``, the names of emotions."""
