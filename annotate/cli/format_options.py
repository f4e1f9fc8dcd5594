"""Options that choose how a format is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from annotate.cli.options import Command, Decorator, PathOrUrlType, collect, stacked
from annotate.results.formats.registry import CAPTION, EAF_3, MERGED, TRACK_FORMATS

PLAIN, BLOCKS = "plain", "blocks"
_EAF_VERSIONS = {"2.8": "", "3.0": EAF_3}

_OPTIONS = {"style": CAPTION, "intervals": MERGED, "eaf_version": EAF_3}
"""Options by name of their parameter, with the variant that they choose."""


def style_option(help_text: str) -> Decorator:
    """Declare ``--style``."""
    return click.option("--style", type=click.Choice([PLAIN, CAPTION]), default=PLAIN, show_default=True, help=help_text)


def variant_options(command: Command) -> Command:
    """Declare the options of ``variants``, after ``formats``."""
    return stacked(
        style_option("Subtitles that say all, or captions of changes at the top, as captioners write them (srt, vtt, ass)."),
        click.option(
            "--intervals",
            type=click.Choice([BLOCKS, MERGED]),
            default=BLOCKS,
            show_default=True,
            help="One interval per segment of 20 frames, or merged while the emotion stays the same (eaf, textgrid).",
        ),
        click.option(
            "--eaf-version",
            type=click.Choice(list(_EAF_VERSIONS)),
            default="2.8",
            show_default=True,
            callback=lambda ctx, parameter, value: _EAF_VERSIONS[value],
            help="Version of the format of ELAN to write.",
        ),
        collect("variants", _collect_variants, *_OPTIONS),
    )(command)


into_option = click.option(
    "--into",
    metavar="FILE",
    type=PathOrUrlType(remote=False, dir_okay=False, exists=True),
    help="Add the tiers to a copy of this .eaf or .TextGrid, beside it; for one video.",
)


def check_into(file: Path, formats: Sequence[str], count: int) -> None:
    """Check that tiers of ``count`` videos can be added to a file in one of these formats.

    Raises:
        click.UsageError: they cannot.
    """
    from annotate.results.formats.into import ADDERS

    name, _ = ADDERS.get(file.suffix.lower(), ("", None))
    if tuple(formats) != (name,):
        known = " or ".join(f"--format {name} with a {ending} file" for ending, (name, _) in ADDERS.items())
        raise click.UsageError(f"--into needs {known}.")
    if count != 1:
        raise click.UsageError(f"--into adds the tiers of one video, not of {count}.")


def _collect_variants(**chosen: str) -> tuple[str, ...]:
    """Return the variants that options choose.

    Raises:
        click.UsageError: one was given on the command line and belongs to none of the formats.
    """
    ctx = click.get_current_context()
    formats = [TRACK_FORMATS[name] for name in ctx.params.get("formats") or () if name in TRACK_FORMATS]
    variants = tuple(variant for name, variant in _OPTIONS.items() if chosen[name] == variant)
    for name, variant in _OPTIONS.items():
        is_typed = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if variant in variants and is_typed and not any(track.variant([variant]) for track in formats):
            owners = ", ".join(name for name, track in TRACK_FORMATS.items() if variant in track.variants)
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} belongs to the formats {owners}; give one of them with --format.")
    return variants
