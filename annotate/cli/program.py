"""What is installed: this program's distribution, and another project's of the same folder."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from annotate.cli import console
from annotate.extras import DISTRIBUTION

_OTHER_DISTRIBUTION = "annotate"


def has_name_clash() -> bool:
    """Return whether a package ``annotate`` is installed beside this one: both own the folder ``annotate``."""
    return _is_installed(DISTRIBUTION) and _is_installed(_OTHER_DISTRIBUTION)


def warn_of_name_clash() -> None:
    """Print what to do if another package owns this program's folder too."""
    if has_name_clash():
        both = f"{_OTHER_DISTRIBUTION} {DISTRIBUTION}"
        console.say(
            f"Package {_OTHER_DISTRIBUTION!r} is installed too and overwrites files of {DISTRIBUTION!r}. "
            f"Run `pip uninstall {both}`, then install {DISTRIBUTION!r} again."
        )


def _is_installed(name: str) -> bool:
    """Return whether pip installed a distribution; what a build left in a folder has no record of files."""
    try:
        return distribution(name).read_text("RECORD") is not None
    except PackageNotFoundError:
        return False
