"""Entry point of the command ``annotate`` and of ``python -m annotate``."""

from __future__ import annotations

import os
import sys

EXIT_INTERRUPTED = 130


def run() -> None:
    """Run the command line, without a traceback on Ctrl-C during imports."""
    _open_closed_streams()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for workers too: numpy's threads only wait, and busily
    try:
        from annotate.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _open_closed_streams() -> None:
    """Open standard streams that the caller has closed (``2>&-``), so that no other file gets their descriptors."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
            setattr(sys, name, os.fdopen(number, mode))


if __name__ == "__main__":
    run()
