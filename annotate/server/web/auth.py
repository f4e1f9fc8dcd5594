"""Access: every request passes here before anything looks at it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import re
import secrets
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotate.server.queue import Client
from annotate.server.refusal import RefusedError
from annotate.server.settings import ServeSettings

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but this server's own files, and no script or style within a page."""

UPLOADS = "/api/uploads/"
"""Requests below it may have large bodies."""

STATIC = "/static/"
"""Below it are files that never change while the server runs; browsers ask whether they have."""

_MAX_BODY_BYTES = 64 * 1024
_CLIENT_COOKIE = "annotate_client"
_CLIENT = re.compile(r"[0-9a-f]{16}")
_COOKIE_DAYS = 30
_SECONDS_A_DAY = 86400
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ASKED_IN_RUSSIAN = "Нужен ключ: откройте ссылку, которую сервер напечатал при запуске."
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

logger = logging.getLogger(__name__)


class Guard:
    """Middleware: names by which the server may be called, the token, requests of other sites, bodies, headers.

    What it lets through has its `Client` in ``scope["state"]["client"]``. The token may stand in the header Authorization
    (``Bearer``), in the first link, or in the cookie that this leaves; it is compared in constant time and never logged.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings
        self._names = {name.lower() for name in (*settings.names, settings.host, "localhost", *_names_of_machine(settings))}
        self._token = settings.token.encode()
        self._pass = hmac.new(self._token, b"annotate cookie", hashlib.sha256).hexdigest()
        self._cookie = f"annotate_pass_{settings.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        cookies = _cookies(headers)
        client = _client(scope, cookies)
        is_new = not client.cookie
        if is_new:
            client = Client(client.address, secrets.token_hex(8)) if _wants_page(headers) else client
        scope.setdefault("state", {})["client"] = client

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
                answer.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
                answer.setdefault("Cache-Control", "no-cache" if scope["path"].startswith(STATIC) else "no-store")
                if is_new and client.cookie:
                    answer.append("Set-Cookie", _cookie(_CLIENT_COOKIE, client.cookie))
                logger.info("%s %s: %d", scope["method"], scope["path"].encode("unicode_escape").decode(), message["status"])
            await send(message)

        refusal = self._refusal(scope, headers, cookies)
        if refusal is not None:
            await refusal(scope, receive, send_safely)
            return
        if not scope["path"].startswith(UPLOADS):
            receive = _bounded(receive, self._settings.body_timeout_s)
        try:
            await self._app(scope, receive, send_safely)
        except RefusedError as error:
            await JSONResponse({"detail": str(error)}, error.status, {"Connection": "close"})(scope, receive, send_safely)

    def _refusal(self, scope: Scope, headers: Headers, cookies: dict[str, str]) -> Response | None:
        """Return the answer to a request that is refused; None if all is well."""
        if not self._is_own_name(headers.get("host", "")):
            detail = "this server is not known by that name; --name NAME at its start makes it so"
            return JSONResponse({"detail": detail}, 421)
        if self._token and not self._is_known(headers, cookies):
            return self._ask_for_token(scope, headers)
        if scope["method"] not in _SAFE_METHODS and not _is_same_site(headers):
            return JSONResponse({"detail": "requests of other sites are not taken"}, 403)
        return self._without_token(scope) if self._token else None

    def _is_own_name(self, host: str) -> bool:
        """Return whether a host is this server: other names may be pointed here (DNS rebinding), addresses cannot be."""
        name = re.sub(r":\d*$", "", host).strip("[]").lower()
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._settings.is_local

    def _is_known(self, headers: Headers, cookies: dict[str, str]) -> bool:
        scheme, _, told = headers.get("authorization", "").partition(" ")
        has_token = hmac.compare_digest(told.strip().encode(), self._token) and scheme.lower() == "bearer"
        has_pass = hmac.compare_digest(cookies.get(self._cookie, "").encode(), self._pass.encode())
        return has_token or has_pass

    def _ask_for_token(self, scope: Scope, headers: Headers) -> Response:
        """Take the token from the first link, and leave a cookie in its place; else say what is missing."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        told = query.get("token", [""])[0]
        if scope["method"] == "GET" and hmac.compare_digest(told.encode(), self._token):
            answer = self._without_token(scope) or RedirectResponse("/", 303)
            answer.headers.append("Set-Cookie", _cookie(self._cookie, self._pass))
            return answer
        detail = "a token is needed: open the link that the server printed at its start, or send it as a bearer"
        if _wants_page(headers):
            text = f"annotate: {detail}.\n\n{_ASKED_IN_RUSSIAN}\n"
            return Response(text, 401, media_type="text/plain; charset=utf-8")
        return JSONResponse({"detail": detail}, 401, {"WWW-Authenticate": "Bearer"})

    def _without_token(self, scope: Scope) -> Response | None:
        """Send a browser to the same address without the token, so that nobody sees it; return None if there is none."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["method"] != "GET" or "token" not in query:
            return None
        del query["token"]
        path = "/" + scope["path"].lstrip("/\\")
        rest = urlencode(query, doseq=True)
        return RedirectResponse(path + (f"?{rest}" if rest else ""), 303)


def client_of(scope: Scope) -> Client:
    """Return who sent a request."""
    client: Client = scope["state"]["client"]
    return client


def _bounded(receive: Receive, timeout_s: float) -> Receive:
    """Return a channel for a request's body that must be small and come in time."""
    size_bytes = 0
    is_whole = False

    async def receive_within() -> Message:
        nonlocal size_bytes, is_whole
        if is_whole:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), timeout_s)
        except asyncio.TimeoutError:
            raise RefusedError(408, "the request's body did not come in time") from None
        if message["type"] == "http.request":
            size_bytes += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if size_bytes > _MAX_BODY_BYTES:
                raise RefusedError(413, "the request's body is too large")
        return message

    return receive_within


def _is_same_site(headers: Headers) -> bool:
    """Return whether a request comes from this server's own pages, or from no page at all."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or re.sub(r"^https?://", "", origin) == headers.get("host", "")


def _client(scope: Scope, cookies: dict[str, str]) -> Client:
    address = scope["client"][0] if scope.get("client") else ""
    cookie = cookies.get(_CLIENT_COOKIE, "")
    return Client(address, cookie if _CLIENT.fullmatch(cookie) else "")


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _cookie(name: str, value: str) -> str:
    return f"{name}={value}; Path=/; Max-Age={_COOKIE_DAYS * _SECONDS_A_DAY}; HttpOnly; SameSite=Lax"


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


def _names_of_machine(settings: ServeSettings) -> tuple[str, ...]:
    """Return what others in the network may call this machine; for itself alone it is localhost."""
    if settings.is_local:
        return ()
    name = socket.gethostname()
    return name, f"{name}.local", socket.getfqdn()
