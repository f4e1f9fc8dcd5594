"""The FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from annotate.server.service import Service
from annotate.server.web import api, archive_persons, corrections, moments, monitoring, pages, persons, selection
from annotate.server.web.auth import Guard
from annotate.version import VERSION

_DESCRIPTION = """Upload videos or browse an archive, annotate them, and download the results in many formats. If the
server requires a token, send it as `Authorization: Bearer TOKEN`."""

_NO_TELEMETRY: Any = dict.fromkeys(("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False)
"""Newer versions of FastAPI export telemetry if environment variables enable it; this disables it regardless."""


def make_app(service: Service) -> FastAPI:
    """Return the application of a service, which it opens and closes."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.open()
        try:
            yield
        finally:
            await run_in_threadpool(service.close)

    app = FastAPI(
        title="annotate",
        version=VERSION,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = service
    app.state.templates = pages.load_templates()
    app.add_exception_handler(HTTPException, pages.error_reply)  # type: ignore[arg-type]
    app.include_router(pages.router)
    app.include_router(api.router)
    app.include_router(moments.router)
    app.include_router(selection.router)
    app.include_router(persons.router)
    app.include_router(archive_persons.router)
    app.include_router(corrections.router)
    app.include_router(monitoring.router)
    if service.settings.metrics:
        app.include_router(monitoring.metrics_router)
    app.mount("/static", StaticFiles(directory=pages.STATIC_FOLDER))
    app.add_middleware(Guard, settings=service.settings)
    return app
