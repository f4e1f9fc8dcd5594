"""Options that choose how a format is written."""

from __future__ import annotations

import click
from click.core import ParameterSource

from annotate.cli.options import Command, Decorator, collect, stacked
from annotate.results.formats.registry import CAPTION, TRACK_FORMATS

PLAIN = "plain"

_OPTIONS = {"style": CAPTION}
"""Options by name of their parameter, with the variant that they choose."""


def style_option(help_text: str) -> Decorator:
    """Declare ``--style``."""
    return click.option("--style", type=click.Choice([PLAIN, CAPTION]), default=PLAIN, show_default=True, help=help_text)


def variant_options(command: Command) -> Command:
    """Declare the options of ``variants``, after ``formats``."""
    return stacked(
        style_option("Subtitles that say all, or captions of changes at the top, as captioners write them (srt, vtt, ass)."),
        collect("variants", _collect_variants, *_OPTIONS),
    )(command)


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
            option = f"--{name.replace('_', '-')} {variant}"
            raise click.UsageError(f"{option} belongs to the formats {owners}; give one of them with --format.")
    return variants
