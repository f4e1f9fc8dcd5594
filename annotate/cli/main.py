"""The command line: a group of commands, each in a module that is imported when the command runs."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from click_default_group import DefaultGroup

from annotate.cli.annotate import DEFAULT_COMMAND, annotate_command
from annotate.cli.defaults import config_option, keep_defaults
from annotate.cli.options import handle_errors, verbosity
from annotate.cli.program import warn_of_name_clash
from annotate.errors import SettingsError
from annotate.version import VERSION

COMMANDS = {
    "Annotate": {
        "PATH...": "Annotate files and directories; finished videos are skipped",
        "convert": "Write further formats from existing results, without decoding",
    },
    "Look": {
        "summarize": "Total an archive: per video, folder, face track, minute, person or speaker",
        "find": "List moments at which a face keeps an emotion",
        "join": "Bring together what is said and what faces show",
        "export": "Write one table of an archive, with a codebook",
        "agree": "Compare results with codings by people",
        "plot": "Draw timelines or a sheet of moments as images",
    },
    "Correct": {
        "review": "List the segments most worth a look",
        "correct": "Put right what the machine got wrong in a video",
    },
    "Persons": {
        "persons": "Tell persons apart in annotated videos, and name them",
    },
    "Share": {
        "report": "Make an HTML report: charts, table, videos with timelines",
        "clips": "Cut the moments that find lists out as videos, GIFs, a reel",
        "render": "Write videos with boxes drawn in, subtitles or blurred faces",
        "serve": "Start a web server for uploads and an archive",
    },
    "Check": {
        "status": "Show which videos are annotated, which are not, and why",
        "check": "Verify outputs: missing, stale, unknown or damaged files",
        "config": "Show the defaults in effect and where they come from",
    },
    "Train": {
        "dataset": "Build and inspect sets of labeled blocks",
        "train": "Train a model on sets of blocks",
        "evaluate": "Measure a model on a set of blocks",
    },
    "Scale": {
        "cluster-script": "Print scripts for SLURM, Kubernetes or a container",
    },
}
"""Group -> command -> summary; the module of a command has the command's name."""

OPTIONS = {
    "Which videos": ("include", "exclude", "follow-links"),
    "What is written": (
        "format",
        "style",
        "intervals",
        "eaf-version",
        "lang",
        "output-dir",
        "force",
        "retry-failed",
        "dry-run",
        "log",
    ),
    "Analysis": ("detector", "min-face", "model", "baseline", "decode", "hop", "persons"),
    "Resources": ("jobs", "scratch", "cluster", "hwaccel", "provider", "stall-timeout", "max-pixels"),
    "Watching": ("watch", "settle", "poll"),
    "General": ("config", "quiet", "verbose", "version", "help"),
}
"""Group -> options of the default command."""

_NAMES = [name for group in COMMANDS.values() for name in group if name.islower()]

_NAME_COLUMNS = 14
_VERBOSITY = ("-q", "--quiet", "-v", "--verbose")


class _CommandGroup(DefaultGroup):  # type: ignore[misc]
    """Shows usage and options of the default command as its own; the default command's name is never shown."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_NAMES])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _NAMES:
            name = cmd_name.replace("-", "_")
            command: click.Command = getattr(import_module(f"annotate.cli.{name}"), name)
        else:
            command = super().get_command(ctx, cmd_name)
        _accept_version(command)
        return keep_defaults(command)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without arguments, print a short help. Pass ``--`` on to the default command, for which paths follow."""
        if not ctx.resilient_parsing and all(argument in _VERBOSITY for argument in args):
            click.echo(self._short_help(ctx), err=True)
            ctx.exit(SettingsError.exit_status)
        end = args.index("--") if "--" in args else 0
        if args[end : end + 1] == ["--"] and all(argument.startswith("-") for argument in args[:end]):
            args = [*args[:end], "--", *args[end:]]
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] PATH... | COMMAND [ARGUMENTS]..."]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the options, in groups."""
        for heading, commands in COMMANDS.items():
            with formatter.section(f"Commands: {heading.lower()}"):
                formatter.write_dl([(name.ljust(_NAME_COLUMNS), line) for name, line in commands.items()])
        default = self.get_command(ctx, DEFAULT_COMMAND)
        assert default is not None
        options = {option.name: option for option in [*default.params, *self.get_params(ctx)]}
        records = {
            max(option.opts, key=len).lstrip("-"): record
            for option in options.values()
            if (record := option.get_help_record(ctx)) is not None
        }
        for heading, names in OPTIONS.items():
            with formatter.section(f"Options: {heading.lower()}"):
                formatter.write_dl([records[name] for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands, paths and the options of annotating."""
        if incomplete.startswith("-"):
            default = self.get_command(ctx, DEFAULT_COMMAND)
            assert default is not None
            items = default.shell_complete(click.Context(default, parent=ctx), incomplete)
            own = [item for item in super().shell_complete(ctx, incomplete) if item.value == "--version"]
            return [*items, *own]
        named = {name: line for group in COMMANDS.values() for name, line in group.items()}
        found = [CompletionItem(name, help=named[name]) for name in _NAMES if name.startswith(incomplete)]
        return [*found, CompletionItem(incomplete, type="file")]

    @handle_errors
    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; Ctrl-C during its import also exits with 130. For an unknown option, suggest the nearest."""
        warn_of_name_clash()
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            nearest = (error.possibilities or [])[:1]
            raise click.NoSuchOption(error.option_name, possibilities=nearest, ctx=error.ctx) from None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if len(args) == 1 and args[0] in _NAMES and Path(args[0]).is_dir() and not ctx.resilient_parsing:
            name = args[0]
            problem = f"{name!r} is a command and a directory"
            raise SettingsError(problem, f"run `annotate ./{name}` to annotate the directory, or the command elsewhere")
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == DEFAULT_COMMAND else name), command, rest

    def _short_help(self, ctx: click.Context) -> str:
        formatter = ctx.make_formatter()
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_text(", ".join(_NAMES))
        formatter.write_paragraph()
        formatter.write_text("`annotate --help` shows all options; `annotate COMMAND --help` explains a command.")
        return formatter.getvalue().rstrip("\n")


_version_option = partial(click.version_option, VERSION, prog_name="annotate")


def _accept_version(command: click.Command) -> None:
    """Let a command, and those of a group, take ``--version`` as the program does; their help does not show it."""
    if all(option.name != "version" for option in command.params):
        _version_option(hidden=True)(command)
    for subcommand in command.commands.values() if isinstance(command, click.Group) else ():
        _accept_version(subcommand)


@click.group(
    cls=_CommandGroup,
    default=DEFAULT_COMMAND,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@verbosity
@_version_option()
def main() -> None:
    """Label the emotions of faces in videos.

    Finds and follows faces in every video below each PATH (a file or a directory), and writes a table and a subtitle track
    beside the video: which emotion a face shows, for every segment of 20 frames. Finished videos are skipped, so an
    interrupted run continues when it is repeated.

    \b
    Examples:
      annotate films                       Annotate a directory
      annotate summarize films             Show it in numbers
      annotate report films -o films.html  Make a page of it
    """


main.params.append(config_option())
main.add_command(annotate_command)
