"""Access control, and validation of names and bodies. See SECURITY.md."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from annotate.errors import SettingsError
from annotate.server.data_dir import check_upload_name
from annotate.server.settings import choose_token
from annotate.server.web import api, pages
from tests.server.conftest import Opener
from tests.server.helpers import by_name, finish, send, service_of, wait_until

TOKEN = "correct-horse-battery-staple"
ODD_NAMES = (
    "<b>&\"'.mp4",
    "a:b,c[d]%e{f}.mp4",
    "名前 пример.mp4",
    "-x.mp4",
    "$(touch x).mp4",
    "=1+1.mp4",
    "\u202egpj.mp4",
)


def all_routes() -> list[tuple[str, str]]:
    """Return method and path of every route, with ids that do not exist."""
    found = [("GET", "/static/style.css"), ("GET", "/api/openapi.json"), ("GET", "/nowhere")]
    for route in (*pages.router.routes, *api.router.routes):
        assert isinstance(route, APIRoute)
        path = re.sub(r"\{[^}]*\}", "x", re.sub(r"\{format\}", "csv", route.path))
        found += [(method, path) for method in sorted(route.methods)]
    return found


def test_every_route_requires_the_token(opener: Opener) -> None:
    client = opener(host="0.0.0.0", token=TOKEN)
    routes = all_routes()
    assert len(routes) > 20
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": TOKEN},
        {"Cookie": "annotate_pass_8765=x"},
    )
    for method, path in routes:
        for headers in wrong:
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert TOKEN not in answer.text
    assert client.get("/api/status", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_first_link_sets_a_cookie_and_the_token_is_never_logged(
    opener: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = opener(host="0.0.0.0", token=TOKEN)
    assert client.get("/", params={"token": TOKEN[:-1] + "x"}, follow_redirects=False).status_code == 401
    answer = client.get("/archive", params={"token": TOKEN, "q": "a b"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/archive?q=a+b")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert TOKEN not in cookie
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["referrer-policy"] == "no-referrer"
    again = client.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (303, "/")
    away = client.get("http://127.0.0.1:8765//evil.example/", params={"token": TOKEN}, follow_redirects=False)
    assert away.headers["location"] == "/evil.example/"
    assert "GET /archive: 303" in caplog.text
    own = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert TOKEN not in own


def test_a_token_is_generated_for_network_addresses_and_must_be_long() -> None:
    assert choose_token("127.0.0.1", "") == choose_token("::1", "") == choose_token("localhost", "") == ""
    first, second = choose_token("0.0.0.0", ""), choose_token("192.168.1.5", "")
    assert first != second
    assert len(first) >= 32
    assert choose_token("0.0.0.0", TOKEN) == choose_token("127.0.0.1", TOKEN) == TOKEN
    for weak in ("short", "with spaces in it all", "кириллица-кириллица"):
        with pytest.raises(SettingsError, match="16 characters"):
            choose_token("127.0.0.1", weak)


def test_unknown_host_names_are_rejected(opener: Opener) -> None:
    client = opener()
    for host in ("127.0.0.1:8765", "localhost:8765", "[::1]:8765", "LOCALHOST"):
        assert client.get("/api/status", headers={"Host": host}).status_code == 200, host
    for host in (
        "evil.example",
        "evil.example:8765",
        "192.168.1.5:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
    ):
        assert client.get("/api/status", headers={"Host": host}).status_code == 421, host


def test_in_a_network_ip_addresses_and_given_names_are_accepted(opener: Opener) -> None:
    client = opener(host="0.0.0.0", token=TOKEN, names=("films.example",))
    for host, status in (("192.168.1.5:80", 401), ("films.example", 401), ("evil.example", 421)):
        assert client.get("/", headers={"Host": host}).status_code == status, host


OWN = "http://127.0.0.1:8765"
ALLOWED = ({}, {"Origin": OWN}, {"Origin": OWN, "Sec-Fetch-Site": "same-origin"})
REFUSED = (
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


def test_other_sites_cannot_post(opener: Opener) -> None:
    client = opener()
    for headers in REFUSED:
        assert client.put("/api/uploads/a.mp4", content=b"x", headers=headers).status_code == 403, headers
        for path in ("/api/archive/annotate", "/api/videos/u0000000000000000/annotate"):
            assert client.post(path, headers=headers).status_code == 403
        assert client.delete("/api/videos/u0000000000000000", headers=headers).status_code == 403
    assert client.get("/api/uploads").json()["total"] == 0
    for headers in ALLOWED:
        assert client.put("/api/uploads/a.mp4", content=b"x", headers=headers).status_code == 201, headers


def test_pages_allow_only_their_own_scripts(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    video = by_name(client, "a.mp4")
    for path in ("/", "/archive", f"/videos/{video['id']}", "/api"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in policy
        for tag in re.findall(r"<script[^>]*>", answer.text):
            assert " src=" in tag
        assert not re.search(r"\son\w+=|style=", answer.text)
        assert "https://" not in answer.text.replace("https://www.w3.org", "")


def test_uploads_are_never_served_as_pages(opener: Opener) -> None:
    client = opener()
    for name in ("page.html", "page.svg", "page.js", "page.mp4"):
        video = client.put(f"/api/uploads/{name}", content=b"<script>alert(1)</script>").json()
        answer = client.get(f"/api/videos/{video['id']}/file")
        assert answer.headers["content-type"] in ("application/octet-stream", "video/mp4")
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["x-content-type-options"] == "nosniff"


BAD_NAMES = [
    "..",
    ".",
    "../a.mp4",
    "a/../../b.mp4",
    "/etc/passwd",
    "..\\a.mp4",
    "a\0.mp4",
    "a\n.mp4",
    ".hidden.mp4",
    "a" * 252 + ".mp4",
    "я" * 120 + ".mp4",
    "a.emotions.csv",
    "a.emotions.meta.json",
]


def test_archive_names_that_are_not_valid_unicode_are_served(opener: Opener, archive: Path, empty_clip: Path) -> None:
    folder = os.fsencode(archive) + b"/caf\xe9"
    os.mkdir(folder)
    for name in (b"caf\xe9\xff.mp4", b"new\nline.mp4", b"\x1b[2J.mp4"):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(empty_clip.read_bytes())
    client = opener(directory=archive)
    by_name(client, "new")
    top = client.get("/api/archive").json()
    assert [one["folder"] for one in top["folders"]] == ["below", "caf\\xe9"]
    assert client.post("/api/archive/annotate", params={"folder": "caf\\xe9"}).json() == {"ordered": 3}
    videos = client.get("/api/archive", params={"folder": "caf\\xe9"}).json()["videos"]
    assert [video["name"] for video in videos] == ["\x1b[2J.mp4", "caf\\xe9\\xff.mp4", "new\nline.mp4"]
    for video in videos:
        assert finish(client, video["id"])["state"] == "annotated"
        for path in ("/file", "/results/csv", "/results/json", "/player"):
            assert client.get(f"/api/videos/{video['id']}{path}").status_code == 200
        assert client.get(f"/videos/{video['id']}").status_code == 200


@pytest.mark.parametrize("name", BAD_NAMES)
def test_invalid_names_are_rejected(name: str) -> None:
    with pytest.raises(SettingsError, match="file name"):
        check_upload_name(name)


def test_names_are_never_paths(opener: Opener, tmp_path: Path) -> None:
    client = opener()
    outside = sorted(os.listdir(tmp_path))
    for name in BAD_NAMES:
        answer = client.put("http://127.0.0.1:8765/api/uploads/" + quote(name, safe=""), content=b"x")
        assert answer.status_code in (400, 404, 405), name
    assert client.get("/api/uploads").json()["total"] == 0
    assert sorted(os.listdir(tmp_path)) == outside
    assert os.listdir(service_of(client).data_dir.uploads) == os.listdir(service_of(client).data_dir.incoming) == []


def test_odd_names_are_kept(opener: Opener, empty_clip: Path) -> None:
    client = opener()
    sent = {name: send(client, empty_clip, quote(name, safe=""))["id"] for name in ODD_NAMES}
    for name, identity in sent.items():
        video = finish(client, identity)
        assert (video["name"], video["state"], video["reason"]) == (name, "annotated", "")
        answer = client.get(f"/api/videos/{identity}/results/csv")
        file_name = f"{quote(name[:-4], safe='')}.emotions.csv"
        assert answer.headers["content-disposition"].endswith(f"; filename*=utf-8''{file_name}")
        assert re.fullmatch(r'attachment; filename="[\w .()+-]*"; filename\*=\S*', answer.headers["content-disposition"])
        assert "<b>" not in client.get(f"/videos/{identity}").text


def test_videos_are_only_accessible_by_id(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    by_name(client, "a.mp4")
    for path in ("../../etc/passwd", "..%2f..%2fetc%2fpasswd", "a0000000000000000", "u0000000000000000", "%00", "a.mp4"):
        for ending in ("", "/file", "/results/csv", "/player", "/made/proxy", "/faces/1"):
            answer = client.get(f"/api/videos/{path}{ending}")
            assert answer.status_code == 404
            assert b"root:" not in answer.content
    assert client.get("/static/../service.py").status_code == 404
    assert client.get("/static/%2e%2e/service.py").status_code == 404


def test_links_out_of_the_archive_are_not_followed(opener: Opener, archive: Path, tmp_path: Path, empty_clip: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(empty_clip.read_bytes())
    (archive / "out.mp4").symlink_to(secret)
    (archive / "within.mp4").symlink_to(archive / "a.mp4")
    (archive / "passwd.mp4").symlink_to("/etc/passwd")
    (archive / "folder").symlink_to(tmp_path)
    client = opener(directory=archive)
    by_name(client, "a.mp4")
    names = [video["name"] for video in client.get("/api/archive").json()["videos"]]
    assert names == ["a.mp4", "within.mp4"]
    problems = client.get("/api/archive").json()["problems"]
    assert [problem.partition(": ")[0] for problem in problems] == ["out.mp4", "passwd.mp4"]
    assert all("--follow-links" in problem for problem in problems)


def test_a_link_created_later_is_not_followed_either(opener: Opener, archive: Path, tmp_path: Path) -> None:
    client = opener(directory=archive)
    video = by_name(client, "a.mp4")
    (archive / "a.mp4").unlink()
    (archive / "a.mp4").symlink_to("/etc/passwd")
    assert client.get(f"/api/videos/{video['id']}/file").status_code == 404


def test_too_large_uploads_are_rejected_before_and_during_the_upload(opener: Opener) -> None:
    client = opener(max_upload_bytes=1000)
    assert client.put("/api/uploads/a.mp4", content=b"x" * 1000).status_code == 201
    declared = client.put("/api/uploads/b.mp4", content=b"x" * 1001)
    assert declared.status_code == 413
    streamed = client.put("/api/uploads/c.mp4", content=(b"x" * 100 for _ in range(11)))
    assert streamed.status_code == 413
    lying = client.put("/api/uploads/d.mp4", content=(b"x" * 100 for _ in range(11)), headers={"Content-Length": "5"})
    assert lying.status_code in (400, 413)
    assert client.put("/api/uploads/e.mp4", content=b"").status_code == 400
    assert client.get("/api/uploads").json()["total"] == 1
    assert os.listdir(service_of(client).data_dir.incoming) == []


def test_waiting_uploads_are_limited(opener: Opener) -> None:
    client = opener(max_waiting_per_address=2)
    service_of(client).runner.close()
    codes = [client.put("/api/uploads/a.mp4", content=b"x").status_code for _ in range(3)]
    assert codes == [201, 201, 429]


def test_kept_uploads_are_limited(opener: Opener) -> None:
    client = opener(max_uploads=1)
    video = client.put("/api/uploads/a.mp4", content=b"x").json()
    assert client.put("/api/uploads/a.mp4", content=b"x").status_code == 429
    finish(client, video["id"])
    client.delete(f"/api/videos/{video['id']}")
    assert client.put("/api/uploads/a.mp4", content=b"x").status_code == 201


def test_unexpected_bodies_are_limited_in_size(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive)
    by_name(client, "a.mp4")
    answer = client.post("/api/archive/annotate", content=b"x" * 10_000_000)
    assert answer.status_code in (202, 413)
    wait_until(lambda: client.get("/api/status").json()["waiting"] == 0)


def test_videos_of_the_archive_cannot_be_deleted(opener: Opener, archive: Path) -> None:
    client = opener(directory=archive, write=True)
    video = by_name(client, "a.mp4")
    assert client.delete(f"/api/videos/{video['id']}").status_code == 403
    assert (archive / "a.mp4").exists()
