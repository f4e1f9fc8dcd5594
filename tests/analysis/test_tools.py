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
from annotate.faces.hog import HogDetector
from annotate.faces.yunet import YuNetDetector
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


def test_each_thread_has_its_own_detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[str, float]] = []

    def load(name: str, min_face: float) -> object:
        loaded.append((name, min_face))
        return object()

    monkeypatch.setattr(tools_module, "load_detector", load)
    tools = Tools()
    kinds = [("yunet", 0.15), ("yunet", 0.2), ("dlib", 0.15)]
    first, again = ([tools.face_detector(*kind) for kind in kinds] for _ in range(2))
    assert first == again
    assert loaded == kinds
    other = threading.Thread(target=tools.face_detector, args=kinds[0])
    other.start()
    other.join()
    assert loaded == [*kinds, kinds[0]]


@pytest.mark.parametrize(("name", "kind"), [("yunet", YuNetDetector), ("dlib", HogDetector)])
def test_detectors_have_names(name: str, kind: type) -> None:
    assert isinstance(Tools().face_detector(name, 0.15), kind)


def test_each_hardware_method_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr("annotate.media.hwaccel._works", lambda ffmpeg, name: tried.append(name))
    tools = Tools()
    for _ in range(2):
        assert tools.hwaccel("none") == tools.hwaccel("auto") == "none"
    assert len(tried) == len(set(tried))
    with pytest.raises(SettingsError):
        tools.hwaccel("steam")
