from __future__ import annotations

import pytest
from click.testing import CliRunner

from annotate import extras
from annotate.cli.main import main


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in ("fastapi", "uvicorn") else object())
    answer = CliRunner().invoke(main, ["serve"])
    assert answer.exit_code == 2
    assert answer.output.startswith("Error: annotate serve needs FastAPI, uvicorn")
    assert "`pip install 'annotate-video[serve]'`" in answer.output
    assert "`pip install '.[serve]'`" in answer.output
    assert answer.output.count("\n") == 1


def test_help_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    answer = CliRunner().invoke(main, ["serve", "--help"])
    assert answer.exit_code == 0
    assert "--keep" in answer.output
