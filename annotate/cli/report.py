"""The report page of an archive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from annotate.cli import console
from annotate.cli.options import EXIT_FAILED, QUIET, Place, fail, of_one_kind, verbosity, videos_option
from annotate.errors import AnnotateError
from annotate.settings import available_cores
from annotate.text import printable

PAGE_ENDINGS = (".html", ".htm")


def _page_name(ctx: click.Context, parameter: click.Parameter, path: Path) -> Path:
    if path.suffix.lower() not in PAGE_ENDINGS:
        raise click.BadParameter(f"{path}: a page's name ends in {' or '.join(PAGE_ENDINGS)}.")
    return path


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=Place(), callback=of_one_kind)
@click.option(
    "-o",
    "--output",
    metavar="FILE.html",
    type=Place(remote=False, dir_okay=False),
    default="report.html",
    show_default=True,
    callback=_page_name,
    help="The page to write.",
)
@videos_option("PATH")
@click.option("--no-thumbnails", is_flag=True, help="Leave out pictures of faces, which are taken from the videos.")
@click.option("--jobs", metavar="N", type=click.IntRange(1), help="Videos looked into at once.  [default: one a core]")
@verbosity
@click.pass_context
def report(
    ctx: click.Context, paths: tuple[Path, ...], output: Path, videos: Path | None, no_thumbnails: bool, jobs: int | None
) -> None:
    """Make a page to look at: charts, a table, and every video with its timeline.

    It opens from the disk in any browser, without a network. The videos are played from where they are.
    """
    from annotate.html_report.build import Options, write_page
    from annotate.html_report.contents import LEFT_OUT

    quiet = bool(ctx.meta.get(QUIET))

    def progress(reports: Sequence[Path]) -> Iterable[Path]:
        return console.progress(reports, "videos", quiet=quiet)

    options = Options(videos=videos, thumbnails=not no_thumbnails, jobs=jobs or available_cores())
    try:
        written = write_page(paths, output, options, progress)
    except AnnotateError as error:
        fail(error)
    contents = written.contents
    if not quiet:
        for path in contents.empty:
            console.say(f"no reports below {path}; `annotate {path}` makes them")
    for obstacle in contents.obstacles:
        console.say(f"left out: {obstacle.reason}")
    failed = [problem for problem in written.problems if problem.kind == LEFT_OUT]
    for problem in failed:
        if problem not in contents.left_out:
            console.say(f"left out: {problem.path}: {problem.reason}")
    if contents.reports and not quiet:
        if written.unreachable:
            count = f"{written.unreachable} of {len(contents.reports)}"
            console.say(f"{output}: not where the page would play them, beside their reports or in --videos: {count} videos")
        console.print_text(printable(f"{output}: {_told(written.contents.reports, len(written.problems))}"))
    ctx.exit(EXIT_FAILED if failed else 0)


def _told(reports: Sequence[object], problems: int) -> str:
    videos = f"{len(reports)} {'video' if len(reports) == 1 else 'videos'}"
    return f"{videos}, {problems} {'problem' if problems == 1 else 'problems'}, which it lists" if problems else videos
