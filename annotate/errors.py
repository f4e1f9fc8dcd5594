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

Each message is one sentence that names the file, the cause and the way out.
"""

from __future__ import annotations


class AnnotateError(Exception):
    """Base of every error that reaches the user as a sentence."""


class FFmpegError(AnnotateError):
    """ffmpeg is missing or too old."""


class ModelError(AnnotateError):
    """A model file does not keep the contract."""


class SettingsError(AnnotateError, ValueError):
    """An option has a value that cannot be used."""


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
    """Object storage refuses, or does not answer; made like an OSError, of number, cause and address."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class ReportError(AnnotateError):
    """A CSV report cannot be read."""


class DatasetError(AnnotateError):
    """Labels, stills or a set of blocks cannot be used."""


class TrainingError(AnnotateError):
    """A model cannot be trained, or a picture of it drawn, with what is there."""
