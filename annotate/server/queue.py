"""Queue of orders in a small SQLite file: a restart loses nothing, and nobody's work waits for ever behind another's."""

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
"""An order that was running so often when the server died is not tried again."""

_FORGET_TURNS_AFTER_S = 86400.0
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
_ORDER = "video, kind, address, client, state, created_s, started_s, ended_s, tries, reason, subject"


class Kind(enum.Enum):
    """Kind of order."""

    ANNOTATE = "annotate"
    PROXY = "proxy"
    RENDER_EN = "rendered.en"
    RENDER_RU = "rendered.ru"

    @property
    def language(self) -> str:
        """The language of what is drawn in, empty where nothing is."""
        return self.value.partition(".")[2]


class State(enum.Enum):
    """State of an order."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Client:
    """Sender of a request: an address, and the cookie of a browser there (empty for programs)."""

    address: str
    cookie: str = ""


@dataclass(frozen=True)
class Upload:
    """A video that was sent; it lies in the folder ``id`` under ``name``."""

    id: str
    name: str
    size_bytes: int
    client: Client
    created_s: float


@dataclass(frozen=True)
class Order:
    """Something that is to be made of a video, was, or could not be, for the ``reason`` given.

    ``fingerprint`` says which state of the video this was about, so that a failure ends to count when the file is another.
    """

    video: str
    kind: Kind
    client: Client
    state: State
    created_s: float
    started_s: float | None
    ended_s: float | None
    tries: int
    reason: str
    fingerprint: str


class Queue:
    """Uploads and orders; one connection, used by all threads in turn.

    Turns go round: whose address has the least under way is next, then whose turn was longest ago, then the browser
    there by the same rule, then the oldest order. So one who asks for a thousand videos delays another by one.

    Raises:
        OutputError: the file cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise OutputError(
                f"the queue cannot be opened ({error})", "check --data, or move the file away", path=path
            ) from None
        self.changes = 0
        """Grows with every change of orders."""

        self._is_stopped = False
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def stop(self) -> None:
        """Give no more turns, and let those go who wait for one."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def recover(self) -> int:
        """Put back orders that were running when the last server died; return how many there were."""
        with self._transaction():
            self._run(
                "UPDATE orders SET state = 'failed', ended_s = ?, reason = ? WHERE state = 'running' AND tries >= ?",
                time.time(),
                f"the server died {MAX_TRIES} times while this was done",
                MAX_TRIES,
            )
            self._run("DELETE FROM turns WHERE taken_s < ?", time.time() - _FORGET_TURNS_AFTER_S)
            return self._run("UPDATE orders SET state = 'waiting' WHERE state = 'running'").rowcount

    def add_upload(self, upload: Upload) -> None:
        """Keep an upload and order its annotation, both or neither."""
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
            self.order(upload.id, Kind.ANNOTATE, client)

    def remove_upload(self, video: str) -> None:
        """Forget an upload and its orders."""
        with self._transaction():
            self._run("DELETE FROM uploads WHERE id = ?", video)
            self._run("DELETE FROM orders WHERE video = ?", video)

    def uploads(self) -> list[Upload]:
        """Return all uploads, the latest first."""
        rows = self._rows("SELECT id, name, size_bytes, address, client, created_s FROM uploads ORDER BY created_s DESC, id")
        return [Upload(row[0], row[1], row[2], Client(row[3], row[4]), row[5]) for row in rows]

    def has_upload(self, video: str) -> bool:
        """Return whether an upload is kept."""
        return bool(self._rows("SELECT 1 FROM uploads WHERE id = ?", video))

    def order(self, video: str, kind: Kind, client: Client, fingerprint: str = "") -> bool:
        """Add an order for a video; return False if there is one already that waits or is running."""
        with self._transaction():
            found = self.find(video, kind)
            if found is not None and found.state in (State.WAITING, State.RUNNING):
                return False
            self._run(
                "INSERT OR REPLACE INTO orders (video, kind, address, client, state, created_s, subject) "
                "VALUES (?, ?, ?, ?, 'waiting', ?, ?)",
                video,
                kind.value,
                client.address,
                client.cookie,
                time.time(),
                fingerprint,
            )
            self._changed.notify_all()
        return True

    def order_many(self, videos: Iterable[tuple[str, str]], kind: Kind, client: Client) -> int:
        """Add orders for many videos, given with their fingerprints, all or none; return how many are new."""
        with self._transaction():
            return sum(self.order(video, kind, client, fingerprint) for video, fingerprint in videos)

    def find(self, video: str, kind: Kind) -> Order | None:
        """Return the latest order of a kind for a video."""
        rows = self._rows(f"SELECT {_ORDER} FROM orders WHERE video = ? AND kind = ?", video, kind.value)  # noqa: S608
        return _order_of(rows[0]) if rows else None

    def orders(self, kind: Kind) -> dict[str, Order]:
        """Return the latest order of a kind for every video that has one."""
        rows = self._rows(f"SELECT {_ORDER} FROM orders WHERE kind = ?", kind.value)  # noqa: S608
        return {row[0]: _order_of(row) for row in rows}

    def count(self, state: State) -> int:
        """Return how many orders are in a state."""
        return int(self._rows("SELECT COUNT(*) FROM orders WHERE state = ?", state.value)[0][0])

    def uploads_waiting(self, address: str) -> int:
        """Return how many uploads of an address wait to be annotated."""
        query = (
            "SELECT COUNT(*) FROM orders JOIN uploads ON id = video "
            "WHERE state = 'waiting' AND kind = 'annotate' AND uploads.address = ?"
        )
        return int(self._rows(query, address)[0][0])

    def take(self, timeout_s: float) -> Order | None:
        """Return the order whose turn it is, from now on running; None if there is none for so long."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._is_stopped:
                order = self._take()
                left_s = deadline_s - time.monotonic()
                if order is not None or left_s <= 0:
                    return order
                self._changed.wait(left_s)
            return None

    def finish(self, order: Order, state: State, reason: str = "") -> None:
        """End an order in a final state."""
        self._run(
            "UPDATE orders SET state = ?, ended_s = ?, reason = ? WHERE video = ? AND kind = ? AND state = 'running'",
            state.value,
            time.time(),
            reason,
            order.video,
            order.kind.value,
        )

    def put_back(self, order: Order, delay_s: float = 0.0) -> None:
        """Let a running order wait again; its try does not count."""
        with self._transaction():
            self._run(
                "UPDATE orders SET state = 'waiting', tries = tries - 1, not_before_s = ? "
                "WHERE video = ? AND kind = ? AND state = 'running'",
                time.time() + delay_s,
                order.video,
                order.kind.value,
            )
            self._changed.notify_all()

    def cancel_waiting(self, video: str, kind: Kind) -> bool:
        """Cancel an order that waits; return False if it does not."""
        query = "UPDATE orders SET state = 'cancelled', ended_s = ? WHERE video = ? AND kind = ? AND state = 'waiting'"
        return self._run(query, time.time(), video, kind.value).rowcount > 0

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

            def turn(asking: tuple[str, str]) -> tuple[float, ...]:
                mine = addresses.count(asking[0]), last_of_address.get(asking[0], 0.0)
                return *mine, running.count(asking), turns.get(asking, 0.0)

            address, client = min(waiting, key=turn)
            ((video, kind),) = self._rows(
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
                video,
                kind,
            )
            return self.find(video, Kind(kind))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do all that is done inside, or nothing; transactions inside others are part of those."""
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


def _order_of(row: tuple[Any, ...]) -> Order:
    video, kind, address, client, state, created_s, started_s, ended_s, tries, reason, fingerprint = row
    return Order(
        str(video),
        Kind(kind),
        Client(str(address), str(client)),
        State(state),
        float(created_s),
        started_s,
        ended_s,
        int(tries),
        str(reason),
        str(fingerprint),
    )
