"""The client of S3 stores that a process has; fsspec keeps one instance a process."""

from __future__ import annotations

from typing import Any

import s3fs

from annotate.storage.s3.listing import Listings

REQUESTS_AT_ONCE = 32


class ArchiveFileSystem(s3fs.S3FileSystem):  # type: ignore[misc]  # s3fs has no types
    """s3fs's client, with what a run has learned of stores.

    ``listings`` are folders that were listed, ``with_conditions`` buckets that are known to heed conditions of puts.
    Credentials, region and endpoint are found as by every other tool: the environment, ``~/.aws``, the machine's role.
    """

    def __init__(self, **options: Any) -> None:
        connections = {"max_pool_connections": REQUESTS_AT_ONCE}
        super().__init__(use_listings_cache=False, config_kwargs=connections, **options)
        self.listings = Listings()
        self.with_conditions: set[str] = set()
