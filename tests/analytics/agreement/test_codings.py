"""Codings in the formats of ELAN, Praat and as CSV, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from praatio.utilities.textgrid_io import getTextgridAsStr
from pympi import Elan

from annotate.analytics.agreement.codings import Code, Coding, TierChoice, read_codings
from annotate.analytics.agreement.options import AgreementOptions
from annotate.analytics.video_names import VideoNames
from annotate.errors import AnnotateError, CodingError, UnreadableError
from annotate.span import Span
from tests.analytics.agreement.samples import write

ANY = AgreementOptions().tier_choice


def only(path: Path, tiers: TierChoice = ANY) -> Coding:
    (coding,) = read_codings([path], tiers).codings
    return coding


def eaf(path: Path) -> Path:
    """Write a file of ELAN with a tier of speech, two coders' tiers, and one that refers to the first."""
    document = Elan.Eaf()
    for tier, annotator in (("speech", ""), ("emotion A", "anna"), ("emotion B", "ben")):
        document.add_tier(tier, ann=annotator or None, part="P1" if annotator else None)
    document.add_annotation("speech", 0, 900, "well")
    document.add_annotation("emotion A", 100, 900, "Happy")
    document.add_annotation("emotion A", 900, 1500, "sad")
    document.add_annotation("emotion B", 0, 1500, "joy")
    document.remove_tier("default")
    document.to_file(str(path))
    return path


def textgrid(path: Path, *names: str, encoding: str = "utf-8") -> Path:
    """Write a TextGrid with intervals of the given tiers: happy until 1 s, then nothing."""
    bounds = {"xmin": 0.0, "xmax": 2.0}
    tiers = [{"class": "IntervalTier", "name": name, **bounds, "entries": [(0.0, 1.0, "happy")]} for name in names]
    path.write_text(
        getTextgridAsStr({**bounds, "tiers": tiers}, "long_textgrid", includeBlankSpaces=True), encoding=encoding
    )
    return path


def test_tiers_of_elan_with_an_emotion_by_annotator(tmp_path: Path) -> None:
    found = read_codings([eaf(tmp_path / "film.eaf")], ANY).codings
    happy, sad = Code(Span(100, 900), "Happy", None, "P1"), Code(Span(900, 1500), "sad", None, "P1")
    assert [(each.coder, each.codes) for each in found] == [
        ("anna", (happy, sad)),
        ("ben", (Code(Span(0, 1500), "joy", None, "P1"),)),
    ]
    assert found[0].video == str(tmp_path / "film")


def test_tiers_are_chosen_by_pattern(tmp_path: Path) -> None:
    path = eaf(tmp_path / "film.eaf")
    assert only(path, TierChoice(("EMOTION b",), lambda _: False)).coder == "ben"
    assert len(read_codings([path], TierChoice(("emotion*",), lambda _: False)).codings) == 2
    with pytest.raises(CodingError, match=r"speech, emotion A, emotion B"):
        only(path, TierChoice(("face",), lambda _: True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tiers_of_praat_are_coders_or_faces(tmp_path: Path, encoding: str) -> None:
    two = read_codings([textgrid(tmp_path / "film.TextGrid", "anna", "ben", encoding=encoding)], ANY).codings
    assert [(each.coder, each.codes) for each in two] == [
        (name, (Code(Span(0, 1000), "happy"),)) for name in ("anna", "ben")
    ]
    faces = only(textgrid(tmp_path / "film.emotions.TextGrid", "face 1", "face 2", encoding=encoding))
    assert [code.face_id for code in faces.codes] == [1, 2]
    assert (faces.coder, faces.video) == ("", str(tmp_path / "film"))


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("start,end,emotion,coder,face,person,video,note", "0,1.5,happy,anna,2,Eva,a/film.mp4,x"),
        ("\ufeffVideo;Coder;Face;Person;START;End_Time;Emotion", "a/film.mp4;anna;2;Eva;0;1,5;happy"),
        ("video\tcoder\tface_id\tperson\tstart_time\tend_time\temotion", "a/film.mp4\tanna\t2\tEva\t0\t1.5\thappy"),
    ],
)
def test_columns_of_tables(tmp_path: Path, columns: str, row: str) -> None:
    coding = only(write(tmp_path / "all.csv", row, "", columns=columns))
    assert (coding.video, coding.coder) == ("a/film.mp4", "anna")
    assert coding.codes == (Code(Span(0, 1500), "happy", 2, "Eva"),)


@pytest.mark.parametrize(
    ("columns", "row", "said"),
    [
        ("start,end", "0,1", "'emotion' is missing"),
        ("start,end,emotion,start_time", "0,1,happy,0", "two columns"),
        ("start,end,emotion", "0,x,happy", "line 2: end 'x'"),
        ("start,end,emotion", "0,nan,happy", "line 2: end 'nan'"),
        ("start,end,emotion", "-1,1,happy", "line 2: start '-1'"),
        ("start,end,emotion", "2,1,happy", "line 2: end"),
        ("start,end,emotion,face", "0,1,happy,left", "line 2: face 'left'"),
        ("start,end,emotion", "0,1,happy,more", "line 2: 4 values"),
    ],
)
def test_a_table_that_cannot_be_used_gets_a_sentence(tmp_path: Path, columns: str, row: str, said: str) -> None:
    path = write(tmp_path / "film.csv", row, columns=columns)
    with pytest.raises(CodingError) as caught:
        only(path)
    assert caught.value.path == path
    assert said in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["film.eaf", "film.TextGrid", "film.csv", "film.doc", "missing.eaf", "empty"])
def test_other_files_get_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif not name.startswith("missing"):
        path.write_bytes(b"\xff\xff<x>" if name != "film.TextGrid" else b"File type = nothing")
    with pytest.raises(AnnotateError) as caught:
        only(path)
    assert isinstance(caught.value, CodingError | UnreadableError)
    assert caught.value.path == path


def test_entities_are_not_expanded_without_limit(tmp_path: Path) -> None:
    """Ten entities, each ten times the one before, would be 50 GB."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE x [<!ENTITY e0 "{"a" * 50}">{entities}]><ANNOTATION_DOCUMENT>&e9;</ANNOTATION_DOCUMENT>'
    (tmp_path / "film.eaf").write_text(text)
    with pytest.raises(CodingError, match="amplification"):
        only(tmp_path / "film.eaf")


def test_files_of_a_folder(tmp_path: Path) -> None:
    """What annotate wrote is no coding; what cannot be used is skipped."""
    write(tmp_path / "anna/film.csv", "0,1,happy")
    write(tmp_path / "ben.csv", "0,1,happy,film", columns="start,end,emotion,video")
    write(tmp_path / "film.emotions.csv", "0,1,happy")
    (tmp_path / "broken.eaf").write_text("<")
    found = read_codings([tmp_path], ANY)
    assert [(each.path.name, each.folder) for each in found.codings] == [("film.csv", "anna"), ("ben.csv", "")]
    assert [entry.path.name for entry in found.skipped] == ["broken.eaf"]
    several = read_codings([tmp_path / "anna", tmp_path / "ben.csv"], ANY)
    assert [each.coder for each in several.codings] == ["anna", "ben"]


def test_a_video_is_found_by_its_name_and_folders() -> None:
    paths = [Path(f"{name}.emotions.csv") for name in ("x/a/film", "x/b/film", "x/b/film.mov", "x/Été")]
    names = VideoNames(paths)
    assert names.find("b/FILM.mp4") == paths[1]
    assert names.find("/codings/a/film") == paths[0]
    assert names.find("film.mov") == paths[2]
    assert names.find("e\u0301te\u0301.avi") == paths[3]
    assert names.find("other") is names.find("") is None
    with pytest.raises(CodingError, match="2 videos"):
        names.find("film.mp4")
