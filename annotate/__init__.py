"""Annotate gives videos an emotion track: faces found, followed and classified, as tables and subtitles.

>>> import annotate
>>> table = annotate.annotate_video("movie.mp4")  # doctest: +SKIP
>>> for annotation in annotate.iterate_annotations("movie.mp4"): ...  # doctest: +SKIP
"""

from annotate.api import annotate_video, iterate_annotations
from annotate.errors import (
    AnnotateError,
    DecodingError,
    FFmpegError,
    MediaError,
    ModelError,
    NotAVideoError,
    NoVideoStreamError,
    OutputError,
    ReportError,
    SettingsError,
    UnreadableError,
)
from annotate.faces.box import Box
from annotate.pipeline import Annotation
from annotate.settings import Settings
from annotate.timeline import Span
from annotate.version import VERSION as __version__

__all__ = [
    "AnnotateError",
    "Annotation",
    "Box",
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
    "UnreadableError",
    "__version__",
    "annotate_video",
    "iterate_annotations",
]
