"""``annotate serve``: start the web server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from annotate.cli import console
from annotate.cli.analysis_options import analysis_options
from annotate.cli.options import PathOrUrlType, full_stop, handle_errors, jobs_option, verbosity_options
from annotate.errors import SettingsError
from annotate.extras import check_extra
from annotate.server.settings import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    ServeSettings,
    choose_token,
    parse_duration_s,
    parse_size_bytes,
)
from annotate.settings import Settings, available_cores

_PACKAGES = {
    "fastapi": "FastAPI",
    "uvicorn": "uvicorn",
    "sse_starlette": "sse-starlette",
    "jinja2": "Jinja2",
    "PIL": "Pillow",
}


def _parsed(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """Return a callback that parses a value with a function that raises ValueError."""

    def check(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise click.BadParameter(full_stop(error)) from None

    return check


@click.command(epilog="\b\nExample:\n  annotate serve films --port 0")
@handle_errors
@click.argument("directory", metavar="[DIR]", required=False, type=PathOrUrlType(remote=False))
@click.option(
    "--data",
    metavar="FOLDER",
    type=PathOrUrlType(remote=False, file_okay=False),
    help="Folder of uploads, results and the queue.  [default: in the user's data folder]",
)
@click.option(
    "--host", default=DEFAULT_HOST, show_default=True, help="Address to listen on; any but the local ones require a token."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 picks a free port.",
)
@click.option(
    "--token",
    envvar="ANNOTATE_TOKEN",
    default="",
    help="Token that clients must send; generated if one is required and none given.",
)
@click.option("--name", "names", metavar="NAME", multiple=True, help="Another host name of this server; repeatable.")
@jobs_option()
@click.option("--write", is_flag=True, help="Write results beside the videos of DIR, not to the data folder.")
@click.option("--follow-links", is_flag=True, help="Include linked directories, and links to files outside DIR.")
@click.option(
    "--keep",
    "keep_s",
    metavar="TIME",
    callback=_parsed(parse_duration_s),
    help="Delete uploads older than this (such as 7d).",
)
@click.option(
    "--max-upload",
    "max_upload_bytes",
    metavar="SIZE",
    default="10G",
    show_default=True,
    callback=_parsed(parse_size_bytes),
    help="Maximum size of an upload.",
)
@click.option(
    "--max-uploads",
    metavar="N",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Maximum number of uploads kept.",
)
@click.option(
    "--tls-cert",
    metavar="FILE.pem",
    type=PathOrUrlType(remote=False, dir_okay=False),
    help="Certificate chain; the server then speaks HTTPS.",
)
@click.option(
    "--tls-key",
    metavar="FILE.pem",
    type=PathOrUrlType(remote=False, dir_okay=False),
    help="Private key of the certificate, if it is not in the same file.",
)
@click.option("--metrics", is_flag=True, help="Serve figures for Prometheus at /metrics.")
@analysis_options
@verbosity_options
def serve(
    directory: Path | None,
    data: Path | None,
    jobs: int | None,
    host: str,
    token: str,
    settings: Settings,
    quiet: bool,
    **options: Any,
) -> None:
    """Start a web server: upload videos, watch progress, play and download results.

    With DIR it also shows that archive: folders, states, search, moments and players.
    """
    check_extra("annotate serve", "serve", _PACKAGES)
    if directory is not None and not directory.is_dir():
        remedy = "check the name, or leave it out to serve uploads only"
        raise SettingsError("no such directory", remedy, path=directory)
    if options["tls_key"] is not None and options["tls_cert"] is None:
        raise SettingsError("--tls-key without --tls-cert", "give the certificate too")
    if options["metrics"]:
        check_extra("--metrics", "metrics", {"prometheus_client": "prometheus_client"})
    served = ServeSettings(
        data=(data or _default_folder()).absolute(),
        directory=directory.absolute() if directory is not None else None,
        host=host,
        token=choose_token(host, token),
        jobs=jobs or available_cores(),
        analysis=settings,
        **options,
    )
    _serve(served, quiet=quiet)


def _serve(settings: ServeSettings, *, quiet: bool) -> None:
    from annotate.server.service import Service
    from annotate.server.web.listen import bind, server_url
    from annotate.server.web.listen import serve as serve_until_end
    from annotate.server.web.schemas import event_of

    with bind(settings) as listening:
        settings = dataclasses.replace(settings, port=listening.getsockname()[1])
        service = Service(settings, event_of)

        def ready() -> None:
            console.print_text(f"Serving at {server_url(settings, listening)}")
            if not quiet:
                console.say(f"Data folder: {settings.data}. Press Ctrl-C to stop; the queue is kept.")

        serve_until_end(service, listening, ready)


def _default_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("annotate", appauthor=False) / "serve"
