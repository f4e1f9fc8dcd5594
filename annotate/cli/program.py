"""Detect another project's package that owns the folder ``annotate`` too."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from annotate.cli import console
from annotate.extras import DISTRIBUTION

_OTHER_DISTRIBUTION = "annotate"


def has_name_clash() -> bool:
    """Return whether the package ``annotate`` is installed beside ``annotate-video``."""
    return _is_installed(DISTRIBUTION) and _is_installed(_OTHER_DISTRIBUTION)


def warn_of_name_clash() -> None:
    """Print a warning and its remedy if both packages are installed."""
    if has_name_clash():
        both = f"{_OTHER_DISTRIBUTION} {DISTRIBUTION}"
        console.say(
            f"Package {_OTHER_DISTRIBUTION!r} is installed too and overwrites files of {DISTRIBUTION!r}. "
            f"Run `pip uninstall {both}`, then install {DISTRIBUTION!r} again."
        )


def _is_installed(name: str) -> bool:
    """Return whether pip installed a distribution: leftovers of a build have no RECORD."""
    try:
        return distribution(name).read_text("RECORD") is not None
    except PackageNotFoundError:
        return False
