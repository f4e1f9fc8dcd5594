"""The web application, put together for uvicorn or tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from annotate.server.service import Service
from annotate.server.web import api, pages
from annotate.server.web.auth import Guard
from annotate.version import VERSION

_DESCRIPTION = """Videos are sent or lie in an archive; each is annotated in turn, and what is known of it can be had in many
formats. Where a token is demanded, it is sent as `Authorization: Bearer TOKEN`."""

_SILENT: Any = dict.fromkeys(("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False)
"""Newer FastAPI tells others of requests if the environment says so; nothing leaves this machine, whatever that says."""


def make_app(service: Service) -> FastAPI:
    """Return the application over a service, which it opens and closes."""

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
        telemetry=_SILENT,
    )
    app.state.service = service
    app.state.templates = pages.load_templates()
    app.include_router(pages.router)
    app.include_router(api.router)
    app.mount("/static", StaticFiles(directory=pages.STATIC_FOLDER))
    app.add_middleware(Guard, settings=service.settings)
    return app
