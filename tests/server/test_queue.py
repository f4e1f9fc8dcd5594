from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import OutputError
from annotate.server.queue import MAX_TRIES, Client, Kind, Order, Queue, State, Upload

ANNE, BORIS = Client("10.0.0.1", "a"), Client("10.0.0.2", "b")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "queue.sqlite")


def order_all(queue: Queue, client: Client, *videos: str) -> None:
    for video in videos:
        assert queue.order(video, Kind.ANNOTATE, client)


def take(queue: Queue) -> Order:
    order = queue.take(0)
    assert order is not None
    return order


def turns(queue: Queue, count: int) -> list[str]:
    """The videos whose turn it is, one after the other, each done before the next is taken."""
    videos = []
    for _ in range(count):
        order = take(queue)
        videos.append(order.video)
        queue.finish(order, State.DONE)
    return videos


def test_an_order_is_taken_once_and_comes_to_its_end(queue: Queue) -> None:
    order_all(queue, ANNE, "one")
    assert not queue.order("one", Kind.ANNOTATE, BORIS)
    order = take(queue)
    assert (order.video, order.state, order.client, order.tries) == ("one", State.RUNNING, ANNE, 1)
    assert queue.take(0) is None
    queue.finish(order, State.FAILED, "no video")
    found = queue.find("one", Kind.ANNOTATE)
    assert found is not None
    assert (found.state, found.reason) == (State.FAILED, "no video")
    order_all(queue, ANNE, "one")
    assert take(queue).reason == ""


def test_a_thousand_orders_of_one_delay_another_by_one(queue: Queue) -> None:
    order_all(queue, ANNE, *(f"a{number:03d}" for number in range(50)))
    assert turns(queue, 2) == ["a000", "a001"]
    order_all(queue, BORIS, "b0", "b1", "b2")
    assert turns(queue, 8) == ["b0", "a002", "b1", "a003", "b2", "a004", "a005", "a006"]


def test_who_has_less_under_way_is_next(queue: Queue) -> None:
    order_all(queue, ANNE, "a0", "a1", "a2")
    take(queue)
    take(queue)
    order_all(queue, BORIS, "b0", "b1", "b2")
    assert [take(queue).video for _ in range(4)] == ["b0", "b1", "a2", "b2"]


def test_new_cookies_of_one_address_bring_no_more_turns(queue: Queue) -> None:
    for number in range(5):
        order_all(queue, Client(ANNE.address, f"cookie {number}"), f"a{number}")
    order_all(queue, BORIS, "b0", "b1", "b2")
    assert turns(queue, 6) == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_browsers_of_one_address_take_turns_too(queue: Queue) -> None:
    order_all(queue, Client("::1", "x"), "x0", "x1", "x2")
    order_all(queue, Client("::1", "y"), "y0", "y1")
    assert turns(queue, 5) == ["x0", "y0", "x1", "y1", "x2"]


def test_what_was_under_way_is_taken_up_again_after_a_death_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    queue = Queue(path)
    queue.add_upload(Upload("u1", "a.mp4", 5, ANNE, 1.0))
    for tries in range(1, MAX_TRIES + 1):
        assert take(queue).tries == tries
        queue.close()
        queue = Queue(path)
        assert queue.uploads() == [Upload("u1", "a.mp4", 5, ANNE, 1.0)]
        assert queue.recover() == (1 if tries < MAX_TRIES else 0)
    found = queue.find("u1", Kind.ANNOTATE)
    assert found is not None
    assert (found.state, found.reason) == (State.FAILED, "the server died 5 times while this was done")


def test_what_is_put_back_waits_and_its_try_does_not_count(queue: Queue) -> None:
    order_all(queue, ANNE, "one")
    queue.put_back(take(queue))
    order = take(queue)
    assert order.tries == 1
    queue.put_back(order, delay_s=60)
    assert queue.take(0) is None
    assert (queue.count(State.WAITING), queue.count(State.RUNNING)) == (1, 0)


def test_only_uploads_count_as_waiting_for_who_sent_them(queue: Queue) -> None:
    order_all(queue, ANNE, "a1", "a2", "a3")
    queue.add_upload(Upload("u1", "a.mp4", 5, ANNE, 1.0))
    queue.add_upload(Upload("u2", "a.mp4", 5, BORIS, 1.0))
    queue.order("u1", Kind.PROXY, ANNE)
    assert (queue.uploads_waiting(ANNE.address), queue.uploads_waiting(BORIS.address)) == (1, 1)


def test_only_what_waits_is_cancelled(queue: Queue) -> None:
    order_all(queue, ANNE, "one", "two")
    take(queue)
    assert not queue.cancel_waiting("one", Kind.ANNOTATE)
    assert queue.cancel_waiting("two", Kind.ANNOTATE)
    assert queue.take(0) is None


def test_many_orders_are_given_at_once(queue: Queue) -> None:
    order_all(queue, ANNE, "two")
    assert queue.order_many([("one", "s1"), ("two", "s2"), ("three", "s3")], Kind.ANNOTATE, ANNE) == 2
    assert turns(queue, 3) == ["two", "one", "three"]


def test_a_removed_upload_is_forgotten_with_its_orders(queue: Queue) -> None:
    queue.add_upload(Upload("u1", "a.mp4", 5, ANNE, 1.0))
    assert queue.has_upload("u1")
    queue.remove_upload("u1")
    assert (queue.uploads(), queue.has_upload("u1"), queue.take(0)) == ([], False, None)


def test_a_file_that_is_no_queue_is_told(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    path.write_text("no database" * 100)
    with pytest.raises(OutputError, match=r"queue\.sqlite: the queue cannot be opened"):
        Queue(path)
