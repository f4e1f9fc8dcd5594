"""Find faces in videos, classify their emotions over time, and write tables and subtitles.

>>> import annotate
>>> table = annotate.annotate_video("movie.mp4")  # doctest: +SKIP
>>> for annotation in annotate.iterate_annotations("movie.mp4"): ...  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from annotate.version import VERSION as __version__

if TYPE_CHECKING:
    from annotate.analysis.annotation import Annotation
    from annotate.analysis.tools import Tools
    from annotate.analytics.agreement.agree import agree
    from annotate.analytics.agreement.result import Agreement
    from annotate.analytics.export_archive import ExportedTable, export
    from annotate.analytics.moments import find_moments
    from annotate.analytics.speech.dialogue_text import dialogue_subtitles
    from annotate.analytics.speech.join_archive import join
    from annotate.analytics.summary import summarize
    from annotate.api import annotate_video, iterate_annotations, status
    from annotate.batch.clip_api import make_clips
    from annotate.errors import (
        AnnotateError,
        CodingError,
        DatasetError,
        DecodingError,
        FFmpegError,
        MediaError,
        ModelError,
        NotATranscriptError,
        NotAVideoError,
        NoVideoStreamError,
        OutputError,
        ReportError,
        SettingsError,
        TooLargeError,
        TrainingError,
        TranscriptError,
        UnreadableError,
    )
    from annotate.faces.box import Box
    from annotate.settings import Settings
    from annotate.span import Span

__all__ = [
    "Agreement",
    "AnnotateError",
    "Annotation",
    "Box",
    "CodingError",
    "DatasetError",
    "DecodingError",
    "ExportedTable",
    "FFmpegError",
    "MediaError",
    "ModelError",
    "NoVideoStreamError",
    "NotATranscriptError",
    "NotAVideoError",
    "OutputError",
    "ReportError",
    "Settings",
    "SettingsError",
    "Span",
    "TooLargeError",
    "Tools",
    "TrainingError",
    "TranscriptError",
    "UnreadableError",
    "__version__",
    "agree",
    "annotate_video",
    "dialogue_subtitles",
    "export",
    "find_moments",
    "iterate_annotations",
    "join",
    "make_clips",
    "status",
    "summarize",
]

_MODULES = {
    "Agreement": "annotate.analytics.agreement.result",
    "Annotation": "annotate.analysis.annotation",
    "Box": "annotate.faces.box",
    "ExportedTable": "annotate.analytics.export_archive",
    "Settings": "annotate.settings",
    "Span": "annotate.span",
    "Tools": "annotate.analysis.tools",
    "agree": "annotate.analytics.agreement.agree",
    "annotate_video": "annotate.api",
    "dialogue_subtitles": "annotate.analytics.speech.dialogue_text",
    "export": "annotate.analytics.export_archive",
    "find_moments": "annotate.analytics.moments",
    "iterate_annotations": "annotate.api",
    "join": "annotate.analytics.speech.join_archive",
    "make_clips": "annotate.batch.clip_api",
    "status": "annotate.api",
    "summarize": "annotate.analytics.summary",
}
"""Modules of the public names, imported on first use: pandas, dlib and onnxruntime take most of a second."""


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "annotate.errors")), name)
