"""The broker of events."""

from __future__ import annotations

import asyncio

import pytest

from annotate.server.events import EventBroker, TooManyListenersError


def test_a_slow_listener_gets_the_latest_event_of_each_video_and_listeners_are_limited() -> None:
    async def listen() -> list[dict[str, object]]:
        broker = EventBroker(max_listeners=2, max_per_address=1)
        broker.open()
        all_videos, one_video = broker.subscribe("10.0.0.1"), broker.subscribe("10.0.0.2", "b")
        first, other = asyncio.ensure_future(anext(all_videos)), asyncio.ensure_future(anext(one_video))
        await asyncio.sleep(0)
        for address in ("10.0.0.1", "10.0.0.3"):
            with pytest.raises(TooManyListenersError):
                broker.subscribe(address)
        for number in range(3):
            for video in ("a", "b"):
                broker.publish({"id": video, "number": number})
        received = [await first, await anext(all_videos), await other]
        broker.close()
        assert [event async for event in all_videos] == [event async for event in one_video] == []
        assert broker.listeners == 0
        broker.subscribe("10.0.0.1")
        return received

    assert asyncio.run(listen()) == [
        {"id": "a", "number": 2},
        {"id": "b", "number": 2},
        {"id": "b", "number": 2},
    ]
