"""``annotate clips``: cut moments out of videos."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annotate.cli import console
from annotate.cli.batch_command import (
    RunOptions,
    decoding_limits,
    interrupt_on_sigterm,
    is_logged,
    run_options,
    start_processes,
)
from annotate.cli.moment_options import MomentOptions, moment_options, search_moments
from annotate.cli.options import (
    Command,
    PathOrUrlType,
    collect,
    handle_errors,
    keep_option,
    language_option,
    paths_argument,
    stacked,
    verbosity,
    videos_option,
)
from annotate.cli.progress_bar import ProgressBar
from annotate.errors import EXIT_FAILED
from annotate.settings import Limits, available_cores
from annotate.text import clock, counted, printable

if TYPE_CHECKING:
    from annotate.batch.clip_folder import ClipFolder
    from annotate.batch.clip_job import ClipOptions
    from annotate.batch.clips import ClipPlan

_CORES_EACH = 4
"""Cores that one encoder keeps busy."""


def _make_options(boxes: bool, blur: bool, keep: tuple[int, ...], no_sound: bool, **others: Any) -> ClipOptions:
    from annotate.batch.clip_job import ClipOptions, choose_drawing

    drawing = choose_drawing(is_copied=others["is_copied"], boxes=boxes, blur=blur)
    if keep and not blur:
        raise click.UsageError("--keep belongs to --blur.")
    return ClipOptions(drawing=drawing, keep=keep, has_sound=not no_sound, **others)


def _seconds_option(name: str, help_text: str) -> Any:
    kind = click.FloatRange(0, 3600)
    return click.option(
        name, f"{name[2:].replace('-', '_')}_s", metavar="SECONDS", type=kind, default=0.0, show_default=True, help=help_text
    )


def clip_options(command: Command) -> Command:
    """Declare the options of ``options``."""
    return stacked(
        _seconds_option("--lead-in", "Begin clips this much before their moments."),
        _seconds_option("--lead-out", "End clips this much after their moments."),
        click.option(
            "--copy", "is_copied", is_flag=True, help="Do not encode: faster, but clips begin at the key frame before."
        ),
        click.option("--boxes", is_flag=True, help="Draw boxes around the faces, with emotions and confidence."),
        click.option("--blur", is_flag=True, help="Blur all faces, also those that the table lacks."),
        keep_option,
        click.option("--no-sound", is_flag=True, help="Leave out audio."),
        click.option("--gif", "with_gif", is_flag=True, help="Also write each clip as a GIF."),
        language_option,
        collect(
            "options",
            _make_options,
            *("boxes", "blur", "keep", "no_sound", "lead_in_s", "lead_out_s", "is_copied", "language", "with_gif"),
        ),
    )(command)


@click.command(epilog="\b\nExample:\n  annotate clips films --emotion fear --lead-in 1 --sheet --reel -o fear")
@handle_errors
@paths_argument(remote=False)
@click.option(
    "-o",
    "--output-dir",
    metavar="DIR",
    type=PathOrUrlType(remote=False, file_okay=False),
    required=True,
    help="Folder of the clips, new or of an earlier run.",
)
@moment_options
@clip_options
@click.option("--sheet", "with_sheet", is_flag=True, help="Also write contact sheets of the folder's clips (sheet.png).")
@click.option("--reel", "with_reel", is_flag=True, help="Also join the folder's clips in one video (reel.mp4).")
@videos_option("PATH")
@click.option("--dry-run", is_flag=True, help="List the clips to make, and the space they need; write nothing.")
@run_options("one per four cores")
@decoding_limits()
@verbosity
def clips(
    paths: Sequence[Path],
    output_dir: Path,
    wanted: MomentOptions,
    options: ClipOptions,
    with_sheet: bool,
    with_reel: bool,
    videos: Path | None,
    dry_run: bool,
    run: RunOptions,
    limits: Limits,
) -> int:
    """Cut the moments that `annotate find` lists out of their videos, as H.264 in .mp4.

    Clips are exact to the frame. Their table is clips.csv. Nothing is written over: clips that exist are skipped, so an
    interrupted run continues when it is repeated.
    """
    from annotate.archive.find_reports import check_videos_folder
    from annotate.batch.clip_folder import open_folder, read_folder
    from annotate.batch.clips import check_space, in_bytes, plan_clips

    check_videos_folder(paths, videos)
    options = replace(options, is_corrected=wanted.is_corrected)
    found = search_moments(paths, wanted, quiet=run.quiet)
    if not found.moments:
        if not run.quiet and found.any_read and not wanted.query["persons"]:
            console.say("No moments found. Check the options with `annotate find`.")
        return EXIT_FAILED if found.skipped else 0
    with contextlib.ExitStack() as stack:
        if dry_run:
            folder = read_folder(output_dir, options.made_with(), output_dir)
        else:
            folder = stack.enter_context(open_folder(output_dir, options.made_with()))
        plan = plan_clips(found.moments, folder, options, paths, videos, with_reel=with_reel)
        for skipped in plan.skipped:
            console.say(f"failed: {skipped}")
        if dry_run:
            for clip in plan.clips:
                console.print_text(f"{printable(clip.name)}{'  (GIF only)' if clip.made else ''}")
        if not run.quiet:
            size = f", {clock(plan.length_ms / 1000)} long, about {in_bytes(plan.size_bytes)}" if plan.clips else ""
            console.say(f"{counted(len(plan.clips), 'clip')} to make{size}; {plan.existing} exist already.")
        check_space(output_dir, plan.size_bytes)
        if dry_run:
            return EXIT_FAILED if found.skipped or plan.skipped else 0
        _say_inside(paths, output_dir, quiet=run.quiet)
        has_failed = _make(plan, folder, options, run, limits)
        _write_others(folder, options, with_sheet=with_sheet, with_reel=with_reel, limits=limits, quiet=run.quiet)
    return EXIT_FAILED if has_failed or found.skipped or plan.skipped else 0


def _say_inside(paths: Iterable[Path], folder: Path, *, quiet: bool) -> None:
    """Print a remark if the clips are in a directory whose videos are annotated: a later run would annotate them too."""
    inside = next((path for path in paths if path.is_dir() and folder.resolve().is_relative_to(path.resolve())), None)
    if inside is not None and not quiet:
        console.say(
            f"{folder}: inside {inside}, so `annotate {inside}` will annotate the clips too. "
            f"Give it --exclude {folder.name}, or write the clips elsewhere."
        )


def _make(plan: ClipPlan, folder: ClipFolder, options: ClipOptions, run: RunOptions, limits: Limits) -> bool:
    """Make the clips with progress, then write their table; return whether one failed.

    Raises:
        KeyboardInterrupt: it was interrupted; the clips that are finished are in the table.
    """
    from annotate.batch.clips import make_clips_of
    from annotate.batch.job import Status

    failed = done = 0
    jobs = run.jobs or max(1, available_cores() // _CORES_EACH)
    log_failed = False
    try:
        if plan.clips:
            interrupt_on_sigterm()
            executor = start_processes(jobs, len(plan.clips), lambda path, done_s, duration_s: None)
            with (
                contextlib.closing(executor),
                contextlib.closing(make_clips_of(plan, folder, options, executor, limits)) as pending,
                console.open_log(run.log) as write_log,
            ):
                for outcome in console.progress(pending, "clips", total=len(plan.clips), quiet=run.quiet):
                    done += 1
                    log_failed = log_failed or not is_logged(outcome, write_log)
                    if outcome.status is Status.FAILED:
                        failed += 1
                        console.say(f"failed: {outcome.message}")
                    elif not run.quiet:
                        remark = f" ({outcome.reason})" if outcome.reason else ""
                        console.print_text(f"{printable(outcome.path)}{remark}")
    except KeyboardInterrupt as interruption:
        raise type(interruption)(f"{len(plan.clips) - done} remaining. Rerun to continue.") from None
    finally:
        folder.write_table()
        for remark in folder.kept:
            console.say(remark)
    return failed > 0 or log_failed


def _write_others(
    folder: ClipFolder, options: ClipOptions, *, with_sheet: bool, with_reel: bool, limits: Limits, quiet: bool
) -> None:
    """Write contact sheets and the reel, with progress."""
    from annotate.batch.clip_reel import reel_length_s, write_reel
    from annotate.batch.clip_sheet import write_sheets

    paths = write_sheets(folder, options.language, limits) if with_sheet else []
    if with_reel:
        with ProgressBar(quiet=quiet, bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} to go") as bar:
            total_s = reel_length_s(folder)
            reel = write_reel(folder, limits, lambda done_s: bar.move("reel", done_s, total_s))
        paths += [reel] if reel is not None else []
    if not quiet:
        for path in paths:
            console.print_text(printable(path))
        console.print_text(f"{counted(len(folder.rows), 'clip')} in {printable(folder.path)}, listed in clips.csv.")
