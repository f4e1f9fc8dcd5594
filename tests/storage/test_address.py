"""S3 addresses as values with the name methods of paths, never mistaken for local files."""

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


def test_derived_addresses_are_addresses() -> None:
    made = (
        FILM.with_name("b.csv"),
        FILM.parent / "c/d",
        FILM.parent / PurePosixPath("c/d"),
        FILM.absolute(),
    )
    assert {type(path) for path in made} == {S3Address}
    assert str(made[0]) == "s3://archive/films/b.csv"
    assert str(made[1]) == str(made[2]) == "s3://archive/films/c/d"


def test_a_path_relative_to_a_prefix_is_a_pure_path() -> None:
    relative_path = FILM.relative_to(FILM.parent.parent)
    assert (relative_path, type(relative_path)) == (PurePosixPath("films/a b#1?.x.mp4"), PurePosixPath)
    assert (FILM.is_relative_to(FILM.parent), FILM.is_relative_to(Path("/archive"))) == (True, False)
    with pytest.raises(ValueError, match="is not below"):
        FILM.relative_to(parse_path("s3://archive/film"))


def test_an_address_survives_pickling() -> None:
    sent = pickle.loads(pickle.dumps(FILM))
    assert (sent, hash(sent), type(sent)) == (FILM, hash(FILM), S3Address)


def test_an_address_is_never_a_local_file() -> None:
    local = Path("/archive/films/a b#1?.x.mp4")
    assert (local == FILM, local == FILM, len({local, FILM})) == (False, False, 2)
    for use in (os.stat, os.path.exists, os.path.abspath, open):
        with pytest.raises(TypeError):
            use(FILM)  # type: ignore[operator]


def test_addresses_sort_like_paths() -> None:
    relative_paths = ["b", "a/c", "a.b", "a"]
    assert [str(path) for path in sorted(parse_path(f"s3://x1/{path}") for path in relative_paths)] == [
        f"s3://x1/{path}" for path in sorted(Path(path) for path in relative_paths)
    ]


def test_local_paths_are_parsed_as_paths() -> None:
    assert [type(parse_path(text)) for text in ("films", "./s3:/films", "/s3/x")] == [type(Path())] * 3


@pytest.mark.parametrize(
    "text", ["s3:///films", "s3://a", "s3://bad bucket/x", "s3://archive/a/../b", "s3://archive/./b", "ftp://x1/y"]
)
def test_invalid_addresses_are_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_path(text)
    assert caught.value.path == text
