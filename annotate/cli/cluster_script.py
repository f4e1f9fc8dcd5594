"""``annotate cluster-script``: print scripts that start a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable

import click

from annotate.cli import console
from annotate.cli.options import CommandGroup, handle_errors, verbosity
from annotate.cluster.scripts.render import SlurmJob, container, manifest
from annotate.extras import check_extra

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_WALLTIME = re.compile(r"(\d+-)?\d{1,3}(:\d\d){0,2}")
_QUANTITY = re.compile(r"\d+(\.\d+)?(Ki|Mi|Gi|Ti|k|M|G|T)?")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_WORD = re.compile(r"[A-Za-z0-9_.,:+-]+")
_BYTES = re.compile(r"\d+(\.\d+)? ?([KMGT]i?B?|B)")


def _like(example: str, form: re.Pattern[str]) -> Callable[..., str | None]:
    """Return a callback that accepts only text of a form, so that no option can inject code into a script."""

    def check(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value is not None and form.fullmatch(value) is None:
            raise click.BadParameter(f"{value!r} does not look like {example}.")
        return value

    return check


@click.group("cluster-script", cls=CommandGroup)
@verbosity
def cluster_script() -> None:
    """Print scripts that start a cluster, to be reviewed and edited.

    For SLURM, Kubernetes, or a tool that builds containers.
    """


@cluster_script.command(epilog="\b\nExample:\n  annotate cluster-script slurm --cores 16 --array 4 > workers.sh")
@handle_errors
@click.option(
    "--scheduler",
    metavar="FILE|ADDRESS",
    default="scheduler.json",
    show_default=True,
    help="Scheduler file on a disk that all machines share, or address.",
)
@click.option(
    "--cores", metavar="N", type=click.IntRange(1), default=8, show_default=True, help="Workers per job, one core each."
)
@click.option(
    "--memory",
    metavar="SIZE",
    callback=_like("16GB", _BYTES),
    default="8GB",
    show_default=True,
    help="Memory per job, shared by its workers.",
)
@click.option(
    "--walltime",
    metavar="TIME",
    callback=_like("24:00:00", _WALLTIME),
    default="24:00:00",
    show_default=True,
    help="Time limit of a job; unfinished videos go to other jobs.",
)
@click.option("--partition", metavar="NAME", callback=_like("long", _WORD), help="SLURM partition.")
@click.option("--account", metavar="NAME", callback=_like("archive", _WORD), help="SLURM account.")
@click.option("--array", metavar="N", type=click.IntRange(1), help="Array size (number of jobs).")
@click.option("--setup", metavar="LINE", multiple=True, help="Shell line to run first; repeatable.")
@verbosity
def slurm(
    scheduler: str,
    cores: int,
    memory: str,
    walltime: str,
    partition: str | None,
    account: str | None,
    array: int | None,
    setup: tuple[str, ...],
) -> None:
    """Print a SLURM job script whose processes are workers."""
    check_extra("cluster-script slurm", "cluster", {"dask_jobqueue": "dask-jobqueue"})
    job = SlurmJob(scheduler, cores, memory, walltime, partition, account, array, setup)
    console.print_text(job.script().rstrip())


@cluster_script.command(epilog="\b\nExample:\n  annotate cluster-script kubernetes --workers 20 | kubectl apply -f -")
@handle_errors
@click.option(
    "--image",
    metavar="IMAGE",
    callback=_like("registry/annotate:0.1.0", _IMAGE),
    default="annotate",
    show_default=True,
    help="Container image.",
)
@click.option(
    "--namespace",
    metavar="NAME",
    callback=_like("annotate", _NAME),
    default="annotate",
    show_default=True,
    help="Namespace of all objects.",
)
@click.option(
    "--claim",
    metavar="NAME",
    callback=_like("archive", _NAME),
    default="archive",
    show_default=True,
    help="Volume claim that holds the archive.",
)
@click.option(
    "--workers", metavar="N", type=click.IntRange(1), default=8, show_default=True, help="Number of workers, one core each."
)
@click.option(
    "--memory",
    metavar="SIZE",
    callback=_like("1Gi", _QUANTITY),
    default="1Gi",
    show_default=True,
    help="Memory per worker.",
)
@click.option(
    "--tls-secret",
    metavar="NAME",
    callback=_like("annotate-tls", _NAME),
    help="Secret with tls.crt, tls.key and ca.crt; all connections then require certificates.",
)
@verbosity
def kubernetes(image: str, namespace: str, claim: str, workers: int, memory: str, tls_secret: str | None) -> None:
    """Print a Kubernetes manifest: scheduler, workers, and the job that annotates."""
    text = manifest(image=image, namespace=namespace, claim=claim, workers=workers, memory=memory, tls_secret=tls_secret)
    console.print_text(text.rstrip())


@cluster_script.command("container", epilog="\b\nExample:\n  annotate cluster-script container > Containerfile")
@handle_errors
@verbosity
def container_file() -> None:
    """Print a container file for scheduler and workers."""
    console.print_text(container().rstrip())
