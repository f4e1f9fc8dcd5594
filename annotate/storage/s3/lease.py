"""The right to write one video's outputs to object storage: a lock object, put on condition that there is none.

Its owner renews it while it works. One that has not been renewed for `LEASE_S` by the store's clock may be taken over, on
condition that it still is as it was then. A run that was cut off, or slept, finds out before it writes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from annotate.errors import OutputError, StorageError
from annotate.storage.address import S3Address
from annotate.storage.names import KEY_DIGITS, LOCK_SUFFIX, TEMPORARY_PREFIX, lock_key
from annotate.storage.s3.client import S3Client

LEASE_S = 300.0
"""So long after its last renewal a lock can be taken over."""

RENEWAL_INTERVAL_S = 60.0

_WITHDRAWALS = 3
_WITHDRAWAL_INTERVAL_S = 0.1
_NAME = re.compile(f"{re.escape(TEMPORARY_PREFIX)}[0-9a-f]{{{KEY_DIGITS}}}{re.escape(LOCK_SUFFIX)}")


class Lease:
    """A lock object that is ours, for outputs whose names begin with ``base``, and a thread that renews it."""

    scratch = None
    """Stores write whole objects by themselves."""

    def __init__(self, client: S3Client, base: S3Address, owner: str, etag: str) -> None:
        self.is_lost = False
        self._client = client
        self._base = base
        self._object = _lock_object(base)
        self._owner = owner
        self._etag = etag
        self._renewals = 0
        self._ended = threading.Event()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def confirm(self) -> None:
        """Renew the lock.

        Raises:
            OutputError: it is not held; another run may have taken it over.
            StorageError: the store does not answer.
        """
        self.renew()
        if self.is_lost:
            raise OutputError(
                "not written, since another run has taken the video over while this one was held up",
                "run the same command again",
                path=self._base,
            )

    def renew(self) -> None:
        """Put the lock object anew, if it still is ours; else it is lost.

        Raises:
            StorageError: the store does not answer.
        """
        with self._guard:
            if self.is_lost:
                return
            self._renewals += 1
            content = _content(self._owner, self._renewals)
            etag = self._client.put_conditional(self._object, content, self._etag)
            if etag is None:  # or it was a renewal whose answer was lost
                own = _etag_if_of(self._client, self._object, self._owner)
                etag = self._client.put_conditional(self._object, content, own) if own else None
            if etag is None:
                self.is_lost = True
            else:
                self._etag = etag

    def end(self) -> None:
        """Delete the lock object, unless it is another's meanwhile; who is told to end meanwhile does so first."""
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
                self._client.delete(self._object)

    def _keep(self) -> None:
        while not self._ended.wait(RENEWAL_INTERVAL_S):
            with contextlib.suppress(StorageError):
                self.renew()


@contextlib.contextmanager
def lock(client: S3Client, base: S3Address) -> Iterator[Lease | None]:
    """Lock the outputs whose names begin with ``base``; None if another run holds them.

    Raises:
        StorageError: the store does not answer, or does not know conditional puts.
    """
    lock_object = _lock_object(base)
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
    client.listings.forget(lock_object.parent)
    try:
        etag = _take(client, lock_object, owner)
    except BaseException:
        _withdraw(client, lock_object, owner)
        raise
    if etag is None:
        yield None
        return
    lease = Lease(client, base, owner, etag)
    try:
        _try_conditions(client, lock_object, owner)
        yield lease
    finally:
        lease.end()


def abandoned(client: S3Client, folder: S3Address) -> list[S3Address]:
    """Return lock objects in a folder that nobody renews. Nothing is removed."""
    return [lock_object for lock_object in _lock_objects(client, folder) if _expired(client, lock_object) is not None]


def sweep(client: S3Client, folder: S3Address) -> list[S3Address]:
    """Remove lock objects that nobody renews; return which they were."""
    swept = []
    for lock_object in _lock_objects(client, folder):
        etag = _expired(client, lock_object)
        if etag is not None and client.put_conditional(lock_object, _content("sweeper", 0), etag) is not None:
            client.delete(lock_object)
            swept.append(lock_object)
    return swept


def _lock_object(base: S3Address) -> S3Address:
    return base.with_name(f"{TEMPORARY_PREFIX}{lock_key(base.name)}{LOCK_SUFFIX}")


def _take(client: S3Client, lock_object: S3Address, owner: str) -> str | None:
    """Return the ETag of a lock object that is ours now; None if another run holds it."""
    content = _content(owner, 0)
    etag = client.put_conditional(lock_object, content, None)
    if etag is not None:
        return etag
    if own := _etag_if_of(client, lock_object, owner):  # an answer was lost and the request repeated
        return own
    expired = _expired(client, lock_object)
    return None if expired is None else client.put_conditional(lock_object, content, expired)


def _expired(client: S3Client, lock_object: S3Address) -> str | None:
    """Return the ETag of a lock object that has not been renewed for too long."""
    try:
        age, etag = client.age_of(lock_object)
    except FileNotFoundError:
        return None
    return etag if age.total_seconds() > LEASE_S else None


def _try_conditions(client: S3Client, lock_object: S3Address, owner: str) -> None:
    """Make sure, once a bucket, that the store heeds conditions: one that ignores them would let two runs work at once.

    Raises:
        StorageError: it does not.
    """
    known = client.filesystem.with_conditions
    if lock_object.bucket in known:
        return
    if client.put_conditional(lock_object, _content(owner, 0), None) is not None:
        raise StorageError(
            "the store ignores conditions of puts, by which runs keep apart",
            "use one that knows them (S3, MinIO)",
            path=lock_object.parent,
        )
    known.add(lock_object.bucket)


def _lock_objects(client: S3Client, folder: S3Address) -> list[S3Address]:
    return [folder / name for name in sorted(client.entries(folder)) if _NAME.fullmatch(name)]


def _etag_if_of(client: S3Client, lock_object: S3Address, owner: str) -> str | None:
    """Return the ETag of a lock object if it is this owner's."""
    try:
        etag = client.age_of(lock_object)[1]
        is_own = json.loads(client.read(lock_object))["owner"] == owner
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return etag if is_own else None


def _withdraw(client: S3Client, lock_object: S3Address, owner: str) -> None:
    """Remove a lock object whose making was interrupted, and which may appear yet."""
    with contextlib.suppress(StorageError):
        for _ in range(_WITHDRAWALS):
            if _etag_if_of(client, lock_object, owner):
                client.delete(lock_object)
                return
            time.sleep(_WITHDRAWAL_INTERVAL_S)


def _content(owner: str, renewals: int) -> bytes:
    return json.dumps({"owner": owner, "renewals": renewals}).encode()
