from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from tests.clips import H264, make_pattern
from tests.reliability.damage import Damage, damage
from tests.reliability.elements import Number, parse, seal_pages
from tests.reliability.restructure import Change, restructure

CONTENT = bytes(range(1, 256)) * 100


@pytest.mark.parametrize("kind", list(Damage))
def test_damage_depends_on_the_seed(kind: Damage) -> None:
    copies = [damage(CONTENT, kind, random.Random(seed)) for seed in (1, 1, 2)]
    assert copies[0] == copies[1]
    assert copies[0] != copies[2]


@pytest.mark.parametrize("seed", range(50))
def test_each_kind_of_damage(seed: int) -> None:
    flipped, cut, zeroed = (damage(CONTENT, kind, random.Random(seed)) for kind in Damage)
    assert len(flipped) == len(zeroed) == len(CONTENT) > len(cut)
    assert CONTENT.startswith(cut)
    assert flipped != CONTENT
    assert all(now in (0, before) for now, before in zip(zeroed, CONTENT, strict=True))
    assert 0 in zeroed


CODECS = {
    "mp4": H264,
    "mkv": H264,
    "ts": (*H264, "-bf", "0"),
    "avi": ("-c:v", "mpeg4"),
    "flv": ("-c:v", "flv1"),
    "ogv": ("-c:v", "libtheora"),
    "gif": (),
}


@pytest.fixture(scope="module", params=list(CODECS))
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a pattern at 25 fps."""
    folder = tmp_path_factory.mktemp("structure")
    return make_pattern(folder / f"clip.{request.param}", options=CODECS[request.param])


@pytest.mark.parametrize(
    ("number", "value", "raw"),
    [
        (Number(1, 2), 0x0102, "00 01 02 00 00 00"),
        (Number(1, 2, "little"), 0x0102, "00 02 01 00 00 00"),
        (Number(1, 1, "vint"), 5, "00 85 00 00 00 00"),
        (Number(1, 2, "vint"), 0x0102, "00 41 02 00 00 00"),
        (Number(1, 5, "stamp"), 0x1_8000_4001, "00 0d 00 01 80 03"),
    ],
)
def test_numbers_are_written_and_read(number: Number, value: int, raw: str) -> None:
    content = bytearray(6)
    number.write(content, value)
    assert content.hex(" ") == raw
    assert number.read(content) == value
    number.write(content, -1)
    assert number.read(content) == (1 << number.bits) - 1


def test_elements_cover_a_file_and_hold_the_times_of_its_frames(clip: Path) -> None:
    content = clip.read_bytes()
    elements = parse(content, clip.suffix[1:])
    outermost = [each for each in elements if not each.parents]
    covered = sum(each.end - each.start for each in outermost)
    assert len(content) - covered <= 14
    assert all(before.end <= after.start for before, after in itertools.pairwise(outermost))
    assert all(each.start <= each.body <= each.end for each in elements)
    assert any(each.times for each in elements)
    sizes = {number.read(content) for each in elements for number in each.sizes}
    if clip.suffix not in (".ts", ".flv"):  # these state sizes in the coded frames only
        assert {160, 120} <= sizes


def test_pages_are_sealed_as_ffmpeg_seals_them(tmp_path: Path) -> None:
    content = make_pattern(tmp_path / "clip.ogv", options=CODECS["ogv"]).read_bytes()
    assert seal_pages(content) == content
    assert seal_pages(content[:22] + bytes(4) + content[26:]) == content


@pytest.mark.parametrize("change", list(Change))
def test_changes_depend_on_the_seed(clip: Path, change: Change) -> None:
    content, ending = clip.read_bytes(), clip.suffix[1:]
    copies = [restructure(content, ending, change, content, random.Random(seed)) for seed in (1, 1, *range(2, 9))]
    assert copies[0] == copies[1]
    elements = parse(content, ending)
    has_sizes = any(each.sizes for each in elements)
    times = {number.read(content) for each in elements for number in each.times}
    if (change is not Change.SIZE or has_sizes) and (change is not Change.REVERSED or len(times) > 1):
        assert any(copy != content for copy in copies)
