"""``annotate render``: write videos with boxes and emotions drawn in, with subtitle tracks, or with blurred faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annotate.archive.discover import VIDEO_EXTENSIONS, Selection
from annotate.cli import console
from annotate.cli.batch_command import RunOptions, decoding_limits, run_options, show_run, sizes_of
from annotate.cli.format_options import PLAIN, style_option
from annotate.cli.options import (
    Command,
    PathOrUrlType,
    choose_output_dir,
    collect,
    corrections_option,
    handle_errors,
    keep_option,
    language_option,
    say_none_found,
    say_older,
    selection_options,
    stacked,
    verbosity,
)
from annotate.media.containers import CONTAINERS_WRITTEN
from annotate.settings import Limits, available_cores
from annotate.storage.values import SkippedPath

if TYPE_CHECKING:
    from annotate.batch.render import RenderOptions

_BLUR_OPTIONS = ("blur", "keep", "no_sound", "no_metadata")

_CORES_EACH = 4
"""Cores that one encoder keeps busy."""


def _make_options(
    soft: bool, blur: bool, keep: tuple[int, ...], no_sound: bool, no_metadata: bool, style: str, **others: Any
) -> RenderOptions:
    from annotate.batch.render import BLURRED, BOXES, SOFT, RenderOptions
    from annotate.media.blur import Kept

    if soft and blur:
        raise click.UsageError("Give --soft or --blur, not both.")
    if not blur and (keep or no_sound or no_metadata):
        raise click.UsageError("--keep, --no-sound and --no-metadata belong to --blur.")
    if style != PLAIN and not soft:
        raise click.UsageError("--style belongs to --soft.")
    kept = Kept(sound=not no_sound, metadata=not no_metadata)
    container = others.pop("container") or ""
    kind = BLURRED if blur else SOFT if soft else BOXES
    return RenderOptions(kind, container=container, keep=keep, kept=kept, has_captions=style != PLAIN, **others)


def render_options(command: Command) -> Command:
    """Declare the options of ``options``."""
    return stacked(
        click.option("--soft", is_flag=True, help="Add subtitle tracks instead; video and audio are not re-encoded."),
        click.option("--blur", is_flag=True, help="Blur all faces instead, also those that the table lacks."),
        keep_option,
        click.option("--no-sound", is_flag=True, help="Leave out audio. Needs --blur."),
        click.option("--no-metadata", is_flag=True, help="Leave out tags such as place and title. Needs --blur."),
        language_option,
        style_option("Style of the subtitle tracks. Needs --soft."),
        corrections_option,
        click.option(
            "--container",
            type=click.Choice(CONTAINERS_WRITTEN),
            help="Container to write.  [default: the video's own, or the closest one]",
        ),
        click.option("--force", is_flag=True, help="Render finished videos again."),
        collect("options", _make_options, *_BLUR_OPTIONS, "soft", "style", "language", "container", "force", "is_corrected"),
    )(command)


@click.command(epilog="\b\nExample:\n  annotate render films/party.mp4 -o party.boxes.mp4")
@handle_errors
@selection_options(remote=False)
@render_options
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=PathOrUrlType(remote=False),
    help="File to write, for a single video (.mp4, .mkv).",
)
@click.option(
    "--output-dir",
    metavar="DIR",
    type=PathOrUrlType(remote=False, file_okay=False),
    help="Write rendered videos below DIR, where the tables may be too (annotate --output-dir).",
)
@run_options("one per four cores")
@decoding_limits()
@verbosity
def render(
    paths: Sequence[Path],
    selection: Selection,
    options: RenderOptions,
    output: Path | None,
    output_dir: Path | None,
    run: RunOptions,
    limits: Limits,
) -> int:
    """Write videos with boxes around the faces, their emotions and confidence bars drawn in, or with blurred faces.

    The videos must be annotated. They are never changed themselves; rendered videos that are up to date are skipped.
    """
    from annotate.batch.render import SOFT, render_archive, scan_renders
    from annotate.media.ffmpeg import find_ffmpeg

    if output is not None and _is_folder(output):
        output_dir, output = choose_output_dir(output_dir, output), None
    elif output is not None and output_dir is not None:
        raise click.UsageError("Give -o FILE or --output-dir DIR, not both.")
    entries = scan_renders(paths, options, selection, output, limits, output_dir)
    if not entries:
        say_none_found(paths, selection, quiet=run.quiet)
        return 0
    remark = find_ffmpeg().renderer.remark if options.kind != SOFT else ""
    if remark and not run.quiet:
        console.say(remark)
    run = replace(run, jobs=run.jobs or max(1, available_cores() // _CORES_EACH))
    scanned = [entry if isinstance(entry, SkippedPath) else entry.item for entry in entries]
    older = sum(not isinstance(item, SkippedPath) and item.is_older for item in scanned)
    exit_status = show_run(sizes_of(scanned), lambda executor: render_archive(entries, executor), run)
    say_older(older, quiet=run.quiet)
    return exit_status


def _is_folder(output: Path) -> bool:
    """Return whether a folder is meant: an existing one, or a new name without the ending of a video."""
    return output.is_dir() or not (output.exists() or output.suffix[1:].lower() in VIDEO_EXTENSIONS)
