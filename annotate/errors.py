"""Exceptions of annotate.

::

    AnnotateError                 base class of all expected errors
    ├── FFmpegError               ffmpeg is missing or too old
    ├── ModelError                a model file is invalid
    ├── SettingsError             an option has an invalid value
    ├── ClusterError              a cluster cannot be reached, or the connection was lost
    ├── MediaError                a video cannot be used
    │   ├── UnreadableError       the file cannot be opened
    │   ├── NotAVideoError        the file is not a video, or too damaged to be opened
    │   ├── NoVideoStreamError    the file has no video stream
    │   ├── TooLargeError         the frame size or the number of streams exceeds a limit
    │   └── DecodingError         no frame could be decoded, or the decoder hung
    ├── OutputError               an output cannot be written
    ├── StorageError              object storage refuses a request or does not answer
    ├── ReportError               a table is missing, damaged or outdated
    ├── CodingError               a coding by people, or a table of trials, cannot be used
    ├── TranscriptError           a transcript cannot be used
    │   └── NotATranscriptError   a file of such an ending holds something else
    ├── DatasetError              labels, still images or a dataset of blocks cannot be used
    └── TrainingError             a model cannot be trained, or its training cannot be plotted

An error has the fields ``path``, ``problem`` (what is wrong) and ``remedy`` (what to do). Only this module formats them
as text; code that displays an error in another way reads the fields.
"""

from __future__ import annotations

import copy
import errno
from typing import ClassVar, TypeVar

EXIT_FAILED, EXIT_USAGE = 1, 2

_AnyError = TypeVar("_AnyError", bound="AnnotateError")

_REMEDIES = {
    errno.ENOENT: "check that the path exists",
    errno.ENOTDIR: "check that the path exists",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "choose a folder that is writable (-o or --output-dir)",
    errno.EEXIST: "choose another name, or move away what has this one",
    errno.EFBIG: "use a disk that takes larger files",
    errno.ENOSPC: "free up disk space",
    errno.EDQUOT: "free up disk space",
    errno.EIO: "check the disk and its connection",
    errno.ESTALE: "check the disk and its connection",
    errno.ENOTCONN: "check the disk and its connection",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "check its symbolic links",
    errno.EISDIR: "use the path of a file",
    errno.EMFILE: "run with fewer --jobs",
    errno.ENFILE: "run with fewer --jobs",
}
"""Remedies for operating system errors, by errno."""


class AnnotateError(Exception):
    """Base class of all errors that are expected and shown to the user.

    ``path`` is the file, folder or URL concerned, or None. ``problem`` says what is wrong, with the cause in parentheses.
    ``remedy`` says what to do, empty if unknown. Both start in lower case and have no final period.
    """

    exit_status: ClassVar[int] = EXIT_FAILED
    """Exit status of a command that raises this error."""

    def __init__(self, problem: str, remedy: str = "", *, path: object = None) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy
        self.path = path

    @property
    def reason(self) -> str:
        """Problem and remedy as text, without the path."""
        return format_error(self.problem, self.remedy)

    def __str__(self) -> str:
        return format_error(self.problem, self.remedy, self.path)

    def with_path(self: _AnyError, path: object) -> _AnyError:
        """Return a copy of the error with another path, such as the original of a temporary file."""
        other = copy.copy(self)
        other.path = path
        return other


class FFmpegError(AnnotateError):
    """ffmpeg is missing or too old."""


class ModelError(AnnotateError):
    """A model file is invalid: it does not follow the contract (see `annotate.emotions.contract`)."""

    exit_status = EXIT_USAGE


class SettingsError(AnnotateError, ValueError):
    """An option has an invalid value."""

    exit_status = EXIT_USAGE


class ClusterError(AnnotateError):
    """A cluster cannot be reached, or the connection was lost."""


class MediaError(AnnotateError):
    """A video cannot be used; other videos are not affected.

    ``is_lasting`` tells whether the file itself is at fault, so that another attempt would fail too; not if its disk, the
    machine or a limit in time may be.
    """

    is_lasting = False

    def passing(self: _AnyError) -> _AnyError:
        """Return the error, as one that another attempt may not meet."""
        self.is_lasting = False  # type: ignore[attr-defined]
        return self


class UnreadableError(MediaError):
    """The file cannot be opened."""


class NotAVideoError(MediaError):
    """The file is not a video, or too damaged to be opened."""

    is_lasting = True


class NoVideoStreamError(MediaError):
    """The file has no video stream."""

    is_lasting = True


class TooLargeError(MediaError):
    """The frame size or the number of streams exceeds a limit."""

    is_lasting = True


class DecodingError(MediaError):
    """The file can be opened, but no frame could be decoded, or the decoder hung."""

    is_lasting = True


class OutputError(AnnotateError):
    """An output cannot be written."""


class StorageError(AnnotateError, OSError):
    """Object storage refuses a request or does not answer; also an OSError, which code that reads files handles."""

    def __init__(self, problem: str, remedy: str = "", *, path: object = None) -> None:
        super().__init__(problem, remedy, path=path)
        self.errno = errno.EIO
        self.strerror = self.reason


class ReportError(AnnotateError):
    """A table is missing, damaged or outdated."""


class CodingError(AnnotateError):
    """A coding by people, or a table of trials, cannot be used."""


class TranscriptError(AnnotateError):
    """A transcript cannot be used."""


class NotATranscriptError(TranscriptError):
    """A file of such an ending holds something else, such as the description of a download or a coding."""


class DatasetError(AnnotateError):
    """Labels, still images or a dataset of blocks cannot be used."""


class TrainingError(AnnotateError):
    """A model cannot be trained, or its training cannot be plotted."""


def format_error(problem: str, remedy: str = "", path: object = None) -> str:
    """Return ``PATH: problem (cause). Remedy.``, without empty parts.

    >>> format_error("not a video (no header)", "check its download", "a.mp4")
    'a.mp4: not a video (no header). Check its download.'
    >>> format_error("the file is empty")
    'the file is empty'
    """
    suffix = f". {remedy[0].upper()}{remedy[1:]}." if remedy else ""
    return (f"{path}: " if path is not None else "") + problem + suffix


def read_error(path: object, error: OSError) -> UnreadableError:
    """Return the error to raise for an unreadable file: ``path``, or the file named by ``error``."""
    shown_path = path if error.filename in (None, str(path)) else error.filename
    return UnreadableError(f"cannot be read ({error.strerror})", remedy_for(error), path=shown_path)


def write_error(path: object, error: OSError) -> OutputError:
    """Return the error to raise for a file that cannot be written."""
    is_forbidden = error.errno in (errno.EACCES, errno.EPERM)
    remedy = "check its permissions, or choose another folder (-o or --output-dir)" if is_forbidden else remedy_for(error)
    return OutputError(f"cannot be written ({error.strerror})", remedy, path=path)


def remedy_for(error: OSError) -> str:
    """Return the remedy for the cause of an operating system error; every message about one uses it.

    The text of a `StorageError` has its own.
    """
    if isinstance(error, StorageError):
        return ""
    return _REMEDIES.get(error.errno or 0, "check the disk and its connection")
