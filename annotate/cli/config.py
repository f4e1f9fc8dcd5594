"""``annotate config``: show the defaults in effect and where they come from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import click
from click.shell_completion import CompletionItem

from annotate.cli import console
from annotate.cli.defaults import (
    CONFIG_VARIABLE,
    DEFAULT_COMMAND,
    default_file,
    defaults_of,
    file_in_use,
    key_of,
    leaves,
    read_defaults,
    variable_of,
)
from annotate.cli.options import handle_errors, verbosity
from annotate.cli.tables import Column, format_columns, terminal_width
from annotate.text import printable, suggest

_DEFAULT = "default"
_PREFIX = "ANNOTATE_"


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    root = ctx.find_root().command
    names = [name for name, _ in leaves(root, ctx)] if isinstance(root, click.Group) else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete) and " " not in name]


@click.command(
    epilog="""\b
Examples:
  annotate config            Options of annotating, and any default that you changed
  annotate config summarize  Options of one command
"""
)
@click.argument("command", metavar="[COMMAND]", nargs=-1, shell_complete=_complete)
@verbosity
@handle_errors
def config(command: Sequence[str]) -> None:
    """Show the defaults in effect and where they come from.

    An option that is not given is taken from its environment variable (--min-face from ANNOTATE_MIN_FACE), else from the
    config file, else it has its built-in default. In the file, a key at the top (min-face = 0.1) holds for every command
    that has the option, a key in a table ([summarize]) for that command; [annotate] is the command without a name. Options
    that delete or preview, and the name of a file to write, are taken from the command line only.
    """
    ctx = click.get_current_context()
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    commands = dict(leaves(root.command, root))
    chosen = " ".join(command)
    if chosen and chosen not in commands:
        raise click.UsageError(f"No such command {chosen!r}{suggest(chosen, commands)}.")
    file = file_in_use(ctx)
    from_file = read_defaults(file, root.command, root) if file is not None else {}
    rows = [
        (name, default)
        for name, one in commands.items()
        for default in defaults_of(one, from_file.get(name, {}), file, ctx)
        if name == (chosen or DEFAULT_COMMAND) or (not chosen and default.origin != _DEFAULT)
    ]
    columns = [
        Column("command", [name for name, _ in rows]),
        Column("option", [default.option for _, default in rows]),
        Column("value", [printable(default.value) for _, default in rows], name=True),
        Column("from", [printable(default.origin) for _, default in rows], name=True),
    ]
    shown = str(file) if file is not None else f"{default_file()} (does not exist)"
    console.print_text(f"config file: {printable(shown)}\n\n{format_columns(columns, terminal_width())}")
    _tell_unknown_variables(commands.values())


def _tell_unknown_variables(commands: Iterable[click.Command]) -> None:
    """Print the environment variables that look like options, but are none."""
    keys = {key_of(option) for command in commands for option in command.params} - {""}
    known = {CONFIG_VARIABLE, *map(variable_of, keys)}
    for variable in sorted(set(os.environ) - known):
        if variable.startswith(_PREFIX):
            console.say(f"{variable}: no such option{suggest(variable, sorted(known))}. It is ignored.")
