"""The cache of sidecars."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate.results.meta import Meta, read_meta
from annotate.server import sidecars
from annotate.server.sidecars import CachedSidecars
from annotate.storage.values import PathOrUrl
from tests.analytics.samples import META, MOVIE, meta_of, report


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[PathOrUrl]:
    """Paths of the sidecars read so far."""
    paths: list[PathOrUrl] = []

    def read_and_note(path: PathOrUrl) -> Meta | None:
        paths.append(path)
        return read_meta(path)

    monkeypatch.setattr(sidecars, "read_meta", read_and_note)
    return paths


def test_a_sidecar_is_read_again_only_when_it_has_changed(tmp_path: Path, read: list[PathOrUrl]) -> None:
    cache = CachedSidecars()
    path = meta_of(report(tmp_path, "movie.mp4", MOVIE))
    first = cache.get(path)
    assert first is not None
    cache.drop([path])
    cache.load([path])
    assert cache.get(path) is first
    assert read == [path]
    path.write_text(META.to_json())
    assert cache.get(path) == META
    path.unlink()
    assert cache.get(path) is None
    path.write_text("damaged")
    assert cache.get(path) is None
    assert cache.get(path) is None
    assert read == [path] * 3


def test_a_sidecar_removed_from_the_cache_is_read_again(tmp_path: Path, read: list[PathOrUrl]) -> None:
    cache = CachedSidecars()
    paths = [meta_of(report(tmp_path, name, MOVIE)) for name in ("a.mp4", "b.mp4")]
    for path in paths:
        cache.get(path)
    cache.keep_only({paths[0]})
    for path in paths:
        cache.get(path)
    assert read == [*paths, paths[1]]
