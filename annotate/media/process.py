"""An ffmpeg at work: started in a session of its own, listened to, and gone when whoever reads it is."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from annotate.errors import DecodingError
from annotate.media.binary import runnable

_JOIN_TIMEOUT_S = 5


@contextlib.contextmanager
def working(
    command: Sequence[str],
    complaints: Callable[[IO[bytes]], None] | None = None,
    *,
    folder: Path | None = None,
    inherited: tuple[int, ...] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs ``command`` while the block lasts, whose standard output is to be read there.

    A session of its own keeps a Ctrl-C in the terminal from looking like the end of the video. ``complaints`` reads the
    standard error to its end, in a thread, since a full pipe would stop the program; without it nobody hears them.
    ``folder`` is where it runs, ``inherited`` are descriptors that it may use.

    Raises:
        FFmpegError: the program is gone since it was found.
    """
    with runnable(command):
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if complaints is None else subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pass_fds=inherited,
        )
    listener = None
    if complaints is not None:
        listener = threading.Thread(target=complaints, args=(process.stderr,), daemon=True)
        listener.start()
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if listener is not None:
            listener.join(_JOIN_TIMEOUT_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for_output(pipe: IO[bytes], path: Path, stall_timeout_s: float, option: str = " (--stall-timeout)") -> None:
    """Returns when there is something to read about the video at ``path``, or the pipe has come to its end.

    ``option`` is what allows for more, where there is one.

    Raises:
        DecodingError: nothing came for so many seconds.
    """
    if os.name == "posix" and not select.select([pipe], [], [], stall_timeout_s)[0]:
        raise DecodingError(
            f"{path}: the decoder gave nothing for {stall_timeout_s:g} s and was ended; "
            f"the file is damaged, or its disk slow{option}"
        )
