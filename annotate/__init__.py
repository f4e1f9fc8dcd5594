"""Annotate gives videos an emotion track: faces found, followed and classified, as tables and subtitles.

>>> import annotate
>>> table = annotate.annotate_video("movie.mp4")  # doctest: +SKIP
>>> for annotation in annotate.iterate_annotations("movie.mp4"): ...  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from annotate.version import VERSION as __version__

if TYPE_CHECKING:
    from annotate.api import annotate_video, iterate_annotations
    from annotate.errors import (
        AnnotateError,
        DatasetError,
        DecodingError,
        FFmpegError,
        MediaError,
        ModelError,
        NotAVideoError,
        NoVideoStreamError,
        OutputError,
        ReportError,
        SettingsError,
        TooLargeError,
        TrainingError,
        UnreadableError,
    )
    from annotate.faces.box import Box
    from annotate.pipeline import Annotation
    from annotate.reports.moments import find_moments
    from annotate.reports.summary import summarize
    from annotate.settings import Settings
    from annotate.timeline import Span

__all__ = [
    "AnnotateError",
    "Annotation",
    "Box",
    "DatasetError",
    "DecodingError",
    "FFmpegError",
    "MediaError",
    "ModelError",
    "NoVideoStreamError",
    "NotAVideoError",
    "OutputError",
    "ReportError",
    "Settings",
    "SettingsError",
    "Span",
    "TooLargeError",
    "TrainingError",
    "UnreadableError",
    "__version__",
    "annotate_video",
    "find_moments",
    "iterate_annotations",
    "summarize",
]

_HOMES = {
    "Annotation": "annotate.pipeline",
    "Box": "annotate.faces.box",
    "Settings": "annotate.settings",
    "Span": "annotate.timeline",
    "annotate_video": "annotate.api",
    "find_moments": "annotate.reports.moments",
    "iterate_annotations": "annotate.api",
    "summarize": "annotate.reports.summary",
}
"""Where names live that are loaded when they are asked for: pandas, dlib and onnxruntime take most of a second."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "annotate.errors")), name)
