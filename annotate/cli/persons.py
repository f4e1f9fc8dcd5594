"""``annotate persons``: tell persons apart in an archive, and name them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate.archive.discover import Selection
from annotate.archive.output_tree import output_trees
from annotate.archive.scan import ArchiveItem, scan
from annotate.cli import console
from annotate.cli.annotate import ClusterMaker, Workplace
from annotate.cli.batch_command import RunOptions, decoding_limits, run_options, show_run, sizes_of
from annotate.cli.options import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    PathOrUrlType,
    collect,
    handle_errors,
    output_dir_option,
    say_none_found,
    selection_options,
    stacked,
    verbosity,
)
from annotate.cli.tables import Column, format_columns, terminal_width
from annotate.errors import EXIT_FAILED, SettingsError, read_error
from annotate.settings import Limits
from annotate.storage.base import storage_for
from annotate.storage.values import PathOrUrl, SkippedPath
from annotate.text import clock, counted, printable

if TYPE_CHECKING:
    from annotate.batch.persons import Edit
    from annotate.results.persons import PersonRow


@dataclass(frozen=True)
class _Edits:
    """What people say about persons: pairs of number and name, numbers to merge, pairs of video and track to split off."""

    names: tuple[tuple[int, str], ...] = ()
    names_file: Path | None = None
    merges: tuple[tuple[int, ...], ...] = ()
    splits: tuple[tuple[str, int], ...] = ()
    forget: bool = False

    def functions(self) -> list[Edit]:
        """Return the edits, in the order of merging, splitting and naming."""
        from functools import partial

        from annotate.batch.persons import split_off
        from annotate.results.persons import merge_persons, name_person

        names = [*(read_names(self.names_file) if self.names_file is not None else ()), *self.names]
        return [
            *(partial(merge_persons, numbers=numbers) for numbers in self.merges),
            *(partial(split_off, video=video, face_id=face_id) for video, face_id in self.splits),
            *(partial(name_person, number=number, name=name) for number, name in names),
        ]


class _NameType(click.ParamType):  # type: ignore[type-arg]
    name = "N=NAME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, str]:
        number, separator, name = str(value).partition("=")
        if not separator or not number.strip().isdecimal():
            self.fail(f"{value!r} is not a number and a name, such as 3=host.", param, ctx)
        return int(number), name


class _MergeType(click.ParamType):  # type: ignore[type-arg]
    name = "N,N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        numbers = tuple(dict.fromkeys(part.strip() for part in str(value).split(",")))
        if len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
            self.fail(f"{value!r} is not a list of different numbers, such as 3,7.", param, ctx)
        return tuple(map(int, numbers))


class _SplitType(click.ParamType):  # type: ignore[type-arg]
    name = "VIDEO:TRACK"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        video, separator, track = str(value).rpartition(":")
        if not separator or not track.isdecimal():
            self.fail(f"{value!r} is not a video and the number of a face track, such as a.mp4:3.", param, ctx)
        return video, int(track)


_edit_options = stacked(
    click.option("--name", "names", type=_NameType(), multiple=True, help="Name person N; repeatable."),
    click.option(
        "--names",
        "names_file",
        metavar="FILE.csv",
        type=PathOrUrlType(remote=False, exists=True, dir_okay=False),
        help="Name persons by a table with the columns person and name.",
    ),
    click.option("--merge", "merges", type=_MergeType(), multiple=True, help="These persons are one; repeatable."),
    click.option(
        "--split", "splits", type=_SplitType(), multiple=True, help="This face track is another person; repeatable."
    ),
    click.option("--forget", is_flag=True, help="Delete all that was found out and said about persons."),
    collect("edits", _Edits, "names", "names_file", "merges", "splits", "forget"),
)


@click.command(epilog="\b\nExamples:\n  annotate persons films\n  annotate persons films --name 3=host --merge 3,7")
@handle_errors
@selection_options()
@_edit_options
@click.option("--keep-embeddings", is_flag=True, help="Keep the descriptors of faces, in files that only you may read.")
@output_dir_option("Output folder used when annotating.")
@run_options()
@click.option(
    "--scratch",
    metavar="DIR",
    type=PathOrUrlType(remote=False, file_okay=False, exists=True),
    help="Folder for downloads from object storage.  [default: the system's temporary folder]",
)
@decoding_limits()
@click.option("--cluster", metavar="ADDRESS", help="Run on a Dask cluster: tcp://HOST:PORT, a scheduler file, or local.")
@verbosity
@collect("workplace", Workplace, "scratch", "cluster")
def persons(
    paths: Sequence[PathOrUrl],
    selection: Selection,
    edits: _Edits,
    keep_embeddings: bool,
    output_dir: PathOrUrl | None,
    run: RunOptions,
    limits: Limits,
    workplace: Workplace,
) -> int:
    """Tell persons apart in annotated videos, over cuts and files, and name them.

    The persons of a directory get numbers that hold in all of its videos, those of a single video its own. Only key frames,
    and a few others, are decoded. Names, and persons that you merge or split, are kept when it runs again.

    This is biometric processing. In the EU biometric data need a legal ground (GDPR, Art. 9), and emotion recognition is
    forbidden at work and in education (AI Act, Art. 5(1)(f)).
    """
    scanned = scan(paths, selection, output_dir)
    if not scanned:
        say_none_found(paths, selection, quiet=run.quiet)
        return 0
    entries = list(scanned)
    items = [entry for entry in entries if isinstance(entry, ArchiveItem)]
    places = _places(paths, output_dir, items)
    if edits.forget:
        from annotate.batch.forget import forget_archive

        return _finish(forget_archive(items, [place.file for place in places]), quiet=run.quiet)
    status = 0
    changed: list[set[str]]
    if functions := edits.functions():
        if len(places) > 1:
            raise click.UsageError("Numbers belong to one directory or video. Give one PATH.")
        changed = [place.edit(functions) for place in places]
    else:
        status = _describe(entries, places, run, limits, workplace)
        if status in (EXIT_INTERRUPTED, EXIT_TERMINATED):
            return status
        changed = [place.number() for place in places]
    for place, videos in zip(places, changed, strict=True):
        status = max(status, place.show(videos, quiet=run.quiet))
        if not keep_embeddings and not functions:
            place.delete_descriptors()
    return status


@dataclass(frozen=True)
class _Place:
    """A file of persons and the videos that it is about; ``item`` is the video if it is that of a single one."""

    file: PathOrUrl
    items: Sequence[ArchiveItem]
    item: ArchiveItem | None = None

    def number(self) -> set[str]:
        """Number persons if there are tracks without; return the videos that changed."""
        from annotate.batch.persons import is_numbered, number_persons

        return set() if is_numbered(self.file, self.items) else number_persons(self.file, self.items)

    def edit(self, functions: Sequence[Edit]) -> set[str]:
        """Apply what people say; return the videos that changed."""
        from annotate.batch.persons import edit_persons

        try:
            return edit_persons(self.file, functions, self.item)
        except ValueError as error:
            remedy = "see numbers of persons with `annotate persons`, of face tracks with `annotate summarize --by face`"
            raise SettingsError(str(error), remedy, path=self.file) from None

    def show(self, changed: set[str], *, quiet: bool) -> int:
        """Write outputs again, and print the persons; return the exit status."""
        from annotate.archive.persons import read_person_rows
        from annotate.batch.persons import show_persons

        status = _finish(show_persons(self.file, self.items, changed), quiet=True)
        rows = [row for row in read_person_rows(self.file) if bool(row.video) == (self.item is None)]
        if not quiet and rows:
            console.print_text(format_columns(_columns(rows), terminal_width()))
            people = len({row.person for row in rows})
            console.print_text(f"{printable(self.file)}: {counted(people, 'person')} in {counted(len(rows), 'face track')}.")
        return status

    def delete_descriptors(self) -> None:
        """Delete the descriptors of faces."""
        from annotate.batch.persons import delete_descriptors

        delete_descriptors(self.items)


def _places(paths: Sequence[PathOrUrl], output_dir: PathOrUrl | None, items: Sequence[ArchiveItem]) -> list[_Place]:
    """Return the file of each directory, and of each video that is given itself."""
    from annotate.archive.layout import ARCHIVE_PERSONS

    places, placed = list[_Place](), set[PathOrUrl]()
    for tree in output_trees(paths, output_dir):
        below = [item for item in items if storage_for(item.outputs.base).is_below(item.outputs.base, tree)]
        placed |= {item.video for item in below}
        if below:
            places.append(_Place(tree / ARCHIVE_PERSONS, below))
    return [*places, *(_Place(item.outputs.persons, [item], item) for item in items if item.video not in placed)]


def _describe(
    entries: Sequence[ArchiveItem | SkippedPath],
    places: Sequence[_Place],
    run: RunOptions,
    limits: Limits,
    workplace: Workplace,
) -> int:
    """Describe the face tracks of videos where some have no number; return the exit status."""
    from annotate.batch.persons import describe_archive, is_numbered
    from annotate.persons.descriptor import check_descriptor

    check_descriptor()
    pending = [place for place in places if not is_numbered(place.file, place.items)]
    videos = {item.video for place in pending for item in place.items}
    todo = [entry for entry in entries if isinstance(entry, SkippedPath) or entry.video in videos]
    if not todo:
        return 0
    make_executor = None if workplace.cluster is None else ClusterMaker(workplace.cluster, run.jobs, limits)
    return show_run(
        sizes_of(todo), lambda executor: describe_archive(todo, executor, limits, workplace.scratch), run, make_executor
    )


def _finish(outcomes: object, *, quiet: bool) -> int:
    """Print outcomes that failed, and unless ``quiet`` how many did not; return the exit status."""
    from annotate.batch.job import Outcome, Status

    done = failed = 0
    for outcome in outcomes:  # type: ignore[attr-defined]
        assert isinstance(outcome, Outcome)
        if outcome.status in (Status.FAILED, Status.LOCKED):
            failed += 1
            console.say(f"{outcome.path}: {outcome.message}")
        else:
            done += 1
    if not quiet:
        console.print_text(f"{counted(done, 'video')} changed.")
    return EXIT_FAILED if failed else 0


def _columns(rows: Sequence[PersonRow]) -> list[Column]:
    persons: dict[int, list[PersonRow]] = {}
    for row in rows:
        persons.setdefault(row.person, []).append(row)
    ordered = sorted(persons.items())
    times_s = [sum(row.track.span.duration_s for row in own) for _, own in ordered]
    return [
        Column("person", [str(number) for number, _ in ordered], to_right=True),
        Column("name", [printable(own[0].name) for _, own in ordered], name=True),
        Column("videos", [str(len({row.video for row in own})) for _, own in ordered], to_right=True),
        Column("tracks", [str(len(own)) for _, own in ordered], to_right=True),
        Column("on screen", [clock(time_s) for time_s in times_s], to_right=True),
    ]


def read_names(path: Path) -> list[tuple[int, str]]:
    """Return the numbers and names in a table with the columns ``person`` and ``name``.

    Raises:
        SettingsError: it is not such a table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [(int(row["person"]), row["name"] or "") for row in csv.DictReader(file)]
    except OSError as error:
        raise read_error(path, error) from error
    except (KeyError, ValueError, TypeError, csv.Error):
        problem = "not a table of persons and names (it needs the columns person and name, and numbers in the former)"
        raise SettingsError(problem, "correct it", path=path) from None
