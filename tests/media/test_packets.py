from __future__ import annotations

import pytest

from annotate.media.packets import Packets

LINES = """#tb 0: 1/1000
#tb 1: 1/48000
0,   0,    0,   40, 100, 0x0
0,  40, 4120, 4000, 100, 0x0
0, 4040,  80,   40, 100, 0x0
1,    0,    0, 1024, 100, 0x0
0, 4080, 4080,  40, 100, 0x0
0, 4120, -9223372036854775808, 40, 100, 0x0"""


@pytest.mark.parametrize(("has_durations", "end_us"), [(True, 8_120_000), (False, 4_120_000)])
def test_a_distance_in_decoding_order_is_no_duration(has_durations: bool, end_us: int) -> None:
    packets = Packets(has_durations)
    for line in LINES.splitlines():
        packets.add(line)
    assert packets.end_us == end_us
    assert packets.last_start_us == 4_080_000
    assert (packets.duration_us(80_000), packets.duration_us(100_000)) == (40_000, 0)


def test_audio_may_end_last() -> None:
    packets = Packets(has_durations=False)
    for line in ("#tb 0: 1/1000", "#tb 1: 1/48000", "0, 0, 0, 40, 100, 0x0", "1, 0, 48000, 1024, 9, 0x0"):
        packets.add(line)
    assert packets.end_us == 1_021_333
