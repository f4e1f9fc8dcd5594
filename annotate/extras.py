"""Optional libraries, and libraries that were removed from an installation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from annotate.errors import SettingsError

DISTRIBUTION = "annotate-video"
"""What pip installs; the package and the command are called ``annotate``."""


def check_extra(what: str, extra: str, packages: Mapping[str, str]) -> None:
    """Check that the libraries that ``what`` needs are installed, before work begins.

    ``extra`` is the extra that installs them, empty for base dependencies; ``packages`` maps each module to its package.

    Raises:
        SettingsError: one is not installed.
    """
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        remedy = f"run `pip install {' '.join(missing)}`"
        if extra:
            remedy = f"run `pip install '{DISTRIBUTION}[{extra}]'`, or `pip install '.[{extra}]'` in a clone"
        raise SettingsError(f"{what} needs {', '.join(missing)}, not installed here", remedy)
