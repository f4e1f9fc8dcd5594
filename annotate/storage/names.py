"""Names of temporary files, shared by all storages so that every run recognizes what another run left behind."""

from __future__ import annotations

import hashlib
import os
import unicodedata

TEMPORARY_PREFIX = ".annotate-"
TEMPORARY_SUFFIX = ".tmp"
LOCK_SUFFIX = ".lock"

KEY_DIGITS = 16


def lock_key(name: str) -> str:
    """Return the hash of an output base name for its lock; case and Unicode form do not matter."""
    return hashlib.sha256(os.fsencode(unicodedata.normalize("NFC", name.casefold()))).hexdigest()[:KEY_DIGITS]
