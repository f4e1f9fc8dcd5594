"""Commands over object storage: they print what they print for the same local files, and one line per error."""

from __future__ import annotations

import json
import os
import re
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
    """Annotated videos, shared by the tests of this module, which do not change them."""
    folder = tmp_path_factory.mktemp("local") / "films"
    (folder / "1998").mkdir(parents=True)
    shutil.copy(face_clip, folder / "face.mp4")
    shutil.copy(empty_clip, folder / "1998/empty.mp4")
    outcomes = list(annotate([folder]))
    assert [outcome.status for outcome in outcomes] == [Status.NO_FACES, Status.ANNOTATED]
    return folder


@pytest.fixture
def twins(bucket: Bucket, tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The current directory and a bucket hold the same annotated videos in ``films``."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(films, "films")
    for path in tmp_path.glob("films/**/*"):
        if path.is_file():
            bucket.put(str(path.relative_to(tmp_path)), path)
    return bucket


@pytest.mark.parametrize("command", [["summarize"], ["summarize", "--by", "minute"], ["find"], ["check"]])
def test_output_is_that_of_local_files(twins: Bucket, command: list[str]) -> None:
    here, there = run(*command, "films"), run(*command, f"{twins.url}/films")
    assert (there.status, here.status) == (0, 0)
    words = [line.split() for line in there.output.replace(f"{twins.url}/", "").splitlines() if "---" not in line]
    assert words == [line.split() for line in here.output.splitlines() if "---" not in line]
    assert here.output


def test_corrections_stand_beside_tables_there(twins: Bucket) -> None:
    def both(command: str, *options: str, video: str = "") -> str:
        here, there = (run(command, f"{films}{video}", *options) for films in ("films", f"{twins.url}/films"))
        assert (here.status, there.status) == (0, 0), there.errors
        words = [[word for word in one.output.split() if "---" not in word] for one in (here, there)]
        assert [word.replace(f"{twins.url}/", "") for word in words[1]] == words[0]
        return there.output

    fear = ("--face", "1", "--to", "1", "--emotion", "fear", "--author", "Ann")
    before = both("summarize")
    both("convert", "--format", "textgrid")
    both("correct", *fear, video="/face.mp4")
    assert b"fear" in twins.get("films/face.emotions.TextGrid")
    assert both("summarize") != before
    assert both("summarize", "--without-corrections") == before
    assert "0% kept" in both("summarize", "--corrections")
    both("correct", "--undo", video="/face.mp4")
    assert both("summarize") == before
    both("correct", "--redo", video="/face.mp4")
    both("check")
    assert twins.get("films/face.emotions.corrections.csv").count(b",fear,Ann,") == 1
    assert not [key for key in twins.keys if "lock" in key]


def test_lists_of_moments_hold_urls(twins: Bucket) -> None:
    assert run("find", f"{twins.url}/films", "-o", "moments.m3u").status == 0
    assert f"{twins.url}/films/face.mp4" in Path("moments.m3u").read_text().splitlines()


def test_the_html_report_plays_no_objects(twins: Bucket) -> None:
    answer = run("report", f"{twins.url}/films", "-o", "page.html")
    assert (answer.status, answer.last_line) == (0, "page.html: 2 videos.")
    assert answer.errors.startswith("page.html: 2 of 2 videos ")
    assert "--videos" in answer.errors
    page = Path("page.html").read_text()
    assert "1998/empty.mp4" in page
    assert SECRET not in page
    assert run("report", f"{twins.url}/films", "--videos", "films", "-o", "page.html").errors == ""


def test_convert_writes_what_it_writes_locally(twins: Bucket) -> None:
    assert run("convert", "films", "--format", "vtt,textgrid").status == 0
    assert (
        run("convert", f"{twins.url}/films", "--format", "vtt,textgrid").last_line
        == "2 videos: 1 without faces, 1 converted."
    )
    for ending in ("en.vtt", "TextGrid"):
        assert twins.get(f"films/face.emotions.{ending}") == Path(f"films/face.emotions.{ending}").read_bytes()


def test_check_lists_findings_and_deletes_stale_outputs(twins: Bucket) -> None:
    twins.put("films/face.emotions.en.srt", b"changed")
    twins.delete("films/1998/empty.mp4")
    twins.put("films/other.emotions.csv", b"somebody's")
    answer = run("check", f"{twins.url}/films", "--delete-stale")
    assert answer.status == 1
    *lines, totals = answer.output.replace(f"{twins.url}/films/", "").splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["face.emotions.en.srt", "damaged"],
        ["other.emotions.csv", "unknown"],
        ["1998/empty.emotions.meta.json", "stale"],
        ["1998/empty.emotions.csv", "deleted"],
        ["1998/empty.emotions.meta.json", "deleted"],
    ]
    assert "empty.mp4" in lines[2]
    assert totals == "1 video checked: 1 stale, 1 unknown, 1 damaged."
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
    assert run("check", "films", "--output-dir", f"{twins.url}/mirror").last_line == "2 videos checked: no problems."


def test_patterns_and_hidden_keys(bucket: Bucket, empty_clip: Path) -> None:
    for key in ("a.mp4", "b.mp4", ".c.mp4", ".d/e.mp4", "f/g.mp4", "f/", "notes.txt", "f/.annotate-x.mp4"):
        bucket.put(key, b"" if key.endswith("/") else empty_clip)
    answer = run(bucket.url, "--dry-run", "--exclude", "b*")
    *lines, totals = answer.output.replace(f"{bucket.url}/", "").splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["a.mp4", "annotate"], ["f/g.mp4", "annotate"]]
    assert totals.startswith("2 videos: 2 to annotate")


def test_a_key_with_an_empty_part_fails_alone(bucket: Bucket, empty_clip: Path) -> None:
    bucket.put("films/a.mp4", empty_clip)
    bucket.put("films//b.mp4", empty_clip)
    answer = run(f"{bucket.url}/films")
    assert (answer.status, answer.last_line) == (1, "2 videos: 1 without faces, 1 failed.")
    assert answer.failed == [f"{bucket.url}/films//b.mp4"]
    assert "empty parts" in answer.errors


def test_no_secret_is_printed_or_stored(bucket: Bucket, empty_clip: Path, tmp_path: Path) -> None:
    bucket.put("a.mp4", empty_clip)
    bucket.put("text.mp4", b"no video" * 100)
    answer = run("-v", bucket.url, "--log", tmp_path / "log.jsonl")
    assert answer.last_line == "2 videos: 1 without faces, 1 failed."
    stored = b"".join(bucket.get(key) for key in bucket.keys).decode(errors="replace")
    printed = answer.output + answer.errors + (tmp_path / "log.jsonl").read_text() + stored
    assert (SECRET in printed, KEY in printed) == (False, False)


@pytest.mark.parametrize(
    "address",
    [
        "s3://user:pa55word@archive/films",
        "https://user:pa55word@archive/films",
        "s3://archive/a.mp4?X-Amz-Signature=pa55word",
        "s3://archive/a.mp4?AWSAccessKeyId=pa55word",
    ],
)
def test_a_url_with_a_secret_is_refused_and_not_repeated(address: str) -> None:
    answer = run(address)
    assert (answer.status, "pa55word" in answer.errors + answer.output) == (2, False)
    assert "credentials" in answer.errors


@pytest.mark.parametrize(
    ("arguments", "path", "problem"),
    [
        (["gs://archive"], "gs://archive: ", "s3://"),
        (["s3://"], "s3://: ", "bucket"),
        (["s3://archive/a//b"], "s3://archive/a//b: ", "empty parts"),
        (["s3://archive", "."], "", "local"),
        (["render", "s3://archive"], "s3://archive: ", "only"),
        (["plot", "s3://archive/a.mp4"], "s3://archive/a.mp4: ", "only"),
        (["serve", "s3://archive"], "s3://archive: ", "only"),
        (["report", "s3://archive", "-o", "s3://archive/a.html"], "s3://archive/a.html: ", "only"),
    ],
)
def test_unusable_urls_are_refused(arguments: list[str], path: str, problem: str) -> None:
    answer = run(*arguments)
    assert (answer.status, answer.output) == (2, "")
    assert f": {path}" in answer.errors
    assert problem in answer.errors.split(f": {path}")[-1]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.extras.find_spec", lambda name: None)
    answer = run("s3://archive/films")
    assert answer.status == 2
    assert "`pip install 'annotate-video[cloud]'`" in answer.errors
    assert "`pip install '.[cloud]'`" in answer.errors


@pytest.mark.usefixtures("fresh_client")
def test_missing_credentials_are_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    answer = run(bucket.url)
    assert (answer.status, answer.failed) == (1, [bucket.url])
    assert "credentials" in answer.errors


@pytest.mark.usefixtures("fresh_client")
def test_an_unreachable_store_is_reported_without_its_endpoint(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:pa55word@127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(S3Client().filesystem, "retries", 1)
    answer = run("-v", "summarize", bucket.url)
    assert (answer.status, answer.skipped) == (1, [bucket.url])
    assert "store" in answer.errors
    assert "pa55word" not in answer.errors + answer.output


def test_local_files_load_no_s3_package() -> None:
    code = (
        "import sys, annotate.cli.main, annotate.batch.annotate, annotate.analytics.read; "
        "print({'fsspec', 's3fs', 'botocore'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert answer.stdout == b"set()\n"


def test_worker_processes_connect_themselves_and_stop_on_ctrl_c(bucket: Bucket, face_clip: Path, tmp_path: Path) -> None:
    """No download and no lock is left behind."""
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
    assert re.search(rb"^Interrupted: \d+ ", errors, re.MULTILINE)
    assert os.listdir(tmp_path) == []
    assert [key for key in bucket.keys if key.endswith(".lock")] == []
    metas = [json.loads(bucket.get(key)) for key in bucket.keys if key.endswith(".meta.json")]
    assert 0 < len(metas) < 40
    assert {meta["faces"] for meta in metas} == {1}
