"""Transcripts of other programs: times to the millisecond, text without markup, and what is wrong with a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pympi import Elan

from annotate.analytics.speech import read
from annotate.analytics.speech.read import ReadingOptions, read_transcript
from annotate.analytics.speech.utterances import Transcript
from annotate.errors import NotATranscriptError, TranscriptError, UnreadableError

SRT = "1\n00:00:01,001 --> 00:00:02,500\nHello\nyou\n\n2\n01:00:00,000 --> 01:00:01,000\nBye\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def said(transcript: Transcript) -> list[tuple[int, int, str, str]]:
    return [(one.span.start_ms, one.span.end_ms, one.text, one.speaker) for one in transcript.utterances]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    path = write(tmp_path / "a.srt", SRT.replace("\n", end).encode(encoding))
    assert said(read_transcript(path)) == [(1001, 2500, "Hello\nyou", ""), (3_600_000, 3_601_000, "Bye", "")]


@pytest.mark.parametrize(
    ("encoding", "text"), [("cp1251", "Спасибо, и вам"), ("cp1252", "Café à côté, déjà"), ("cp1251", "Я")]
)
def test_encodings_of_windows_are_told_apart(tmp_path: Path, encoding: str, text: str) -> None:
    path = write(tmp_path / "a.srt", SRT.replace("Hello\nyou", text).encode(encoding))
    options = ReadingOptions(encoding=encoding if len(text) == 1 else "")
    assert read_transcript(path, options=options).utterances[0].text == text
    with pytest.raises(TranscriptError, match="unknown encoding"):
        read_transcript(path, options=ReadingOptions(encoding="cp9"))


def test_a_broken_subtitle_is_named_and_the_rest_applies(tmp_path: Path) -> None:
    """Overlaps stay; times that are none, that run backwards, and text before the first time are left out."""
    path = write(
        tmp_path / "a.srt",
        "junk\n1\n00:00:01,000 --> 00:00:04,000\nOne\n\n2\n00:00:0x,000 --> 00:00:03,000\nTwo\n\n"
        "3\n00:00:05,000 --> 00:00:03,000\nThree\n\n4\n00:00:02,000 --> 00:00:06,000 X1:10\n<i>Four</i> {\\an8}<b>!\n7\n",
    )
    transcript = read_transcript(path)
    assert said(transcript) == [(1000, 4000, "One", ""), (2000, 6000, "Four !\n7", "")]
    assert [problem.split(":")[0] for problem in transcript.problems] == ["line 7", "line 11"]
    assert str(path) in transcript.remark()


def test_vtt_has_voices_times_of_words_and_no_tags(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.vtt",
        "WEBVTT\nKind: captions\n\nNOTE 00:01 is no cue\n\nSTYLE\n::cue { color: red }\n\nid\n"
        "00:01.000 --> 00:03.000 line:0\n<v.loud Anna &amp; Co>A <00:02.000><c.x>&lt;b</c> <00:02.250>c<script>\n\n"
        "00:04.000 --> 00:05.000\n[SPEAKER_01]: d\n\n00:06.000 --> 00:07.000\ne <00:00:99.000>f\n",
    )
    transcript = read_transcript(path)
    assert said(transcript) == [
        (1000, 3000, "A <b c", "Anna & Co"),
        (4000, 5000, "d", "SPEAKER_01"),
        (6000, 7000, "e f", ""),
    ]
    assert not transcript.utterances[2].words
    assert [(word.span.start_ms, word.span.end_ms, word.text) for word in transcript.utterances[0].words] == [
        (1000, 2000, "A"),
        (2000, 2250, "<b"),
        (2250, 3000, "c"),
    ]


def test_whisper_with_words_speakers_and_broken_segments(tmp_path: Path) -> None:
    """whisperX gives some words no time; a speaker may be that of the words alone."""
    words = [
        {"word": " So", "start": 0.5, "end": 0.75, "speaker": "B"},
        {"word": "42"},
        {"word": "there", "start": 0.8, "end": 1.9, "speaker": "A"},
    ]
    segments: list[object] = [
        {"start": 0.5, "end": 2, "text": " So 42 there", "words": words},
        {"start": 3.0005, "end": 4, "text": " plain\ud83d\0", "speaker": "C"},
        {"start": None, "end": 4, "text": "x"},
        {"start": 9, "end": 4, "text": "x"},
        {"start": float("nan"), "end": 1e300, "text": "x"},
        {"start": 0, "end": 10**400, "text": "x"},
        "x",
    ]
    transcript = read_transcript(write(tmp_path / "a.json", json.dumps({"segments": segments})))
    assert said(transcript) == [(500, 2000, "So 42 there", "A"), (3000, 4000, "plain?", "C")]
    assert [(word.text, word.speaker) for word in transcript.utterances[0].words] == [("So", "B"), ("there", "A")]
    assert [problem.split(":")[0] for problem in transcript.problems] == [f"segment {number}" for number in (3, 4, 5, 6, 7)]
    cpp = {"transcription": [{"offsets": {"from": 10, "to": 990}, "text": " hi"}]}
    assert said(read_transcript(write(tmp_path / "b.json", json.dumps(cpp)))) == [(10, 990, "hi", "")]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", '{"segments": [\n{]', "line 2"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.srt", "once upon a time", "no subtitles"),
        ("a.srt", b"\xff\xfe\x00", "nothing|no subtitles|not text"),
        ("a.vtt", "WEBVTT\n\n00:01 --> 00:02\nx\n", "line 3"),
        ("a.eaf", "<ANNOTATION_DOCUMENT", "ELAN"),
        ("a.TextGrid", "no", "Praat"),
        ("a.rttm", "SPEAKER a 1 x 2 <NA> <NA> A\n", "line 1"),
        ("a.txt", "x", "not a transcript"),
    ],
)
def test_what_cannot_be_used_gets_a_sentence(tmp_path: Path, name: str, content: str | bytes, problem: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(TranscriptError, match=problem) as caught:
        read_transcript(path)
    assert caught.value.path == path
    assert caught.value.remedy


def test_other_files_of_these_endings_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotATranscriptError):
        read_transcript(write(tmp_path / "a.info.json", '{"title": "x"}'))
    with pytest.raises(UnreadableError):
        read_transcript(tmp_path / "none.srt")
    monkeypatch.setattr(read, "MAX_BYTES", 3)
    with pytest.raises(TranscriptError, match="too large"):
        read_transcript(write(tmp_path / "a.srt", SRT))


def make_eaf(path: Path, tiers: dict[str, list[tuple[int, int, str]]], **participants: str) -> Path:
    eaf = Elan.Eaf()
    eaf.remove_tier("default")
    for name, labels in tiers.items():
        eaf.add_tier(name, part=participants.get(name))
        for label in labels:
            eaf.add_annotation(name, *label)
    eaf.add_linked_file(str(path.with_suffix(".mp4")), mimetype="video/mp4", time_origin=1000)
    eaf.to_file(str(path))
    return path


def test_tiers_of_elan_are_speakers_in_the_time_of_the_medium(tmp_path: Path) -> None:
    """Codings of emotions and tiers of annotate are no speech; words go to the utterance of their speaker."""
    tiers = {
        "K-Spch": [(0, 900, "so there")],
        "A-transcription": [(100, 800, "hm")],
        "A-words": [(200, 300, "hm")],
        "coder": [(0, 900, "happy")],
        "face 1": [(0, 900, "x")],
    }
    path = make_eaf(tmp_path / "a.eaf", tiers, **{"K-Spch": "Kim"})
    transcript = read_transcript(path)
    assert said(transcript) == [(1000, 1900, "so there", "Kim"), (1100, 1800, "hm", "A")]
    assert [word.span.start_ms for word in transcript.utterances[1].words] == [1200]
    chosen = read_transcript(path, options=ReadingOptions(tiers=("a-TRANS*",)))
    assert said(chosen) == [(1100, 1800, "hm", "A")]
    with pytest.raises(NotATranscriptError, match="K-Spch"):
        read_transcript(path, options=ReadingOptions(tiers=("z",)))
    with pytest.raises(NotATranscriptError):
        read_transcript(make_eaf(tmp_path / "b.eaf", {"coder": [(0, 900, "happy")]}))


def textgrid(*tiers: tuple[str, list[tuple[float, float, str]]]) -> str:
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n9\n<exists>\n{len(tiers)}\n'
    parts = [
        f'"IntervalTier"\n"{name}"\n0\n9\n{len(labels)}\n' + "".join(f'{a}\n{b}\n"{text}"\n' for a, b, text in labels)
        for name, labels in tiers
    ]
    return head + "".join(parts)


def test_words_of_a_forced_aligner_become_utterances(tmp_path: Path) -> None:
    """The Montreal Forced Aligner writes words and phones of each speaker; a pause of more than 1 s ends an utterance."""
    words = [(0.0, 0.5, ""), (0.5, 0.9, "so"), (0.9, 1.5, "there"), (2.6, 3.0, "yes")]
    text = textgrid(("ann - words", words), ("ann - phones", [(0.5, 0.9, "s")]), ("bob - words", [(1.0, 2.0, "hm")]))
    transcript = read_transcript(write(tmp_path / "a.TextGrid", text.encode("utf-16")))
    assert said(transcript) == [(500, 1500, "so there", "ann"), (1000, 2000, "hm", "bob"), (2600, 3000, "yes", "ann")]
    assert [len(one.words) for one in transcript.utterances] == [2, 1, 1]


def test_speakers_of_rttm_are_those_with_the_most_time(tmp_path: Path) -> None:
    """Of several recordings in a file the one counts that is called like the video; without text, turns are utterances."""
    lines = [";; x", "SPEAKER movie 1 0.5 2.0 <NA> <NA> A <NA> <NA>", "SPEAKER movie 1 2.4 9 <NA> <NA> B <NA> <NA>"]
    speakers = write(tmp_path / "a.rttm", "\n".join([*lines, "SPEAKER other 1 0 99 <NA> <NA> C", "SPEAKER movie 1 1"]))
    words = [
        {"word": "a", "start": 1, "end": 2},
        {"word": "b", "start": 2.45, "end": 2.7},
        {"word": "c", "start": 20, "end": 21},
    ]
    document = {"segments": [{"start": 1, "end": 2.5, "text": "a b", "words": words}]}
    text = write(tmp_path / "movie.json", json.dumps(document))
    transcript = read_transcript(text, "Movie", speakers)
    assert said(transcript) == [(1000, 2500, "a b", "A")]
    assert [word.speaker for word in transcript.utterances[0].words] == ["A", "B", ""]
    assert [problem.split(":")[0] for problem in transcript.problems] == ["a.rttm, line 5"]
    turns = read_transcript(speakers, "movie", options=ReadingOptions(offset_s=-1))
    assert said(turns) == [(0, 1500, "", "A"), (1400, 10_400, "", "B")]
