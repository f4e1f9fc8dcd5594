"""Access control: middleware that checks every request before it reaches a route."""

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
"""Allows only this server's own files, and no inline scripts or styles."""

UPLOADS = "/api/uploads/"
"""Path prefix of requests that may have large bodies."""

STATIC = "/static/"
HEALTH = "/healthz"
"""Needs no token."""
"""Path prefix of files that browsers may cache if they revalidate them."""

_MAX_BODY_BYTES = 64 * 1024
_CLIENT_COOKIE = "annotate_client"
_CLIENT = re.compile(r"[0-9a-f]{16}")
_COOKIE_DAYS = 30
_SECONDS_PER_DAY = 86400
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_LOGIN_HINT_RU = "Нужен токен: откройте ссылку, которую сервер вывел при запуске."
_HOST_HINT_RU = "Неизвестное имя узла: разрешите имя параметром --name при запуске сервера."
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

logger = logging.getLogger(__name__)


class Guard:
    """Middleware that checks host name, token, origin and body size of requests, and adds security headers to responses.

    A request that passes has its `Client` in ``scope["state"]["client"]``. The token is accepted in the header Authorization
    (``Bearer``) and in the query of the first URL, which sets a cookie for later requests. It is compared in constant time
    and never logged.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings
        self._names = {name.lower() for name in (*settings.names, settings.host, "localhost", *_network_names(settings))}
        self._token = settings.token.encode()
        self._is_secure = settings.tls_cert is not None
        self._cookie_value = hmac.new(self._token, b"annotate cookie", hashlib.sha256).hexdigest()
        self._cookie_name = f"annotate_pass_{settings.port}"

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
            client = Client(client.address, secrets.token_hex(8)) if accepts_html(headers) else client
        scope.setdefault("state", {})["client"] = client

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                response_headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    response_headers.setdefault(name, value)
                response_headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
                response_headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith(STATIC) else "no-store")
                if is_new and client.cookie:
                    response_headers.append("Set-Cookie", _cookie(_CLIENT_COOKIE, client.cookie, is_secure=self._is_secure))
                logger.info("%s %s: %d", scope["method"], scope["path"].encode("unicode_escape").decode(), message["status"])
            await send(message)

        refusal = self._refusal(scope, headers, cookies)
        if refusal is not None:
            await refusal(scope, receive, send_safely)
            return
        if not scope["path"].startswith(UPLOADS):
            receive = _limit_body(receive, self._settings.body_timeout_s)
        try:
            await self._app(scope, receive, send_safely)
        except RefusedError as error:
            await JSONResponse({"detail": str(error)}, error.status, {"Connection": "close"})(scope, receive, send_safely)

    def _refusal(self, scope: Scope, headers: Headers, cookies: dict[str, str]) -> Response | None:
        """Return the response to a request that must not reach a route; None if it passes."""
        if not self._is_own_host(headers.get("host", "")):
            return _refuse(headers, 421, "unknown host name; start the server with --name NAME to allow it", _HOST_HINT_RU)
        if self._token and scope["path"] != HEALTH and not self._is_authorized(headers, cookies):
            return self._log_in(scope, headers)
        if scope["method"] not in _SAFE_METHODS and not _is_same_site(headers):
            return JSONResponse({"detail": "cross-site requests are not allowed"}, 403)
        return self._redirect_without_token(scope) if self._token else None

    def _is_own_host(self, host: str) -> bool:
        """Return whether a Host header is acceptable: a known name, or an IP address, immune to DNS rebinding."""
        name = re.sub(r":\d*$", "", host).strip("[]").lower()
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._settings.is_local

    def _is_authorized(self, headers: Headers, cookies: dict[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        has_token = hmac.compare_digest(token.strip().encode(), self._token) and scheme.lower() == "bearer"
        cookie = cookies.get(self._cookie_name, "")
        has_cookie = hmac.compare_digest(cookie.encode(), self._cookie_value.encode())
        return has_token or has_cookie

    def _log_in(self, scope: Scope, headers: Headers) -> Response:
        """Set the cookie and redirect if the URL contains the token; otherwise respond that a token is required."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        token = query.get("token", [""])[0]
        if scope["method"] == "GET" and hmac.compare_digest(token.encode(), self._token):
            response = self._redirect_without_token(scope) or RedirectResponse("/", 303)
            response.headers.append("Set-Cookie", _cookie(self._cookie_name, self._cookie_value, is_secure=self._is_secure))
            return response
        detail = "token required: open the link that the server printed at startup, or send the token as a bearer token"
        return _refuse(headers, 401, detail, _LOGIN_HINT_RU, {"WWW-Authenticate": "Bearer"})

    def _redirect_without_token(self, scope: Scope) -> Response | None:
        """Return a redirect that removes the token from the browser's address bar; None if the URL has no token."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["method"] != "GET" or "token" not in query:
            return None
        del query["token"]
        path = "/" + scope["path"].lstrip("/\\")
        rest = urlencode(query, doseq=True)
        return RedirectResponse(path + (f"?{rest}" if rest else ""), 303)


def client_from_scope(scope: Scope) -> Client:
    """Return the sender of a request, which `Guard` has determined."""
    client: Client = scope["state"]["client"]
    return client


def _refuse(
    headers: Headers, status: int, detail: str, hint_ru: str, response_headers: dict[str, str] | None = None
) -> Response:
    """Return the response that refuses a request: text in both languages for a browser, JSON for a program."""
    if accepts_html(headers):
        return Response(f"annotate: {detail}.\n\n{hint_ru}\n", status, media_type="text/plain; charset=utf-8")
    return JSONResponse({"detail": detail}, status, response_headers)


def _limit_body(receive: Receive, timeout_s: float) -> Receive:
    """Return a receive channel that raises RefusedError if the request's body is too large or too slow."""
    size_bytes = 0
    is_complete = False

    async def receive_limited() -> Message:
        nonlocal size_bytes, is_complete
        if is_complete:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), timeout_s)
        except asyncio.TimeoutError:
            raise RefusedError(408, "timeout while receiving the request body") from None
        if message["type"] == "http.request":
            size_bytes += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if size_bytes > _MAX_BODY_BYTES:
                raise RefusedError(413, "the request body is too large")
        return message

    return receive_limited


def _is_same_site(headers: Headers) -> bool:
    """Return whether a request comes from this server's own pages, or not from a page at all."""
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


def _cookie(name: str, value: str, *, is_secure: bool) -> str:
    text = f"{name}={value}; Path=/; Max-Age={_COOKIE_DAYS * _SECONDS_PER_DAY}; HttpOnly; SameSite=Lax"
    return f"{text}; Secure" if is_secure else text


def accepts_html(headers: Headers) -> bool:
    """Return whether a request is one of a browser for a page, rather than of a script or program for data."""
    return "text/html" in headers.get("accept", "")


def _network_names(settings: ServeSettings) -> tuple[str, ...]:
    """Return the names of this machine in the network; none if the server is local."""
    if settings.is_local:
        return ()
    name = socket.gethostname()
    return name, f"{name}.local", socket.getfqdn()
