from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.archive.discover import without_extension
from annotate.emotions.labels import EMOTIONS
from annotate.errors import DatasetError, UnreadableError
from annotate.span import Span
from annotate.training.dataset.labels import (
    LabeledClip,
    OmissionKind,
    overlapping,
    parse_emotion,
    rare_classes,
    read_labels,
)


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("Happy", "happiness"),
        ("SAD", "sadness"),
        (" angry ", "anger"),
        ("surprised", "surprise"),
        ("fearful", "fear"),
        ("disgusted", "disgust"),
        ("neutral", "neutral"),
        ("0", "anger"),
        ("6", "surprise"),
        ("4.0", "neutral"),
    ],
)
def test_an_emotion_is_a_name_or_a_number(text: str, emotion: str) -> None:
    assert EMOTIONS[parse_emotion(text)] == emotion


@pytest.mark.parametrize("text", ["contempt", "7", "-1", "3.5", "", "nan", "inf"])
def test_other_emotions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=repr(text)):
        parse_emotion(text)


def test_plain_columns(tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeffVideo, Start,End,Emotion,Subject\na.mp4, 1.5,3,happy,Ann\nb,0,0.0404,2,\n")
    labels = read_labels(path)
    assert labels.clips == [LabeledClip("a.mp4", "", Span(1500, 3000), 3, "Ann"), LabeledClip("b", "", Span(0, 40), 2)]
    assert labels.omissions == []
    assert str(labels.clips[0]) == "a.mp4 1.5-3 s (happiness)"


def test_omg_emotion_columns(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "link,start,end,video,utterance,arousal,valence,EmotionMaxVote\n"
        "https://www.youtube.com/watch?v=-7zk,12.3,15.0,-7zk,utterance_2.mp4,0.3,0.1,5\n",
    )
    (clip,) = read_labels(path).clips
    assert clip == LabeledClip("-7zk", "utterance_2.mp4", Span(12300, 15000), 5)
    assert str(clip) == "-7zk/utterance_2.mp4 12.3-15 s (sadness)"


def test_invalid_rows_are_listed_with_their_line(tmp_path: Path) -> None:
    rows = ["a,0,1,contempt", "a,2,2,fear", "a,soon,2,fear", "a,-1,2,fear", ",0,1,fear", "a,0,inf,fear", "a,4,5,fear"]
    labels = read_labels(table(tmp_path, "\n".join(["video,start,end,emotion", *rows]) + "\n"))
    assert [clip.span for clip in labels.clips] == [Span(4000, 5000)]
    assert [each.kind for each in labels.omissions] == [OmissionKind.UNREADABLE] * 6
    for number, (omission, word) in enumerate(zip(labels.omissions[:3], ("'contempt'", "2 s", "'soon'"), strict=True), 2):
        assert f"line {number}: " in str(omission)
        assert word in str(omission)


def test_clips_that_overlap_another_label_are_dropped_and_listed(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "video,start,end,emotion\n"
        "a.mp4,0,2,happy\nA,1.5,3,sad\na,3,4,sad\nb,0,2,fear\nb,1,3,fear\nc,0,2,happy\nb,1,3,fear\n",
    )
    labels = read_labels(path)
    assert [str(clip) for clip in labels.clips] == [
        "a 3-4 s (sadness)",
        "b 0-2 s (fear)",
        "b 1-3 s (fear)",
        "c 0-2 s (happiness)",
    ]
    assert [str(each) for each in labels.omissions] == [
        "a.mp4 0-2 s (happiness) overlaps A 1.5-3 s (sadness)",
        "A 1.5-3 s (sadness) overlaps a.mp4 0-2 s (happiness)",
    ]


def test_corrections_override_labels(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "video,utterance,start,end,EmotionMaxVote\n"
        "v,utterance_1.mp4,0,2,3\nv,utterance_2.mp4,2,4,3\nw,utterance_1.mp4,0,2,3\n",
    )
    by_name = table(tmp_path, "video,utterance,emotion\nV,utterance_2,sad\nw,utterance_9.mp4,sad\n", "names.csv")
    labels = read_labels(path, by_name)
    assert [clip.emotion for clip in labels.clips] == ["happiness", "sadness", "happiness"]
    assert [each.kind for each in labels.omissions] == [OmissionKind.UNMATCHED]
    assert f"{by_name}: line 3:" in str(labels.omissions[0])
    by_time = table(tmp_path, "video,start,end,emotion\nv,0.0,2.000,contempt\n", "times.csv")
    labels = read_labels(path, by_time)
    assert [clip.utterance for clip in labels.clips] == ["utterance_2.mp4", "utterance_1.mp4"]
    assert [each.kind for each in labels.omissions] == [OmissionKind.UNREADABLE]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("video,start,emotion\na,0,happy\n", "'end' .*video, start, emotion"),
        ("video,start,end,mood\na,0,1,happy\n", "'emotion'"),
        ("", "CSV"),
        ('video,start,end,emotion\n"a,0,1,happy\n', "CSV"),
    ],
)
def test_an_invalid_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(DatasetError, match=words) as refused:
        read_labels(path)
    assert refused.value.path == path


def test_a_missing_or_binary_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError) as missing:
        read_labels(tmp_path / "none.csv")
    assert Path(str(missing.value.path)) == tmp_path / "none.csv"
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(DatasetError) as refused:
        read_labels(tmp_path / "image.csv")
    assert refused.value.path == tmp_path / "image.csv"


def test_video_extensions_are_removed() -> None:
    assert [without_extension(name) for name in ("a.MP4", "a.b", "x/a.v2.mkv", "utterance_1")] == [
        "a",
        "a.b",
        "x/a.v2",
        "utterance_1",
    ]


def test_rare_classes_have_fewer_clips_than_the_median() -> None:
    labels = [0] * 5 + [1] * 3 + [2] * 9 + [3]
    clips = [LabeledClip("a", "", Span(number, number + 1), label) for number, label in enumerate(labels)]
    assert rare_classes(clips) == {1, 3}
    assert rare_classes([]) == frozenset()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10), st.integers(0, 2)), max_size=12))
def test_exactly_the_overlaps_of_different_labels_are_found(rows: list[tuple[int, int, int]]) -> None:
    clips = [LabeledClip("a", "", Span(start, start + length), label) for start, length, label in rows]
    expected = {clip for clip in clips for other in clips if clip.label != other.label and clip.span & other.span}
    found = overlapping(clips)
    assert set(found) == expected
    assert all(clip.span & other.span and clip.label != other.label for clip, other in found.items())
