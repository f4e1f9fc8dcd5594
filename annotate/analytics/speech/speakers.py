"""Match speakers with persons, or face tracks where persons were not told apart, by who is alone on screen as they speak.

A camera shows listeners too, so one number does not do. A speaker is matched with a person only if

- the person is alone on screen for `MIN_ALONE_MS` in all while this speaker alone speaks, and
- most of the time of this speaker with one person on screen shows this person (`MIN_SHARE`), and
- most of the time with this person alone on screen while someone speaks is this speaker's (`MIN_SHARE`).

The third keeps an interviewer whom nobody sees from being matched with the only face in the picture. Both shares being above
a half, no person has two speakers and no speaker two persons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from annotate.analytics.speech.utterances import Utterance
from annotate.results.persons import Person
from annotate.span import Span

MIN_ALONE_MS = 3000
MIN_SHARE = 0.7

_Key = TypeVar("_Key", str, int)


@dataclass(frozen=True)
class SpeakerMatch:
    """The person of a speaker: `identity` of its faces, the lower of the two shares (0..1), and the time it rests on."""

    identity: int
    share: float
    alone_ms: int


def identity(face_id: int, persons: Mapping[int, Person]) -> int:
    """Return what stands for a face's person: the person's number, or that of the track, negative, if it has none.

    >>> identity(3, {3: Person(1)}), identity(4, {3: Person(1)})
    (1, -4)
    """
    person = persons.get(face_id)
    return -face_id if person is None else person.number


def match_speakers(utterances: Iterable[Utterance], seen: Iterable[tuple[int, Span]]) -> dict[str, SpeakerMatch]:
    """Return the speakers that can be matched.

    ``seen`` are the times at which faces are seen, each with its `identity`.
    """
    alone_ms = _alone_ms(utterances, seen)
    of_speaker: dict[str, int] = {}
    of_identity: dict[int, int] = {}
    for (speaker, number), time_ms in alone_ms.items():
        of_speaker[speaker] = of_speaker.get(speaker, 0) + time_ms
        of_identity[number] = of_identity.get(number, 0) + time_ms
    matches: dict[str, SpeakerMatch] = {}
    for (speaker, number), time_ms in sorted(alone_ms.items()):
        share = min(time_ms / of_speaker[speaker], time_ms / of_identity[number])
        if speaker and time_ms >= MIN_ALONE_MS and share >= MIN_SHARE:
            matches[speaker] = SpeakerMatch(number, round(share, 4), time_ms)
    return matches


def _alone_ms(utterances: Iterable[Utterance], seen: Iterable[tuple[int, Span]]) -> dict[tuple[str, int], int]:
    """Return for each speaker and identity how long they are alone: one speaks, one is on screen."""
    edges: list[tuple[int, int, str, int]] = []
    for utterance in utterances:
        spoken = [word.span for word in utterance.words] or [utterance.span]
        span = Span(spoken[0].start_ms, max(own.end_ms for own in spoken))
        edges += [(span.start_ms, 1, utterance.speaker, 0), (span.end_ms, -1, utterance.speaker, 0)]
    for number, span in seen:
        edges += [(span.start_ms, 1, "", number), (span.end_ms, -1, "", number)]
    speaking: dict[str, int] = {}
    visible: dict[int, int] = {}
    result: dict[tuple[str, int], int] = {}
    before_ms = 0
    for time_ms, change, speaker, number in sorted(edges):
        if len(speaking) == 1 and len(visible) == 1 and time_ms > before_ms:
            key = next(iter(speaking)), next(iter(visible))
            result[key] = result.get(key, 0) + time_ms - before_ms
        before_ms = time_ms
        if number:
            _count(visible, number, change)
        else:
            _count(speaking, speaker, change)
    return result


def _count(counts: dict[_Key, int], key: _Key, change: int) -> None:
    counts[key] = counts.get(key, 0) + change
    if not counts[key]:
        del counts[key]
