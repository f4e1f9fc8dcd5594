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
def test_a_new_system_ffmpeg_is_taken(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path / "ffmpeg", version)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: path)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: None)
    assert ffmpeg.find_ffmpeg() == ffmpeg.FFmpeg(path, version)


@pytest.mark.parametrize("version", ["4.4.2", "5.0.1", "n4.4"])
def test_an_old_one_gives_way_to_the_bundled_one(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, bundled = script(tmp_path / "ffmpeg", version), script(tmp_path / "bundled", "7.1")
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: old)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: bundled)
    assert ffmpeg.find_ffmpeg().path == bundled


def test_too_old_is_said_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = script(tmp_path / "ffmpeg", "4.4.2")
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: old)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: None)
    with pytest.raises(FFmpegError, match=r"ffmpeg 5\.1 or newer is needed, but .*ffmpeg is version 4\.4\.2") as raised:
        ffmpeg.find_ffmpeg()
    assert raised.value.remedy.startswith("install it")


def test_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: None)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: None)
    with pytest.raises(FFmpegError) as raised:
        ffmpeg.find_ffmpeg()
    assert raised.value.problem.endswith("none was found")
    assert raised.value.remedy.startswith("install it")


def test_one_that_does_not_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, bundled = tmp_path / "ffmpeg", script(tmp_path / "bundled", "7.1")
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: str(broken))
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: bundled)
    assert ffmpeg.find_ffmpeg().path == bundled


def test_the_installed_package_brings_one() -> None:
    path = ffmpeg._bundled()
    assert path is not None
    version = ffmpeg._version(path)
    assert version is not None
    assert ffmpeg._is_new_enough(version)


def test_an_ffmpeg_that_goes_while_a_run_goes_on_is_named(empty_clip: Path) -> None:
    gone = FFmpeg("/nowhere/ffmpeg", "5.1")
    video = replace(probe(empty_clip), ffmpeg=gone)
    for attempt in (lambda: probe(empty_clip, ffmpeg=gone), lambda: next(decode(video, (160, 120)))):
        with pytest.raises(FFmpegError, match="cannot be started any more") as raised:
            attempt()
        assert raised.value.path == gone.path


def test_without_an_ffmpeg_one_is_looked_for_and_goes_with_the_video(
    empty_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ffmpeg.find_ffmpeg()
    assert probe(empty_clip).ffmpeg == usual
    monkeypatch.setattr("annotate.media.probe.find_ffmpeg", lambda: pytest.fail("one was given"))
    assert probe(empty_clip, ffmpeg=usual).ffmpeg is usual


WHOLE = "echo ' .. ass               V->V       Render ASS subtitles'; echo ' V....D libx264              H.264'"
NO_LIBASS = "echo ' .. asscut            V->V       Another'; echo ' V....D libx264              H.264'"


def test_one_without_libass_gives_way_to_the_bundled_one_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, bundled = script(tmp_path / "ffmpeg", "6.0", NO_LIBASS), script(tmp_path / "bundled", "7.1", WHOLE)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: system)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: bundled)
    usual = ffmpeg.find_ffmpeg()
    assert usual.path == system
    said = f"{system} lacks libass, without which no boxes are drawn; using the one that imageio-ffmpeg brings, {bundled}"
    assert ffmpeg.find_renderer(usual) == ffmpeg.Renderer(bundled, said)


def test_one_with_all_that_rendering_needs_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = script(tmp_path / "ffmpeg", "6.0", WHOLE)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: system)
    usual = ffmpeg.find_ffmpeg()
    assert ffmpeg.find_renderer(usual) == ffmpeg.Renderer(system)
    Path(system).unlink()
    assert usual.renderer is usual.renderer


def test_that_none_can_draw_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, bundled = script(tmp_path / "ffmpeg", "6.0"), script(tmp_path / "bundled", "7.1", NO_LIBASS)
    monkeypatch.setattr(ffmpeg.shutil, "which", lambda name: system)
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: bundled)
    with pytest.raises(FFmpegError, match=r"ffmpeg lacks libass and libx264; .*bundled lacks libass") as raised:
        ffmpeg.find_renderer(ffmpeg.find_ffmpeg())
    assert raised.value.remedy.startswith("install an ffmpeg")
