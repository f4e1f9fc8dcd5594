"""Libraries that the usual installation does not bring, or that have been removed from it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from annotate.errors import SettingsError


def check_extra(what: str, extra: str, packages: Mapping[str, str]) -> None:
    """Check that the libraries that ``what`` needs are installed, before work begins.

    ``extra`` is the extra of this program that brings them, empty if the usual installation does; ``packages`` maps each
    module to its package.

    Raises:
        SettingsError: one is not installed.
    """
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        wanted = f"'annotate[{extra}]'" if extra else " ".join(missing)
        raise SettingsError(f"{what} needs {', '.join(missing)}", f"pip install {wanted} brings it")
