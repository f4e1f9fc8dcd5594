"""``annotate PATH... --watch``: annotate videos as they arrive."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from annotate.archive.scan import ArchiveItem
from annotate.batch.watch import Watch, WatchOptions
from annotate.cli import console
from annotate.cli.batch_command import interrupt_on_sigterm
from annotate.cli.options import EXIT_INTERRUPTED, EXIT_TERMINATED, Decorator, collect, listed, stacked
from annotate.errors import SettingsError
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl
from annotate.text import counted

_INTERRUPTED = (EXIT_INTERRUPTED, EXIT_TERMINATED)

if TYPE_CHECKING:
    from annotate.archive.changes import Changes


class Annotate(Protocol):
    """Annotates videos, with their sizes in bytes, and returns the exit status; prints a table if ``has_table``."""

    def __call__(self, entries: Sequence[ArchiveItem], sizes_bytes: Mapping[PathOrUrl, int], *, has_table: bool) -> int: ...


def watch_options() -> Decorator:
    """Declare the options of ``watch``, which is None without ``--watch``."""
    seconds = click.FloatRange(min=0, min_open=True)
    return stacked(
        click.option("--watch", "is_watching", is_flag=True, help="Go on as videos arrive, until Ctrl-C or SIGTERM."),
        click.option(
            "--settle",
            "settle_s",
            metavar="SECONDS",
            type=seconds,
            default=WatchOptions.settle_s,
            show_default=True,
            help="Take a video when its size and time have not changed for this long.",
        ),
        click.option(
            "--poll",
            "poll_s",
            metavar="SECONDS",
            type=seconds,
            help="Look at the archive this often: for network shares, whose changes are not notified.",
        ),
        collect("watch", _choose, "is_watching", "settle_s", "poll_s"),
    )


def _choose(is_watching: bool, settle_s: float, poll_s: float | None) -> WatchOptions | None:
    if is_watching:
        return WatchOptions(settle_s, poll_s)
    ctx = click.get_current_context()
    for name, option in (("settle_s", "--settle"), ("poll_s", "--poll")):
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option} is an option of --watch, which is not given.")
    return None


def check_combination(*, force: bool, dry_run: bool) -> None:
    """Check that nothing is combined with ``--watch`` that would never end, or not begin.

    Raises:
        SettingsError: it is.
    """
    for is_given, option, remedy in ((force, "--force", "annotate once with --force first"), (dry_run, "--dry-run", "")):
        if is_given:
            raise SettingsError(f"--watch and {option} cannot be combined", remedy)


def watch_archive(paths: Sequence[PathOrUrl], watch: Watch, annotate: Annotate, *, quiet: bool) -> int:
    """Annotate videos as they arrive until Ctrl-C or SIGTERM, which is the normal end: return 0 then.

    Raises:
        AnnotateError: a run as a whole failed, such as that a cluster cannot be reached.
    """
    from annotate.archive.changes import Changes

    options = watch.options
    if options.poll_s is None and not all(storage_for(path).is_local for path in paths):
        options = replace(options, poll_s=options.unnotified_s)
    folders = [Path(str(path)) for path in paths] if options.poll_s is None else []
    try:
        interrupt_on_sigterm()
        with Changes(folders) as changes:
            _watch(paths, replace(watch, options=options), changes, annotate, quiet=quiet)
    except KeyboardInterrupt:
        if not quiet:
            console.say("Stopped watching.")
    return 0


def _watch(paths: Sequence[PathOrUrl], watch: Watch, changes: Changes, annotate: Annotate, *, quiet: bool) -> None:
    """Look, annotate and wait, until interrupted."""
    is_first, said = True, set[str]()
    while True:
        look = watch.look(is_notified=changes.is_notified)
        if is_first and not quiet:
            counts = [counted(look.videos, "video"), f"{look.waiting + len(look.ready)} to annotate"]
            counts += [f"{look.failed} failed before"] if look.failed else []
            console.say(f"Watching {listed(paths)}: {', '.join(counts)}. Ctrl-C ends.")
        is_first = False
        for problem in look.problems:
            console.say(f"skipped: {problem}")
        if changes.problem and changes.problem not in said:
            console.say(f"no notifications of changes ({changes.problem}). Looking every {watch.options.unnotified_s:g} s.")
        said.add(changes.problem)
        if look.ready:
            sizes = {item.video: 0 if item.stat is None else item.stat.size_bytes for item in look.ready}
            if annotate(look.ready, sizes, has_table=sys.stderr.isatty()) in _INTERRUPTED:  # else it printed lines
                raise KeyboardInterrupt
            watch.tried(look.ready)
            continue
        changes.wait(look.next_s, look.pause_s)
