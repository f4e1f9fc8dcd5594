"""Scripts that start a cluster: valid for their tools, and with the requested options."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from distributed import Client, LocalCluster

from annotate.cluster.scripts.render import ALLOWED_FAILURES, SlurmJob, container, manifest
from annotate.version import VERSION
from tests.cli.answers import run

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 30.0


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Path]:
    """Path of the scheduler file of a cluster without workers."""
    file = tmp_path / "scheduler with spaces.json"
    with (
        LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.write_scheduler_file(str(file))
        yield file


def test_a_slurm_script_has_the_requested_options() -> None:
    script = run(
        *["cluster-script", "slurm", "--cores", "4", "--memory", "16GB", "--walltime", "08:00:00", "--partition", "long"],
        *["--account", "archive", "--array", "10", "--setup", "module load python/3.12"],
    ).output
    directives = dict(re.findall(r"^#SBATCH (-\S+?)[ =](.*)$", script, re.MULTILINE))
    assert directives["-J"] == "annotate"
    assert directives["--cpus-per-task"] == "4"
    assert directives["--mem"] == "15G"
    assert directives["-t"] == "08:00:00"
    assert directives["-p"] == "long"
    assert directives["-A"] == "archive"
    assert directives["--array"] == "1-10"
    lines = script.splitlines()
    assert lines.index("module load python/3.12") < len(lines) - 1
    words = shlex.split(lines[-1])
    assert words[words.index("--nthreads") + 1] == "1"
    assert words[words.index("--nworkers") + 1] == "4"
    assert words[words.index("--scheduler-file") + 1] == "scheduler.json"


def test_workers_of_a_slurm_script_connect(tmp_path: Path, scheduler: Path) -> None:
    script = tmp_path / "worker.sh"
    script.write_text(SlurmJob(str(scheduler), 2, "2GB", "1:00").script().replace("python3 ", f"{sys.executable} "))
    process = subprocess.Popen(["bash", str(script)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with Client(scheduler_file=str(scheduler), set_as_default=False) as client:
            client.wait_for_workers(2, timeout=TIMEOUT_S)
            assert list(client.nthreads().values()) == [1, 1]
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


@pytest.mark.parametrize(
    "option",
    [
        ["slurm", "--memory", "8GB\nrm"],
        ["slurm", "--partition", "long; rm"],
        ["kubernetes", "--image", "a\nb: c"],
        ["kubernetes", "--namespace", "An_notate"],
    ],
)
def test_values_that_could_inject_code_are_rejected(option: list[str]) -> None:
    answer = run("cluster-script", *option)
    assert answer.status == 2
    assert option[1] in answer.errors


@pytest.fixture
def items() -> dict[tuple[str, str], Any]:
    """The objects of a manifest by kind and name."""
    text = run(
        *["cluster-script", "kubernetes", "--image", "registry.example/annotate:1", "--namespace", "films"],
        *["--claim", "tapes", "--workers", "40", "--memory", "2Gi"],
    ).output
    return {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load(text)["items"]}


def test_a_manifest_is_valid(items: dict[tuple[str, str], Any]) -> None:
    assert len(items) == 6
    for item in items.values():
        kubernetes_validate.validate(item, kubernetes_validate.latest_version(), strict=True)
    broken = dict(items[("Deployment", "annotate-worker")], spec={"replicas": "many"})
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)


def test_a_manifest_has_the_requested_options(items: dict[tuple[str, str], Any]) -> None:
    workers = items[("Deployment", "annotate-worker")]
    assert workers["spec"]["replicas"] == 40
    assert {item["metadata"].get("namespace", "films") for item in items.values()} == {"films"}
    pods = [item["spec"]["template"]["spec"] for item in items.values() if "template" in item.get("spec", {})]
    assert len(pods) == 3
    for pod in pods:
        (container_of_pod,) = pod["containers"]
        assert container_of_pod["image"] == "registry.example/annotate:1"
        assert not pod["automountServiceAccountToken"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container_of_pod["securityContext"]["readOnlyRootFilesystem"]
        assert {"name": ALLOWED_FAILURES, "value": "2"} in container_of_pod["env"]
    assert workers["spec"]["template"]["spec"]["volumes"][1] == {
        "name": "archive",
        "persistentVolumeClaim": {"claimName": "tapes"},
    }
    assert workers["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] == {"memory": "2Gi"}


def test_commands_of_a_manifest_exist(items: dict[tuple[str, str], Any]) -> None:
    """The help of each command lists all options that the manifest gives it."""
    pods = [item["spec"]["template"]["spec"] for item in items.values() if "template" in item.get("spec", {})]
    for words in [pod["containers"][0]["command"] for pod in pods]:
        program = [sys.executable, "-m", "annotate"] if words[0] == "annotate" else [sys.executable, "-m", "dask", words[1]]
        help_text = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True).stdout
        options = [word for word in words if word.startswith("--")]
        assert options
        assert all(option in help_text or option.replace("--no-", "--") in help_text for option in options)
    service = items[("Service", "annotate-scheduler")]
    assert service["spec"]["ports"][0]["port"] == 8786
    assert f"tcp://{service['metadata']['name']}:8786" in pods[1]["containers"][0]["command"]


def test_with_a_tls_secret_all_connections_require_certificates() -> None:
    text = run("cluster-script", "kubernetes", "--tls-secret", "own-tls").output
    pods = [item["spec"]["template"]["spec"] for item in yaml.safe_load(text)["items"] if "template" in item.get("spec", {})]
    for pod in pods:
        (container_of_pod,) = pod["containers"]
        settings = {setting["name"]: setting["value"] for setting in container_of_pod["env"]}
        assert settings["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "True"
        assert settings["DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY"] == "/tls/tls.key"
        assert {"name": "tls", "mountPath": "/tls", "readOnly": True} in container_of_pod["volumeMounts"]
        assert {"name": "tls", "secret": {"secretName": "own-tls"}} in pod["volumes"]
    assert "tls://annotate-scheduler:8786" in pods[1]["containers"][0]["command"]
    for item in yaml.safe_load(text)["items"]:
        kubernetes_validate.validate(item, kubernetes_validate.latest_version(), strict=True)


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container file with their arguments."""
    lines = [line for line in container().splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_a_container_runs_without_privileges() -> None:
    known = dict(instructions())
    assert known["USER"] == "1000:1000"
    assert known["ENTRYPOINT"] == '["annotate"]'
    for _, copied in [pair for pair in instructions() if pair[0] == "COPY"]:
        assert all((ROOT / name).exists() for name in copied.split()[:-1])


@pytest.mark.slow
def test_the_steps_of_the_container_file_work(tmp_path: Path) -> None:
    """Run without a container engine, in a folder and a new virtual environment."""
    environment, folder = tmp_path / "python", tmp_path / "work"
    venv.create(environment, with_pip=True)
    folder.mkdir()
    path = {"PATH": f"{environment}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    for word, rest in instructions():
        if word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy2(ROOT / source, folder / target)
        elif word == "RUN":
            subprocess.run(["sh", "-e", "-c", rest], cwd=folder, env=path, check=True, capture_output=True)
    answer = subprocess.run(["annotate", "--version"], cwd=tmp_path, env=path, check=True, capture_output=True, text=True)
    assert VERSION in answer.stdout


def test_a_manifest_has_no_unfilled_placeholders() -> None:
    assert "$" not in manifest(image="a", namespace="b", claim="c", workers=1, memory="1Gi")
