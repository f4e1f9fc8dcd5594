"""`annotate dataset`, `annotate train` and `annotate evaluate`, run with click's test runner."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from annotate.cli.dataset import dataset
from annotate.cli.main import main
from annotate.cli.training_options import ARCHITECTURE_NAMES, PART_NAMES
from annotate.extras import DISTRIBUTION
from annotate.training.dataset.labels import OmissionKind
from annotate.training.dataset.storage import PARTS
from tests.emotions.models import write_model
from tests.training.conftest import MakeDataset

SKIPPED = (OmissionKind.UNREADABLE, OmissionKind.MISSING)


def run(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
    """Return stdout and stderr of a command that exits with ``status`` and without a traceback."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_help_lists_the_commands() -> None:
    out, _ = run("--help")
    for name in ("dataset", "train", "evaluate"):
        assert re.search(rf"^  {name} ", out, re.MULTILINE)
    assert [name for name in dataset.commands if name not in run("dataset", "--help")[0]] == []


def test_help_imports_no_slow_modules() -> None:
    code = (
        "import sys\nfrom annotate.cli.main import main\n"
        "main(['dataset', 'build', '--help'], standalone_mode=False)\n"
        "print(sorted({'torch', 'pandas', 'numpy', 'dlib', 'onnxruntime', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.endswith("[]\n"), result


def test_build_lists_skipped_clips_and_show_describes_the_dataset(tmp_path: Path, face_clip: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("video,start,end,emotion\nface,0,1,happy\nface,1,2,sad\nnowhere,0,1,happy\nface,0,1,glad\n")
    blocks = tmp_path / "blocks"
    arguments = ("dataset", "build", labels, face_clip.parent, "-o", blocks)
    out, messages = run(*arguments, "--extra", "sad", "--validation", "0", "--test", "0")
    totals = out.splitlines()[-1]
    assert re.findall(r"\d+", totals) == ["3", "1", "2", "1", "1"]
    assert [kind.value in totals for kind in OmissionKind] == [kind in SKIPPED for kind in OmissionKind]
    assert re.search(r"^sadness +1 +1 +0 +0 ", out, re.MULTILINE)
    unreadable, missing = messages.splitlines()
    assert unreadable.startswith(f"skipped: {labels}: line 5: ")
    assert "'glad'" in unreadable
    assert missing.startswith("skipped: nowhere 0-1 s (happiness): ")
    assert str(face_clip.parent) in missing
    shown, _ = run("dataset", "show", blocks)
    assert re.findall(r"\d+", shown.splitlines()[-1]) == ["2", "20", "80", "80", "1", "0"]
    _, messages = run(*arguments, status=1)
    assert messages.startswith(f"Error: {blocks}: ")
    _, messages = run(*arguments[:-1], tmp_path / "other", "--validation", "0.8", "--test", "0.4", status=2)
    assert messages.startswith("Error: ")
    assert not (tmp_path / "other").exists()
    assert "'glad'" in run(*arguments[:-1], tmp_path / "other", "--extra", "glad", status=2)[1]


def test_build_fails_if_no_block_remains(tmp_path: Path, empty_clip: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("video,start,end,emotion\nempty,0,1,happy\n")
    out, messages = run("-q", "dataset", "build", labels, empty_clip, "-o", tmp_path / "blocks", status=1)
    assert out == ""
    assert messages.startswith("skipped: empty 0-1 s (happiness): no face ")
    assert len(messages.splitlines()) == 1
    assert not (tmp_path / "blocks").exists()


def test_balance_and_stills(tmp_path: Path, make_dataset: MakeDataset) -> None:
    make_dataset("blocks", [0, 0, 0, 1], parts=["train"] * 4)
    out, _ = run("dataset", "balance", tmp_path / "blocks", "-o", tmp_path / "balanced", "--ratio", "2")
    assert out.splitlines()[-1].startswith("3 of 4 blocks ")
    np.savez(tmp_path / "faces.npz", pixels=np.zeros((3, 48, 48), np.uint8), label=np.array([0, 6, 7]))
    out, _ = run("dataset", "stills", tmp_path / "faces.npz", "-o", tmp_path / "faces")
    assert out.splitlines()[-1].startswith("2 stills; 1 skipped ")


def test_evaluate_prints_metrics_and_comparison(tmp_path: Path, make_dataset: MakeDataset) -> None:
    make_dataset("blocks", [0, 1, 2, 0], list("abcd"), ["test"] * 3 + ["train"])
    angry = write_model(tmp_path / "angry.onnx", weight=9)
    calm = write_model(tmp_path / "calm.onnx", weight=-9)
    out, _ = run("evaluate", tmp_path / "blocks", "--model", angry, "--against", calm)
    assert out.startswith("3 blocks of 3 videos, with 95 % ")
    assert re.search(r"^accuracy +0\.333 \[0\.000, 1\.000\]$", out, re.MULTILINE)
    assert re.search(r"^anger +1 +0\.333 \[.*\] +1\.000 \[1\.000, 1\.000\] +0\.500 \[.*\]$", out, re.MULTILINE)
    assert re.search(r"^accuracy +\+0\.\d+ \[.*\] +not significant$", out, re.MULTILINE) or "+0.000" in out
    _, messages = run("evaluate", tmp_path / "blocks", "--split", "validation", status=1)
    assert messages.startswith(f"Error: {tmp_path}/blocks: ")
    _, messages = run("evaluate", tmp_path / "nowhere", status=1)
    assert messages.startswith(f"Error: {tmp_path}/nowhere: ")


@pytest.mark.parametrize("package", ["torch", "onnx", "matplotlib"])
def test_training_without_a_package_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "annotate.training.block_training", raising=False)
    _, messages = run("train", tmp_path, "-o", tmp_path / "model.onnx", status=2)
    assert messages.startswith("Error: ")
    assert package in messages
    assert f"{DISTRIBUTION}[training]" in messages
    assert not (tmp_path / "model.run").exists()


def test_drawing_without_matplotlib_names_what_to_install(
    tmp_path: Path, make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    make_dataset("blocks", [0])
    _, messages = run("dataset", "show", tmp_path / "blocks", "-o", tmp_path / "sheet.png", status=2)
    assert messages.startswith("Error: ")
    assert "matplotlib" in messages
    assert f"{DISTRIBUTION}[training]" in messages


def test_copied_names_match_the_modules_that_define_them() -> None:
    assert (*PARTS, "all") == PART_NAMES
    assert len(set(ARCHITECTURE_NAMES)) == 3
