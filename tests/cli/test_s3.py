"""Commands over object storage: they tell what they tell of the same files here, and say what is wrong in sentences."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotate.batch.executor import InlineExecutor
from annotate.batch.job import Status
from annotate.storage.s3.client import S3Client
from tests.cli.answers import run
from tests.object_store import SECRET, Bucket
from tests.runs import annotate

KEY = "KeyOfTheTests"


@pytest.fixture(autouse=True)
def _without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "annotate.batch.processes.ProcessExecutor", lambda width, advance, **options: InlineExecutor(advance)
    )


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, face_clip: Path, empty_clip: Path) -> Path:
    """Annotated videos; not to be changed."""
    folder = tmp_path_factory.mktemp("local") / "films"
    (folder / "1998").mkdir(parents=True)
    shutil.copy(face_clip, folder / "face.mp4")
    shutil.copy(empty_clip, folder / "1998/empty.mp4")
    outcomes = list(annotate([folder]))
    assert [outcome.status for outcome in outcomes] == [Status.NO_FACES, Status.ANNOTATED]
    return folder


@pytest.fixture
def twins(bucket: Bucket, tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The current directory and a bucket with the same annotated videos in ``films``."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(films, "films")
    for path in tmp_path.glob("films/**/*"):
        if path.is_file():
            bucket.put(str(path.relative_to(tmp_path)), path)
    return bucket


@pytest.mark.parametrize("command", [["summarize"], ["summarize", "--by", "minute"], ["find"], ["check"]])
def test_what_is_told_is_what_is_told_of_local_files(twins: Bucket, command: list[str]) -> None:
    here, there = run(*command, "films"), run(*command, f"{twins.url}/films")
    assert (there.status, here.status) == (0, 0)
    words = [line.split() for line in there.output.replace(f"{twins.url}/", "").splitlines() if "---" not in line]
    assert words == [line.split() for line in here.output.splitlines() if "---" not in line]
    assert here.output


def test_lists_of_moments_lead_to_the_objects(twins: Bucket) -> None:
    assert run("find", f"{twins.url}/films", "-o", "moments.m3u").status == 0
    assert f"{twins.url}/films/face.mp4" in Path("moments.m3u").read_text().splitlines()


def test_a_report_page_tells_the_same_and_plays_no_objects(twins: Bucket) -> None:
    answer = run("report", f"{twins.url}/films", "-o", "page.html")
    assert (answer.status, answer.last_line) == (0, "page.html: 2 videos")
    assert (
        "page.html: not where the page would play them, beside their reports or in --videos: 2 of 2 videos" in answer.errors
    )
    page = Path("page.html").read_text()
    assert "1998/empty.mp4" in page
    assert SECRET not in page
    assert run("report", f"{twins.url}/films", "--videos", "films", "-o", "page.html").errors == ""


def test_convert_makes_what_it_makes_here(twins: Bucket) -> None:
    assert run("convert", "films", "--format", "vtt,textgrid").status == 0
    assert run("convert", f"{twins.url}/films", "--format", "vtt,textgrid").last_line == "2 videos: 2 given further formats."
    for ending in ("en.vtt", "TextGrid"):
        assert twins.get(f"films/face.emotions.{ending}") == Path(f"films/face.emotions.{ending}").read_bytes()


def test_check_finds_what_is_wrong_and_removes_what_is_stale(twins: Bucket) -> None:
    twins.put("films/face.emotions.en.srt", b"changed")
    twins.delete("films/1998/empty.mp4")
    twins.put("films/other.emotions.csv", b"somebody's")
    answer = run("check", f"{twins.url}/films", "--delete-stale")
    assert answer.status == 1
    told = answer.output.replace(f"{twins.url}/films/", "").splitlines()
    assert told == [
        "face.emotions.en.srt: damaged: not as this program wrote it; --force writes it anew",
        "other.emotions.csv: foreign: named like an output, but no meta file knows it",
        "1998/empty.emotions.meta.json: stale: its video empty.mp4 is gone",
        "1998/empty.emotions.csv: deleted",
        "1998/empty.emotions.meta.json: deleted",
        "1 video checked: 1 stale, 1 foreign, 1 damaged.",
    ]
    assert [key for key in twins.keys if "1998" in key] == []


def test_outputs_go_from_a_bucket_to_a_folder_and_back(twins: Bucket) -> None:
    assert run(f"{twins.url}/films", "-o", "mirror").last_line == "2 videos: 1 annotated, 1 without faces."
    assert run("films", "-o", f"{twins.url}/mirror").last_line == "2 videos: 1 annotated, 1 without faces."
    here = sorted(path.relative_to("mirror").as_posix() for path in Path("mirror").rglob("*") if path.is_file())
    assert [key.removeprefix("mirror/") for key in twins.keys if key.startswith("mirror/")] == here
    for name in ("face.emotions.csv", "face.emotions.en.srt", "1998/empty.emotions.csv"):
        assert twins.get(f"mirror/{name}") == Path("mirror", name).read_bytes() == Path("films", name).read_bytes()
    assert run(f"{twins.url}/films", "-o", "mirror").last_line == "2 videos: 2 up to date."
    assert run("films", "-o", f"{twins.url}/mirror").last_line == "2 videos: 2 up to date."
    assert run("check", "films", "--output-dir", f"{twins.url}/mirror").last_line == "2 videos checked: all is well."


def test_patterns_and_hidden_keys(bucket: Bucket, empty_clip: Path) -> None:
    for key in ("a.mp4", "b.mp4", ".c.mp4", ".d/e.mp4", "f/g.mp4", "f/", "notes.txt", "f/.annotate-x.mp4"):
        bucket.put(key, b"" if key.endswith("/") else empty_clip)
    answer = run(bucket.url, "--dry-run", "--exclude", "b*")
    assert answer.output.replace(f"{bucket.url}/", "").splitlines() == [
        "a.mp4: annotate: not annotated yet",
        "f/g.mp4: annotate: not annotated yet",
    ]


def test_a_key_that_is_no_path_is_said_and_the_others_are_done(bucket: Bucket, empty_clip: Path) -> None:
    bucket.put("films/a.mp4", empty_clip)
    bucket.put("films//b.mp4", empty_clip)
    answer = run(f"{bucket.url}/films")
    assert (answer.status, answer.last_line) == (1, "2 videos: 1 without faces, 1 failed.")
    assert f"failed: {bucket.url}/films//b.mp4: keys with empty parts" in answer.errors


def test_no_secret_is_told(bucket: Bucket, empty_clip: Path, tmp_path: Path) -> None:
    bucket.put("a.mp4", empty_clip)
    bucket.put("text.mp4", b"no video" * 100)
    answer = run("-v", bucket.url, "--log", tmp_path / "log.jsonl")
    assert answer.last_line == "2 videos: 1 without faces, 1 failed."
    stored = b"".join(bucket.get(key) for key in bucket.keys).decode(errors="replace")
    told = answer.output + answer.errors + (tmp_path / "log.jsonl").read_text() + stored
    assert (SECRET in told, KEY in told) == (False, False)


@pytest.mark.parametrize(
    "address",
    [
        "s3://user:pa55word@archive/films",
        "https://user:pa55word@archive/films",
        "s3://archive/a.mp4?X-Amz-Signature=pa55word",
        "s3://archive/a.mp4?AWSAccessKeyId=pa55word",
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(address: str) -> None:
    answer = run(address)
    assert (answer.status, "pa55word" in answer.errors + answer.output) == (2, False)
    assert "an address with credentials or a signature in it is not taken" in answer.errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gs://archive"], "gs://archive: only s3:// addresses are known"),
        (["s3://"], "s3://: no name of a bucket"),
        (["s3://archive/a//b"], "s3://archive/a//b: keys with empty parts"),
        (["s3://archive", "."], "files of this machine and s3:// addresses are not done in one run"),
        (["render", "s3://archive"], "s3://archive: this is done with files of this machine only"),
        (["plot", "s3://archive/a.mp4"], "s3://archive/a.mp4: this is done with files of this machine only"),
        (["serve", "s3://archive"], "s3://archive: this is done with files of this machine only"),
        (["report", "s3://archive", "-o", "s3://archive/a.html"], "s3://archive/a.html: this is done with files"),
    ],
)
def test_addresses_that_are_not_taken(arguments: list[str], sentence: str) -> None:
    answer = run(*arguments)
    assert (answer.status, sentence in answer.errors) == (2, True), answer.errors


def test_a_missing_extra_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.extras.find_spec", lambda name: None)
    answer = run("s3://archive/films")
    assert (answer.status, "pip install 'annotate[cloud]' brings it" in answer.errors) == (2, True)


@pytest.mark.usefixtures("fresh_client")
def test_missing_credentials_are_a_sentence(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    answer = run(bucket.url)
    assert (answer.status, f"failed: {bucket.url}: there are no credentials" in answer.errors) == (1, True)


@pytest.mark.usefixtures("fresh_client")
def test_a_store_that_cannot_be_reached_is_a_sentence_without_its_address(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:pa55word@127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(S3Client().filesystem, "retries", 1)
    answer = run("-v", "summarize", bucket.url)
    assert answer.status == 1
    assert f"left out: {bucket.url}: the store cannot be reached, " in answer.errors
    assert "pa55word" not in answer.errors + answer.output


def test_nothing_of_it_is_loaded_for_local_files() -> None:
    code = (
        "import sys, annotate.cli.main, annotate.batch.annotate, annotate.analytics.read; "
        "print({'fsspec', 's3fs', 'botocore'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert answer.stdout == b"set()\n"


def test_worker_processes_have_their_own_access_and_end_with_ctrl_c(bucket: Bucket, face_clip: Path, tmp_path: Path) -> None:
    """Nothing is left in scratch, and no claim; the next run does the rest."""
    for number in range(40):
        bucket.put(f"{number}.mp4", face_clip)
    command = [sys.executable, "-m", "annotate", bucket.url, "--jobs", "2", "--scratch", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    deadline_s = time.monotonic() + 60
    while not any(key.endswith(".meta.json") for key in bucket.keys) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert b"left to do; run the same command again to go on" in errors
    assert os.listdir(tmp_path) == []
    assert [key for key in bucket.keys if key.endswith(".lock")] == []
    metas = [json.loads(bucket.get(key)) for key in bucket.keys if key.endswith(".meta.json")]
    assert 0 < len(metas) < 40
    assert {meta["faces"] for meta in metas} == {1}
