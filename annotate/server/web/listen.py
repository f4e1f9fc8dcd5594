"""Run the application with uvicorn, with limits on connections that uvicorn lacks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from annotate.errors import OutputError, SettingsError
from annotate.server.service import Service
from annotate.server.settings import ServeSettings
from annotate.server.web.app import make_app

_MAX_CONNECTIONS = 1000
_GRACE_S = 2
_BACKLOG = 512
_MAX_HEADERS_BYTES = 32 * 1024

logger = logging.getLogger(__name__)


class _Protocol(H11Protocol):
    """HTTP protocol that closes idle connections, so that a client cannot exhaust the server with them."""

    idle_timeout_s = ServeSettings.idle_timeout_s

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._last_cycle: object = None
        self._timer = self.loop.call_later(self.idle_timeout_s, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _close_if_idle(self) -> None:
        """Close the connection if no request arrived since the last check.

        ``cycle`` is uvicorn's current request and response, None before the first request.
        """
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self.cycle is self._last_cycle:
            self.transport.abort()
            return
        self._last_cycle = self.cycle
        self._timer = self.loop.call_later(self.idle_timeout_s, self._close_if_idle)


class Server(uvicorn.Server):
    """uvicorn's server; on a signal to exit it first ends the streams of events, which would delay the shutdown."""

    def __init__(self, config: uvicorn.Config, service: Service, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._service = service
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.broker.close()
        super().handle_exit(sig, frame)


def bind(settings: ServeSettings) -> socket.socket:
    """Return a listening socket; port 0 picks a free port.

    Raises:
        SettingsError: the address does not exist or is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        problem, url = f"cannot listen on this address ({error.strerror})", f"{settings.host}:{settings.port}"
        raise SettingsError(problem, "choose another --port or --host", path=url) from None
    return listening


def server_url(settings: ServeSettings, listening: socket.socket) -> str:
    """Return the URL of the server for a browser, with the token if one is required."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  (any address: use the name of this machine)
        host = socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"{settings.scheme}://{shown}:{port}/" + (f"?token={settings.token}" if settings.token else "")


def make_server(service: Service, ready: Callable[[], None]) -> Server:
    """Return a server for a service; ``ready`` is called once it accepts requests.

    Raises:
        SettingsError: the certificate or its key cannot be used.
    """
    settings = service.settings
    _check_certificate(settings)
    protocol = type("Protocol", (_Protocol,), {"idle_timeout_s": service.settings.idle_timeout_s})
    config = uvicorn.Config(
        make_app(service),
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_MAX_HEADERS_BYTES,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    return Server(config, service, ready)


def _check_certificate(settings: ServeSettings) -> None:
    """Raise SettingsError unless certificate and key fit, before uvicorn would fail without a reason."""
    if settings.tls_cert is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, _no_password)
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        remedy = "give PEM files of a certificate and its unencrypted key"
        raise SettingsError(f"cannot use this certificate with its key ({cause})", remedy, path=settings.tls_cert) from None


def _no_password() -> str:
    """Refuse an encrypted key: nobody may be there to type its password when the server starts."""
    raise ValueError("the key is encrypted")


def serve(service: Service, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve requests until the process receives a signal to exit.

    Raises:
        OutputError: the server could not start.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.INFO if logger.isEnabledFor(logging.INFO) else logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn shuts down cleanly, then raises the signal again
    server = make_server(service, ready)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    if not server.started:
        raise OutputError("the server could not start", "run it with -v for details", path=service.settings.data)
