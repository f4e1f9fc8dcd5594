"""Names of temporary files, which every storage gives alike, so that each run knows what another left."""

from __future__ import annotations

import hashlib
import os

TEMPORARY_PREFIX = ".annotate-"
TEMPORARY_SUFFIX = ".tmp"
LOCK_SUFFIX = ".lock"

KEY_DIGITS = 16


def lock_key(name: str) -> str:
    """Return what stands for outputs' names in the name of their lock; names that differ in case only share one."""
    return hashlib.sha256(os.fsencode(name.casefold())).hexdigest()[:KEY_DIGITS]
