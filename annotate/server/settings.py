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

    ``data`` is the folder of uploads, results and the queue; ``directory`` the archive that is shown, if there is one, which
    is written to only with ``write``. ``names`` are further names under which the server may be asked for.
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
    """Uploads older than this are removed, with what was derived from them."""

    max_upload_bytes: int = 10 * 10**9
    max_uploads: int = 1000
    """Most uploads kept at a time, of everybody together."""

    max_waiting: int = 100
    """Most uploads waiting at a time, of one address."""

    max_listeners: int = 256
    """Most listeners to events at a time, of everybody together."""

    max_listeners_of_one: int = 32
    """Most listeners to events at a time, of one address."""

    body_timeout_s: float = 30.0
    """A request whose body brings nothing for so long is ended."""

    idle_timeout_s: float = 15.0
    """A connection on which no whole request has come for so long is closed."""

    analysis: Settings = field(default_factory=Settings)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether an address or a name is this machine's own.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == _LOCAL_NAME


def choose_token(host: str, token: str) -> str:
    """Return the token that a server on ``host`` demands: the given one, a new one, or none for this machine alone.

    Raises:
        SettingsError: the given one is easily guessed, or cannot stand in a header.
    """
    if not token:
        return "" if is_loopback(host) else secrets.token_urlsafe(_TOKEN_BYTES)
    if len(token) < MIN_TOKEN_CHARACTERS or not re.fullmatch(r"[\w.~-]+", token, re.ASCII):
        problem = f"a token must have at least {MIN_TOKEN_CHARACTERS} characters out of A-Z, a-z, 0-9 and _ . ~ -"
        raise SettingsError(problem, "leave --token out, and one is made")
    return token


def parse_duration_s(text: str) -> float:
    """Return the seconds of a length of time such as ``7d``, ``12h`` or ``30m``.

    Raises:
        SettingsError: it is none.

    >>> parse_duration_s("7d"), parse_duration_s("90s")
    (604800.0, 90.0)
    """
    match = _AMOUNT.fullmatch(text.strip().lower())
    if match is None or match[2] not in _SECONDS or not float(match[1]):
        raise SettingsError(f"{text!r} is no length of time", "write it as 7d, 12h or 30m")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size_bytes(text: str) -> int:
    """Return the bytes of a size such as ``10G`` or ``500M`` (powers of ten).

    Raises:
        SettingsError: it is none.

    >>> parse_size_bytes("10G"), parse_size_bytes("1500")
    (10000000000, 1500)
    """
    match = _AMOUNT.fullmatch(text.strip().lower().removesuffix("b"))
    if match is None or match[2] not in _BYTES or not float(match[1]):
        raise SettingsError(f"{text!r} is no size", "write it as 10G or 500M")
    return round(float(match[1]) * _BYTES[match[2]])
