"""Small objects read many at a time, since most of what one takes is waiting for the store."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from annotate.errors import StorageError
from annotate.storage.s3 import listing
from annotate.storage.s3.path import ObjectPath, is_remote

AT_ONCE = 32

_CHUNK = 128

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item], files: Callable[[Item], Iterable[Path]]) -> Iterator[Item]:
    """The items as they are; those of their ``files`` that lie in object storage are read before, for many items at once.

    What was read is at hand until the next items are taken, or its folder is written to. Items without such files are taken
    one by one.
    """
    coming = iter(items)
    for first in coming:
        if not any(is_remote(file) for file in files(first)):
            yield first
            continue
        chunk = [first, *itertools.islice(coming, _CHUNK - 1)]
        remote = [file for item in chunk for file in files(item) if isinstance(file, ObjectPath)]
        wanted = [file for file in dict.fromkeys(remote) if (found := listing.look_up(file)) is None or found.status]
        if wanted:
            with ThreadPoolExecutor(min(AT_ONCE, len(wanted))) as executor:
                list(executor.map(_keep, wanted))
        try:
            yield from chunk
        finally:
            for file in wanted:
                listing.drop_content(file)


def _keep(path: ObjectPath) -> None:
    """Reads an object; whatever is wrong is told to who asks for it."""
    from annotate.storage.s3 import client

    try:
        listing.keep_content(path, client.read(path))
    except FileNotFoundError:
        listing.keep_content(path, None)
    except StorageError:
        return
