"""Addresses as values: parts and names as paths have them, and never a file of this machine."""

from __future__ import annotations

import os
import pickle
from pathlib import Path, PurePosixPath

import pytest

from annotate.errors import SettingsError
from annotate.storage.address import S3Address
from annotate.storage.base import parse_path

FILM = parse_path("s3://archive/films/a b#1?.x.mp4")


def test_parts_of_an_address() -> None:
    assert isinstance(FILM, S3Address)
    assert (FILM.bucket, FILM.key) == ("archive", "films/a b#1?.x.mp4")
    assert (FILM.name, FILM.stem, FILM.suffix) == ("a b#1?.x.mp4", "a b#1?.x", ".mp4")
    assert [str(path) for path in (FILM, FILM.parent, FILM.parent.parent)] == [
        "s3://archive/films/a b#1?.x.mp4",
        "s3://archive/films",
        "s3://archive",
    ]
    assert FILM.as_uri() == "s3://archive/films/a%20b%231%3F.x.mp4"
    assert parse_path("s3://archive/films/") == parse_path("S3://archive/films")


def test_what_is_made_of_an_address_is_one() -> None:
    made = (
        FILM.with_name("b.csv"),
        FILM.parent / "c/d",
        FILM.parent / PurePosixPath("c/d"),
        FILM.absolute(),
    )
    assert {type(path) for path in made} == {S3Address}
    assert str(made[0]) == "s3://archive/films/b.csv"
    assert str(made[1]) == str(made[2]) == "s3://archive/films/c/d"


def test_the_way_from_a_prefix_is_no_address() -> None:
    way = FILM.relative_to(FILM.parent.parent)
    assert (way, type(way)) == (PurePosixPath("films/a b#1?.x.mp4"), PurePosixPath)
    assert (FILM.is_relative_to(FILM.parent), FILM.is_relative_to(Path("/archive"))) == (True, False)
    with pytest.raises(ValueError, match="is not below"):
        FILM.relative_to(parse_path("s3://archive/film"))


def test_an_address_is_the_same_after_it_was_sent() -> None:
    sent = pickle.loads(pickle.dumps(FILM))
    assert (sent, hash(sent), type(sent)) == (FILM, hash(FILM), S3Address)


def test_an_address_is_never_a_local_file() -> None:
    local = Path("/archive/films/a b#1?.x.mp4")
    assert (local == FILM, local == FILM, len({local, FILM})) == (False, False, 2)
    for use in (os.stat, os.path.exists, os.path.abspath, open):
        with pytest.raises(TypeError):
            use(FILM)  # type: ignore[operator]


def test_addresses_sort_as_paths_do() -> None:
    ways = ["b", "a/c", "a.b", "a"]
    assert [str(path) for path in sorted(parse_path(f"s3://x1/{way}") for way in ways)] == [
        f"s3://x1/{path}" for path in sorted(Path(way) for way in ways)
    ]


def test_paths_of_this_machine_stay_what_they_are() -> None:
    assert [type(parse_path(text)) for text in ("films", "./s3:/films", "/s3/x")] == [type(Path())] * 3


@pytest.mark.parametrize(
    "text", ["s3:///films", "s3://a", "s3://bad bucket/x", "s3://archive/a/../b", "s3://archive/./b", "ftp://x1/y"]
)
def test_addresses_that_cannot_be_used(text: str) -> None:
    with pytest.raises(SettingsError, match="^" + text.split("?")[0]):
        parse_path(text)
