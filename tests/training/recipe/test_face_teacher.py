from __future__ import annotations

from pathlib import Path

import pytest

from annotate.errors import ModelError
from annotate.training.recipe.face_teacher import FaceTeacher


def test_another_teacher_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "teacher.onnx"
    with pytest.raises(ModelError, match=r"teacher\.onnx"):
        FaceTeacher(path)
    path.write_bytes(b"another network")
    with pytest.raises(ModelError, match=r"teacher\.onnx"):
        FaceTeacher(path)
