"""Read a transcript in the format of its ending, with the speakers of an RTTM file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotate.analytics.speech.decode import decode_text
from annotate.analytics.speech.rttm import read_rttm
from annotate.analytics.speech.subtitles import read_subtitles
from annotate.analytics.speech.tiers import read_eaf, read_textgrid
from annotate.analytics.speech.utterances import Draft, Transcript, Utterance, with_speakers
from annotate.analytics.speech.whisper import read_whisper
from annotate.errors import TranscriptError, read_error
from annotate.span import MS_PER_S
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

TEXT_ENDINGS = (".json", ".eaf", ".textgrid", ".vtt", ".srt")
"""Endings of transcripts; of several of one video the first one counts, which says most."""

SPEAKERS_ENDING = ".rttm"

MAX_BYTES = 64 << 20
"""Larger files are refused: the words of a day take less."""


@dataclass(frozen=True)
class ReadingOptions:
    """How transcripts are read.

    ``tiers`` are names or shell patterns of tiers, ``encoding`` is that of texts, empty if unknown. ``offset_s`` is added to
    all times, where a transcript counts from something else than the start of the file.
    """

    tiers: tuple[str, ...] = ()
    encoding: str = ""
    offset_s: float = 0.0


def read_transcript(
    path: PathOrUrl, stem: str = "", speakers: PathOrUrl | None = None, options: ReadingOptions | None = None
) -> Transcript:
    """Return a transcript, with the speakers of an RTTM file if one is given; ``path`` may be that itself.

    ``stem`` is the name of the video without extension, by which an RTTM file on several recordings names it.

    Raises:
        TranscriptError: it cannot be used.
        UnreadableError: it cannot be read.
    """
    options = options or ReadingOptions()
    ending = path.suffix.lower()
    draft = Draft() if ending == SPEAKERS_ENDING else _read(path, _content(path), options)
    if speakers is not None or ending == SPEAKERS_ENDING:
        file = path if speakers is None else speakers
        turns, problems = read_rttm(decode_text(_content(file), file, options.encoding), stem or path.stem)
        draft.problems += problems if file == path else [f"{file.name}, {problem}" for problem in problems]
        if file == path:
            draft.utterances = [Utterance(span, "", speaker) for span, speaker in turns]
        else:
            draft.utterances = with_speakers(draft.utterances, turns)
    transcript = draft.finish(path)
    if not transcript.utterances:
        problem = "nothing is said in it" + (f" ({draft.problems[0]})" if draft.problems else "")
        raise TranscriptError(problem, "check its content", path=path)
    return transcript.shifted(round(options.offset_s * MS_PER_S)) if options.offset_s else transcript


def check_ending(ending: str, path: object = None) -> None:
    """Check that an ending is one of a transcript.

    Raises:
        TranscriptError: it is not.
    """
    known: Sequence[str] = (*TEXT_ENDINGS, SPEAKERS_ENDING)
    if ending.lower() not in known:
        raise TranscriptError(f"not a transcript ({ending or 'no ending'})", f"give {', '.join(known)}", path=path)


def _read(path: PathOrUrl, content: bytes, options: ReadingOptions) -> Draft:
    ending = path.suffix.lower()
    check_ending(ending, path)
    if ending == ".eaf":
        return read_eaf(path, content, options.tiers)
    if ending == ".textgrid":
        return read_textgrid(path, content, options.tiers, options.encoding)
    text = decode_text(content, path, options.encoding)
    if ending == ".json":
        return read_whisper(text, path)
    draft = read_subtitles(text, is_vtt=ending == ".vtt")
    if not draft.utterances and not draft.problems:
        raise TranscriptError("no subtitles in it", "check that it is a subtitle file", path=path)
    return draft


def _content(path: PathOrUrl) -> bytes:
    storage = storage_for(path)
    try:
        size_bytes = storage.stat(path).size_bytes
        if size_bytes > MAX_BYTES:
            raise TranscriptError(f"too large ({size_bytes >> 20} MiB, maximum {MAX_BYTES >> 20})", "divide it", path=path)
        return storage.read(path)
    except TranscriptError:
        raise
    except OSError as error:
        raise read_error(path, error) from None
