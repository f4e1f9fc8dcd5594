"""`annotate.agree`: the comparison with codings from Python."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from annotate.analytics.agreement.codings import Coding, Codings, read_codings
from annotate.analytics.agreement.options import AgreementOptions
from annotate.analytics.agreement.result import Agreement
from annotate.analytics.agreement.sampling import FURTHER_COLUMNS
from annotate.analytics.agreement.tally import AgreementTally
from annotate.analytics.read import read_reports
from annotate.analytics.trials import match_trials, read_trials
from annotate.archive.find_reports import find_reports
from annotate.errors import CodingError
from annotate.storage.base import parse_path
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
    relative: bool = False,
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
        relative: emotions relative to each face's own baseline, as for `annotate.summarize`.

    Returns:
        The agreement: ``kappa``, ``percent_agreement``, ``by_emotion``, ``confusion``, ``coders`` and more. What cannot be
        used is skipped with a `UserWarning`.

    Raises:
        CodingError: a coding or the trials cannot be used, or no table has a coding.
        SettingsError: a value is out of range.
    """
    options = AgreementOptions(step_s, face, labels or {}, tuple(tiers))
    found = find_reports([Path(path) for path in _listed(paths)])
    read = read_codings([parse_path(os.fspath(path)) for path in _listed(codings)], options.tier_choice)
    tally = AgreementTally(read, options)
    matched = None if trials is None else match_trials(read_trials(parse_path(os.fspath(trials))), found.reports)
    chosen, unmatched = tally.match(found.reports, matched)
    remarks = [*remarks_on_codings(read, unmatched), *(matched.remarks if matched is not None else [])]
    if not chosen:
        raise nothing_to_compare(read, remarks)
    for batch in itertools.chain(found.skipped, read_reports(chosen, relative=relative, further=FURTHER_COLUMNS)):
        if isinstance(batch, SkippedPath):
            remarks.append(f"skipped: {batch}")
        else:
            tally.add(batch)
    for remark in remarks:
        warnings.warn(remark, stacklevel=2)
    return tally.result()


def remarks_on_codings(codings: Codings, unmatched: Iterable[Coding]) -> list[str]:
    """Return sentences on codings that were skipped, and on those of videos without a table."""
    remarks = [f"skipped: {entry}" for entry in codings.skipped]
    videos = dict.fromkeys(coding.video for coding in unmatched)
    if videos:
        shown = ", ".join(list(videos)[:_NAMED]) + (" ..." if len(videos) > _NAMED else "")
        remarks.append(f"codings of {counted(len(videos), 'video')} without a table left out ({shown})")
    return remarks


def nothing_to_compare(codings: Codings, remarks: Iterable[str]) -> CodingError:
    """Return the error to raise if no table has a coding."""
    path = codings.codings[0].path if codings.codings else None
    problem = "no table has a coding" + "".join(f"; {remark}" for remark in remarks)
    return CodingError(problem, "name the files of codings, or the column video, like the videos", path=path)


def _listed(paths: AnyPath | Iterable[AnyPath]) -> list[AnyPath]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)
