"""``annotate agree``: agreement with codings by people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.cli import console
from annotate.cli.options import (
    Command,
    PathOrUrlType,
    collect,
    corrections_option,
    face_filter_options,
    handle_errors,
    paths_argument,
    relative_option,
    stacked,
    verbosity_options,
)
from annotate.cli.table_output import (
    TrialOptions,
    closing_line,
    find_tables,
    find_trials,
    output_file,
    read_tables,
    trial_options,
)
from annotate.cli.tables import format_columns, terminal_width
from annotate.errors import EXIT_FAILED
from annotate.settings import FACE_RULES
from annotate.storage.base import prepare_output, storage_for
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import counted

if TYPE_CHECKING:
    from annotate.analytics.agreement.options import AgreementOptions
    from annotate.analytics.agreement.result import Agreement
    from annotate.analytics.face_filter import FaceFilter

RESULT_FILES = {".json": "", ".csv": ""}
CONFUSION_FILES = {".csv": "", ".png": "matplotlib", ".svg": "matplotlib"}
MOMENT_FILES = {".csv": "", ".eaf": "", ".m3u": ""}


@dataclass(frozen=True)
class _Outputs:
    """Files to write, each if it is given."""

    output: Path | None
    confusion: Path | None
    moments: Path | None

    @property
    def files(self) -> list[Path]:
        return [path for path in (self.output, self.confusion, self.moments) if path is not None]


def _parse_map(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Return labels -> emotions from texts such as ``happy=happiness,contempt=disgust``."""
    labels = {}
    for pair in (pair for text in texts for pair in text.split(",") if pair.strip()):
        label, _, emotion = (part.strip() for part in pair.partition("="))
        if not label or not emotion:
            raise click.BadParameter(f"{pair!r} is not LABEL=EMOTION.")
        labels[label] = emotion
    return labels


def _make_options(
    step_s: float, face_rule: str, labels: dict[str, str], tiers: tuple[str, ...], seed: int
) -> AgreementOptions:
    from annotate.analytics.agreement.options import AgreementOptions

    return AgreementOptions(step_s, face_rule, labels, tiers, seed)


def comparison_options(command: Command) -> Command:
    """Declare the options of ``options``."""
    return stacked(
        click.option(
            "--step",
            "step_s",
            metavar="SECONDS",
            type=click.FloatRange(0.01, 60),
            default=0.1,
            show_default=True,
            help="Time between samples; each is taken at the middle of its step.",
        ),
        click.option(
            "--face",
            "face_rule",
            type=click.Choice(FACE_RULES),
            default=FACE_RULES[0],
            show_default=True,
            help="Which face counts if several are visible and the coding names none.",
        ),
        click.option(
            "--map",
            "labels",
            metavar="LABEL=EMOTION,...",
            multiple=True,
            callback=_parse_map,
            help="Labels of the coders that stand for an emotion, beside names and synonyms; repeatable.",
        ),
        click.option(
            "--tier",
            "tiers",
            metavar="NAME",
            multiple=True,
            help="Tier with codes, or a pattern; repeatable.  [default: those with an emotion]",
        ),
        click.option("--seed", metavar="N", type=int, default=0, show_default=True, help="Random seed of the intervals."),
        collect("options", _make_options, "step_s", "face_rule", "labels", "tiers", "seed"),
    )(command)


def output_options(command: Command) -> Command:
    """Declare the options of ``outputs``."""
    return stacked(
        output_file(RESULT_FILES, f"Also write the figures to a file ({', '.join(RESULT_FILES)})."),
        output_file(
            CONFUSION_FILES,
            f"Also write the confusion matrix, as a table or picture ({', '.join(CONFUSION_FILES)}).",
            "--confusion",
        ),
        output_file(
            MOMENT_FILES,
            f"Also write the moments of disagreement, greatest first ({', '.join(MOMENT_FILES)}).",
            "--disagreements",
            "moments",
        ),
        collect("outputs", _Outputs, "output", "confusion", "moments"),
    )(command)


@click.command(epilog="\b\nExample:\n  annotate agree films --with codings -o agreement.json --disagreements worst.m3u")
@handle_errors
@paths_argument()
@click.option(
    "--with",
    "codings",
    metavar="CODING",
    multiple=True,
    required=True,
    type=PathOrUrlType(),
    help="Coding by people: .eaf, .TextGrid, .csv (start,end,emotion), or a folder of them; repeatable.",
)
@comparison_options
@trial_options
@relative_option
@corrections_option
@face_filter_options
@output_options
@verbosity_options
def agree(
    paths: Sequence[PathOrUrl],
    codings: Sequence[PathOrUrl],
    options: AgreementOptions,
    trials: TrialOptions,
    relative: bool,
    is_corrected: bool,
    faces: FaceFilter,
    outputs: _Outputs,
    quiet: bool,
) -> int:
    """Compare results with codings by people: kappa, agreement by emotion, confusion matrix.

    Reads existing results only. Time without a face or without a code is left out. The 95 % interval is a bootstrap over
    videos.
    """
    from annotate.analytics.agreement.agree import nothing_to_compare, remarks_on_codings
    from annotate.analytics.agreement.codings import read_codings
    from annotate.analytics.agreement.moments import check_single
    from annotate.analytics.agreement.sampling import FURTHER_COLUMNS
    from annotate.analytics.agreement.tally import AgreementTally

    for file in outputs.files:
        prepare_output(file)
    skipped = list[SkippedPath]()
    read = read_codings(codings, options.tier_choice)
    skipped += read.skipped
    reports = find_tables(paths, skipped)
    selection = find_trials(trials, reports, skipped, faces=faces, relative=relative, is_corrected=is_corrected, quiet=quiet)
    tally = AgreementTally(read, options)
    chosen, unmatched = tally.match(reports, None if selection is None else selection.matched)
    remarks = remarks_on_codings(read, unmatched)
    if not chosen:
        raise nothing_to_compare(read, remarks)
    if outputs.moments is not None:
        check_single(chosen, outputs.moments)
    for remark in remarks:
        if not quiet or read.skipped:
            console.say(remark)
    for batch in read_tables(
        chosen,
        faces,
        skipped,
        quiet=quiet,
        relative=relative,
        further=FURTHER_COLUMNS,
        trials=selection,
        is_corrected=is_corrected,
    ):
        tally.add(batch)
    agreement = tally.result()
    _write(agreement, outputs)
    if not (quiet and outputs.output is not None):
        _print(agreement)
    if outputs.files and not quiet:
        console.print_text("\n".join(["", *_written_lines(agreement, outputs)]))
    return EXIT_FAILED if skipped else 0


def _write(agreement: Agreement, outputs: _Outputs) -> None:
    from annotate.analytics.agreement.moments import encode_disagreements
    from annotate.analytics.export import encode_table

    def write(path: Path, content: bytes) -> None:
        storage_for(path).write_atomic(path, content)

    if outputs.output is not None:
        if outputs.output.suffix.lower() == ".json":
            text = json.dumps(agreement.document(), ensure_ascii=False, indent=2) + "\n"
            write(outputs.output, text.encode())
        else:
            write(outputs.output, encode_table(agreement.table(), ".csv"))
    if outputs.confusion is not None:
        if outputs.confusion.suffix.lower() == ".csv":
            table = agreement.confusion.rename_axis("coded").reset_index()
            write(outputs.confusion, encode_table(table, ".csv"))
        else:
            _draw(agreement, outputs.confusion)
    if outputs.moments is not None and not agreement.disagreements:
        console.say(f"{outputs.moments}: not written (no disagreement)")
    elif outputs.moments is not None:
        write(outputs.moments, encode_disagreements(agreement, outputs.moments))


def _draw(agreement: Agreement, path: Path) -> None:
    from annotate.cli.agreement_tables import kappa_text
    from annotate.plots.confusion import draw_confusion
    from annotate.plots.figures import encode_figure, plot_style, write_image

    title = f"seconds by code and model; kappa {kappa_text(agreement.figures)}"
    with plot_style():
        write_image(path, encode_figure(draw_confusion(agreement.confusion, title), path.suffix.lower()))


def _written_lines(agreement: Agreement, outputs: _Outputs) -> Iterator[str]:
    if outputs.output is not None:
        yield closing_line("figures", outputs.output)
    if outputs.confusion is not None:
        yield closing_line("confusion matrix", outputs.confusion)
    if outputs.moments is not None and agreement.disagreements:
        yield closing_line(counted(len(agreement.disagreements), "disagreement"), outputs.moments)


def _print(agreement: Agreement) -> None:
    from annotate.cli.agreement_tables import closing_lines, tables

    width = terminal_width()
    parts = [format_columns(columns, width) for columns in tables(agreement)]
    console.print_text("\n\n".join([*parts, "\n".join(closing_lines(agreement))]))
