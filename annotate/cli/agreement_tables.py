"""Tables and lines that show an agreement on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from annotate.analytics.agreement.result import Agreement, Figures
from annotate.cli.tables import Column, shortest_words
from annotate.text import counted, printable

_UNDEFINED = "-"


def tables(agreement: Agreement) -> Iterator[list[Column]]:
    """Yield the tables: by emotion, the confusion matrix, and by coder and group of trials, where there are several.

    Emotions that were neither coded nor seen by the model are left out.
    """
    by_emotion = agreement.by_emotion
    used = by_emotion[(by_emotion["coded_s"] > 0) | (by_emotion["model_s"] > 0)]
    names = list(map(printable, used.index))
    scores = {"precision": "precision", "recall": "recall", "f1": "F1", "kappa": "kappa"}
    yield [
        Column("emotion", names),
        Column("coded", [_seconds(value) for value in used["coded_s"]], to_right=True),
        Column("model", [_seconds(value) for value in used["model_s"]], to_right=True),
        *(Column(heading, [_score(value) for value in used[name]], to_right=True) for name, heading in scores.items()),
    ]
    confusion = agreement.confusion.loc[used.index, used.index]
    words = shortest_words(names)
    cells = {name: [_seconds(value) for value in confusion[name]] for name in used.index}
    yield [
        Column("coded / model", names),
        *(
            Column(name, cells[emotion], (words[name], cells[emotion]), to_right=True)
            for emotion, name in zip(used.index, names, strict=True)
        ),
    ]
    if len(agreement.coders) > 1:
        pairs = {f"{pair.first} and {pair.second}": pair.figures for pair in agreement.pairs if pair.figures.videos}
        model = {f"{name} and model": figures for name, figures in agreement.coders.items()}
        yield _figure_columns("who", model | pairs)
    for by, groups in agreement.groups.items():
        yield _figure_columns(by, groups)


def closing_lines(agreement: Agreement) -> Iterator[str]:
    """Yield lines with the figures for all, and with what was left out."""
    figures = agreement.figures
    if not figures.compared_s:
        yield "Nothing to compare: no time has both a code and a face."
    else:
        yield f"kappa {kappa_text(figures)}, agreement {figures.percent_agreement:.1f} %."
    if len(agreement.coders) > 1 and figures.compared_s:
        fleiss, alpha = _score(agreement.fleiss_kappa), _score(agreement.krippendorff_alpha)
        yield f"{len(agreement.coders)} coders: Fleiss' kappa {fleiss}, Krippendorff's alpha {alpha}."
    left = f"{_seconds(agreement.without_row_s)} s without a face, {_seconds(agreement.without_code_s)} s without a code"
    compared = f"{counted(figures.videos, 'video')}, {_seconds(figures.compared_s)} s compared"
    yield f"{compared} in steps of {agreement.options.step_s:g} s. Left out: {left}."
    if agreement.unmapped:
        labels = ", ".join(f"{printable(label)} {_seconds(value)} s" for label, value in agreement.unmapped.items())
        yield f"Codes that are no emotion of the model, left out: {labels} (--map LABEL=EMOTION counts them)."


def kappa_text(figures: Figures) -> str:
    """Return kappa with its interval as text."""
    interval = figures.kappa
    if interval.low != interval.low:
        return _score(interval.value)
    return f"{interval.value:.2f} (95 % interval {interval.low:.2f} to {interval.high:.2f})"


def _figure_columns(heading: str, rows: dict[str, Figures]) -> list[Column]:
    every: Sequence[Figures] = list(rows.values())
    limits = [(figures.kappa.low, figures.kappa.high) for figures in every]
    intervals = [_UNDEFINED if low != low else f"{low:.2f} to {high:.2f}" for low, high in limits]
    percents = [figures.percent_agreement for figures in every]
    return [
        Column(heading, [printable(name) for name in rows], name=True),
        Column("kappa", [_score(figures.kappa.value) for figures in every], to_right=True),
        Column("95 % interval", intervals, to_right=True, rank=1),
        Column("agreement", [_UNDEFINED if value != value else f"{value:.1f}%" for value in percents], to_right=True),
        Column("compared", [_seconds(figures.compared_s) for figures in every], to_right=True),
        Column("videos", [str(figures.videos) for figures in every], to_right=True, rank=2),
    ]


def _seconds(value: float) -> str:
    return f"{value:.1f}"


def _score(value: float) -> str:
    return _UNDEFINED if value != value else f"{value:.2f}"
