from __future__ import annotations

import pytest
from click.testing import CliRunner

from annotate import extras
from annotate.cli.main import main


def test_a_missing_extra_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in ("fastapi", "uvicorn") else object())
    answer = CliRunner().invoke(main, ["serve"])
    assert answer.exit_code == 2
    assert answer.output == "Error: annotate serve needs FastAPI, uvicorn; pip install 'annotate[serve]' brings it\n"


def test_help_is_there_without_what_serving_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    answer = CliRunner().invoke(main, ["serve", "--help"])
    assert answer.exit_code == 0
    assert "--keep" in answer.output
