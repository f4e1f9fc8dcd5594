"""Adds tiers to copies of files of ELAN and Praat that users made."""

from __future__ import annotations

from annotate.archive.layout import OutputOptions, added_path, kept_path
from annotate.archive.scan import ArchiveItem
from annotate.archive.stored_report import read_item_report
from annotate.archive.validity import current_meta
from annotate.errors import CodingError, ReportError, read_error
from annotate.results.formats.registry import MERGED, check_libraries
from annotate.storage.base import prepare_output, storage_for
from annotate.storage.values import PathOrUrl


def add_tiers(item: ArchiveItem, file: PathOrUrl, options: OutputOptions) -> PathOrUrl:
    """Write a copy of a file with tiers of the video's faces beside it, and return its path.

    What has that path and another content is kept under another name.

    Raises:
        SettingsError: the library that the format needs is missing.
        CodingError: it is no such file.
        ReportError: the table is missing, damaged or outdated, or has no faces.
        OutputError: the copy cannot be written.
        UnreadableError: the file cannot be read.
    """
    from annotate.results.formats.into import ADDERS

    name, add = ADDERS[file.suffix.lower()]
    check_libraries([name])
    report = read_item_report(item, current_meta(item), is_corrected=options.is_corrected)
    if not report.blocks:
        raise ReportError("no faces found, so there are no tiers to add", path=item.outputs.csv)
    try:
        text = add(storage_for(file).read(file), report, merged=MERGED in options.variants)
    except CodingError as error:
        raise error.with_path(file) from None
    except OSError as error:
        raise read_error(file, error) from None
    target = added_path(file)
    prepare_output(target)
    storage = storage_for(target)
    if storage.lexists(target) and (storage.is_link(target) or storage.read(target) != text.encode()):
        storage.rename(target, kept_path(target))
    storage.write_atomic(target, text)
    return target
