"""The queue of orders: scheduling, recovery and persistence."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import OutputError
from annotate.server.queue import MAX_TRIES, Client, Order, OrderKind, OrderState, Queue, Upload

ANNE, BORIS = Client("10.0.0.1", "a"), Client("10.0.0.2", "b")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "queue.sqlite")


def enqueue_all(queue: Queue, client: Client, *videos: str) -> None:
    for video in videos:
        assert queue.enqueue(video, OrderKind.ANNOTATE, client)


def take(queue: Queue) -> Order:
    order = queue.take(0)
    assert order is not None
    return order


def serve(queue: Queue, count: int) -> list[str]:
    """Take orders one after the other, finish each at once, and return the ids of their videos."""
    videos = []
    for _ in range(count):
        order = take(queue)
        videos.append(order.video_id)
        queue.finish(order, OrderState.DONE)
    return videos


def test_an_order_is_taken_once_and_keeps_its_result(queue: Queue) -> None:
    enqueue_all(queue, ANNE, "one")
    assert not queue.enqueue("one", OrderKind.ANNOTATE, BORIS)
    order = take(queue)
    assert (order.video_id, order.state, order.client, order.tries) == ("one", OrderState.RUNNING, ANNE, 1)
    assert queue.take(0) is None
    queue.finish(order, OrderState.FAILED, "no video")
    found = queue.find("one", OrderKind.ANNOTATE)
    assert found is not None
    assert (found.state, found.reason) == (OrderState.FAILED, "no video")
    enqueue_all(queue, ANNE, "one")
    assert take(queue).reason == ""


def test_many_orders_of_one_client_delay_another_client_by_one_order(queue: Queue) -> None:
    enqueue_all(queue, ANNE, *(f"a{number:03d}" for number in range(50)))
    assert serve(queue, 2) == ["a000", "a001"]
    enqueue_all(queue, BORIS, "b0", "b1", "b2")
    assert serve(queue, 8) == ["b0", "a002", "b1", "a003", "b2", "a004", "a005", "a006"]


def test_the_address_with_fewer_running_orders_is_next(queue: Queue) -> None:
    enqueue_all(queue, ANNE, "a0", "a1", "a2")
    take(queue)
    take(queue)
    enqueue_all(queue, BORIS, "b0", "b1", "b2")
    assert [take(queue).video_id for _ in range(4)] == ["b0", "b1", "a2", "b2"]


def test_more_cookies_do_not_give_an_address_more_turns(queue: Queue) -> None:
    for number in range(5):
        enqueue_all(queue, Client(ANNE.address, f"cookie {number}"), f"a{number}")
    enqueue_all(queue, BORIS, "b0", "b1", "b2")
    assert serve(queue, 6) == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_browsers_at_one_address_take_turns(queue: Queue) -> None:
    enqueue_all(queue, Client("::1", "x"), "x0", "x1", "x2")
    enqueue_all(queue, Client("::1", "y"), "y0", "y1")
    assert serve(queue, 5) == ["x0", "y0", "x1", "y1", "x2"]


def test_an_interrupted_order_is_retried_after_a_crash_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    queue = Queue(path)
    queue.add_upload(Upload("u1", "a.mp4", 5, ANNE, 1.0))
    for tries in range(1, MAX_TRIES + 1):
        assert take(queue).tries == tries
        queue.close()
        queue = Queue(path)
        assert queue.uploads() == [Upload("u1", "a.mp4", 5, ANNE, 1.0)]
        assert queue.recover() == (1 if tries < MAX_TRIES else 0)
    found = queue.find("u1", OrderKind.ANNOTATE)
    assert found is not None
    assert (found.state, f"crashed {MAX_TRIES} times" in found.reason) == (OrderState.FAILED, True)


def test_a_requeued_order_waits_and_its_attempt_does_not_count(queue: Queue) -> None:
    enqueue_all(queue, ANNE, "one")
    queue.requeue(take(queue))
    order = take(queue)
    assert order.tries == 1
    queue.requeue(order, delay_s=60)
    assert queue.take(0) is None
    assert (queue.count(OrderState.WAITING), queue.count(OrderState.RUNNING)) == (1, 0)


def test_only_waiting_uploads_of_the_address_are_counted(queue: Queue) -> None:
    enqueue_all(queue, ANNE, "a1", "a2", "a3")
    queue.add_upload(Upload("u1", "a.mp4", 5, ANNE, 1.0))
    queue.add_upload(Upload("u2", "a.mp4", 5, BORIS, 1.0))
    queue.enqueue("u1", OrderKind.PROXY, ANNE)
    assert (queue.count_waiting_uploads(ANNE.address), queue.count_waiting_uploads(BORIS.address)) == (1, 1)


def test_only_waiting_orders_are_canceled(queue: Queue) -> None:
    enqueue_all(queue, ANNE, "one", "two")
    take(queue)
    assert not queue.cancel_waiting("one", OrderKind.ANNOTATE)
    assert queue.cancel_waiting("two", OrderKind.ANNOTATE)
    assert queue.take(0) is None


def test_many_orders_are_added_at_once(queue: Queue) -> None:
    enqueue_all(queue, ANNE, "two")
    assert queue.enqueue_many([("one", "s1"), ("two", "s2"), ("three", "s3")], OrderKind.ANNOTATE, ANNE) == 2
    assert serve(queue, 3) == ["two", "one", "three"]


def test_a_removed_upload_loses_its_orders(queue: Queue) -> None:
    queue.add_upload(Upload("u1", "a.mp4", 5, ANNE, 1.0))
    assert queue.has_upload("u1")
    queue.remove_upload("u1")
    assert (queue.uploads(), queue.has_upload("u1"), queue.take(0)) == ([], False, None)


def test_a_file_that_is_not_a_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    path.write_text("no database" * 100)
    with pytest.raises(OutputError, match="queue") as raised:
        Queue(path)
    assert raised.value.path == path
