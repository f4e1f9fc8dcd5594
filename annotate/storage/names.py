"""Names of temporary files, shared by all storages so that every run recognizes what another run left behind."""

from __future__ import annotations

import hashlib
import os

TEMPORARY_PREFIX = ".annotate-"
TEMPORARY_SUFFIX = ".tmp"
LOCK_SUFFIX = ".lock"

KEY_DIGITS = 16


def lock_key(name: str) -> str:
    """Return the hash of an output base name for the name of its lock; names that differ only in case share a lock."""
    return hashlib.sha256(os.fsencode(name.casefold())).hexdigest()[:KEY_DIGITS]
