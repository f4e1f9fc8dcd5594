"""Server settings."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from annotate.errors import SettingsError
from annotate.settings import Settings

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8765
MIN_TOKEN_CHARACTERS = 16
_TOKEN_BYTES = 24
_LOCAL_NAME = "localhost"

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True)
class ServeSettings:
    """Server settings.

    ``data`` is the folder of uploads, results and the queue. ``directory`` is the archive to show, or None; it is written to
    only if ``write`` is True. ``names`` are additional host names of the server.
    """

    data: Path
    directory: Path | None = None
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str = ""
    names: tuple[str, ...] = ()
    jobs: int = 1
    write: bool = False
    follow_links: bool = False
    keep_s: float | None = None
    """Maximum age of uploads and derived videos; older ones are deleted."""

    max_upload_bytes: int = 10 * 10**9
    max_uploads: int = 1000
    """Maximum number of uploads kept, of all clients together."""

    max_waiting_per_address: int = 100
    """Maximum number of uploads of one address that wait for annotation."""

    max_listeners: int = 256
    """Maximum number of listeners to events, of all clients together."""

    max_listeners_per_address: int = 32
    """Maximum number of listeners to events of one address."""

    body_timeout_s: float = 30.0
    """A request is rejected if its body stalls for this long."""

    idle_timeout_s: float = 15.0
    """A connection is closed if it brings no complete request for this long."""

    tls_cert: Path | None = None
    """File of the certificate chain (PEM); with it the server speaks HTTPS only."""

    tls_key: Path | None = None
    """File of the certificate's private key (PEM); None if it is in ``tls_cert``."""

    metrics: bool = False
    """Whether ``/metrics`` serves figures for Prometheus."""

    analysis: Settings = field(default_factory=Settings)

    @property
    def scheme(self) -> str:
        """The scheme of the server's URLs."""
        return "http" if self.tls_cert is None else "https"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether an address or host name is a loopback one, which only this machine can reach.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == _LOCAL_NAME


def choose_token(host: str, token: str) -> str:
    """Return the token that a server on ``host`` requires: the given one, a random one, or none on a loopback address.

    Raises:
        SettingsError: the token is too short, or has characters that a header does not allow.
    """
    if not token:
        return "" if is_loopback(host) else secrets.token_urlsafe(_TOKEN_BYTES)
    if len(token) < MIN_TOKEN_CHARACTERS or not re.fullmatch(r"[\w.~-]+", token, re.ASCII):
        problem = f"a token needs at least {MIN_TOKEN_CHARACTERS} characters, only A-Z, a-z, 0-9 and _ . ~ -"
        raise SettingsError(problem, "omit --token to have one generated")
    return token


def parse_duration_s(text: str) -> float:
    """Parse a duration such as ``7d``, ``12h`` or ``30m``; return seconds.

    Raises:
        SettingsError: the text is not a duration.

    >>> parse_duration_s("7d"), parse_duration_s("90s")
    (604800.0, 90.0)
    """
    match = _AMOUNT.fullmatch(text.strip().lower())
    if match is None or match[2] not in _SECONDS or not float(match[1]):
        raise SettingsError(f"{text!r} is not a duration", "write it like 7d, 12h or 30m")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size_bytes(text: str) -> int:
    """Parse a size such as ``10G`` or ``500M`` (powers of ten); return bytes.

    Raises:
        SettingsError: the text is not a size.

    >>> parse_size_bytes("10G"), parse_size_bytes("1500")
    (10000000000, 1500)
    """
    match = _AMOUNT.fullmatch(text.strip().lower().removesuffix("b"))
    if match is None or match[2] not in _BYTES or not float(match[1]):
        raise SettingsError(f"{text!r} is not a size", "write it like 10G or 500M")
    return round(float(match[1]) * _BYTES[match[2]])
