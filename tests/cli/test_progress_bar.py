"""The progress bar of work in several phases."""

from __future__ import annotations

import io
import re
import sys

import pytest

from annotate.cli.progress_bar import ProgressBar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, *, quiet: bool = False) -> str:
    """Return what two phases print on stderr."""
    monkeypatch.setattr(sys, "stderr", stderr)
    with ProgressBar(quiet=quiet) as bar:
        bar.move("epoch 1", 1, 2, "loss 0.500")
        bar.move("epoch 2", 2, 4)
    return stderr.getvalue()


def test_every_phase_has_its_own_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, _Terminal())
    assert text.index("epoch 1") < text.index("epoch 2")
    assert "epoch 1 0/2|" in text
    assert "epoch 2 0/4|" in text
    assert "to go" in text
    assert not re.search("it/s|s/it", text)


def test_nothing_is_shown_without_a_terminal_or_when_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO()) == ""
    assert shown(monkeypatch, _Terminal(), quiet=True) == ""
