"""How a cluster is named: ``local``, an address, or a scheduler file."""

from __future__ import annotations

import json
from pathlib import Path

from annotate.errors import SettingsError

LOCAL = "local"
SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://")


def check_address(address: str) -> None:
    """Tries whether a cluster's address can be one.

    Raises:
        SettingsError: it is neither ``local`` nor an address with a scheme nor a file that is there.
    """
    if address != LOCAL and not address.startswith(SCHEMES) and not is_scheduler_file(address):
        problem = "is neither local, nor an address such as tcp://scheduler:8786, nor a scheduler file that is there"
        raise SettingsError(problem, path=f"--cluster {address}")


def is_scheduler_file(address: str) -> bool:
    """Whether an address is the path of a file."""
    return Path(address).is_file()


def address_in(path: Path) -> str:
    """The address that a scheduler file has.

    Raises:
        SettingsError: it has none.
    """
    try:
        return str(json.loads(path.read_bytes())["address"])
    except (OSError, ValueError, TypeError, KeyError):
        problem = "is not the file that `dask scheduler --scheduler-file` writes"
        raise SettingsError(problem, path=f"--cluster {path}") from None


def check_certificates(address: object) -> None:
    """Tries whether there are certificates for an address that demands them.

    Raises:
        SettingsError: Dask's configuration names none.
    """
    from distributed.security import Security

    security = Security()
    if str(address).startswith("tls://") and not (security.tls_ca_file and security.tls_client_cert):
        remedy = "set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..._CLIENT__CERT and ..._CLIENT__KEY"
        raise SettingsError("needs certificates", remedy, path=f"--cluster {address}")
