"""Agreement of several coders: Fleiss' kappa and Krippendorff's alpha.

Both take a matrix (units, classes) that says how many coders gave a unit a class, and the weight of each unit.
"""

from __future__ import annotations

import numpy as np

from annotate.emotions.confusion import Values


def fleiss_kappa(ratings: Values, weights: Values) -> float:
    """Return Fleiss' kappa of units that all coders coded; nan if it is undefined.

    Fleiss, "Measuring Nominal Scale Agreement among Many Raters", Psychological Bulletin 76, 1971.

    Raises:
        ValueError: the units do not have one number of coders.
    """
    coders = ratings.sum(axis=1)
    if not len(ratings) or not weights.sum():
        return float("nan")
    if (coders != coders[0]).any():
        raise ValueError("units have different numbers of coders")
    if coders[0] < 2:
        return float("nan")
    agreeing = (ratings * (ratings - 1)).sum(axis=1) / (coders * (coders - 1))
    observed = float(np.average(agreeing, weights=weights))
    shares = np.average(ratings / coders[:, None], axis=0, weights=weights)
    by_chance = float((shares**2).sum())
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def krippendorff_alpha(ratings: Values, weights: Values) -> float:
    """Return Krippendorff's alpha for nominal data, also where not all coders coded a unit; nan if it is undefined.

    Units with fewer than two coders do not count. Weights are numbers of equal units: here, the samples.

    Krippendorff, "Content Analysis", 2nd edition, 2004, section 11.3; "Computing Krippendorff's Alpha-Reliability", 2011.
    """
    paired = ratings.sum(axis=1) >= 2
    ratings, weights = ratings[paired], weights[paired]
    if not len(ratings):
        return float("nan")
    per_pair = weights / (ratings.sum(axis=1) - 1)
    coincidences = (ratings * per_pair[:, None]).T @ ratings - np.diag(per_pair @ ratings)
    totals = coincidences.sum(axis=0)
    values = totals.sum()
    observed = values - np.trace(coincidences)
    by_chance = (values**2 - (totals**2).sum()) / (values - 1) if values > 1 else 0.0
    return float(1 - observed / by_chance) if by_chance > 0 else float("nan")
