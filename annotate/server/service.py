"""The parts of a server put together, behind the methods that its routes call."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from annotate.emotions.classifier import load_classifier
from annotate.errors import SettingsError, unwritable
from annotate.media.ffmpeg import find_ffmpeg
from annotate.server.catalog import AnnotationState, Catalog, CatalogVideo, Snapshot
from annotate.server.copies import DerivedVideos
from annotate.server.data_dir import DataDir, is_id, new_upload_id
from annotate.server.events import ARCHIVE, Event, EventBroker
from annotate.server.player_data import PlayerData
from annotate.server.queue import Client, Kind, Order, Queue, State, Upload
from annotate.server.refusal import RefusedError
from annotate.server.runner import OrderProgress, Runner
from annotate.server.search import FolderTree, make_tree
from annotate.server.settings import ServeSettings
from annotate.settings import CPU

_SWEEP_INTERVAL_S = 600.0
_MAX_NOTIFIED = 100
_TOO_MANY, _NO_SPACE = 429, 507
_SPARE_BYTES = 256 * 10**6
"""Space that uploads and derived videos leave on the disk."""

logger = logging.getLogger(__name__)


class Service:
    """Queue, catalog, runner and events of a server; ``describe`` makes the event of a video.

    Raises:
        OutputError: the data folder cannot be used.
        SettingsError: another server uses it.
        ModelError: the settings' model does not keep the contract.
        FFmpegError: there is no usable ffmpeg.
    """

    def __init__(self, settings: ServeSettings, describe: Callable[[Service, CatalogVideo], Event]) -> None:
        find_ffmpeg()
        model_hash = load_classifier(settings.analysis.model, CPU).model_hash
        self.settings = settings
        self._describe = describe
        self.data_dir = DataDir(settings.data)
        try:
            self.data_dir.make()
            self._lock = FileLock(self.data_dir.lock, timeout=0)
            self._lock.acquire()
        except Timeout:
            problem = "another server uses this folder"
            raise SettingsError(problem, "give this one its own --data", path=settings.data) from None
        except OSError as error:
            raise unwritable(settings.data, error) from None
        self.queue = Queue(self.data_dir.queue)
        self.catalog = Catalog(settings, self.queue, model_hash, self._notify_of_archive)
        self.derived = DerivedVideos(self.data_dir)
        self.player = PlayerData()
        self.broker = EventBroker(settings.max_listeners, settings.max_listeners_of_one)
        self.runner = Runner(settings.jobs, self.queue, self.catalog, self.derived, model_hash, self._notify)
        self._states: tuple[Snapshot, int, dict[str, tuple[str, str]]] = (Snapshot(), -1, {})
        self._tree: FolderTree | None = None
        self._receiving: dict[str, str] = {}
        self._ended = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_again, daemon=True, name="sweeper")

    def open(self) -> None:
        """Put back interrupted orders, and begin to work; called in the event loop that serves."""
        self.broker.open()
        again = self.queue.recover()
        if again:
            logger.info("%d interrupted orders wait again", again)
        self._sweep_safely()
        self.catalog.start()
        self.runner.start()
        self._sweeper.start()

    def close(self) -> None:
        """End all work; nothing is lost."""
        self._ended.set()
        self.broker.close()
        self.runner.close()
        self.catalog.close()
        self._sweeper.join()
        self.queue.close()
        self._lock.release()

    @contextlib.contextmanager
    def receiving(self, client: Client, size_bytes: int | None) -> Iterator[tuple[str, Path]]:
        """Give an id and a folder to receive an upload; unless `accept_upload` takes it, the folder is gone afterwards.

        Raises:
            RefusedError: no more uploads are taken at present.
        """
        self._check_room(client, size_bytes)
        video_id = new_upload_id()
        folder = self.data_dir.incoming / video_id
        self._receiving[video_id] = client.address
        try:
            folder.mkdir()
            yield video_id, folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._receiving.pop(video_id, None)

    def accept_upload(self, video_id: str, name: str, size_bytes: int, client: Client) -> CatalogVideo:
        """Make a received upload a video of the catalog, and order its annotation."""
        (self.data_dir.incoming / video_id).rename(self.data_dir.uploads / video_id)
        video = self.catalog.add(Upload(video_id, name, size_bytes, client, time.time()))
        self._notify(video_id)
        return video

    def order(self, video: CatalogVideo, kind: Kind, client: Client) -> bool:
        """Add an order for a video; return False if there is one already that waits or is running."""
        new = self.queue.order(video.id, kind, client, video.fingerprint)
        if new:
            self._notify(video.id)
        return new

    def order_all(self, videos: Iterable[CatalogVideo], client: Client) -> int:
        """Order the annotation of many videos, and return how many orders are new; they wait behind single ones."""
        chosen = list(videos)
        many = Client(client.address, f"{client.cookie} archive")
        new = self.queue.order_many([(video.id, video.fingerprint) for video in chosen], Kind.ANNOTATE, many)
        for video in chosen[:_MAX_NOTIFIED]:
            self._notify(video.id)
        return new

    def remove(self, video: CatalogVideo) -> None:
        """Remove an upload with all that was derived from it, and cancel its orders."""
        for kind in Kind:
            self.runner.cancel(video.id, kind)
        self.catalog.remove(video.id)
        shutil.rmtree(self.data_dir.uploads / video.id, ignore_errors=True)
        shutil.rmtree(self.data_dir.derived / video.id, ignore_errors=True)
        self.broker.publish({"id": video.id, "state": "removed"})

    def sweep(self) -> None:
        """Remove uploads that are too old, and folders that belong to no upload."""
        for upload in self.queue.uploads():
            old = self.settings.keep_s is not None and time.time() - upload.created_s > self.settings.keep_s
            order = self.queue.find(upload.id, Kind.ANNOTATE)
            if old and (order is None or order.state not in (State.WAITING, State.RUNNING)):
                self.catalog.remove(upload.id)
                self.broker.publish({"id": upload.id, "state": "removed"})
        for parent in (self.data_dir.incoming, self.data_dir.uploads, self.data_dir.derived):
            for folder in parent.iterdir():
                # An upload that is no longer being received is in the queue by now, so that is asked last.
                if is_id(folder.name) and folder.name not in self._receiving and self._is_obsolete(folder):
                    shutil.rmtree(folder, ignore_errors=True)

    def states(self) -> dict[str, tuple[str, str]]:
        """Return the state of every video in a word, and the reason for it; made anew when something has changed."""
        snapshot, changes = self.catalog.snapshot, self.queue.changes
        if self._states[0] is not snapshot or self._states[1] != changes:
            orders = self.queue.orders(Kind.ANNOTATE)
            states = {video.id: self.state_of(video, orders.get(video.id)) for video in snapshot.videos.values()}
            self._states = snapshot, changes, states
        return self._states[2]

    def tree(self) -> FolderTree:
        """Return the archive as folders; made anew when something has changed."""
        states = self.states()
        if self._tree is None or self._tree.states is not states:
            self._tree = make_tree(self._states[0], states)
        return self._tree

    def state_of(self, video: CatalogVideo, order: Order | None) -> tuple[str, str]:
        """Return a video's state in a word, and the reason for it, by the latest order to annotate it."""
        if order is not None and order.state in (State.WAITING, State.RUNNING):
            return order.state.value, ""
        if video.annotation_state is AnnotationState.ANNOTATED:
            return video.annotation_state.value, order.reason if order is not None and order.state is State.DONE else ""
        if (
            order is not None
            and order.fingerprint in ("", video.fingerprint)
            and order.state in (State.FAILED, State.CANCELLED)
        ):
            return order.state.value, order.reason
        return video.annotation_state.value, video.reason

    def check_space(self, size_bytes: int) -> None:
        """Make sure that there is space on the disk.

        Raises:
            RefusedError: there is not.
        """
        if shutil.disk_usage(self.data_dir.path).free - size_bytes < _SPARE_BYTES:
            raise RefusedError(_NO_SPACE, "there is not enough space left on the server's disk")

    def _check_room(self, client: Client, size_bytes: int | None) -> None:
        settings = self.settings
        if len(self.queue.uploads()) + len(self._receiving) >= settings.max_uploads:
            problem = f"this server keeps no more than {settings.max_uploads} uploads"
            raise RefusedError(_TOO_MANY, problem, "remove some first")
        waiting = self.queue.uploads_waiting(client.address)
        if waiting + list(self._receiving.values()).count(client.address) >= settings.max_waiting:
            raise RefusedError(_TOO_MANY, f"{waiting} of your videos wait already", "send more when they are done")
        self.check_space(size_bytes or 0)

    def _notify(self, video_id: str) -> None:
        video = self.catalog.snapshot.videos.get(video_id)
        if video is not None:
            self.broker.publish(self._describe(self, video))

    def _notify_of_archive(self) -> None:
        self.broker.publish({"id": ARCHIVE, "state": "changed"})

    def progress_of(self, video: CatalogVideo, kind: Kind = Kind.ANNOTATE) -> OrderProgress | None:
        """Return the progress of an order for a video; None if nobody works on it."""
        return self.runner.progress(video.id, kind)

    def _is_obsolete(self, folder: Path) -> bool:
        if folder.name.startswith("u"):
            return folder.parent == self.data_dir.incoming or not self.queue.has_upload(folder.name)
        keep_s = self.settings.keep_s
        return keep_s is not None and time.time() - folder.stat().st_mtime > keep_s

    def _sweep_again(self) -> None:
        while not self._ended.wait(_SWEEP_INTERVAL_S):
            self._sweep_safely()

    def _sweep_safely(self) -> None:
        try:
            self.sweep()
        except Exception:  # a disk may be gone for a while
            logger.exception("old uploads could not be removed")
