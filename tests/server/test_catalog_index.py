"""Statistics and moments from the in-memory index of tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate.analytics.moments import MomentQuery
from annotate.errors import SettingsError
from annotate.server.catalog_index import CatalogIndex
from tests.analytics.samples import CLIP, MOVIE, block, report


def test_tables_are_read_again_only_when_they_change(tmp_path: Path) -> None:
    index = CatalogIndex()
    first, second = report(tmp_path, "movie.mp4", MOVIE), report(tmp_path, "clip.mp4", CLIP)
    assert index.update({first: 1, second: 1})
    assert not index.update({first: 1, second: 1})
    stats = index.stats(first)
    assert stats is not None
    assert (stats.duration_s, stats.faces, stats.dominant) == (10.0, 2, "anger")
    assert dict(stats.shares) == pytest.approx({"anger": 1.6 / 2.8, "happiness": 1.2 / 2.8})
    report(tmp_path, "movie.mp4", CLIP)
    assert index.update({first: 2, second: 1})
    assert [moment.span.start_s for moment in index.moments(MomentQuery(), {first})] == [1.0]
    assert len(list(index.moments(MomentQuery(("sadness",)), {first, second}))) == 2
    changed = index.stats(first)
    assert changed is not None
    assert dict(changed.shares) == {"sadness": 1.0}
    assert index.update({first: 2})
    assert index.stats(second) is None
    assert {moment.report.path for moment in index.moments(MomentQuery(), {first, second})} == {first}


def test_a_truncated_table_is_reported_until_it_is_complete_again(tmp_path: Path) -> None:
    index = CatalogIndex()
    path = report(tmp_path, "movie.mp4", MOVIE)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    index.update({path: 1})
    skipped = index.skipped(path)
    assert skipped is not None
    assert (skipped.path, "damaged or cut off" in skipped.problem) == (path, True)
    path.write_bytes(whole)
    index.update({path: 1})
    assert index.skipped(path) is None
    assert index.stats(path) is not None


def test_emotions_of_other_models_are_known_once_a_table_has_them(tmp_path: Path) -> None:
    index = CatalogIndex()
    index.check_emotions(["fear", "happy"])
    with pytest.raises(SettingsError):
        index.check_emotions(["bored"])
    classes = ("happy", "bored")
    path = report(tmp_path, "a.mp4", [block(1, 0, 0, 800, "happy", classes=classes)], classes=classes)
    index.update({path: 1})
    index.check_emotions(["fear", "happy", "bored"])
