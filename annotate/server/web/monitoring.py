"""Routes for monitoring: whether the server works, and figures for Prometheus."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from annotate.server.queue import OrderKind, OrderState
from annotate.server.service import Service
from annotate.server.web.api import ServiceDep
from annotate.server.web.auth import HEALTH
from annotate.version import VERSION

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

router, metrics_router = APIRouter(tags=["server"]), APIRouter(include_in_schema=False)


class HealthView(BaseModel):
    """State of the server."""

    status: str = Field(description="`ok`: the server answers, and its queue can be read")


@router.get(HEALTH, summary="Whether the server works")
async def health(service: ServiceDep) -> HealthView:
    """Needs no token, and tells nothing else."""
    await run_in_threadpool(service.queue.count, OrderState.WAITING)
    return HealthView(status="ok")


@metrics_router.get("/metrics")
async def metrics(service: ServiceDep) -> Response:
    """Figures in the text format of Prometheus; needs the token, as all other pages do."""
    from prometheus_client import CONTENT_TYPE_LATEST

    return Response(await run_in_threadpool(_exposition, service), media_type=CONTENT_TYPE_LATEST)


def _exposition(service: Service) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Figures(Collector):
        def collect(self) -> Iterator[GaugeMetricFamily]:
            yield from _figures(service)

    registry = CollectorRegistry()
    registry.register(Figures())
    return bytes(generate_latest(registry))


def _figures(service: Service) -> Iterator[GaugeMetricFamily]:
    from prometheus_client.core import GaugeMetricFamily

    def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"annotate_{name}", text, value=value)

    about = GaugeMetricFamily("annotate_info", "Version of the program.", labels=["version"])
    about.add_metric([VERSION], 1)
    yield about
    videos = GaugeMetricFamily("annotate_videos", "Videos by source and state.", labels=["source", "state"])
    states = service.states()
    counts = Counter(
        (video.origin.value, states.get(video.id, (video.annotation_state.value,))[0])
        for video in service.catalog.snapshot.videos.values()
    )
    for labels, count in sorted(counts.items()):
        videos.add_metric(labels, count)
    yield videos
    orders = GaugeMetricFamily("annotate_orders", "Orders by kind and state.", labels=["kind", "state"])
    for kind in OrderKind:
        by_state = Counter(order.state for order in service.queue.orders(kind).values())
        for state in OrderState:
            orders.add_metric([kind.value, state.value], by_state[state])
    yield orders
    yield gauge("jobs", "Videos annotated at a time.", service.settings.jobs)
    yield gauge("disk_free_bytes", "Free space for uploads and results.", shutil.disk_usage(service.data_dir.path).free)
