"""Speakers are matched with who is alone on screen, often enough in both directions, and never otherwise."""

from __future__ import annotations

from annotate.analytics.speech.speakers import MIN_ALONE_MS, SpeakerMatch, match_speakers
from annotate.analytics.speech.utterances import Utterance
from annotate.span import Span


def says(start_s: float, end_s: float, speaker: str) -> Utterance:
    return Utterance(Span(round(start_s * 1000), round(end_s * 1000)), "x", speaker)


def seen(identity: int, *spans_s: tuple[float, float]) -> list[tuple[int, Span]]:
    return [(identity, Span(round(start * 1000), round(end * 1000))) for start, end in spans_s]


def test_two_people_in_turn() -> None:
    """Reaction shots and time with both on screen do not matter while they are the smaller part."""
    utterances = [says(0, 10, "A"), says(10, 20, "B")]
    on_screen = [*seen(1, (0, 8), (18, 20)), *seen(2, (8, 18), (5, 6))]
    assert match_speakers(utterances, on_screen) == {
        "A": SpeakerMatch(1, round(7 / 9, 4), 7000),
        "B": SpeakerMatch(2, 0.8, 8000),
    }


def test_an_interviewer_whom_nobody_sees_is_not_matched() -> None:
    """The only face is alone while both speak: it is that of who speaks most of the time, or of nobody."""
    on_screen = seen(-1, (0, 100))
    assert list(match_speakers([says(0, 20, "A"), says(20, 100, "B")], on_screen)) == ["B"]
    assert match_speakers([says(0, 40, "A"), says(40, 100, "B")], on_screen) == {}


def test_a_lone_utterance_is_no_evidence() -> None:
    short_s = MIN_ALONE_MS / 1000
    assert match_speakers([says(0, short_s - 0.001, "A")], seen(1, (0, 9))) == {}
    assert list(match_speakers([says(0, short_s, "A")], seen(1, (0, 9)))) == ["A"]


def test_overlapping_speech_and_speech_without_a_label_count_for_nobody() -> None:
    utterances = [says(0, 10, "A"), says(0, 9, "B"), says(20, 30, "")]
    assert match_speakers(utterances, seen(1, (0, 30))) == {}
    assert match_speakers([], seen(1, (0, 30))) == match_speakers(utterances, []) == {}


def test_overlapping_blocks_of_one_person_are_one() -> None:
    """Two tracks of a person, one of which begins before the other ends."""
    assert match_speakers([says(0, 8, "A")], seen(3, (0, 5), (4, 8))) == {"A": SpeakerMatch(3, 1.0, 8000)}
