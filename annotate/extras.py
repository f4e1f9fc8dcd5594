"""Packages that are installed with an extra of this program only."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from annotate.errors import SettingsError


def check_extra(what: str, extra: str, packages: Mapping[str, str]) -> None:
    """Tries whether what an extra brings is there, before work begins; ``packages`` maps a module to its package.

    Raises:
        SettingsError: one is not; ``what`` is said to need it.
    """
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        raise SettingsError(f"{what} needs {', '.join(missing)}; pip install 'annotate[{extra}]' brings it")
