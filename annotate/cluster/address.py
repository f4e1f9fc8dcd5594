"""Addresses of clusters: ``local``, a URL, or a scheduler file."""

from __future__ import annotations

import json
from pathlib import Path

from annotate.errors import SettingsError

LOCAL = "local"
SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://")


def check_address(address: str) -> None:
    """Check the form of a cluster's address.

    Raises:
        SettingsError: it is neither ``local``, nor a URL with a supported scheme, nor an existing file.
    """
    if address != LOCAL and not address.startswith(SCHEMES) and not is_scheduler_file(address):
        remedy = "give local, an address such as tcp://scheduler:8786, or the path of a scheduler file"
        raise SettingsError("not a cluster address, and no such file", remedy, path=f"--cluster {address}")


def is_scheduler_file(address: str) -> bool:
    """Return whether an address is the path of an existing file."""
    return Path(address).is_file()


def read_scheduler_file(path: Path) -> str:
    """Return the address in a scheduler file.

    Raises:
        SettingsError: the file contains none.
    """
    try:
        return str(json.loads(path.read_bytes())["address"])
    except (OSError, ValueError, TypeError, KeyError):
        remedy = "give the file that `dask scheduler --scheduler-file` writes"
        raise SettingsError("not a scheduler file", remedy, path=f"--cluster {path}") from None


def check_certificates(address: object) -> None:
    """Check that certificates are configured for a ``tls://`` address.

    Raises:
        SettingsError: Dask's configuration has none.
    """
    from distributed.security import Security

    security = Security()
    if str(address).startswith("tls://") and not (security.tls_ca_file and security.tls_client_cert):
        remedy = "set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..._CLIENT__CERT and ..._CLIENT__KEY"
        raise SettingsError("no certificates configured", remedy, path=f"--cluster {address}")
