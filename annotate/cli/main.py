"""The command line: one group whose commands parse, call and report, and decide nothing.

What takes long to load is loaded by the command that needs it, so that help is there at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
from click_default_group import DefaultGroup

from annotate.cli.annotate import DEFAULT_COMMAND, annotate_command
from annotate.cli.options import handle_errors, verbosity
from annotate.version import VERSION

_MODULES = {
    "check": "annotate.cli.check",
    "convert": "annotate.cli.convert",
    "render": "annotate.cli.render",
    "plot": "annotate.cli.plot",
    "summarize": "annotate.cli.summarize",
    "find": "annotate.cli.find",
    "serve": "annotate.cli.serve",
    "cluster-script": "annotate.cli.cluster_script",
    "report": "annotate.cli.report",
    "dataset": "annotate.cli.dataset",
    "train": "annotate.cli.train",
    "evaluate": "annotate.cli.evaluate",
}
"""Commands by the modules that have them, which are imported when they are asked for."""


class _CommandGroup(DefaultGroup):  # type: ignore[misc]
    """Shows the default command's usage and options as its own, and never its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_MODULES])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _MODULES:
            command: click.Command = getattr(import_module(_MODULES[cmd_name]), cmd_name.replace("-", "_"))
            return command
        found: click.Command | None = super().get_command(ctx, cmd_name)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Hand a ``--`` on to the default command, for which everything behind it is a path."""
        end = args.index("--") if "--" in args else 0
        if args[end : end + 1] == ["--"] and all(argument.startswith("-") for argument in args[:end]):
            args = [*args[:end], "--", *args[end:]]
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] PATH... | COMMAND [ARGUMENTS]..."]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        default = self.commands[DEFAULT_COMMAND]
        own = [parameter.name for parameter in self.get_params(ctx)]
        options = [part for part in default.params if isinstance(part, click.Option) and part.name not in own]
        records = [record for part in [*self.get_params(ctx), *options] if (record := part.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(sorted(records, key=lambda record: record[0].startswith(("--version", "-h", "-v", "-q"))))
        self.format_commands(ctx, formatter)

    @handle_errors
    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an interruption has its usual exit status while the command is being loaded, too."""
        return super().invoke(ctx)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == DEFAULT_COMMAND else name), command, rest


@click.group(
    cls=_CommandGroup,
    default=DEFAULT_COMMAND,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@verbosity
@click.version_option(VERSION, prog_name="annotate")
def main() -> None:
    """Give videos an emotion track.

    Annotates every video below each PATH (a directory or a file): finds and follows faces, says which emotion each shows
    over every 20 frames, and writes a table and a subtitle track beside the video. Videos that are done are skipped, so a
    run can be repeated. A directory that is called like a command is reached as ./NAME.
    """


main.add_command(annotate_command)
