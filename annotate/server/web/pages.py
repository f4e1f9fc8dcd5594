"""The HTML pages: templates that scripts fill with data from the JSON API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, select_autoescape

from annotate.emotions.labels import EMOTION_WORDS, EMOTIONS
from annotate.emotions.palette import color, text_color
from annotate.player.player import player_script, player_style
from annotate.results.meta import json_safe_text
from annotate.server.data_dir import is_id
from annotate.server.service import Service
from annotate.server.web.auth import accepts_html
from annotate.server.web.strings import DEFAULT_LANGUAGE, PAGE_WORDS, choose_language

STATIC_FOLDER = Path(__file__).parent / "static"
_NOT_FOUND = 404
_METHODS = ("get", "put", "post", "delete")

router = APIRouter(include_in_schema=False)


def load_templates() -> Environment:
    """Return the environment of the pages' templates, for ``app.state.templates``."""
    return Environment(loader=PackageLoader(__package__), autoescape=select_autoescape(default=True), trim_blocks=True)


@router.get("/")
async def home(request: Request) -> Response:
    """Redirect to the archive; without one, to the uploads."""
    return RedirectResponse("/uploads" if _service(request).settings.directory is None else "/archive", 307)


@router.get("/uploads")
async def uploads(request: Request) -> HTMLResponse:
    return _page(request, "uploads.html", here="uploads")


@router.get("/archive")
async def archive(request: Request) -> HTMLResponse:
    if _service(request).settings.directory is None:
        raise HTTPException(404, "noArchive")
    return _page(request, "archive.html", here="archive")


@router.get("/persons")
async def persons(request: Request) -> HTMLResponse:
    if _service(request).settings.directory is None:
        raise HTTPException(404, "noArchive")
    return _page(request, "persons.html", here="persons")


@router.get("/videos/{id}")
async def video(request: Request, id: str) -> HTMLResponse:  # noqa: A002
    found = _service(request).catalog.find(id) if is_id(id) else None
    name = found.name if found is not None else ""
    return _page(request, "video.html", here="", status_code=200 if found else 404, video=id if found else "", name=name)


@router.get("/api")
@router.get("/api/")
async def api(request: Request) -> HTMLResponse:
    return _page(request, "api.html", here="api", **_api_reference(request.app))


@router.get("/player.js")
async def script() -> Response:
    return Response(player_script(), media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/player.css")
async def style() -> Response:
    return Response(player_style(), media_type="text/css", headers={"Cache-Control": "no-cache"})


async def error_reply(request: Request, error: HTTPException) -> Response:
    """Answer an error of a route: with JSON in the API and to programs, with a page to browsers.

    The detail of an error of a page is the key of a text in ``PAGE_WORDS``; unknown URLs have none.
    """
    if request.url.path.startswith("/api/") or not accepts_html(request.headers):
        detail = PAGE_WORDS[DEFAULT_LANGUAGE].get(error.detail, error.detail)
        return JSONResponse({"detail": detail}, error.status_code, error.headers)
    key = error.detail if error.detail in PAGE_WORDS[DEFAULT_LANGUAGE] else "errorStatus"
    if error.status_code == _NOT_FOUND and key == "errorStatus":
        key = "noPage"
    return _page(request, "error.html", here="", status_code=error.status_code, key=key, status=error.status_code)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _page(request: Request, template: str, here: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    language = choose_language(request.headers.get("accept-language", ""))
    settings = _service(request).settings
    words = PAGE_WORDS[language]
    emotions = [
        {"name": name, "word": EMOTION_WORDS[language][name], "colour": color(name), "ink": text_color(name)}
        for name in EMOTIONS
    ]
    for_scripts = {
        "language": language,
        "words": dict(words),
        "emotions": emotions,
        "maxUploadBytes": settings.max_upload_bytes,
    }
    templates: Environment = request.app.state.templates
    text = templates.get_template(template).render(
        here=here,
        language=language,
        words=words,
        emotions=emotions,
        archive=None if settings.directory is None else json_safe_text(settings.directory.resolve().name),
        for_scripts=json.dumps(for_scripts, ensure_ascii=False),
        **values,
    )
    return HTMLResponse(text, status_code, {"Vary": "Accept-Language"})


def _api_reference(app: FastAPI) -> dict[str, Any]:
    """Return the template values of the API page: the routes of the OpenAPI document by tag, and its schemas."""
    document = app.openapi()
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                route = methods[method]
                by_tag.setdefault(route["tags"][0], []).append({"method": method.upper(), "path": path, **route})
    schemas = {name: schema for name, schema in document["components"]["schemas"].items() if "properties" in schema}
    return {"by_tag": by_tag, "schemas": schemas, "type_name": _type_name}


def _type_name(schema: dict[str, Any]) -> str:
    """Return a short name of a schema's type, such as ``list of VideoView``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type_name(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) or '""' for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"]) or '""'
    if schema.get("type") == "array":
        return f"list of {_type_name(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object with {_type_name(schema['additionalProperties'])} values"
    return str(schema.get("type", "any"))
