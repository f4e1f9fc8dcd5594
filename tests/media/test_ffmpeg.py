from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from annotate.errors import FFmpegError
from annotate.media import ffmpeg
from annotate.media.decode import decode
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import probe


def script(path: Path, version: str, lists: str = "") -> str:
    path.write_text(f"#!/bin/sh\necho 'ffmpeg version {version} Copyright (c) the FFmpeg developers'\n{lists}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("version", ["5.1", "5.1.9-0+deb12u1", "n9.0.2-17-g2a571b6068-20260930", "10.0", "N-112233-gabcdef"])
def test_an_ffmpeg_on_the_path_that_is_new_enough_is_used(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script(tmp_path / "ffmpeg", version)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: path)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: None)
    assert ffmpeg.find_ffmpeg() == ffmpeg.FFmpeg(path, version)


@pytest.mark.parametrize("version", ["4.4.2", "5.0.1", "n4.4"])
def test_the_bundled_ffmpeg_replaces_one_that_is_too_old(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, bundled = script(tmp_path / "ffmpeg", version), script(tmp_path / "bundled", "7.1")
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: old)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: bundled)
    assert ffmpeg.find_ffmpeg().path == bundled


def test_the_error_names_the_version_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = script(tmp_path / "ffmpeg", "4.4.2")
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: old)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: None)
    with pytest.raises(FFmpegError) as raised:
        ffmpeg.find_ffmpeg()
    assert "5.1 or newer" in raised.value.problem
    assert f"{old} is version 4.4.2" in raised.value.problem
    assert raised.value.remedy.startswith("install ffmpeg")


def test_a_missing_ffmpeg_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: None)
    with pytest.raises(FFmpegError) as raised:
        ffmpeg.find_ffmpeg()
    assert "5.1 or newer" in raised.value.problem
    assert "(" not in raised.value.problem
    assert raised.value.remedy.startswith("install ffmpeg")


def test_the_bundled_ffmpeg_replaces_one_that_fails_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, bundled = tmp_path / "ffmpeg", script(tmp_path / "bundled", "7.1")
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: str(broken))
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: bundled)
    assert ffmpeg.find_ffmpeg().path == bundled


def test_the_bundled_ffmpeg_is_new_enough() -> None:
    path = ffmpeg._bundled()
    assert path is not None
    version = ffmpeg._version(path)
    assert version is not None
    assert ffmpeg._is_at_least(version, ffmpeg.MIN_VERSION)


def test_an_ffmpeg_deleted_during_a_run_is_named(empty_clip: Path) -> None:
    deleted = FFmpeg("/nowhere/ffmpeg", "5.1")
    video = replace(probe(empty_clip), ffmpeg=deleted)
    for attempt in (lambda: probe(empty_clip, ffmpeg=deleted), lambda: next(decode(video, (160, 120)))):
        with pytest.raises(FFmpegError) as raised:
            attempt()
        assert raised.value.path == deleted.path
        assert "cannot be started (No such file" in raised.value.problem


def test_probing_searches_for_an_ffmpeg_if_none_is_given(empty_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ffmpeg.find_ffmpeg()
    assert probe(empty_clip).ffmpeg == found
    monkeypatch.setattr("annotate.media.probe.find_ffmpeg", lambda: pytest.fail("searched although one was given"))
    assert probe(empty_clip, ffmpeg=found).ffmpeg is found


COMPLETE = "echo ' .. ass               V->V       Render ASS subtitles'; echo ' V....D libx264              H.264'"
NO_LIBASS = "echo ' .. asscut            V->V       Another'; echo ' V....D libx264              H.264'"


def test_the_bundled_ffmpeg_renders_if_the_other_lacks_libass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, bundled = script(tmp_path / "ffmpeg", "6.0", NO_LIBASS), script(tmp_path / "bundled", "7.1", COMPLETE)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: system)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: bundled)
    decoder = ffmpeg.find_ffmpeg()
    assert decoder.path == system
    renderer = ffmpeg.find_renderer(decoder)
    assert renderer.path == bundled
    assert f"{system} lacks libass;" in renderer.remark
    assert bundled in renderer.remark


def test_an_ffmpeg_with_libass_and_libx264_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = script(tmp_path / "ffmpeg", "6.0", COMPLETE)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: system)
    decoder = ffmpeg.find_ffmpeg()
    assert ffmpeg.find_renderer(decoder) == ffmpeg.Renderer(system)
    Path(system).unlink()
    assert decoder.renderer is decoder.renderer


def test_the_error_says_what_each_ffmpeg_lacks_for_rendering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, bundled = script(tmp_path / "ffmpeg", "6.0"), script(tmp_path / "bundled", "7.1", NO_LIBASS)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: system)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: bundled)
    with pytest.raises(FFmpegError) as raised:
        ffmpeg.find_renderer(ffmpeg.find_ffmpeg())
    assert f"{system} lacks libass and libx264; {bundled} lacks libass" in raised.value.problem
    assert raised.value.remedy.startswith("install an ffmpeg")
