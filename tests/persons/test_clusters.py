"""Clusters of face tracks."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from annotate.persons import clusters
from annotate.persons.clusters import cluster
from annotate.persons.descriptor import unit


def _greedy(vectors, apart, min_cosine):
    """Average linkage as it is defined: all pairs compared before each join."""
    groups = [[number] for number in range(len(vectors))]
    cosines = vectors @ vectors.T
    while True:
        best, pair = min_cosine, None
        for first, second in itertools.combinations(range(len(groups)), 2):
            pairs = list(itertools.product(groups[first], groups[second]))
            if any((a, b) in apart or (b, a) in apart for a, b in pairs):
                continue
            mean = np.mean([cosines[a, b] for a, b in pairs])
            if mean >= best:
                best, pair = mean, (first, second)
        if pair is None:
            return {frozenset(group) for group in groups}
        groups[pair[0]] += groups.pop(pair[1])


def _groups(numbers):
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in set(numbers.tolist())}


@pytest.mark.parametrize("max_near", [0, 5, 256])
@pytest.mark.parametrize("seed", range(12))
def test_chains_of_neighbors_find_the_clusters_of_average_linkage(seed, max_near, monkeypatch):
    monkeypatch.setattr(clusters, "_MAX_NEAR", max_near)
    random = np.random.default_rng(seed)
    centers = random.normal(size=(6, 8))
    vectors = unit(centers[random.integers(0, 6, 40)] + random.normal(size=(40, 8)) * 0.5)
    apart = {tuple(sorted(random.choice(40, 2, replace=False).tolist())) for _ in range(30)}
    assert _groups(cluster(vectors, apart=apart, min_cosine=0.6)) == _greedy(vectors, apart, 0.6)


def test_numbers_follow_the_order_of_vectors():
    east, north = [1, 0], [0, 1]
    assert cluster(np.array([north, east, north, east], np.float32)).tolist() == [0, 1, 0, 1]
    assert cluster(np.empty((0, 2), np.float32)).tolist() == []


def test_memory_does_not_grow_with_the_square_of_the_tracks_of_a_person():
    random, count = np.random.default_rng(0), 3000
    vectors = unit(random.normal(size=(1, 128)) + random.normal(size=(count, 128)) * 0.1)
    tracemalloc.start()
    try:
        numbers = cluster(vectors)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert set(numbers.tolist()) == {0}
    assert peak_bytes < count * count * 8, "the numbers of all near vectors of each are not in memory at once"


def test_copies_of_a_video():
    vectors = unit(np.repeat(np.random.default_rng(1).normal(size=(20, 128)), 30, axis=0))
    assert np.array_equal(cluster(vectors), np.repeat(np.arange(20), 30))


def test_constraints():
    same = np.array([[1, 0]] * 4, np.float32)
    numbers = cluster(same, apart=[(0, 1)])
    assert numbers[0] != numbers[1]
    other = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
    assert cluster(other).tolist() == [0, 1, 2]
    assert cluster(same, decided=[1, 0, 2, 0]).tolist() in ([0, 0, 1, 0], [0, 0, 1, 1], [0, 1, 1, 0], [0, 1, 1, 1])


def test_tracks_weigh_as_many_crops_as_they_have():
    vectors = np.array([[1, 0], [0.9, 0.1], [0.5, 0.5]], np.float32)
    for weights in ([4, 1, 2], [1, 4, 2]):
        mean = np.average(vectors[:2], axis=0, weights=weights[:2]) @ vectors[2]
        assert cluster(vectors, weights, min_cosine=mean - 1e-3).tolist() == [0, 0, 0]
        assert cluster(vectors, weights, min_cosine=mean + 1e-3).tolist() == [0, 0, 1]
