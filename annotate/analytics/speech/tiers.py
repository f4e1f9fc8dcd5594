"""Speech tiers of ELAN (pympi) and Praat (praatio).

Without patterns these tiers count, of those that are not made of sounds (``phones``) and have no tier above them:

- those called speech, transcript, utterance, sentence, phrase, orthography or the like, if there are some;
- else all whose labels are not all emotions, which would be a coding.

Tiers of words, also below another tier, give the times of words. Where nothing else is there, they are joined to utterances.
"""

from __future__ import annotations

import fnmatch
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree import ElementTree

from praatio.utilities import errors as praat_errors
from praatio.utilities.textgrid_io import parseTextgridStr
from pympi import Elan

from annotate.analytics.speech.decode import decode_text
from annotate.analytics.speech.utterances import Draft, Utterance, Word, check_span, join_words, with_words
from annotate.emotions.labels import resolve_emotion
from annotate.errors import NotATranscriptError, TranscriptError
from annotate.span import MS_PER_S, Span
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl

_SPEECH = re.compile(
    r"speech|spch|transcri|utteranc|sentence|phrase|orthogr|^ort\b|^kan\b|^text|\btx\b|^ref\b", re.IGNORECASE
)
_WORDS = re.compile(r"words?\b|^ort-mau", re.IGNORECASE)
_SOUNDS = re.compile(r"phones?\b|phonemes?|syllab|^mau$|^mas$|^kas$", re.IGNORECASE)
_KIND = re.compile(
    r"[\s_@:-]*\b(k-)?(speech|spch|transcript\w*|utterances?|sentences?|phrases?|orthography|words?|text|tx|ref)\b[\s_@:-]*",
    re.IGNORECASE,
)
"""What a tier holds, as a part of its name; the rest is the speaker (``anna - words``)."""

_OWN_TIER = re.compile(r"(face|person) \d+$", re.IGNORECASE)


@dataclass(frozen=True)
class _Tier:
    name: str
    labels: tuple[tuple[int, int, str], ...]
    participant: str = ""
    parent: str = ""

    @property
    def is_words(self) -> bool:
        return _WORDS.search(self.name) is not None

    @property
    def is_speech(self) -> bool:
        return _SPEECH.search(self.name) is not None and not self.is_words

    @property
    def may_be_speech(self) -> bool:
        """Whether it may hold speech, by what it says."""
        said = [label for _, _, label in self.labels]
        is_ours = _OWN_TIER.match(self.name) or all(resolve_emotion(label) for label in said)
        return bool(said) and not is_ours and not self.parent and not self.is_words and not _SOUNDS.search(self.name)


def read_eaf(path: PathOrUrl, content: bytes, patterns: Sequence[str] = ()) -> Draft:
    """Return the speech tiers of a file of ELAN as utterances, in the time of its medium (``TIME_ORIGIN``).

    Raises:
        TranscriptError: it is no such file, or has no such tier.
    """
    try:
        ElementTree.fromstring(content)  # noqa: S314  expat limits the expansion of entities
        with storage_for(path).local_copy(path) as local, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document = Elan.Eaf(str(local))
        tiers = [_eaf_tier(document, name) for name in document.get_tier_names()]
        origin_ms = _origin_ms(document, path)
    except (ElementTree.ParseError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise TranscriptError(f"not a file of ELAN ({error})", "save it again in ELAN", path=path) from None
    return _choose(path, tiers, patterns, origin_ms)


def read_textgrid(path: PathOrUrl, content: bytes, patterns: Sequence[str] = (), encoding: str = "") -> Draft:
    """Return the speech tiers of a TextGrid of Praat as utterances. Raise as `read_eaf` does."""
    text = decode_text(content, path, encoding)
    try:
        tiers = []
        for tier in parseTextgridStr(text)["tiers"]:
            intervals = [entry for entry in tier["entries"] if len(entry) == 3]
            labels = (
                (round(float(start) * MS_PER_S), round(float(end) * MS_PER_S), label) for start, end, label in intervals
            )
            tiers.append(_Tier(tier["name"], _cleaned(labels)))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, praat_errors.PraatioException) as error:
        raise TranscriptError(f"not a TextGrid of Praat ({error})", "save it again in Praat", path=path) from None
    return _choose(path, tiers, patterns, 0)


def _eaf_tier(document: Elan.Eaf, name: str) -> _Tier:
    parameters = document.get_parameters_for_tier(name)
    labels = ((start_ms, end_ms, label) for start_ms, end_ms, label, *_ in document.get_annotation_data_for_tier(name))
    return _Tier(name, _cleaned(labels), parameters.get("PARTICIPANT") or "", parameters.get("PARENT_REF") or "")


def _cleaned(labels: object) -> tuple[tuple[int, int, str], ...]:
    return tuple((int(start), int(end), text.strip()) for start, end, text in labels if text.strip())  # type: ignore[attr-defined]


def _origin_ms(document: Elan.Eaf, path: PathOrUrl) -> int:
    """Return where in its medium the times of a document begin: of the medium that the file is named after, or the first."""
    media = document.media_descriptors
    stem = path.stem.casefold()
    named = [medium for medium in media if PurePosixPath(medium.get("MEDIA_URL", "")).stem.casefold() == stem]
    origin = (named or media or [{}])[0].get("TIME_ORIGIN")
    return int(origin) if origin else 0


def _choose(path: PathOrUrl, tiers: Sequence[_Tier], patterns: Sequence[str], origin_ms: int) -> Draft:
    folded = [pattern.casefold() for pattern in patterns]
    if folded:
        chosen = [tier for tier in tiers if any(fnmatch.fnmatchcase(tier.name.casefold(), one) for one in folded)]
    else:
        possible = [tier for tier in tiers if tier.may_be_speech]
        chosen = [tier for tier in possible if tier.is_speech] or possible
    words = [tier for tier in tiers if tier.is_words and tier.labels and tier not in chosen]
    if not chosen and (folded or not words):
        problem = f"no tier {' or '.join(map(repr, patterns))}" if folded else "no tier of speech"
        names = ", ".join(tier.name for tier in tiers) or "none"
        raise NotATranscriptError(f"{problem} (tiers: {names})", "name it with --tier", path=path)
    draft = Draft()
    is_several = len(chosen or words) > 1
    utterances = [
        Utterance(span, label, _speaker(tier, is_several=is_several))
        for tier in chosen
        for span, label in _spans(tier, origin_ms, draft)
    ]
    said = [
        Word(span, label, _speaker(tier, is_several=is_several))
        for tier in words
        for span, label in _spans(tier, origin_ms, draft)
    ]
    draft.utterances = with_words(utterances, said) if utterances else list(join_words(said))
    return draft


def _spans(tier: _Tier, origin_ms: int, draft: Draft) -> list[tuple[Span, str]]:
    """Return the labels of a tier with their spans; add what cannot be used to the problems."""
    spans = []
    for number, (start_ms, end_ms, label) in enumerate(tier.labels, 1):
        problem = check_span(start_ms + origin_ms, end_ms + origin_ms)
        if problem:
            draft.problems.append(f"tier {tier.name!r}, label {number}: {problem}")
        else:
            spans.append((Span(start_ms + origin_ms, end_ms + origin_ms), label))
    return spans


def _speaker(tier: _Tier, *, is_several: bool) -> str:
    """Return the speaker of a tier: its participant, or the part of its name that does not say what it holds."""
    rest = _KIND.sub(" ", tier.name).strip()
    return tier.participant or (rest if rest != tier.name or is_several else "") or (tier.name if is_several else "")
