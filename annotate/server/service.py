"""What a server is made of, put together: what its routes call."""

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
from annotate.errors import OutputError, SettingsError
from annotate.media.ffmpeg import find_ffmpeg
from annotate.server.catalog import Library, Snapshot, Standing, Video
from annotate.server.copies import Made
from annotate.server.data_dir import Places, is_id, new_upload_id
from annotate.server.events import ARCHIVE, Hub, News
from annotate.server.player_data import PlayerData
from annotate.server.queue import Client, Kind, Order, Queue, State, Upload
from annotate.server.runner import Progress, Runner
from annotate.server.search import Tree, make_tree
from annotate.server.settings import ServeSettings
from annotate.settings import CPU
from annotate.storage.local.files import sentence

_SWEEP_INTERVAL_S = 600.0
_MOST_TOLD = 100
_TOO_MANY, _NO_SPACE = 429, 507
_SPARE_BYTES = 256 * 10**6
"""So much space is left on the disk."""

logger = logging.getLogger(__name__)


class FullError(Exception):
    """Nothing more is taken; the message says why and when it will be again, ``status`` is HTTP's word for it."""

    def __init__(self, message: str, status: int = _TOO_MANY) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """A queue, the videos, those who do the work, and those who hear of it; ``describe`` says what they hear of a video.

    Raises:
        OutputError: the data folder cannot be used.
        SettingsError: another server uses it.
        ModelError: the settings' model does not keep the contract.
        FFmpegError: there is no usable ffmpeg.
    """

    def __init__(self, settings: ServeSettings, describe: Callable[[Service, Video], News]) -> None:
        find_ffmpeg()
        model_hash = load_classifier(settings.analysis.model, CPU).model_hash
        self.settings = settings
        self._describe = describe
        self.places = Places(settings.data)
        try:
            self.places.make()
            self._lock = FileLock(self.places.lock, timeout=0)
            self._lock.acquire()
        except Timeout:
            raise SettingsError(f"{settings.data}: another server uses this folder; give this one its own --data") from None
        except OSError as error:
            raise OutputError(sentence(settings.data, error)) from None
        self.queue = Queue(self.places.queue)
        self.library = Library(settings, self.queue, model_hash, self._tell_of_archive)
        self.made = Made(self.places)
        self.player = PlayerData()
        self.hub = Hub(settings.max_listeners, settings.max_listeners_of_one)
        self.runner = Runner(settings.jobs, self.queue, self.library, model_hash, self._tell, self.made.job)
        self._states: tuple[Snapshot, int, dict[str, tuple[str, str]]] = (Snapshot(), -1, {})
        self._tree: Tree | None = None
        self._receiving: dict[str, str] = {}
        self._ended = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_again, daemon=True, name="sweeper")

    def open(self) -> None:
        """Takes up what was interrupted, and begins to work; called in the event loop that serves."""
        self.hub.open()
        again = self.queue.recover()
        if again:
            logger.info("%d interrupted orders are taken up again", again)
        self._sweep_safely()
        self.library.start()
        self.runner.start()
        self._sweeper.start()

    def close(self) -> None:
        """Ends all work; nothing is lost."""
        self._ended.set()
        self.hub.close()
        self.runner.close()
        self.library.close()
        self._sweeper.join()
        self.queue.close()
        self._lock.release()

    @contextlib.contextmanager
    def receiving(self, client: Client, size_bytes: int | None) -> Iterator[tuple[str, Path]]:
        """An id and a folder for an upload that comes in; what is not taken up by `take_up` is gone afterwards.

        Raises:
            FullError: no more uploads are taken at present.
        """
        self._check_room(client, size_bytes)
        video_id = new_upload_id()
        folder = self.places.incoming / video_id
        self._receiving[video_id] = client.address
        try:
            folder.mkdir()
            yield video_id, folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self._receiving.pop(video_id, None)

    def take_up(self, video_id: str, name: str, size_bytes: int, client: Client) -> Video:
        """Makes a whole upload in its folder of incoming ones a video, and orders its annotation."""
        (self.places.incoming / video_id).rename(self.places.uploads / video_id)
        video = self.library.add(Upload(video_id, name, size_bytes, client, time.time()))
        self._tell(video_id)
        return video

    def order(self, video: Video, kind: Kind, client: Client) -> bool:
        """Asks for something to be made; False if that waits or is under way already."""
        new = self.queue.order(video.id, kind, client, video.subject)
        if new:
            self._tell(video.id)
        return new

    def order_all(self, videos: Iterable[Video], client: Client) -> int:
        """Asks for the annotation of many videos, and tells how many orders are new; they wait behind single ones."""
        chosen = list(videos)
        many = Client(client.address, f"{client.cookie} archive")
        new = self.queue.order_many([(video.id, video.subject) for video in chosen], Kind.ANNOTATE, many)
        for video in chosen[:_MOST_TOLD]:
            self._tell(video.id)
        return new

    def remove(self, video: Video) -> None:
        """Removes an upload with all that was made of it, whatever is under way."""
        for kind in Kind:
            self.runner.cancel(video.id, kind)
        self.library.remove(video.id)
        shutil.rmtree(self.places.uploads / video.id, ignore_errors=True)
        shutil.rmtree(self.places.made / video.id, ignore_errors=True)
        self.hub.tell({"id": video.id, "state": "removed"})

    def sweep(self) -> None:
        """Removes uploads that are older than is kept, and what belongs to none."""
        for upload in self.queue.uploads():
            old = self.settings.keep_s is not None and time.time() - upload.created_s > self.settings.keep_s
            order = self.queue.find(upload.id, Kind.ANNOTATE)
            if old and (order is None or order.state not in (State.WAITING, State.RUNNING)):
                self.library.remove(upload.id)
                self.hub.tell({"id": upload.id, "state": "removed"})
        for place in (self.places.incoming, self.places.uploads, self.places.made):
            for folder in place.iterdir():
                # Whoever is no longer received is in the queue by now: to be asked in this order.
                if is_id(folder.name) and folder.name not in self._receiving and self._serves_no_more(folder):
                    shutil.rmtree(folder, ignore_errors=True)

    def states(self) -> dict[str, tuple[str, str]]:
        """The state of every video in a word, and the reason for it; made anew when something has changed."""
        snapshot, changes = self.library.snapshot, self.queue.changes
        if self._states[0] is not snapshot or self._states[1] != changes:
            orders = self.queue.orders(Kind.ANNOTATE)
            states = {video.id: self.state_of(video, orders.get(video.id)) for video in snapshot.videos.values()}
            self._states = snapshot, changes, states
        return self._states[2]

    def tree(self) -> Tree:
        """The archive as folders; made anew when something has changed."""
        states = self.states()
        if self._tree is None or self._tree.states is not states:
            self._tree = make_tree(self._states[0], states)
        return self._tree

    def state_of(self, video: Video, order: Order | None) -> tuple[str, str]:
        """A video's state in a word, and the reason for it, by the latest order to annotate it."""
        if order is not None and order.state in (State.WAITING, State.RUNNING):
            return order.state.value, ""
        if video.standing is Standing.ANNOTATED:
            return video.standing.value, order.reason if order is not None and order.state is State.DONE else ""
        if order is not None and order.subject in ("", video.subject) and order.state in (State.FAILED, State.CANCELLED):
            return order.state.value, order.reason
        return video.standing.value, video.reason

    def check_space(self, size_bytes: int) -> None:
        """Sees to it that so much can be kept.

        Raises:
            FullError: it cannot.
        """
        if shutil.disk_usage(self.places.data).free - size_bytes < _SPARE_BYTES:
            raise FullError("there is not enough space left on the server's disk", _NO_SPACE)

    def _check_room(self, client: Client, size_bytes: int | None) -> None:
        settings = self.settings
        if len(self.queue.uploads()) + len(self._receiving) >= settings.max_uploads:
            raise FullError(f"this server keeps no more than {settings.max_uploads} uploads; remove some first")
        waiting = self.queue.uploads_waiting(client.address)
        if waiting + list(self._receiving.values()).count(client.address) >= settings.max_waiting:
            raise FullError(f"{waiting} of your videos wait already; send more when they are done")
        self.check_space(size_bytes or 0)

    def _tell(self, video_id: str) -> None:
        video = self.library.snapshot.videos.get(video_id)
        if video is not None:
            self.hub.tell(self._describe(self, video))

    def _tell_of_archive(self) -> None:
        self.hub.tell({"id": ARCHIVE, "state": "changed"})

    def progress_of(self, video: Video, kind: Kind = Kind.ANNOTATE) -> Progress | None:
        """How far an order for a video is, if it is under way."""
        return self.runner.progress(video.id, kind)

    def _serves_no_more(self, folder: Path) -> bool:
        if folder.name.startswith("u"):
            return folder.parent == self.places.incoming or not self.queue.has_upload(folder.name)
        keep_s = self.settings.keep_s
        return keep_s is not None and time.time() - folder.stat().st_mtime > keep_s

    def _sweep_again(self) -> None:
        while not self._ended.wait(_SWEEP_INTERVAL_S):
            self._sweep_safely()

    def _sweep_safely(self) -> None:
        try:
            self.sweep()
        except Exception:  # a disk may be gone for a while
            logger.exception("what is old could not be removed")
