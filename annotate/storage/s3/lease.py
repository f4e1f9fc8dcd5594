"""The right to write one video's outputs to object storage: a lock object, put on condition that there is none.

Its owner renews it while it works. One that has not been renewed for `LEASE_S` by the store's clock may be taken over, on
condition that it still is as it was then. A run that was cut off, or slept, finds out before it writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from annotate.archive.layout import Outputs
from annotate.errors import OutputError, StorageError
from annotate.storage.local.files import TEMPORARY_PREFIX
from annotate.storage.s3 import client, listing
from annotate.storage.s3.path import ObjectPath

LEASE_S = 300.0
"""So long after its last renewal a claim can be taken over."""

RENEWAL_INTERVAL_S = 60.0

_KEY_DIGITS = 16
_WITHDRAWALS = 3
_WITHDRAWAL_INTERVAL_S = 0.1
_NAME = re.compile(f"{re.escape(TEMPORARY_PREFIX)}[0-9a-f]{{{_KEY_DIGITS}}}\\.lock")
_held: dict[str, _Lease] = {}
_tried: set[str] = set()


class _Lease:
    """A lock object that is ours, and a thread that renews it."""

    def __init__(self, lock: ObjectPath, owner: str, etag: str) -> None:
        self.lock = lock
        self.is_lost = False
        self._owner = owner
        self._etag = etag
        self._renewals = 0
        self._ended = threading.Event()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Puts the lock object anew, if it still is ours; else it is lost.

        Raises:
            StorageError: the store does not answer.
        """
        with self._guard:
            if self.is_lost:
                return
            self._renewals += 1
            content = _content(self._owner, self._renewals)
            etag = client.put_if(self.lock, content, self._etag)
            if etag is None and (own := _etag_if_of(self.lock, self._owner)):  # of a renewal whose answer was lost
                etag = client.put_if(self.lock, content, own)
            if etag is None:
                self.is_lost = True
            else:
                self._etag = etag

    def end(self) -> None:
        """Deletes the lock object, unless it is another's meanwhile; who is told to end meanwhile does so first."""
        self._ended.set()
        try:
            self._release()
        except (KeyboardInterrupt, SystemExit):
            self._release()
            raise

    def _release(self) -> None:
        with contextlib.suppress(StorageError, FileNotFoundError):
            self.renew()
            if not self.is_lost:
                client.delete(self.lock)

    def _keep(self) -> None:
        while not self._ended.wait(RENEWAL_INTERVAL_S):
            with contextlib.suppress(StorageError):
                self.renew()


@contextlib.contextmanager
def claim(outputs: Outputs) -> Iterator[bool]:
    """Whether nobody else may write ``outputs`` now; that is so until the end.

    Raises:
        StorageError: the store does not answer, or does not know conditional puts.
    """
    lock = _lock_of(outputs)
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
    listing.forget(lock.parent)
    try:
        etag = _take(lock, owner)
    except BaseException:
        _withdraw(lock, owner)
        raise
    if etag is None:
        yield False
        return
    lease = _Lease(lock, owner, etag)
    _held[str(lock)] = lease
    try:
        _try_conditions(lock, owner)
        yield True
    finally:
        if _held.get(str(lock)) is lease:
            del _held[str(lock)]
        lease.end()


def confirm(outputs: Outputs) -> None:
    """Renews the claim on ``outputs``.

    Raises:
        OutputError: it is not held; another run may have taken it over.
        StorageError: the store does not answer.
    """
    lease = _held.get(str(_lock_of(outputs)))
    if lease is not None:
        lease.renew()
    if lease is None or lease.is_lost:
        raise OutputError(
            f"{outputs.meta}: not written, since another run has taken the video over while this one was held up; "
            "run the same command again"
        )


def abandoned(folder: ObjectPath) -> list[ObjectPath]:
    """Lock objects in a folder that nobody renews. Nothing is removed."""
    return [lock for lock in _locks(folder) if _expired(lock) is not None]


def sweep(folder: ObjectPath) -> list[ObjectPath]:
    """Removes lock objects that nobody renews; tells which they were."""
    swept = []
    for lock in _locks(folder):
        etag = _expired(lock)
        if etag is not None and client.put_if(lock, _content("sweeper", 0), etag) is not None:
            client.delete(lock)
            swept.append(lock)
    return swept


def _lock_of(outputs: Outputs) -> ObjectPath:
    folder = outputs.base.parent
    assert isinstance(folder, ObjectPath)
    key = hashlib.sha256(os.fsencode(outputs.base.name.casefold())).hexdigest()[:_KEY_DIGITS]
    return ObjectPath(folder / f"{TEMPORARY_PREFIX}{key}.lock")


def _take(lock: ObjectPath, owner: str) -> str | None:
    """The ETag of a lock object that is ours now; None if another run holds it."""
    content = _content(owner, 0)
    etag = client.put_if(lock, content, None)
    if etag is not None:
        return etag
    if own := _etag_if_of(lock, owner):  # an answer was lost and the request repeated
        return own
    expired = _expired(lock)
    return None if expired is None else client.put_if(lock, content, expired)


def _expired(lock: ObjectPath) -> str | None:
    """The ETag of a lock object that has not been renewed for too long."""
    try:
        age, etag = client.age_of(lock)
    except FileNotFoundError:
        return None
    return etag if age.total_seconds() > LEASE_S else None


def _try_conditions(lock: ObjectPath, owner: str) -> None:
    """Sees to it, once a bucket, that the store heeds conditions: one that ignores them would let two runs work at once.

    Raises:
        StorageError: it does not.
    """
    if lock.bucket in _tried:
        return
    if client.put_if(lock, _content(owner, 0), None) is not None:
        reason = "the store ignores conditions of puts, by which runs keep apart; use one that knows them (S3, MinIO)"
        raise StorageError(5, reason, str(lock.parent))
    _tried.add(lock.bucket)


def _locks(folder: ObjectPath) -> list[ObjectPath]:
    return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]


def _etag_if_of(lock: ObjectPath, owner: str) -> str | None:
    """The ETag of a lock object if it is this owner's."""
    try:
        etag = client.age_of(lock)[1]
        is_own = json.loads(client.read(lock))["owner"] == owner
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return etag if is_own else None


def _withdraw(lock: ObjectPath, owner: str) -> None:
    """Removes a lock object whose making was interrupted, and which may appear yet."""
    with contextlib.suppress(StorageError):
        for _ in range(_WITHDRAWALS):
            if _etag_if_of(lock, owner):
                client.delete(lock)
                return
            time.sleep(_WITHDRAWAL_INTERVAL_S)


def _content(owner: str, renewals: int) -> bytes:
    return json.dumps({"owner": owner, "renewals": renewals}).encode()
