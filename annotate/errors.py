"""What can go wrong, as one tree.

::

    AnnotateError                 anything this program reports in one sentence
    ├── FFmpegError               ffmpeg is missing or too old
    ├── ModelError                a model file does not keep the contract
    ├── SettingsError             an option has a value that cannot be used
    ├── ClusterError              a cluster cannot be reached, or is gone
    ├── MediaError                one video cannot be used
    │   ├── UnreadableError       it cannot be opened as a file
    │   ├── NotAVideoError        it is not a video, or damaged beyond opening
    │   ├── NoVideoStreamError    it opens, but holds no pictures
    │   ├── TooLargeError         its pictures, or the number of its streams, are larger than allowed
    │   └── DecodingError         not one frame could be decoded, or the decoder hung
    ├── OutputError               a result cannot be written
    ├── StorageError              object storage refuses, or does not answer
    ├── ReportError               a CSV report cannot be read
    ├── DatasetError              labels, stills or a set of blocks cannot be used
    └── TrainingError             a model cannot be trained, or a picture of it drawn, with what is there

An error says what it is about (``path``), what is wrong (``problem``) and what to do (``remedy``). It is put into words
here and nowhere else; code that shows it in another way reads the fields.
"""

from __future__ import annotations

import copy
import errno
from typing import ClassVar, TypeVar

EXIT_FAILED, EXIT_USAGE = 1, 2

_AnyError = TypeVar("_AnyError", bound="AnnotateError")

_REMEDIES = {
    errno.ENOENT: "it was deleted or moved; check the name",
    errno.ENOTDIR: "it was deleted or moved; check the name",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "give another folder, such as with --output-dir",
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room on its disk",
    errno.EIO: "check its disk",
    errno.ESTALE: "check its disk",
    errno.ENOTCONN: "check its disk",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ELOOP: "check its symbolic links",
    errno.EISDIR: "give the name of a file",
    errno.EMFILE: "run with fewer --jobs",
}
"""What to do about an error of the operating system, by its number."""


class AnnotateError(Exception):
    """Base of every error that reaches the user as a sentence.

    ``path`` is the file, folder or address that it is about, if it is about one; ``problem`` what is wrong with it, with the
    cause; ``remedy`` what to do, if there is something.
    """

    exit_status: ClassVar[int] = EXIT_FAILED
    """Status with which a command ends that raises it."""

    def __init__(self, problem: str, remedy: str = "", *, path: object = None) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy
        self.path = path

    @property
    def reason(self) -> str:
        """Problem and remedy in words, without the path."""
        return in_words(self.problem, self.remedy)

    def __str__(self) -> str:
        return in_words(self.problem, self.remedy, self.path)

    def about(self: _AnyError, path: object) -> _AnyError:
        """Return the same error about another path, such as the original of a copy."""
        other = copy.copy(self)
        other.path = path
        return other


class FFmpegError(AnnotateError):
    """ffmpeg is missing or too old."""


class ModelError(AnnotateError):
    """A model file does not keep the contract."""

    exit_status = EXIT_USAGE


class SettingsError(AnnotateError, ValueError):
    """An option has a value that cannot be used."""

    exit_status = EXIT_USAGE


class ClusterError(AnnotateError):
    """A cluster cannot be reached, or is gone."""


class MediaError(AnnotateError):
    """One video cannot be used; the others can."""


class UnreadableError(MediaError):
    """The file cannot be opened."""


class NotAVideoError(MediaError):
    """The file is not a video, or damaged beyond opening."""


class NoVideoStreamError(MediaError):
    """The file opens, but holds no pictures."""


class TooLargeError(MediaError):
    """The pictures, or the number of streams, are larger than allowed."""


class DecodingError(MediaError):
    """The file opens, but not one frame could be decoded, or the decoder hung."""


class OutputError(AnnotateError):
    """A result cannot be written."""


class StorageError(AnnotateError, OSError):
    """Object storage refuses, or does not answer; an OSError too, so that it is met wherever files are read."""

    def __init__(self, problem: str, remedy: str = "", *, path: object = None) -> None:
        super().__init__(problem, remedy, path=path)
        self.errno = errno.EIO
        self.strerror = self.reason


class ReportError(AnnotateError):
    """A CSV report cannot be read."""


class DatasetError(AnnotateError):
    """Labels, stills or a set of blocks cannot be used."""


class TrainingError(AnnotateError):
    """A model cannot be trained, or a picture of it drawn, with what is there."""


def in_words(problem: str, remedy: str = "", path: object = None) -> str:
    """Return ``PATH: problem (cause). Remedy.``, without the parts that are not there.

    >>> in_words("not a video (no header)", "check its download", "a.mp4")
    'a.mp4: not a video (no header). Check its download.'
    >>> in_words("the file is empty")
    'the file is empty'
    """
    advice = f". {remedy[0].upper()}{remedy[1:]}." if remedy else ""
    return (f"{path}: " if path is not None else "") + problem + advice


def unreadable(path: object, error: OSError) -> UnreadableError:
    """Return what to raise for a file that cannot be read: ``path``, unless the error names another one."""
    named = path if error.filename in (None, str(path)) else error.filename
    return UnreadableError(f"cannot be read ({error.strerror})", remedy_for(error), path=named)


def unwritable(path: object, error: OSError) -> OutputError:
    """Return what to raise for a file that cannot be written."""
    return OutputError(f"cannot be written ({error.strerror})", remedy_for(error), path=path)


def remedy_for(error: OSError) -> str:
    """Return what to do about an error of the operating system: a file that was deleted has no permissions to check."""
    return _REMEDIES.get(error.errno or 0, "check its permissions and its disk")
