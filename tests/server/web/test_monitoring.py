"""HTTPS, and what a monitor asks."""

from __future__ import annotations

import configparser
import contextlib
import http.client
import json
import re
import ssl
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from annotate.cli.main import main
from tests.server.conftest import Opener
from tests.server.helpers import finish, send
from tests.server.servers import serving

TOKEN = "a-token-for-this-test"


def test_health_needs_no_token(opener: Opener) -> None:
    client = opener(token=TOKEN)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/api/status").status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 404


def test_metrics_need_the_token(opener: Opener, empty_clip: Path) -> None:
    client = opener(token=TOKEN, metrics=True)
    assert client.get("/metrics").status_code == 401
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    finish(client, send(client, empty_clip)["id"])
    families = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    videos = {tuple(sample.labels.values()): sample.value for sample in families["annotate_videos"].samples}
    assert videos == {("upload", "annotated"): 1}
    orders = {tuple(sample.labels.values()): sample.value for sample in families["annotate_orders"].samples}
    assert (orders["annotate", "done"], orders["annotate", "failed"]) == (1, 0)
    assert families["annotate_disk_free_bytes"].samples[0].value > 0


def test_https_with_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with serving(tmp_path, "--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem") as server:
        with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", server.port, context=context)) as connection:
            connection.request("GET", "/uploads", headers={"Accept": "text/html"})
            answer = connection.getresponse()
            assert (answer.status, "Secure" in (answer.getheader("set-cookie") or "")) == (200, True)
        with pytest.raises((http.client.HTTPException, OSError)):
            server.get("/healthz")


@pytest.mark.parametrize(
    "files",
    [{"--tls-cert": "text"}, {"--tls-cert": "missing"}, {"--tls-key": "key"}, {"--tls-cert": "cert", "--tls-key": "other"}],
)
def test_certificates_that_do_not_fit_are_refused(tmp_path: Path, files: dict[str, str]) -> None:
    for name in ("cert", "other"):
        issued = trustme.CA().issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(tmp_path / name)
        issued.private_key_pem.write_to_path(tmp_path / ("key" if name == "cert" else "other"))
    (tmp_path / "text").write_text("no certificate")
    options = [part for option, name in files.items() for part in (option, str(tmp_path / name))]
    result = CliRunner().invoke(main, ["serve", "--port", "0", "--data", str(tmp_path / "data"), *options])
    assert result.exit_code == 2
    assert "--tls-" in result.stderr or str(tmp_path / files["--tls-cert"]) in result.stderr


def test_the_steps_of_the_container_recipe_work(opener: Opener) -> None:
    """Without an image: what it copies and installs exists, its commands are those of the program, and it is healthy."""
    root = Path(__file__).parents[3]
    text = (root / "annotate/server/Containerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()]
    assert [name for name in copied if not (root / name).exists()] == []
    (extras,) = re.findall(r"pip install .*'\.\[(.*)\]'", text)
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg")
    assert set(extras.split(",")) <= set(config["options.extras_require"])
    (command,) = re.findall(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)
    program, *arguments = json.loads(command)
    assert program == "annotate"
    result = CliRunner().invoke(main, [*arguments, "--help"])
    assert result.exit_code == 0
    assert all(option in result.stdout for option in arguments if option.startswith("--"))
    (path,) = re.findall(r"8765(/\w+)'", text)
    assert opener().get(path).status_code == 200
