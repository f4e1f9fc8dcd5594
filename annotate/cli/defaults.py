"""User defaults of options, from environment variables and a TOML file.

``ANNOTATE_MIN_FACE=0.1`` is the default of ``--min-face`` for every command that has it. In the file, keys at the top are
options of every command that has them, and a table named after a command holds options of that command alone::

    min-face = 0.1

    [summarize]
    by = "folder"

A value on the command line wins over the environment, which wins over a command's table, which wins over the top. Options
that destroy, preview or show a face are taken from the command line only, and so is the name of a file to write.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from annotate.cli import console
from annotate.cli.options import is_quiet
from annotate.errors import SettingsError, remedy_for
from annotate.text import suggest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG_VARIABLE = "ANNOTATE_CONFIG"
DEFAULT_COMMAND = "annotate"
"""Name of the default command in the file."""

_FILE = "annotate.config"
"""Key in click's context metadata: the file given with ``--config``."""

_GIVEN = "annotate.given"
"""Key in click's context metadata: the names of the parameters on the command line."""

_COMMAND_LINE_ONLY = frozenset(("force", "keep", "delete-stale", "dry-run", "output", "config", "help", "version"))
_OPERATIONAL = frozenset(
    ("jobs", "log", "verbose", "quiet", "scratch", "stall-timeout", "token", "host", "port", "name", "data")
)
"""Options that do not change results; user defaults of others are shown."""

_SECRET = frozenset(("token",))


@dataclass(frozen=True)
class Default:
    """The default of an option: its value as text, and its source."""

    option: str
    value: str
    origin: str


class _ConfigOption(click.Option):
    """``--config``; records which options are on the command line, whose defaults are then not looked at."""

    def handle_parse_result(self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]) -> tuple[Any, list[str]]:
        ctx.meta[_GIVEN] = frozenset(opts)
        return super().handle_parse_result(ctx, opts, args)


def default_file() -> Path:
    """Return the path of the user's config file."""
    from platformdirs import user_config_path

    return user_config_path("annotate", appauthor=False) / "config.toml"


def key_of(option: click.Parameter) -> str:
    """Return the key of an option in the file (``min-face``); empty for options that are command line only."""
    if not isinstance(option, click.Option) or option.hidden:
        return ""
    long = [name[2:] for name in option.opts if name.startswith("--")]
    return long[0] if long and long[0] not in _COMMAND_LINE_ONLY else ""


def variable_of(key: str) -> str:
    """Return the environment variable of an option.

    >>> variable_of("min-face")
    'ANNOTATE_MIN_FACE'
    """
    return f"ANNOTATE_{key.replace('-', '_').upper()}"


def keep_defaults(command: click.Command) -> click.Command:
    """Enable user defaults for a command or for all commands of a group; add ``--config``."""
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            keep_defaults(subcommand)
        return command
    if any(option.name == "config" for option in command.params):
        return command
    for option in command.params:
        if isinstance(option, click.Option) and (key := key_of(option)):
            option.envvar = variable_of(key)
    command.params.append(config_option(_use_file))
    if command.callback is not None:
        command.callback = _announcing(command.callback)
    return command


def config_option(callback: Any = None) -> click.Option:
    """Return the option ``--config``; without ``callback`` it only stores the path, for the command that follows."""
    return _ConfigOption(
        ["--config"],
        metavar="FILE.toml",
        type=click.Path(path_type=Path),
        is_eager=True,
        expose_value=False,
        envvar=CONFIG_VARIABLE if callback else None,
        callback=callback or _remember_file,
        help="Read default options from this file.  [default: config.toml in the user's config folder]",
    )


def file_in_use(ctx: click.Context) -> Path | None:
    """Return the config file in effect, None if there is none."""
    given: Path | None = ctx.meta.get(_FILE)
    if given is None and (text := os.environ.get(CONFIG_VARIABLE)):
        given = Path(text)
    if given is not None:
        return given
    usual = default_file()
    return usual if usual.exists() else None


def read_defaults(file: Path, group: click.Group, ctx: click.Context) -> Mapping[str, Mapping[str, Any]]:
    """Return the defaults in a config file: command (``dataset build``) -> key -> value.

    Raises:
        SettingsError: it cannot be read, is not TOML, or has keys that are no options.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot be read ({error.strerror})", remedy_for(error), path=file) from None
    except ValueError as error:
        raise SettingsError(f"not a TOML file ({error})", "correct it", path=file) from None
    commands = {name: {key_of(option) for option in command.params} - {""} for name, command in leaves(group, ctx)}
    everywhere = set().union(*commands.values())
    sections = {name.split()[0] for name in commands}
    top = {_key(name): value for name, value in content.items() if not (name in sections and isinstance(value, dict))}
    _check_keys(file, "", top, everywhere | sections)
    defaults: dict[str, dict[str, Any]] = {}
    for name, keys in commands.items():
        table: Any = content
        for part in name.split():
            table = table.get(part, {}) if isinstance(table, dict) else {}
        own = {_key(key): value for key, value in table.items() if not isinstance(value, dict)}
        _check_keys(file, name, own, keys)
        defaults[name] = {key: value for key, value in top.items() if key in keys} | own
    return defaults


def leaves(group: click.Group, ctx: click.Context, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield the full name (``dataset build``) of every command that is not a group, and the command."""
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from leaves(command, ctx, f"{before}{name} ")
        elif command is not None:
            yield before + (DEFAULT_COMMAND if command.hidden else name), command


def name_of(ctx: click.Context) -> str:
    """Return the full name of the command that runs."""
    names = []
    while ctx.parent is not None:
        names.append(ctx.info_name or DEFAULT_COMMAND)
        ctx = ctx.parent
    return " ".join(reversed(names))


def defaults_of(
    command: click.Command, from_file: Mapping[str, Any], file: Path | None, ctx: click.Context
) -> list[Default]:
    """Return the defaults of a command's options."""
    defaults = []
    for option in command.params:
        key = key_of(option)
        if not key:
            continue
        variable = variable_of(key)
        value, origin = option.get_default(ctx), "default"
        if not isinstance(value, str | bool | int | float | list | tuple | Path):
            value = None
        if os.environ.get(variable):
            value, origin = os.environ[variable], variable
        elif key in from_file:
            value, origin = from_file[key], str(file)
        defaults.append(Default(f"--{key}", _shown(key, value), origin))
    return defaults


def _remember_file(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[_FILE] = value


def _use_file(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Apply the config file to the command, and validate the user defaults that count, so that errors name their source."""
    if ctx.resilient_parsing:
        return
    if value is not None and ctx.get_parameter_source("config") is ParameterSource.COMMANDLINE:
        ctx.meta[_FILE] = value
    options = {key_of(option): option for option in ctx.command.params}
    for key in options:
        if key and os.environ.get(variable_of(key)) and options[key].name not in ctx.meta[_GIVEN]:
            _check_value(ctx, options[key], options[key].value_from_envvar(ctx), variable_of(key), "variable")
    file = file_in_use(ctx)
    if file is None:
        return
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)
    ctx.meta[_FILE] = file
    ctx.default_map = {}
    for key, one in read_defaults(file, root.command, root)[name_of(ctx)].items():
        fitting = _fitting(options[key], one)
        if options[key].name not in ctx.meta[_GIVEN]:
            _check_value(ctx, options[key], fitting, f"{file}: {key}", "file")
        ctx.default_map[options[key].name or ""] = fitting


def _check_value(ctx: click.Context, option: click.Parameter, value: Any, where: str, what: str) -> None:
    try:
        option.process_value(ctx, value)
    except click.BadParameter as error:
        raise SettingsError(error.message.rstrip("."), f"correct the {what}", path=where) from None


def _fitting(option: click.Parameter, value: Any) -> Any:
    """Convert a TOML value: to a list for a repeatable option, lists to comma-separated text for others."""
    if isinstance(option, click.Option) and option.multiple:
        return value if isinstance(value, list) else [value]
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _announcing(callback: Any) -> Any:
    """Wrap a command: print the user defaults in effect that change results."""

    @wraps(callback)
    def announce(*arguments: Any, **values: Any) -> Any:
        ctx = click.get_current_context()
        origins = {ParameterSource.ENVIRONMENT: "", ParameterSource.DEFAULT_MAP: str(ctx.meta.get(_FILE))}
        kept = []
        for option in ctx.command.params:
            key = key_of(option)
            source = ctx.get_parameter_source(option.name or "")
            if key and key not in _OPERATIONAL and source in origins:
                value = os.environ.get(variable_of(key)) if source is ParameterSource.ENVIRONMENT else None
                value = value if value is not None else _shown(key, (ctx.default_map or {}).get(option.name))
                kept.append(f"--{key} {value} (from {origins[source] or variable_of(key)})")
        if kept and not is_quiet():
            console.say(f"defaults: {', '.join(kept)}")
        return callback(*arguments, **values)

    return announce


def _check_keys(file: Path, table: str, values: Mapping[str, Any], known: set[str]) -> None:
    for key in values:
        where = f"[{table.replace(' ', '.')}] " if table else ""
        if key in _COMMAND_LINE_ONLY:
            raise SettingsError(f"{where}{key} is taken from the command line only", "remove it", path=file)
        if key not in known or (not table and isinstance(values[key], dict)):
            guess = suggest(key, sorted(known))
            raise SettingsError(f"unknown key {where}{key!r}{guess}", "see `annotate --help` for the options", path=file)


def _key(name: str) -> str:
    return name.replace("_", "-")


def _shown(key: str, value: Any) -> str:
    if key in _SECRET and value:
        return "(set)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
