"""JSON that any parser reads as UTF-8, for any name of a file and any encoding of the terminal."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from annotate.results.meta import json_safe_text


def json_safe(values: Mapping[str, Any]) -> dict[str, Any]:
    r"""Return an object whose texts have invalid bytes of file names escaped, as in sidecars.

    >>> json_safe({"path": "caf\udce9.mp4", "faces": 2})
    {'path': 'caf\\xe9.mp4', 'faces': 2}
    """
    return {key: json_safe_text(value) if isinstance(value, str) else value for key, value in values.items()}


def json_list(objects: Iterable[Mapping[str, Any]]) -> str:
    """Return a JSON document, a list of objects, for stdout: what its encoding may lack is escaped as JSON does."""
    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    return json.dumps([json_safe(one) for one in objects], ensure_ascii=not is_utf8, indent=2)
