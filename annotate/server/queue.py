"""Queue of orders in an SQLite file: it survives restarts, and serves clients round-robin so that none starves."""

from __future__ import annotations

import enum
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotate.errors import OutputError

MAX_TRIES = 5
"""Maximum number of attempts: an order during which the server died this many times fails."""

_TURN_LIFETIME_S = 86400.0
_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    address TEXT NOT NULL, client TEXT NOT NULL, created_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    video TEXT NOT NULL, kind TEXT NOT NULL, address TEXT NOT NULL, client TEXT NOT NULL, state TEXT NOT NULL,
    created_s REAL NOT NULL, started_s REAL, ended_s REAL, not_before_s REAL NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (video, kind)
);
CREATE INDEX IF NOT EXISTS orders_by_state ON orders (state, address, client, created_s);
CREATE TABLE IF NOT EXISTS turns (
    address TEXT NOT NULL, client TEXT NOT NULL, taken_s REAL NOT NULL, PRIMARY KEY (address, client)
);
"""
_ORDER_COLUMNS = "video, kind, address, client, state, created_s, started_s, ended_s, tries, reason, subject"


class OrderKind(enum.Enum):
    """Work that can be ordered for a video."""

    ANNOTATE = "annotate"
    PROXY = "proxy"
    RENDER_EN = "rendered.en"
    RENDER_RU = "rendered.ru"

    @property
    def language(self) -> str:
        """Language of the labels in a rendered video; empty for other kinds."""
        return self.value.partition(".")[2]


class OrderState(enum.Enum):
    """State of an order."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Client:
    """Sender of a request: IP address, and the client cookie of its browser (empty for programs)."""

    address: str
    cookie: str = ""


@dataclass(frozen=True)
class Upload:
    """An uploaded video, stored as ``id/name`` in the folder of uploads."""

    id: str
    name: str
    size_bytes: int
    client: Client
    created_s: float


@dataclass(frozen=True)
class Order:
    """A request for work on one video, kept after it has ended together with its result.

    ``reason`` says why it failed, or is a remark on the result. ``fingerprint`` identifies the version of the video file, so
    that a failure no longer counts once the file has changed.
    """

    video_id: str
    kind: OrderKind
    client: Client
    state: OrderState
    created_s: float
    started_s: float | None
    ended_s: float | None
    tries: int
    reason: str
    fingerprint: str


class Queue:
    """Uploads and orders; all threads share one connection under a lock.

    Scheduling is round-robin: first the address with the fewest running orders, then the one served longest ago, then the
    browser at that address by the same rule, then the oldest order. So a thousand orders of one client delay another
    client's order by one.

    Raises:
        OutputError: the file cannot be opened or created.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise OutputError(f"cannot open the queue ({error})", "check --data, or move the file away", path=path) from None
        self.changes = 0
        """Number of changes so far, for detecting outdated caches."""

        self._is_stopped = False
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def stop(self) -> None:
        """Hand out no more orders, and wake the threads that wait in `take`."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def recover(self) -> int:
        """Put orders that were running when the last server died back into the queue; return their number."""
        with self._transaction():
            self._run(
                "UPDATE orders SET state = 'failed', ended_s = ?, reason = ? WHERE state = 'running' AND tries >= ?",
                time.time(),
                f"the server crashed {MAX_TRIES} times while processing this video",
                MAX_TRIES,
            )
            self._run("DELETE FROM turns WHERE taken_s < ?", time.time() - _TURN_LIFETIME_S)
            return self._run("UPDATE orders SET state = 'waiting' WHERE state = 'running'").rowcount

    def add_upload(self, upload: Upload) -> None:
        """Store an upload and order its annotation, in one transaction."""
        client = upload.client
        with self._transaction():
            self._run(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?)",
                upload.id,
                upload.name,
                upload.size_bytes,
                client.address,
                client.cookie,
                upload.created_s,
            )
            self.enqueue(upload.id, OrderKind.ANNOTATE, client)

    def remove_upload(self, video_id: str) -> None:
        """Delete an upload and its orders from the database."""
        with self._transaction():
            self._run("DELETE FROM uploads WHERE id = ?", video_id)
            self._run("DELETE FROM orders WHERE video = ?", video_id)

    def uploads(self) -> list[Upload]:
        """Return all uploads, latest first."""
        rows = self._rows("SELECT id, name, size_bytes, address, client, created_s FROM uploads ORDER BY created_s DESC, id")
        return [Upload(row[0], row[1], row[2], Client(row[3], row[4]), row[5]) for row in rows]

    def has_upload(self, video_id: str) -> bool:
        """Return whether an upload is in the database."""
        return bool(self._rows("SELECT 1 FROM uploads WHERE id = ?", video_id))

    def enqueue(self, video_id: str, kind: OrderKind, client: Client, fingerprint: str = "") -> bool:
        """Add an order for a video; return False if one of this kind is already waiting or running."""
        with self._transaction():
            found = self.find(video_id, kind)
            if found is not None and found.state in (OrderState.WAITING, OrderState.RUNNING):
                return False
            self._run(
                "INSERT OR REPLACE INTO orders (video, kind, address, client, state, created_s, subject) "
                "VALUES (?, ?, ?, ?, 'waiting', ?, ?)",
                video_id,
                kind.value,
                client.address,
                client.cookie,
                time.time(),
                fingerprint,
            )
            self._changed.notify_all()
        return True

    def enqueue_many(self, videos: Iterable[tuple[str, str]], kind: OrderKind, client: Client) -> int:
        """Add orders for pairs of video id and fingerprint, in one transaction; return how many are new."""
        with self._transaction():
            return sum(self.enqueue(video_id, kind, client, fingerprint) for video_id, fingerprint in videos)

    def find(self, video_id: str, kind: OrderKind) -> Order | None:
        """Return the latest order of a kind for a video; None if there is none."""
        query = f"SELECT {_ORDER_COLUMNS} FROM orders WHERE video = ? AND kind = ?"  # noqa: S608
        rows = self._rows(query, video_id, kind.value)
        return _order_from_row(rows[0]) if rows else None

    def orders(self, kind: OrderKind) -> dict[str, Order]:
        """Return the latest order of a kind for every video that has one, by video id."""
        rows = self._rows(f"SELECT {_ORDER_COLUMNS} FROM orders WHERE kind = ?", kind.value)  # noqa: S608
        return {row[0]: _order_from_row(row) for row in rows}

    def count(self, state: OrderState) -> int:
        """Return the number of orders in a state."""
        return int(self._rows("SELECT COUNT(*) FROM orders WHERE state = ?", state.value)[0][0])

    def count_waiting_uploads(self, address: str) -> int:
        """Return the number of uploads from an address that wait for annotation."""
        query = (
            "SELECT COUNT(*) FROM orders JOIN uploads ON id = video "
            "WHERE state = 'waiting' AND kind = 'annotate' AND uploads.address = ?"
        )
        return int(self._rows(query, address)[0][0])

    def take(self, timeout_s: float) -> Order | None:
        """Mark the next order as running and return it; None if there is none within the timeout."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._is_stopped:
                order = self._take()
                left_s = deadline_s - time.monotonic()
                if order is not None or left_s <= 0:
                    return order
                self._changed.wait(left_s)
            return None

    def finish(self, order: Order, state: OrderState, reason: str = "") -> None:
        """Set the final state of a running order."""
        self._run(
            "UPDATE orders SET state = ?, ended_s = ?, reason = ? WHERE video = ? AND kind = ? AND state = 'running'",
            state.value,
            time.time(),
            reason,
            order.video_id,
            order.kind.value,
        )

    def requeue(self, order: Order, delay_s: float = 0.0) -> None:
        """Put a running order back into the queue, not to be taken for ``delay_s``; the attempt does not count."""
        with self._transaction():
            self._run(
                "UPDATE orders SET state = 'waiting', tries = tries - 1, not_before_s = ? "
                "WHERE video = ? AND kind = ? AND state = 'running'",
                time.time() + delay_s,
                order.video_id,
                order.kind.value,
            )
            self._changed.notify_all()

    def cancel_waiting(self, video_id: str, kind: OrderKind) -> bool:
        """Cancel an order that is waiting; return False if there is none."""
        query = "UPDATE orders SET state = 'cancelled', ended_s = ? WHERE video = ? AND kind = ? AND state = 'waiting'"
        return self._run(query, time.time(), video_id, kind.value).rowcount > 0

    def _take(self) -> Order | None:
        now_s = time.time()
        with self._transaction():
            waiting = self._rows(
                "SELECT address, client FROM orders WHERE state = 'waiting' AND not_before_s <= ? GROUP BY address, client",
                now_s,
            )
            if not waiting:
                return None
            running = self._rows("SELECT address, client FROM orders WHERE state = 'running'")
            turns = {(address, client): taken_s for address, client, taken_s in self._rows("SELECT * FROM turns")}
            last_of_address: dict[str, float] = {}
            for (address, _), taken_s in turns.items():
                last_of_address[address] = max(taken_s, last_of_address.get(address, 0.0))
            addresses = [address for address, _ in running]

            def priority(client: tuple[str, str]) -> tuple[float, ...]:
                by_address = addresses.count(client[0]), last_of_address.get(client[0], 0.0)
                return *by_address, running.count(client), turns.get(client, 0.0)

            address, client = min(waiting, key=priority)
            ((video_id, kind),) = self._rows(
                "SELECT video, kind FROM orders WHERE state = 'waiting' AND not_before_s <= ? "
                "AND address = ? AND client = ? ORDER BY created_s, rowid LIMIT 1",
                now_s,
                address,
                client,
            )
            self._run("INSERT OR REPLACE INTO turns VALUES (?, ?, ?)", address, client, now_s)
            self._run(
                "UPDATE orders SET state = 'running', started_s = ?, tries = tries + 1 WHERE video = ? AND kind = ?",
                now_s,
                video_id,
                kind,
            )
            return self.find(video_id, OrderKind(kind))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run the body as one transaction, under the lock; an inner transaction is part of the outer one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _run(self, query: str, *values: object) -> sqlite3.Cursor:
        with self._lock:
            self.changes += 1
            return self._connection.execute(query, values)

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock, closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()


def _order_from_row(row: tuple[Any, ...]) -> Order:
    video_id, kind, address, client, state, created_s, started_s, ended_s, tries, reason, fingerprint = row
    return Order(
        str(video_id),
        OrderKind(kind),
        Client(str(address), str(client)),
        OrderState(state),
        float(created_s),
        started_s,
        ended_s,
        int(tries),
        str(reason),
        str(fingerprint),
    )
