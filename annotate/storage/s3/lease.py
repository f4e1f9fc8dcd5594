"""Lock on the outputs of one video in object storage: a lock object, created by a conditional put.

Its owner renews it during the work. A lock that was not renewed for `LEASE_S`, by the clock of the store, may be taken
over, again by a conditional put. A run that was suspended or offline notices the loss before it writes.
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
"""A lock expires this long after its last renewal."""

RENEWAL_INTERVAL_S = 60.0

_WITHDRAWALS = 3
_INTERRUPTED_WITHDRAWALS = 10
"""An interrupted put is still running, and a busy store may take a second."""

_WITHDRAWAL_INTERVAL_S = 0.1
_NAME = re.compile(f"{re.escape(TEMPORARY_PREFIX)}[0-9a-f]{{{KEY_DIGITS}}}{re.escape(LOCK_SUFFIX)}")


class Lease:
    """A held lock object, for outputs whose names begin with ``base``, and the thread that renews it."""

    scratch = None
    """Puts are atomic, so that no folder for unfinished files is needed."""

    def __init__(self, client: S3Client, base: S3Address, owner: str, etag: str) -> None:
        self.is_lost = False
        self._client = client
        self._base = base
        self._object = _lock_object(base)
        self._owner = owner
        self._etag = etag
        self._renewals = 0
        self._released = threading.Event()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._renew_until_released, daemon=True)
        self._thread.start()

    def confirm(self) -> None:
        """Renew the lock.

        Raises:
            OutputError: the lock was lost; another run may have taken it over.
            StorageError: the store does not answer.
        """
        self.renew()
        if self.is_lost:
            raise OutputError(
                "not written (another run took over the video while this one was suspended or offline)",
                "run the same command again",
                path=self._base,
            )

    def renew(self) -> None:
        """Write the lock object again if it is still owned; otherwise set `is_lost`.

        Raises:
            StorageError: the store does not answer.
        """
        with self._guard:
            if self.is_lost:
                return
            self._renewals += 1
            content = _content(self._owner, self._renewals)
            etag = self._client.put_conditional(self._object, content, self._etag)
            if etag is None:  # or the response to the last renewal was lost
                own = _etag_if_owned(self._client, self._object, self._owner)
                etag = self._client.put_conditional(self._object, content, own) if own else None
            if etag is None:
                self.is_lost = True
            else:
                self._etag = etag

    def release(self) -> None:
        """Delete the lock object unless another run owns it; a KeyboardInterrupt or SystemExit meanwhile is delayed."""
        try:
            self._released.set()
            self._delete()
        except (KeyboardInterrupt, SystemExit):
            self._released.set()
            self._delete()
            raise

    def _delete(self) -> None:
        with contextlib.suppress(StorageError, FileNotFoundError):
            self.renew()
            if not self.is_lost:
                self._client.delete(self._object)

    def _renew_until_released(self) -> None:
        while not self._released.wait(RENEWAL_INTERVAL_S):
            with contextlib.suppress(StorageError):
                self.renew()


@contextlib.contextmanager
def lock(client: S3Client, base: S3Address) -> Iterator[Lease | None]:
    """Hold the lock on the outputs whose names begin with ``base``; yield None if another run holds it.

    Raises:
        StorageError: the store does not answer, or does not support conditional puts.
    """
    lock_object = _lock_object(base)
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
    client.listings.forget(lock_object.parent)
    lease: Lease | None = None
    is_acquiring = True
    try:  # SIGTERM may raise SystemExit anywhere, also between the acquisition and the first use of the lease
        etag = _acquire(client, lock_object, owner)
        if etag is not None:
            lease = Lease(client, base, owner, etag)
            _check_conditional_puts(client, lock_object, owner)
        is_acquiring = False
        yield lease
    except BaseException as error:
        if lease is None and is_acquiring:
            is_interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
            _withdraw(client, lock_object, owner, _INTERRUPTED_WITHDRAWALS if is_interrupted else _WITHDRAWALS)
        raise
    finally:
        if lease is not None:
            lease.release()


def find_abandoned(client: S3Client, folder: S3Address) -> list[S3Address]:
    """Return the expired lock objects in a folder. Delete nothing."""
    return [lock_object for lock_object in _lock_objects(client, folder) if _expired_etag(client, lock_object) is not None]


def sweep(client: S3Client, folder: S3Address) -> list[S3Address]:
    """Delete the expired lock objects in a folder and return them."""
    swept = []
    for lock_object in _lock_objects(client, folder):
        etag = _expired_etag(client, lock_object)
        if etag is not None and client.put_conditional(lock_object, _content("sweeper", 0), etag) is not None:
            client.delete(lock_object)
            swept.append(lock_object)
    return swept


def _lock_object(base: S3Address) -> S3Address:
    return base.with_name(f"{TEMPORARY_PREFIX}{lock_key(base.name)}{LOCK_SUFFIX}")


def _acquire(client: S3Client, lock_object: S3Address, owner: str) -> str | None:
    """Acquire a lock object and return its ETag, or None if another run holds it."""
    content = _content(owner, 0)
    etag = client.put_conditional(lock_object, content, None)
    if etag is not None:
        return etag
    if own := _etag_if_owned(client, lock_object, owner):  # a response was lost and the request repeated
        return own
    expired = _expired_etag(client, lock_object)
    return None if expired is None else client.put_conditional(lock_object, content, expired)


def _expired_etag(client: S3Client, lock_object: S3Address) -> str | None:
    """Return the ETag of a lock object if it has expired, else None."""
    try:
        age, etag = client.age_and_etag(lock_object)
    except FileNotFoundError:
        return None
    return etag if age.total_seconds() > LEASE_S else None


def _check_conditional_puts(client: S3Client, lock_object: S3Address, owner: str) -> None:
    """Check, once per bucket, that the store honors conditional puts; otherwise two runs could hold the same lock.

    Raises:
        StorageError: the store ignores conditions.
    """
    known = client.filesystem.conditional_put_buckets
    if lock_object.bucket in known:
        return
    if client.put_conditional(lock_object, _content(owner, 0), None) is not None:
        raise StorageError(
            "the store ignores the conditions of puts, which locks need",
            "use a store that supports them (such as S3 or MinIO)",
            path=lock_object.parent,
        )
    known.add(lock_object.bucket)


def _lock_objects(client: S3Client, folder: S3Address) -> list[S3Address]:
    return [folder / name for name in sorted(client.entries(folder)) if _NAME.fullmatch(name)]


def _etag_if_owned(client: S3Client, lock_object: S3Address, owner: str) -> str | None:
    """Return the ETag of a lock object if ``owner`` holds it, else None."""
    try:
        etag = client.age_and_etag(lock_object)[1]
        is_own = json.loads(client.read(lock_object))["owner"] == owner
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return etag if is_own else None


def _withdraw(client: S3Client, lock_object: S3Address, owner: str, attempts: int) -> None:
    """Delete a lock object whose creation failed or was interrupted; it may appear with a delay."""
    with contextlib.suppress(StorageError):
        for _ in range(attempts):
            if _etag_if_owned(client, lock_object, owner):
                client.delete(lock_object)
                return
            time.sleep(_WITHDRAWAL_INTERVAL_S)


def _content(owner: str, renewals: int) -> bytes:
    return json.dumps({"owner": owner, "renewals": renewals}).encode()
