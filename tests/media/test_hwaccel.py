from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import SettingsError
from annotate.media import hwaccel
from annotate.media.decoding_command import Delivery, FrameChoice, decoding_command
from annotate.media.ffmpeg import find_ffmpeg
from annotate.media.hwaccel import choose_hwaccel, known_hwaccels
from annotate.media.probe import probe
from annotate.settings import Limits


def command_of(path: Path, limits: Limits) -> list[str]:
    video, delivery = probe(path), Delivery((160, 120), FrameChoice())
    return decoding_command(video, delivery, limits, ["pipe:3", "pipe:4", "pipe:5"], ())


def test_hardware_is_not_used_by_default(empty_clip: Path) -> None:
    assert choose_hwaccel("none") == "none"
    assert "-hwaccel" not in command_of(empty_clip, Limits())


def test_the_method_is_an_option_of_the_input(empty_clip: Path) -> None:
    command = command_of(empty_clip, Limits(hwaccel="vaapi"))
    assert command[command.index("-hwaccel") + 1] == "vaapi"
    assert command.index("-hwaccel") < command.index("-i")


def test_the_error_of_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError) as raised:
        choose_hwaccel("steam")
    assert "--hwaccel steam" in raised.value.problem
    assert raised.value.remedy.startswith("choose from auto, none")


def test_auto_chooses_the_first_method_whose_device_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwaccel, "known_hwaccels", lambda ffmpeg: ("first", "second", "third"))
    monkeypatch.setattr(hwaccel, "_works", lambda ffmpeg, name: name != "first")
    assert choose_hwaccel("auto") == "second"
    assert choose_hwaccel("third") == "third"
    assert choose_hwaccel("first") == "none"


def test_auto_chooses_none_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwaccel, "_works", lambda ffmpeg, name: False)
    assert choose_hwaccel("auto") == "none"


def test_devices_are_tried_with_ffmpeg() -> None:
    ffmpeg = find_ffmpeg()
    assert not hwaccel._works(ffmpeg, "steam")
    assert all(name == name.strip() and " " not in name for name in known_hwaccels(ffmpeg))
