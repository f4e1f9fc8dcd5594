"""The s3fs client of the process; fsspec keeps one instance per process."""

from __future__ import annotations

from typing import Any

import s3fs

from annotate.storage.s3.listing import Listings

MAX_CONCURRENT_REQUESTS = 32


class ArchiveFileSystem(s3fs.S3FileSystem):  # type: ignore[misc]  # s3fs has no types
    """The s3fs client with cached ``listings`` and the buckets that are known to honor conditional puts.

    Credentials, region and endpoint come from the usual places: the environment, ``~/.aws``, the role of the machine.
    """

    def __init__(self, **options: Any) -> None:
        connections = {"max_pool_connections": MAX_CONCURRENT_REQUESTS}
        super().__init__(use_listings_cache=False, config_kwargs=connections, **options)
        self.listings = Listings()
        self.conditional_put_buckets: set[str] = set()
