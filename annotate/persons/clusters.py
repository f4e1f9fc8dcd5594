"""Cluster face tracks to persons: agglomerative clustering with average linkage, with constraints.

The two clusters whose vectors have the highest mean cosine are joined (Sokal & Michener, "A statistical method for
evaluating systematic relationships", 1958), as long as it is at least a threshold. Tracks that cannot be the same person,
since they are on screen together, are never joined (constraints as in Davidson & Ravi, "Agglomerative Hierarchical
Clustering with Constraints", PKDD 2005).

The mean cosine of two clusters is the product of their mean vectors, and clusters without any pair of tracks that reaches
the threshold cannot reach it either, so only such pairs are looked at. They are kept in memory, except for tracks with many
of them, which are compared with all clusters: memory grows with the number of tracks, not with its square. Joining never
brings a cluster closer to a third one than the closer of its parts was, so chains of nearest neighbors (Murtagh, "A survey
of recent advances in hierarchical clustering algorithms", 1983) find the same clusters without comparing all of them before
each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from annotate.persons.descriptor import Vectors

MIN_COSINE = 0.845
"""Minimum mean cosine of the crops of two clusters of one person, chosen by `annotate.training.recipe.ending`."""

_COMPARISONS = 1 << 23
"""Maximum number of pairs of vectors that are compared at a time, unless there are more vectors."""

_MAX_NEAR = 256
"""Maximum number of vectors near a cluster that are kept in memory."""

_TOLERANCE = 1e-6
"""Difference of cosines up to which they count as equal: what rounding makes of those of equal vectors."""

Integers = NDArray[np.int64]


def cluster(
    vectors: Vectors,
    weights: Sequence[int] | Integers | None = None,
    *,
    apart: Iterable[tuple[int, int]] = (),
    decided: Sequence[int] | None = None,
    min_cosine: float = MIN_COSINE,
) -> Integers:
    """Return the number of the cluster of each vector, from 0 in the order of the vectors.

    Args:
        vectors: the mean descriptor of the crops of each track; one of length 0 is alone.
        weights: the number of crops of each track, by default 1.
        apart: pairs of vectors that are never joined.
        decided: the person of each vector, 0 if undecided; clusters with vectors of two persons are never joined.
        min_cosine: minimum mean cosine of clusters that are joined, greater than 0.
    """
    counts = np.ones(len(vectors)) if weights is None else np.asarray(weights, float)
    clusters = _Clusters(vectors, counts, np.array(decided or [0] * len(vectors)), min_cosine)
    for first, second in apart:
        clusters.separate(first, second)
    for start in range(len(vectors)):
        chain = [start] if clusters.is_active(start) else []
        while chain:
            near = clusters.nearest(chain[-1], chain[-2] if len(chain) > 1 else None)
            if near is None:
                clusters.finish(chain.pop())
            elif len(chain) > 1 and near == chain[-2]:
                joined = clusters.join(chain.pop(), chain.pop())
                chain = chain or [joined]
            else:
                chain.append(near)
    _, first_rows, numbers = np.unique(clusters.roots, return_index=True, return_inverse=True)
    order = np.empty(len(first_rows), np.int64)
    order[np.argsort(first_rows)] = np.arange(len(first_rows))
    return order[numbers]


class _Clusters:
    """Clusters by the number of one of their vectors, their root."""

    def __init__(self, vectors: Vectors, weights: NDArray[np.float64], decided: Integers, min_cosine: float) -> None:
        self.roots = np.arange(len(vectors))
        """The root of each vector."""
        self._means, self._weights = np.array(vectors, np.float32), np.maximum(weights, 1)
        self._decided = decided
        self._min_cosine = min_cosine
        self._active = np.ones(len(vectors), bool)
        self._members = {number: [number] for number in range(len(vectors))}
        self._near = list(_pairs(vectors, min_cosine))
        self._apart: dict[int, set[int]] = {}

    def is_active(self, number: int) -> bool:
        """Return whether a vector is the root of a cluster that may still be joined."""
        return bool(self._active[number])

    def separate(self, first: int, second: int) -> None:
        """Never join the clusters of two vectors."""
        self._apart.setdefault(first, set()).add(second)
        self._apart.setdefault(second, set()).add(first)

    def nearest(self, number: int, preferred: int | None) -> int | None:
        """Return the active cluster nearest to one, ``preferred`` among equals; None if none is near enough."""
        roots = self._candidates(number)
        if not len(roots):
            return None
        is_compared_with_all = self._near[number] is None
        cosines = (
            (self._means @ self._means[number])[roots] if is_compared_with_all else self._means[roots] @ self._means[number]
        )
        best = int(cosines.argmax())
        if cosines[best] < self._min_cosine:
            return None
        is_preferred = preferred is not None and bool((cosines[roots == preferred] >= cosines[best] - _TOLERANCE).any())
        return preferred if is_preferred else int(roots[best])

    def _candidates(self, number: int) -> Integers:
        """Return the active clusters that may be near one and may be joined with it."""
        is_allowed = self._active.copy()
        is_allowed[[number, *self._apart.get(number, ())]] = False
        if self._decided[number]:
            is_allowed &= np.isin(self._decided, [0, self._decided[number]])
        near = self._near[number]
        if near is None:
            return np.flatnonzero(is_allowed)
        roots = np.unique(self.roots[near])
        return roots[is_allowed[roots]]

    def join(self, first: int, second: int) -> int:
        """Join the clusters of two vectors; return the root of the result."""
        first, second = int(self.roots[first]), int(self.roots[second])
        if first == second:
            return first
        if len(self._members[first]) < len(self._members[second]):
            first, second = second, first
        weights = self._weights[[first, second]]
        self._means[first] = np.average(self._means[[first, second]], axis=0, weights=weights)
        self._weights[first] = weights.sum()
        self._near[first] = self._joined_near(first, second)
        self._near[second] = np.empty(0, np.int64)
        members = self._members.pop(second)
        self.roots[members] = first
        self._members[first] += members
        self._active[second] = False
        self._decided[first] = self._decided[first] or self._decided[second]
        for partner in self._apart.pop(second, set()):
            self._apart[partner].discard(second)
            if partner != first:
                self.separate(first, partner)
        return first

    def _joined_near(self, first: int, second: int) -> Integers | None:
        """Return what may be near either of two clusters; None if that is too much to keep."""
        near = [self._near[number] for number in (first, second)]
        known = [self.roots[numbers] for numbers in near if numbers is not None]
        if len(known) < len(near):
            return None
        joined = np.unique(np.concatenate(known))
        return joined if len(joined) <= _MAX_NEAR else None

    def finish(self, number: int) -> None:
        """Note that a cluster is not joined any more."""
        self._active[number] = False


def _pairs(vectors: Vectors, min_cosine: float) -> Iterator[Integers | None]:
    """Yield for each vector the numbers of the vectors that are near it; None if there are too many to keep."""
    rows = max(1, _COMPARISONS // max(1, len(vectors)))
    for start in range(0, len(vectors), rows):
        is_near = vectors[start : start + rows] @ vectors.T >= min_cosine
        for row, count in zip(is_near, np.count_nonzero(is_near, axis=1), strict=True):
            yield np.flatnonzero(row) if count <= _MAX_NEAR else None
