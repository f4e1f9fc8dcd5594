"""What is covered: from before the first detection until after the last, and faces that come back; not those to keep."""

from __future__ import annotations

import pytest

from annotate.faces.blocks import TimedBox
from annotate.faces.box import Box
from annotate.faces.coverage import MARGIN_MS, WIDENING, Coverage, FoundFaces, cover_faces
from annotate.span import Span

Track = tuple[TimedBox, ...]


def track(times_ms: range | list[int], x: float = 0.4, speed: float = 0.0) -> Track:
    """A face of a tenth of the frame, which moves by ``speed`` of the width in a second."""
    return tuple(TimedBox(time_ms, Box(x + speed * (time_ms - times_ms[0]) / 1000, 0.4, 0.1, 0.1)) for time_ms in times_ms)


def cover(
    *tracks: Track, cuts_ms: tuple[int, ...] = (), known: tuple[Track, ...] = (), kept: tuple[Track, ...] = ()
) -> Coverage:
    """Return the coverage of ten seconds at 25 fps, with cuts."""
    edges = [0, *cuts_ms, 10_000]
    shots = tuple(map(Span, edges[:-1], edges[1:]))
    return cover_faces(FoundFaces(tracks, shots, frozenset(range(0, 10_000, 40))), known, kept)


def covered_ms(coverage: Coverage, x: float = 0.45) -> list[int]:
    """Return the times of the frames in which a point is covered."""
    regions = {time_ms: coverage.at(time_ms) for time_ms in range(0, 10_000, 40)}
    return [
        time_ms
        for time_ms, boxes in regions.items()
        if boxes is not None and any(box.x <= x <= box.x + box.width for box in boxes)
    ]


def frames(start_ms: int, end_ms: int) -> list[int]:
    """Return the times of the frames of a span, both ends included."""
    return [time_ms for time_ms in range(0, 10_000, 40) if start_ms <= time_ms <= end_ms]


def test_a_single_detection_is_covered_half_a_second_around() -> None:
    coverage = cover(track([2000]))
    assert covered_ms(coverage) == frames(2000 - MARGIN_MS, 2000 + MARGIN_MS - 1)
    assert coverage.at(2000) == [Box(0.4, 0.4, 0.1, 0.1).widened(WIDENING)]


def test_the_margin_ends_with_the_shot() -> None:
    assert covered_ms(cover(track([2000, 2400]), cuts_ms=(1800, 2440))) == frames(1800, 2439)


def test_the_region_follows_the_face_also_beyond_the_frame() -> None:
    coverage = cover(track(range(2000, 3001, 100), x=0.2, speed=0.4))
    (between,) = coverage.at(2040) or [None]
    assert between is not None
    assert between.x + between.width / 2 == pytest.approx(0.2 + 0.016 + 0.05)
    (before,), (after,) = coverage.at(1600) or [None], coverage.at(3400) or [None]
    assert before is not None
    assert after is not None
    assert before.x < 0.2 - 0.4 * 0.4 < 0.3 < before.x + before.width
    assert after.x < 0.6 < 0.8 < after.x + after.width


@pytest.mark.parametrize(("gap_ms", "is_covered"), [(960, True), (1080, False)])
def test_a_face_that_comes_back_is_covered_in_between(gap_ms: int, is_covered: bool) -> None:
    """Across cuts too, where margins end: two that are none, such as flashes, and a shot without a detection."""
    back_ms = 2000 + gap_ms
    coverage = cover(track([1000, 2000]), track([back_ms, back_ms + 500], x=0.45), cuts_ms=(2040, back_ms))
    assert (covered_ms(coverage)[10:] == frames(500, back_ms + 999)[10:]) == is_covered
    assert covered_ms(cover(track([1000, 2000]), track([2480], x=0.8), cuts_ms=(2040, 2480)), 0.85) == frames(2480, 2979)


def test_known_faces_are_covered_too_and_not_across_shots() -> None:
    known = track([2000, 6000], speed=0.01)
    assert covered_ms(cover(known=(known,))) == frames(1500, 6499)
    assert covered_ms(cover(known=(known,), cuts_ms=(4000,))) == frames(1500, 2499) + frames(5500, 6499)


def test_kept_faces_are_not_covered_while_they_are_known() -> None:
    kept = track(range(2000, 4001, 250))
    coverage = cover(track(range(1600, 4401, 100), x=0.41), track(range(1600, 4401, 100), x=0.1), kept=(kept,))
    assert covered_ms(coverage) == [*frames(1100, 1999), *frames(4001, 4899)]
    assert covered_ms(coverage, 0.15) == frames(1100, 4899)


def test_another_face_at_the_place_of_a_kept_one_is_covered() -> None:
    kept = track([2000, 4000])
    inside = Box(0.42, 0.42, 0.05, 0.05)
    assert covered_ms(cover((TimedBox(3000, inside),), kept=(kept,))) == []
    assert covered_ms(cover(track([3000, 3400], x=0.48), kept=(kept,))) == frames(2500, 3899)
    assert covered_ms(cover(known=(track([3000, 3400]),), kept=(kept,))) == frames(2500, 3899)


def test_a_frame_that_was_not_searched_has_no_known_regions() -> None:
    coverage = cover(track([2000]))
    assert coverage.at(2001) is None
    assert coverage.at(10_000) is None
    assert coverage.at(0) == []
