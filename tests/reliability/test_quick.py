from __future__ import annotations

import random

import pytest

from tests.reliability.damage import Damage, damage

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
