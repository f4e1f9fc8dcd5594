"""Packaging: the long description, and a package of another project with the same folder."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from annotate.cli import program
from tests.cli.answers import run

ROOT = Path(__file__).parent.parent


def test_the_long_description_has_no_links_into_the_repository() -> None:
    spec = importlib.util.spec_from_file_location("setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    text = setup.long_description()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]*)\)", text)
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []
    assert set(targets) == {target for target in re.findall(r"\]\(([^)\s]*)\)", readme) if target.startswith("https://")}
    assert "![" not in text
    assert "`annotate serve [DIR]`" in text


@pytest.mark.parametrize(
    ("installed", "clash"),
    [({"annotate-video"}, False), ({"annotate"}, False), (set(), False), ({"annotate", "annotate-video"}, True)],
)
def test_another_package_with_the_same_folder_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: set[str], clash: bool
) -> None:
    monkeypatch.setattr(program, "_is_installed", lambda name: name in installed)
    answer = run(tmp_path)
    assert answer.status == 0
    assert ("pip uninstall annotate annotate-video" in answer.errors) == clash


def test_leftovers_of_a_build_do_not_count_as_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder, records in (("left.egg-info", ()), ("other-1.0.dist-info", ("RECORD",))):
        (tmp_path / folder).mkdir()
        for name in ("PKG-INFO", "METADATA"):
            (tmp_path / folder / name).write_text(
                f"Metadata-Version: 2.1\nName: {folder.split('.')[0].split('-')[0]}\nVersion: 1\n"
            )
        for name in records:
            (tmp_path / folder / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert not program._is_installed("left")
    assert program._is_installed("other")
    assert not program._is_installed("nothing-of-that-name")


@pytest.mark.parametrize("path", sorted((ROOT / "sample_videos").glob("*.py")), ids=lambda path: path.name)
def test_scripts_of_sample_videos_import_what_exists(path: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    names = [
        (node.module, alias.name) for node in imports for alias in node.names if (node.module or "").startswith("annotate")
    ]
    missing = [(module, name) for module, name in names if not hasattr(importlib.import_module(str(module)), name)]
    assert missing == []
