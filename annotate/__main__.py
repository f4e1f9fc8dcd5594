"""Start the program: by its own name, and as ``python -m annotate``."""

from __future__ import annotations

import os
import sys

EXIT_INTERRUPTED = 130


def run() -> None:
    """Run the command line; Ctrl-C while it is being loaded gives no traceback."""
    _open_closed_streams()
    try:
        from annotate.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _open_closed_streams() -> None:
    """Open what the caller has closed (``2>&-``), so that no file of ours gets the number of stdout or stderr."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
            setattr(sys, name, os.fdopen(number, mode))


if __name__ == "__main__":
    run()
