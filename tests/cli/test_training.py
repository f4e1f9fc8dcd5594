"""The commands from footage to model as they are typed."""

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
from annotate.training.dataset.storage import PARTS
from tests.emotions.models import write_model
from tests.training.conftest import MakeDataset


def run(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
    """What a command prints and says; it ends as expected, and without a traceback."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_the_programs_help_lists_the_commands() -> None:
    out, _ = run("--help")
    for name in ("dataset", "train", "evaluate"):
        assert re.search(rf"^  {name} ", out, re.MULTILINE)
    assert [name for name in dataset.commands if name not in run("dataset", "--help")[0]] == []


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom annotate.cli.main import main\n"
        "main(['dataset', 'build', '--help'], standalone_mode=False)\n"
        "print(sorted({'torch', 'pandas', 'numpy', 'dlib', 'onnxruntime', 'matplotlib'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert answer.stdout.endswith("[]\n"), answer


def test_build_lists_what_is_left_out_and_shows_what_is_there(tmp_path: Path, face_clip: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("video,start,end,emotion\nface,0,1,happy\nface,1,2,sad\nnowhere,0,1,happy\nface,0,1,glad\n")
    blocks = tmp_path / "blocks"
    arguments = ("dataset", "build", labels, face_clip.parent, "-o", blocks)
    out, said = run(*arguments, "--extra", "sad", "--validation", "0", "--test", "0")
    assert out.splitlines()[-1] == (
        "3 labelled pieces, 1 video: 2 blocks; left out: 1 with a label or time that cannot be used, 1 without a video."
    )
    assert re.search(r"^sadness +1 +1 +0 +0 ", out, re.MULTILINE)
    assert f"left out: {labels}: line 5: the emotion 'glad' is none of" in said
    assert "left out: nowhere 0-1 s (happiness): no such video below" in said
    shown, _ = run("dataset", "show", blocks)
    assert shown.endswith("2 blocks of 20 x 80 x 80 pixels, 1 video, 0 known subjects.\n")
    _, refused = run(*arguments, status=1)
    assert refused.startswith(f"Error: {blocks}: ")
    _, refused = run(*arguments[:-1], tmp_path / "other", "--validation", "0.8", "--test", "0.4", status=2)
    assert refused.startswith("Error: ")
    assert not (tmp_path / "other").exists()
    assert "'glad' is none of" in run(*arguments[:-1], tmp_path / "other", "--extra", "glad", status=2)[1]


def test_build_that_gives_nothing_fails(tmp_path: Path, empty_clip: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("video,start,end,emotion\nempty,0,1,happy\n")
    out, said = run("-q", "dataset", "build", labels, empty_clip, "-o", tmp_path / "blocks", status=1)
    assert (out, said) == ("", "left out: empty 0-1 s (happiness): no face is seen for long enough\n")
    assert not (tmp_path / "blocks").exists()


def test_balance_and_stills(tmp_path: Path, make_dataset: MakeDataset) -> None:
    make_dataset("blocks", [0, 0, 0, 1], parts=["train"] * 4)
    out, _ = run("dataset", "balance", tmp_path / "blocks", "-o", tmp_path / "balanced", "--ratio", "2")
    assert out.endswith("3 of 4 blocks stay.\n")
    np.savez(tmp_path / "faces.npz", pixels=np.zeros((3, 48, 48), np.uint8), label=np.array([0, 6, 7]))
    out, _ = run("dataset", "stills", tmp_path / "faces.npz", "-o", tmp_path / "faces")
    assert out.endswith("2 stills; 1 with other labels left out.\n")


def test_evaluate_prints_figures_and_compares(tmp_path: Path, make_dataset: MakeDataset) -> None:
    make_dataset("blocks", [0, 1, 2, 0], list("abcd"), ["test"] * 3 + ["train"])
    angry = write_model(tmp_path / "angry.onnx", weight=9)
    calm = write_model(tmp_path / "calm.onnx", weight=-9)
    out, _ = run("evaluate", tmp_path / "blocks", "--model", angry, "--against", calm)
    assert out.startswith("3 blocks of 3 videos, with 95 % intervals from drawing videos again:")
    assert re.search(r"^accuracy +0\.333 \[0\.000, 1\.000\]$", out, re.MULTILINE)
    assert re.search(r"^anger +1 +0\.333 \[.*\] +1\.000 \[1\.000, 1\.000\] +0\.500 \[.*\]$", out, re.MULTILINE)
    assert re.search(r"^accuracy +\+0\.\d+ \[.*\] +may be chance$", out, re.MULTILINE) or "+0.000" in out
    _, refused = run("evaluate", tmp_path / "blocks", "--split", "validation", status=1)
    assert refused.startswith(f"Error: {tmp_path}/blocks: no block is in this part")
    _, refused = run("evaluate", tmp_path / "nowhere", status=1)
    assert refused.startswith(f"Error: {tmp_path}/nowhere: ")


@pytest.mark.parametrize("package", ["torch", "onnx", "matplotlib"])
def test_training_without_a_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "annotate.training.block_training", raising=False)
    _, said = run("train", tmp_path, "-o", tmp_path / "model.onnx", status=2)
    assert said.startswith("Error: ")
    assert package in said
    assert "annotate[training]" in said
    assert not (tmp_path / "model.run").exists()


def test_an_image_without_matplotlib_says_what_to_install(
    tmp_path: Path, make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    make_dataset("blocks", [0])
    _, said = run("dataset", "show", tmp_path / "blocks", "-o", tmp_path / "sheet.png", status=2)
    assert said.startswith("Error: ")
    assert "matplotlib" in said
    assert "annotate[training]" in said


def test_names_that_commands_know_without_loading_are_the_real_ones() -> None:
    assert (*PARTS, "all") == PART_NAMES
    assert len(set(ARCHITECTURE_NAMES)) == 3
