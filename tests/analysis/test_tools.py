"""Tools are found and loaded once, and shared between videos."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from annotate.analysis import tools as tools_module
from annotate.analysis.parallel import analyze
from annotate.analysis.pipeline import Analysis
from annotate.analysis.tools import Tools
from annotate.errors import SettingsError
from annotate.settings import ONE_CORE
from tests.clips import record_processes


def test_a_second_video_starts_two_processes_and_loads_nothing(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools()
    first = Analysis.open(face_clip, limits=ONE_CORE, tools=tools)
    expected = analyze(first)
    started = record_processes(monkeypatch)
    for name in ("find_ffmpeg", "load_classifier", "load_detector"):
        monkeypatch.setattr(tools_module, name, lambda *arguments: pytest.fail("loaded twice"))
    second = Analysis.open(face_clip, limits=ONE_CORE, tools=tools)
    assert len(started) == 1
    assert second.classifier is first.classifier
    assert second.video.ffmpeg is first.video.ffmpeg
    assert analyze(second) == expected
    assert len(started) == 2


def test_tools_are_not_shared_by_default(face_clip: Path) -> None:
    first, second = Analysis.open(face_clip), Analysis.open(face_clip)
    assert first.tools is not second.tools
    assert first.classifier is not second.classifier


def test_each_thread_has_its_own_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []

    def load() -> object:
        loaded.append(object())
        return loaded[-1]

    monkeypatch.setattr(tools_module, "load_detector", load)
    tools = Tools()
    for _ in range(2):
        tools.face_detector(0.15)
    other = threading.Thread(target=tools.face_detector, args=(0.2,))
    other.start()
    other.join()
    assert len(loaded) == 2


def test_each_hardware_method_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr("annotate.media.hwaccel._works", lambda ffmpeg, name: tried.append(name))
    tools = Tools()
    for _ in range(2):
        assert tools.hwaccel("none") == tools.hwaccel("auto") == "none"
    assert len(tried) == len(set(tried))
    with pytest.raises(SettingsError):
        tools.hwaccel("steam")
