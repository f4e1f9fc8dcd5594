"""Work on one video."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from annotate.analysis.tools import Tools
from annotate.batch.annotate import ChunkPlan, annotate_or_split, annotate_video
from annotate.batch.job import Outcome, Status, WorkContext
from annotate.results.meta import describe_source, read_meta
from annotate.settings import Settings
from annotate.storage.local.storage import LocalStorage
from tests.runs import job_for


def test_annotate_or_split_locks_a_video_once(
    tmp_path: Path, empty_clip: Path, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = shutil.copy(empty_clip, tmp_path / "short.mp4"), shutil.copy(face_clip, tmp_path / "long.mp4")
    bases: list[Path] = []
    lock = LocalStorage.lock

    def count_and_lock(storage: LocalStorage, base: Path) -> AbstractContextManager[object]:
        bases.append(base)
        return lock(storage, base)

    monkeypatch.setattr(LocalStorage, "lock", count_and_lock)
    context, settings = WorkContext(Tools()), Settings(chunk_s=1)
    outcome = annotate_or_split(job_for(short, settings=settings), context)
    assert isinstance(outcome, Outcome)
    assert outcome.status is Status.NO_FACES
    plan = annotate_or_split(job_for(long, settings=settings), context)
    assert isinstance(plan, ChunkPlan)
    assert (plan.count, plan.duration_s, plan.source) == (2, 2.0, describe_source(long))
    assert bases == [tmp_path / "short", tmp_path / "long"]


def test_faces_that_are_a_little_too_small_are_recorded_and_said(tmp_path: Path, face_clip: Path) -> None:
    video = shutil.copy(face_clip, tmp_path / "clip.mp4")
    outcome = annotate_video(job_for(video, settings=Settings(min_face=0.7)), WorkContext(Tools()))
    meta = read_meta(tmp_path / "clip.emotions.meta.json")
    assert meta is not None
    assert (meta.faces, meta.small_faces, meta.has_small_faces) == (0, 2, True)
    assert (outcome.status, outcome.has_small_faces) == (Status.NO_FACES, True)


@pytest.mark.parametrize("persons", [False, True])
def test_a_video_is_annotated_without_pandas(tmp_path: Path, face_clip: Path, persons: bool) -> None:
    """Each worker would need a quarter of a second and 80 MB for it."""
    videos = [Path(shutil.copy(face_clip, tmp_path / name)) for name in ("with.mp4", "without.mp4")]
    code = (
        "import sys\nfrom pathlib import Path\nsys.modules['pandas'] = None\n"
        "from annotate.analysis.tools import Tools\nfrom annotate.batch.annotate import annotate_video\n"
        "from annotate.batch.job import WorkContext\nfrom annotate.settings import Settings\n"
        f"from tests.runs import job_for\njob = job_for(Path(sys.argv[1]), settings=Settings(persons={persons}))\n"
        "print(annotate_video(job, WorkContext(Tools())).status.name)"
    )
    annotate_video(job_for(videos[0], settings=Settings(persons=persons)), WorkContext(Tools()))
    answer = subprocess.run([sys.executable, "-c", code, str(videos[1])], capture_output=True, text=True, timeout=60)
    assert answer.stdout == "ANNOTATED\n", answer
    assert (",person" in videos[1].with_suffix(".emotions.csv").read_text()) == persons
    for ending in (".emotions.csv", ".emotions.boxes.csv", ".emotions.en.srt"):
        assert videos[1].with_suffix(ending).read_bytes() == videos[0].with_suffix(ending).read_bytes()
