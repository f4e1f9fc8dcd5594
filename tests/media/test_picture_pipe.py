from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from annotate.errors import DecodingError
from annotate.media import decode as decoding
from annotate.media.decode import decode
from annotate.media.probe import probe
from annotate.settings import Limits

SIDE_PX = 1000
"""A picture is larger than a pipe."""

PROGRAM = f"""
import os, sys
decoded, delivered = (int(target.removeprefix("pipe:")) for target in sys.argv[1:3])
os.write(delivered, b"#tb 0: 1/1000000\\n0, 0, 0, 40000, {SIDE_PX}, 0x0\\n")
for value in range(3):
    sys.stdout.buffer.write(bytes([value]) * ({SIDE_PX} * {SIDE_PX} * 3 // 2))
    sys.stdout.flush()
    if len(sys.argv) > 5:
        continue
    os.write(decoded, b"0, %d, %d, 40000, {SIDE_PX}, 0x0\\n" % (value * 40000, value * 40000))
    if value < 2:
        os.write(delivered, b"0, %d, %d, 40000, {SIDE_PX}, 0x0\\n" % (value * 40000 + 40000, value * 40000 + 40000))
"""


def use_program(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    """Decode with a program that writes each picture before one of its stamps; with options, without any other stamp."""
    monkeypatch.setattr(
        decoding,
        "decoding_command",
        lambda video, delivery, limits, targets, copied: [sys.executable, "-c", PROGRAM, *targets, "-", *options],
    )


def test_pictures_may_come_before_their_stamps(empty_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_program(monkeypatch)
    frames = list(decode(probe(empty_clip), (SIDE_PX, SIDE_PX)))
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1, 2]
    assert [np.unique(frame.chroma).tolist() for frame in frames] == [[0], [1], [2]]
    assert [frame.span.start_ms for frame in frames] == [0, 40, 80]


def test_a_decoder_without_stamps_is_stopped(empty_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_program(monkeypatch, "no more stamps", "at all")
    program = PROGRAM + "import time; time.sleep(60)"
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", program)
    with pytest.raises(DecodingError) as caught:
        list(decode(probe(empty_clip), (SIDE_PX, SIDE_PX), limits=Limits(stall_timeout_s=0.3)))
    assert caught.value.path == empty_clip
