"""Measures of how well descriptors tell persons apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.persons.descriptor import Vectors, unit

FALSE_ACCEPT_RATE = 1e-3


def true_accept_rate(vectors: Vectors, persons: NDArray[Any]) -> float:
    """Return the share of pairs of one person that are closer than all but one in a thousand of two persons.

    ``vectors`` (n, d) are descriptors, ``persons`` (n,) whose they are.
    """
    first, second = np.triu_indices(len(vectors), 1)
    vectors = unit(vectors)
    cosines, is_same = (vectors @ vectors.T)[first, second], persons[first] == persons[second]
    return float((cosines[is_same] >= np.quantile(cosines[~is_same], 1 - FALSE_ACCEPT_RATE)).mean())


def b_cubed(clusters: NDArray[np.int64], persons: NDArray[Any]) -> tuple[float, float, float]:
    """Return B-cubed precision, recall and F (Bagga & Baldwin, 1998) of clusters (n,) of the faces of ``persons`` (n,)."""
    in_cluster, of_person = clusters[:, None] == clusters, persons[:, None] == persons
    both = (in_cluster & of_person).sum(1)
    precision, recall = (both / in_cluster.sum(1)).mean(), (both / of_person.sum(1)).mean()
    return float(precision), float(recall), float(2 * precision * recall / (precision + recall))


def training_half(persons: NDArray[np.str_]) -> list[str]:
    """Return every second of the persons, in order of their numbers: what is chosen or trained is on these.

    >>> training_half(np.array(["10", "2", "3", "2"]))
    ['2', '10']
    """
    return sorted(set(persons.tolist()), key=lambda person: (len(person), person))[::2]
