"""Options shared by `annotate dataset`, `annotate train` and `annotate evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from annotate.cli.options import PathOrUrlType

ARCHITECTURE_NAMES = ("frames", "cnn3d", "recurrent")
PART_NAMES = ("train", "validation", "test", "all")
"""Copies of names defined in modules that are slow to import."""

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

Command = TypeVar("Command", bound=Callable[..., Any])


def output_option(metavar: str, help_text: str, **options: Any) -> Callable[[Command], Command]:
    """Return the option ``-o``, a local file or folder to write."""
    return click.option("-o", "--output", metavar=metavar, type=PathOrUrlType(remote=False), help=help_text, **options)


def split_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Declare the options of a `Split`, passed to the command as ``split``.

    Invalid shares raise a SettingsError, so `handle_errors` must be above this decorator.
    """

    @wraps(command)
    def with_split(*arguments: Any, validation: float, test: float, seed: int, **options: Any) -> Any:
        from annotate.training.dataset.storage import Split

        return command(*arguments, split=Split(validation, test, seed), **options)

    for decorate in (
        click.option("--seed", type=int, default=0, show_default=True, help="Random seed for the split."),
        click.option(
            "--test",
            type=click.FloatRange(0, 1),
            default=0.15,
            show_default=True,
            help="Share of subjects or videos for test.",
        ),
        click.option(
            "--validation",
            type=click.FloatRange(0, 1),
            default=0.15,
            show_default=True,
            help="Share of subjects or videos for validation.",
        ),
    ):
        with_split = decorate(with_split)
    return with_split
