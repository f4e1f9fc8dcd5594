"""Clusters that require TLS certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
import trustme
from distributed import LocalCluster
from distributed.security import Security

from annotate.archive.layout import Outputs
from annotate.batch.job import Status
from annotate.batch.run import annotate_task
from annotate.cluster import client
from annotate.errors import ClusterError, SettingsError
from tests.runs import job_for


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """Dask configuration with a certificate and its authority."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate_file, authority_file = tmp_path / "certificate.pem", tmp_path / "authority.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(certificate_file))
    authority.cert_pem.write_to_path(str(authority_file))
    settings = {"distributed.comm.tls.ca-file": str(authority_file), "distributed.comm.require-encryption": "True"}
    for role in ("scheduler", "worker", "client"):
        for kind in ("cert", "key"):
            settings[f"distributed.comm.tls.{role}.{kind}"] = str(certificate_file)
    return settings


@pytest.fixture
def address(certificates: dict[str, str]) -> Iterator[str]:
    """Address of a scheduler with one worker, in this process."""
    with (
        dask.config.set(certificates),
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tls://",
            host="127.0.0.1",
            dashboard_address=None,
            security=Security(),
        ) as running,
    ):
        yield str(running.scheduler_address)


def test_a_client_with_a_certificate_can_run_jobs(
    tmp_path: Path, empty_clip: Path, address: str, certificates: dict[str, str]
) -> None:
    assert address.startswith("tls://")
    job = job_for(empty_clip, Outputs(tmp_path / "a"))
    with dask.config.set(certificates):
        workers = client.ClusterExecutor(address)
    assert workers.submit(annotate_task, job).result(60).status is Status.NO_FACES
    workers.close()


def test_a_client_without_a_certificate_is_an_error(address: str) -> None:
    empty = {f"distributed.comm.tls.{name}": None for name in ("ca-file", "client.cert", "client.key")}
    with dask.config.set(empty), pytest.raises(SettingsError, match="certificates"):
        client.ClusterExecutor(address)


def test_a_certificate_of_another_authority_is_rejected(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_CONNECT_TIMEOUT_S", 2.0)
    authority, other = trustme.CA(), tmp_path / "other.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(other))
    settings = {f"distributed.comm.tls.client.{kind}": str(other) for kind in ("cert", "key")}
    with dask.config.set(settings), pytest.raises(ClusterError, match="scheduler"):
        client.ClusterExecutor(address)
