"""`annotate.agree`: the comparison with codings from Python."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterable, Mapping

from annotate.analytics.agreement.codings import Coding, Codings, read_codings
from annotate.analytics.agreement.options import AgreementOptions
from annotate.analytics.agreement.result import Agreement
from annotate.analytics.agreement.sampling import FURTHER_COLUMNS
from annotate.analytics.agreement.tally import AgreementTally
from annotate.analytics.face_filter import NO_FILTER
from annotate.analytics.read import read_reports
from annotate.analytics.selected import find_with_trials
from annotate.analytics.trial_baseline import needs_probabilities
from annotate.errors import CodingError
from annotate.storage.base import parse_paths
from annotate.storage.values import SkippedPath
from annotate.text import counted

_NAMED = 3
"""Number of videos that a remark names at most."""

AnyPath = str | os.PathLike[str]


def agree(
    paths: AnyPath | Iterable[AnyPath],
    codings: AnyPath | Iterable[AnyPath],
    *,
    step_s: float = 0.1,
    face: str = "largest",
    labels: Mapping[str, str] | None = None,
    tiers: Iterable[str] = (),
    trials: AnyPath | None = None,
    baseline_trial: str | None = None,
    relative: bool = False,
    corrections: bool = True,
) -> Agreement:
    """Compare the results of annotated videos with codings by people.

    Args:
        paths: one or more tables, videos (for their tables) or directories.
        codings: one or more ``.eaf``, ``.TextGrid`` or ``.csv`` files, or folders of them.
        step_s: time between samples in seconds; each is taken at the middle of its step.
        face: which face counts where the coding names none: ``"largest"``, ``"first"`` or ``"any"``.
        labels: labels of the coders -> emotions, beside names and common synonyms.
        tiers: names or shell patterns of the tiers that are codings.
        trials: a CSV table of trials; only time in trials counts, and there are figures by trial, condition and participant.
        baseline_trial: a condition or trial; emotions are relative to each participant's own baseline in it.
        relative: emotions relative to each face's own baseline, as for `annotate.summarize`.
        corrections: whether those by people are applied to the results; without them, the machine alone is compared.

    Returns:
        The agreement: ``kappa``, ``percent_agreement``, ``by_emotion``, ``confusion``, ``coders`` and more. What cannot be
        used is skipped with a `UserWarning`.

    Raises:
        CodingError: a coding or the trials cannot be used, or no table has a coding.
        SettingsError: a value is out of range.
    """
    options = AgreementOptions(step_s, face, labels or {}, tuple(tiers))
    found, selection = find_with_trials(
        paths, NO_FILTER, trials, baseline_trial, relative=relative, is_corrected=corrections
    )
    read = read_codings(parse_paths(codings), options.tier_choice)
    tally = AgreementTally(read, options)
    chosen, unmatched = tally.match(found.reports, selection.matched if selection is not None else None)
    remarks = remarks_on_codings(read, unmatched)
    if not chosen:
        raise nothing_to_compare(read, remarks)
    probabilities = needs_probabilities(selection)
    reading = read_reports(
        chosen, relative=relative, further=FURTHER_COLUMNS, probabilities=probabilities, is_corrected=corrections
    )
    for batch in itertools.chain(found.skipped, reading):
        if isinstance(batch, SkippedPath):
            remarks.append(f"skipped: {batch}")
        else:
            tally.add(batch if selection is None else selection.apply(batch))
    for remark in remarks:
        warnings.warn(remark, stacklevel=2)
    return tally.result()


def remarks_on_codings(codings: Codings, unmatched: Iterable[Coding]) -> list[str]:
    """Return sentences on codings that were skipped, and on those of videos that are not compared."""
    remarks = [f"skipped: {entry}" for entry in codings.skipped]
    videos = dict.fromkeys(coding.video for coding in unmatched)
    if videos:
        shown = ", ".join(list(videos)[:_NAMED]) + (" ..." if len(videos) > _NAMED else "")
        remarks.append(f"codings of {counted(len(videos), 'video')} left out ({shown}): no table, or no trial in it")
    return remarks


def nothing_to_compare(codings: Codings, remarks: Iterable[str]) -> CodingError:
    """Return the error to raise if no table has a coding."""
    path = codings.codings[0].path if codings.codings else None
    problem = "no table has a coding" + "".join(f"; {remark}" for remark in remarks)
    return CodingError(problem, "name the files of codings, or the column video, like the videos", path=path)
