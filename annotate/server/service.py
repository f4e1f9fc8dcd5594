"""The server's service layer: queue, catalog, runner and events behind the methods that the routes call."""

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
from annotate.errors import SettingsError, write_error
from annotate.media.ffmpeg import find_ffmpeg
from annotate.results.baseline import check_baseline
from annotate.server.catalog import AnnotationState, Catalog, CatalogVideo, Snapshot
from annotate.server.clips import MomentClips
from annotate.server.corrections import Step, change_corrections
from annotate.server.data_dir import DataDir, is_id, new_upload_id
from annotate.server.derived import DerivedVideos
from annotate.server.events import ARCHIVE, Event, EventBroker
from annotate.server.persons import Change, change_persons
from annotate.server.player_data import PlayerData
from annotate.server.queue import Client, Order, OrderKind, OrderState, Queue, Upload
from annotate.server.refusal import RefusedError
from annotate.server.runner import OrderProgress, Runner
from annotate.server.search import FolderTree, build_tree
from annotate.server.settings import ServeSettings
from annotate.settings import CPU

_SWEEP_INTERVAL_S = 600.0
_MAX_NOTIFIED = 100
_TOO_MANY_REQUESTS, _INSUFFICIENT_STORAGE = 429, 507
_MIN_FREE_BYTES = 256 * 10**6
"""Free disk space that uploads and derived videos must leave."""

logger = logging.getLogger(__name__)


class Service:
    """Queue, catalog, runner and events of a server; ``describe`` returns the event for a video.

    Raises:
        OutputError: the data folder cannot be used.
        SettingsError: another server uses the data folder, or the model has no class for the baseline.
        ModelError: the model file is invalid.
        FFmpegError: ffmpeg is missing or too old.
    """

    def __init__(self, settings: ServeSettings, describe: Callable[[Service, CatalogVideo], Event]) -> None:
        find_ffmpeg()
        classifier = load_classifier(settings.analysis.model, CPU)
        check_baseline(settings.analysis.baseline, classifier.contract.class_names)
        model_hash = classifier.model_hash
        self.settings = settings
        self._describe = describe
        self.data_dir = DataDir(settings.data)
        try:
            self.data_dir.create()
            self._lock = FileLock(self.data_dir.lock, timeout=0)
            self._lock.acquire()
        except Timeout:
            problem = "another server is using this data folder"
            raise SettingsError(problem, "choose another folder with --data", path=settings.data) from None
        except OSError as error:
            raise write_error(settings.data, error) from None
        self.queue = Queue(self.data_dir.queue)
        self.catalog = Catalog(settings, self.queue, model_hash, self._notify_of_archive)
        self.derived = DerivedVideos(self.data_dir)
        self.player = PlayerData()
        self.clips = MomentClips(self.data_dir)
        self.broker = EventBroker(settings.max_listeners, settings.max_listeners_per_address)
        self.runner = Runner(settings.jobs, self.queue, self.catalog, self.derived, model_hash, self._notify)
        self._states: tuple[Snapshot, int, dict[str, tuple[str, str]]] = (Snapshot(), -1, {})
        self._tree: FolderTree | None = None
        self._correcting = threading.Lock()
        self._receiving: dict[str, str] = {}
        self._closing = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_regularly, daemon=True, name="sweeper")

    def open(self) -> None:
        """Requeue interrupted orders and start all threads; call it in the event loop of the application."""
        self.broker.open()
        interrupted = self.queue.recover()
        if interrupted:
            logger.info("%d interrupted orders requeued", interrupted)
        self._sweep_safely()
        self.catalog.start()
        self.runner.start()
        self._sweeper.start()

    def close(self) -> None:
        """Stop all work; the queue is kept on disk."""
        self._closing.set()
        self.broker.close()
        self.runner.close()
        self.catalog.close()
        self._sweeper.join()
        self.queue.close()
        self._lock.release()

    @contextlib.contextmanager
    def receive_upload(self, client: Client, size_bytes: int | None) -> Iterator[tuple[str, Path]]:
        """Yield id and folder for receiving an upload; the folder is deleted afterwards unless `accept_upload` moved it.

        Raises:
            RefusedError: a limit on uploads is reached, or the disk is full.
        """
        self._check_upload_limits(client, size_bytes)
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
        """Add a received upload to the catalog, and order its annotation."""
        (self.data_dir.incoming / video_id).rename(self.data_dir.uploads / video_id)
        video = self.catalog.add(Upload(video_id, name, size_bytes, client, time.time()))
        self._notify(video_id)
        return video

    def enqueue(self, video: CatalogVideo, kind: OrderKind, client: Client) -> bool:
        """Add an order for a video; return False if one of this kind is already waiting or running."""
        new = self.queue.enqueue(video.id, kind, client, video.fingerprint)
        if new:
            self._notify(video.id)
        return new

    def enqueue_all(self, videos: Iterable[CatalogVideo], client: Client) -> int:
        """Order the annotation of many videos; return the number of new orders.

        They count as orders of another browser at the same address, so that they do not delay single orders of the client.
        """
        chosen = list(videos)
        bulk_client = Client(client.address, f"{client.cookie} archive")
        orders = [(video.id, video.fingerprint) for video in chosen]
        new = self.queue.enqueue_many(orders, OrderKind.ANNOTATE, bulk_client)
        for video in chosen[:_MAX_NOTIFIED]:
            self._notify(video.id)
        return new

    def remove(self, video: CatalogVideo) -> None:
        """Delete an upload, its results and derived videos, and cancel its orders."""
        for kind in OrderKind:
            self.runner.cancel(video.id, kind)
        self.catalog.remove(video.id)
        shutil.rmtree(self.data_dir.uploads / video.id, ignore_errors=True)
        shutil.rmtree(self.data_dir.derived / video.id, ignore_errors=True)
        self.broker.publish({"id": video.id, "state": "removed"})

    def change_persons(self, video: CatalogVideo, change: Change) -> None:
        """Apply what people say about the persons of a video. Raise as `annotate.server.persons.change_persons` does."""
        concerned = change_persons(video, change, self.settings, self.catalog.snapshot.videos.values())
        self.catalog.refresh_all([video.id, *(one.id for one in concerned)])
        self._notify(video.id)
        self._notify_of_archive()

    def change_corrections(self, video: CatalogVideo, step: Step) -> CatalogVideo:
        """Apply what people correct in a video, one after the other, and return the video as it then is.

        Raise as `annotate.server.corrections.change_corrections` does.
        """
        with self._correcting:
            change_corrections(video, step, self.settings)
            changed = self.catalog.refresh(video.id) or video
        self._notify(video.id)
        return changed

    def sweep(self) -> None:
        """Delete expired uploads and derived videos, and folders of uploads that no longer exist."""
        for upload in self.queue.uploads():
            is_expired = self.settings.keep_s is not None and time.time() - upload.created_s > self.settings.keep_s
            order = self.queue.find(upload.id, OrderKind.ANNOTATE)
            if is_expired and (order is None or order.state not in (OrderState.WAITING, OrderState.RUNNING)):
                self.catalog.remove(upload.id)
                self.broker.publish({"id": upload.id, "state": "removed"})
        for parent in (self.data_dir.incoming, self.data_dir.uploads, self.data_dir.derived):
            for folder in parent.iterdir():
                # An upload enters the queue before it leaves _receiving, so the queue must be checked last.
                if is_id(folder.name) and folder.name not in self._receiving and self._is_obsolete(folder):
                    shutil.rmtree(folder, ignore_errors=True)

    def states(self) -> dict[str, tuple[str, str]]:
        """Return state and reason of every video by id, cached until something changes."""
        snapshot, changes = self.catalog.snapshot, self.queue.changes
        if self._states[0] is not snapshot or self._states[1] != changes:
            orders = self.queue.orders(OrderKind.ANNOTATE)
            states = {video.id: self.state_of(video, orders.get(video.id)) for video in snapshot.videos.values()}
            self._states = snapshot, changes, states
        return self._states[2]

    def tree(self) -> FolderTree:
        """Return the tree of the archive's folders, cached until something changes."""
        states = self.states()
        if self._tree is None or self._tree.states is not states:
            self._tree = build_tree(self._states[0], states)
        return self._tree

    def state_of(self, video: CatalogVideo, order: Order | None) -> tuple[str, str]:
        """Return state and reason of a video, from its files and the latest order to annotate it."""
        if order is not None and order.state in (OrderState.WAITING, OrderState.RUNNING):
            return order.state.value, ""
        if video.annotation_state is AnnotationState.ANNOTATED:
            return video.annotation_state.value, order.reason if order is not None and order.state is OrderState.DONE else ""
        if (
            order is not None
            and order.fingerprint in ("", video.fingerprint)
            and order.state in (OrderState.FAILED, OrderState.CANCELLED)
        ):
            return order.state.value, order.reason
        return video.annotation_state.value, video.reason

    def check_disk_space(self, size_bytes: int) -> None:
        """Check that a file of this size fits on the disk.

        Raises:
            RefusedError: it does not.
        """
        if shutil.disk_usage(self.data_dir.path).free - size_bytes < _MIN_FREE_BYTES:
            raise RefusedError(_INSUFFICIENT_STORAGE, "not enough disk space on the server")

    def _check_upload_limits(self, client: Client, size_bytes: int | None) -> None:
        settings = self.settings
        if len(self.queue.uploads()) + len(self._receiving) >= settings.max_uploads:
            problem = f"the server's limit of {settings.max_uploads} uploads is reached"
            raise RefusedError(_TOO_MANY_REQUESTS, problem, "delete some of them first")
        waiting = self.queue.count_waiting_uploads(client.address)
        if waiting + list(self._receiving.values()).count(client.address) >= settings.max_waiting_per_address:
            problem = f"{waiting} of your uploads are already waiting"
            raise RefusedError(_TOO_MANY_REQUESTS, problem, "wait until they are done, then upload more")
        self.check_disk_space(size_bytes or 0)

    def _notify(self, video_id: str) -> None:
        video = self.catalog.snapshot.videos.get(video_id)
        if video is not None:
            self.broker.publish(self._describe(self, video))

    def _notify_of_archive(self) -> None:
        self.broker.publish({"id": ARCHIVE, "state": "changed"})

    def progress_of(self, video: CatalogVideo, kind: OrderKind = OrderKind.ANNOTATE) -> OrderProgress | None:
        """Return the progress of an order for a video; None if it is not running."""
        return self.runner.progress(video.id, kind)

    def _is_obsolete(self, folder: Path) -> bool:
        if folder.name.startswith("u"):
            return folder.parent == self.data_dir.incoming or not self.queue.has_upload(folder.name)
        keep_s = self.settings.keep_s
        return keep_s is not None and time.time() - folder.stat().st_mtime > keep_s

    def _sweep_regularly(self) -> None:
        while not self._closing.wait(_SWEEP_INTERVAL_S):
            self._sweep_safely()

    def _sweep_safely(self) -> None:
        try:
            self.sweep()
        except Exception:  # the disk may be temporarily unavailable
            logger.exception("cannot delete expired uploads")
