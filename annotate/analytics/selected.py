"""Find and read the tables that a function of the Python interface is asked for; what is left out becomes a warning."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterable
from dataclasses import replace

from annotate.analytics.face_filter import NO_FILTER, FaceFilter, remark_on_lacking
from annotate.analytics.read import ReportBatch, ReportSummary, read_reports
from annotate.analytics.trial_baseline import TrialSelection, check_baseline_trial, needs_probabilities, select_trials
from annotate.archive.corrections import remark_on_problems
from annotate.archive.find_reports import FoundReports, find_reports
from annotate.storage.base import parse_path, parse_paths
from annotate.storage.values import SkippedPath


def find_with_trials(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    faces: FaceFilter,
    trials: str | os.PathLike[str] | None,
    baseline_trial: str | None,
    *,
    relative: bool = False,
    is_corrected: bool = True,
) -> tuple[FoundReports, TrialSelection | None]:
    """Return the tables below paths, and the trials to which they are restricted; issue a `UserWarning` for each remark.

    Raises:
        SettingsError: there is a ``baseline_trial``, but no trials, or another baseline too.
        CodingError: the table of trials cannot be used.
    """
    found = find_reports(parse_paths(paths))
    check_baseline_trial(baseline_trial, has_trials=trials is not None, relative=relative)
    if trials is None:
        return found, None
    selection = select_trials(parse_path(trials), baseline_trial, found.reports, faces, is_corrected=is_corrected)
    for remark in selection.matched.remarks:
        warnings.warn(remark, stacklevel=3)
    return replace(found, reports=selection.choose(found.reports)), selection


def read_with_warnings(
    found: FoundReports,
    faces: FaceFilter = NO_FILTER,
    relative: bool = False,
    trials: TrialSelection | None = None,
    *,
    is_corrected: bool = True,
) -> Iterable[ReportBatch]:
    """Yield the batches of `read_reports`, restricted to ``trials`` if there are any.

    Issue a `UserWarning` for each skipped path, for corrections that do not fit, and one for `count_lacking`.
    """
    lacking = 0
    probabilities = needs_probabilities(trials)
    reading = read_reports(found.reports, faces, relative=relative, probabilities=probabilities, is_corrected=is_corrected)
    for read in itertools.chain(found.skipped, reading):
        if isinstance(read, SkippedPath):
            warnings.warn(f"skipped: {read}", stacklevel=3)
        else:
            lacking += count_lacking(read.reports.values(), faces)
            for report in read.reports.values():
                if report.problems:
                    warnings.warn(remark_on_problems(report.path, report.problems), stacklevel=3)
            for remark in trials.matched.late(read) if trials is not None else ():
                warnings.warn(remark, stacklevel=3)
            yield read if trials is None else trials.apply(read)
    if lacking:
        warnings.warn(remark_on_lacking(lacking), stacklevel=3)


def count_lacking(reports: Iterable[ReportSummary], faces: FaceFilter) -> int:
    """Return the number of reports of which nothing counts because their tables lack the columns of the filter."""
    return sum(not report.has_appearance for report in reports) if faces.columns else 0
