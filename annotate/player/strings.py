"""The player's words in the languages of subtitles."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from annotate.emotions.labels import WORDS

_ACROSS, _ALONG = "\N{LEFTWARDS ARROW} \N{RIGHTWARDS ARROW}", "\N{UPWARDS ARROW} \N{DOWNWARDS ARROW}"

_ENGLISH = {
    "allFaces": "All faces",
    "confidence": "confidence",
    "downloads": "Downloads",
    "emotion": "emotion",
    "end": "end",
    "face": "Face {number}",
    "faceColumn": "face",
    "keys": f"Arrow keys: {_ACROSS} from change to change, {_ALONG} from face to face. Space plays.",
    "more": "Show {number} more of {total}",
    "noFaces": "No face was found in this video.",
    "nobody": "no face",
    "open": "Open the file",
    "start": "start",
    "table": "As a table",
    "timeline": "Timeline",
    "track": "Emotions",
    "unplayable": "The browser cannot play {name}: it does not know the format, or the file is not where it was. "
    "The timeline works without it.",
    "video": "Video {name}",
    "zoomIn": "Zoom in",
    "zoomOut": "Zoom out",
}

_RUSSIAN = {
    "allFaces": "Все лица",
    "confidence": "уверенность",
    "downloads": "Скачать",
    "emotion": "эмоция",
    "end": "конец",
    "face": "Лицо {number}",
    "faceColumn": "лицо",
    "keys": f"Клавиши: {_ACROSS} от смены к смене, {_ALONG} от лица к лицу. Пробел запускает видео.",
    "more": "Показать ещё {number} из {total}",
    "noFaces": "В этом видео лиц не найдено.",
    "nobody": "лиц нет",
    "open": "Открыть файл",
    "start": "начало",
    "table": "Таблицей",
    "timeline": "Шкала времени",
    "track": "Эмоции",
    "unplayable": "Браузер не может воспроизвести {name}: формат ему неизвестен, или файла нет на прежнем месте. "
    "Шкала времени работает и без него.",
    "video": "Видео {name}",
    "zoomIn": "Крупнее",
    "zoomOut": "Мельче",
}

PLAYER_WORDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "en": MappingProxyType({**_ENGLISH, "language": "en", "emotions": dict(WORDS["en"])}),
        "ru": MappingProxyType({**_RUSSIAN, "language": "ru", "emotions": dict(WORDS["ru"])}),
    }
)
"""Language -> the ``words`` of `AnnotatePlayer.mount`: texts, and under ``emotions`` the emotions' words."""
