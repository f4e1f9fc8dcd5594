"""A cluster that speaks to those only who have a certificate."""

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
    """Settings of Dask, as its configuration or its environment has them."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    own, trusted = tmp_path / "own.pem", tmp_path / "trusted.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(own))
    authority.cert_pem.write_to_path(str(trusted))
    settings = {"distributed.comm.tls.ca-file": str(trusted), "distributed.comm.require-encryption": "True"}
    for role in ("scheduler", "worker", "client"):
        settings |= {f"distributed.comm.tls.{role}.cert": str(own), f"distributed.comm.tls.{role}.key": str(own)}
    return settings


@pytest.fixture
def address(certificates: dict[str, str]) -> Iterator[str]:
    """A scheduler's with one worker, in this process."""
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


def test_with_a_certificate_jobs_are_done(
    tmp_path: Path, empty_clip: Path, address: str, certificates: dict[str, str]
) -> None:
    assert address.startswith("tls://")
    job = job_for(empty_clip, Outputs(tmp_path / "a"))
    with dask.config.set(certificates):
        workers = client.ClusterExecutor(address)
    assert workers.submit(annotate_task, job).result(60).status is Status.NO_FACES
    workers.close()


def test_without_one_a_sentence_says_so(address: str) -> None:
    empty = {f"distributed.comm.tls.{name}": None for name in ("ca-file", "client.cert", "client.key")}
    with dask.config.set(empty), pytest.raises(SettingsError, match="needs certificates"):
        client.ClusterExecutor(address)


def test_one_of_another_authority_is_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_CONNECT_TIMEOUT_S", 2.0)
    authority, other = trustme.CA(), tmp_path / "other.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(other))
    own = {f"distributed.comm.tls.client.{what}": str(other) for what in ("cert", "key")}
    with dask.config.set(own), pytest.raises(ClusterError, match="no scheduler answers there"):
        client.ClusterExecutor(address)
