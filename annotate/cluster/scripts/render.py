"""The texts that start a cluster, filled in."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template

MANIFEST, CONTAINER = "kubernetes.yaml", "Containerfile"

ALLOWED_FAILURES = "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"
"""Of a scheduler's environment: deaths of workers that a task survives."""

_DEATH_TIMEOUT_S = 300


@dataclass(frozen=True)
class SlurmJob:
    """A SLURM job that is workers of one machine: as many as ``cores``, each of one thread, sharing ``memory``.

    ``scheduler`` is an address, or the path of a scheduler's file. ``setup`` are lines of shell that come first. With
    ``array`` there are so many such jobs.
    """

    scheduler: str
    cores: int
    memory: str
    walltime: str
    partition: str | None = None
    account: str | None = None
    array: int | None = None
    setup: Sequence[str] = ()

    def script(self) -> str:
        """What `sbatch` takes, as dask-jobqueue writes it."""
        from dask_jobqueue.slurm import SLURMJob

        directives = [] if self.array is None else [f"--array=1-{self.array}"]
        job = SLURMJob(  # type: ignore[no-untyped-call]
            scheduler=self.scheduler if "://" in self.scheduler else f"--scheduler-file {shlex.quote(self.scheduler)}",
            name="annotate-${SLURM_JOB_ID:-$$}",
            job_name="annotate",
            cores=self.cores,
            processes=self.cores,
            memory=self.memory,
            walltime=self.walltime,
            queue=self.partition,
            account=self.account,
            python="python3",
            nanny=True,
            death_timeout=_DEATH_TIMEOUT_S,
            job_extra_directives=directives,
            job_script_prologue=list(self.setup),
            worker_extra_args=["--no-dashboard"],
            protocol="tls" if self.scheduler.startswith("tls://") else "tcp",
        )
        script: str = job.job_script()  # type: ignore[no-untyped-call]
        return script


def manifest(*, image: str, namespace: str, claim: str, workers: int, memory: str, tls_secret: str | None = None) -> str:
    """A Kubernetes manifest: a scheduler, ``workers`` of one core each, and the job that annotates.

    ``tls_secret`` is the name of a secret with ``tls.crt``, ``tls.key`` and ``ca.crt``, which all of them then use.
    """
    encryption = dict.fromkeys(("tls_environment", "tls_mount", "tls_volume"), "")
    if tls_secret is not None:
        names = {"REQUIRE_ENCRYPTION": '"True"', "TLS__CA_FILE": "/tls/ca.crt"}
        for role in ("SCHEDULER", "WORKER", "CLIENT"):
            names |= {f"TLS__{role}__CERT": "/tls/tls.crt", f"TLS__{role}__KEY": "/tls/tls.key"}
        encryption = {
            "tls_environment": "".join(
                f"{'':16}- {{name: DASK_DISTRIBUTED__COMM__{name}, value: {value}}}\n" for name, value in names.items()
            ),
            "tls_mount": f"{'':16}- {{name: tls, mountPath: /tls, readOnly: true}}\n",
            "tls_volume": f"{'':12}- {{name: tls, secret: {{secretName: {tls_secret}}}}}\n",
        }
    return Template(_read(MANIFEST)).substitute(
        image=image,
        namespace=namespace,
        claim=claim,
        workers=workers,
        memory=memory,
        scheme="tcp" if tls_secret is None else "tls",
        **encryption,
    )


def container() -> str:
    """A container file; its steps suppose a clone of the project."""
    return _read(CONTAINER)


def _read(name: str) -> str:
    return resources.files("annotate.cluster.scripts").joinpath(name).read_text(encoding="utf-8")
