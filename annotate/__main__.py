"""Starts the program: by its own name, and as ``python -m annotate``."""

from __future__ import annotations

import sys

EXIT_INTERRUPTED = 130


def run() -> None:
    """Runs the command line; a Ctrl-C while it is still being loaded is no traceback."""
    try:
        from annotate.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    run()
