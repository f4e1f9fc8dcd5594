"""Tools are found and loaded once for all videos of their owner."""

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
from tests.clips import remember_started


def test_a_further_video_costs_two_processes_and_loads_nothing(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools()
    first = Analysis.open(face_clip, limits=ONE_CORE, tools=tools)
    expected = analyze(first)
    started = remember_started(monkeypatch)
    for name in ("find_ffmpeg", "load_classifier", "load_detector"):
        monkeypatch.setattr(tools_module, name, lambda *arguments: pytest.fail("it is loaded already"))
    second = Analysis.open(face_clip, limits=ONE_CORE, tools=tools)
    assert len(started) == 1
    assert second.classifier is first.classifier
    assert second.video.ffmpeg is first.video.ffmpeg
    assert analyze(second) == expected
    assert len(started) == 2


def test_without_tools_new_ones_are_taken(face_clip: Path) -> None:
    first, second = Analysis.open(face_clip), Analysis.open(face_clip)
    assert first.tools is not second.tools
    assert first.classifier is not second.classifier


def test_each_thread_has_a_detector_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_hardware_is_tried_once_for_each_method_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("annotate.media.hwaccel._works", lambda ffmpeg, name: asked.append(name))
    tools = Tools()
    for _ in range(2):
        assert tools.hwaccel("none") == tools.hwaccel("auto") == "none"
    assert len(asked) == len(set(asked))
    with pytest.raises(SettingsError):
        tools.hwaccel("steam")
