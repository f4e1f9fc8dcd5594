"""Listeners to events."""

from __future__ import annotations

import asyncio

import pytest

from annotate.server.events import EventBroker, TooManyError


def test_a_slow_listener_gets_the_latest_of_each_video_and_only_so_many_listen() -> None:
    async def listen() -> list[dict[str, object]]:
        broker = EventBroker(most=2, max_of_one=1)
        broker.open()
        of_all, of_one = broker.subscribe("10.0.0.1"), broker.subscribe("10.0.0.2", "b")
        first, other = asyncio.ensure_future(anext(of_all)), asyncio.ensure_future(anext(of_one))
        await asyncio.sleep(0)
        for address in ("10.0.0.1", "10.0.0.3"):
            with pytest.raises(TooManyError):
                broker.subscribe(address)
        for number in range(3):
            for video in ("a", "b"):
                broker.publish({"id": video, "number": number})
        got = [await first, await anext(of_all), await other]
        broker.close()
        assert [event async for event in of_all] == [event async for event in of_one] == []
        assert broker.listeners == 0
        broker.subscribe("10.0.0.1")
        return got

    assert asyncio.run(listen()) == [
        {"id": "a", "number": 2},
        {"id": "b", "number": 2},
        {"id": "b", "number": 2},
    ]
