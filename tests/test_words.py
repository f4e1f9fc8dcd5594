"""Words that were replaced by the field's terms do not come back (CONTRIBUTING.md)."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KINDS = (".py", ".md", ".html", ".js", ".css", ".yml", ".yaml", ".cfg")

_EXAMPLES = (Path(__file__).name, "test_documents.py")
"""Files that name such words."""

# Old words -> what to write. JSON keys such as "colour" stay until their document's version changes.
REPLACED = {
    r"\bbefalls?\b|\bwhat (?:becomes|became) of\b|\bwhatever\b": "name the thing",
    r"\bmeta files?\b": "sidecar",
    r"\btelling moments?\b": "highlights",
    r"\btrembles?\b": "jitter",
    r"\bstretches of\b|\ba stretch\b": "segment",
    r"\bsightings?\b": "tracked faces",
    r"\bspoilt\b|\bsteadiness\b": "degraded, stability",
    r"\ban error of this program\b": "internal error",
    r"\bof this machine only\b|\brun them apart\b": "local files only, separately",
    r"\bleft to do\b|\bgiven further formats\b": "remaining, converted",
    r"\bHave it done\b|\bWho pays\b|\bSo many jobs\b|\bWhat a row is\b|\bany free one\b|\bTell more\b": "plain words",
    r"\bAt least so\b|\bso sure\b": "minimum confidence",
    r"\ba row a\b|\ba lane a\b|\ba bar a\b|\ba line a\b|\ba task a\b|\ba cue a\b|\ba tier a\b": "one X per Y",
    r"\bserves? no more\b|\btree of their own\b|\bOf everything\b|\bwho goes where\b": "outdated, output folder, seed",
    r"\bforeign files?\b|\bstrangers?\b|\bsomebody else's\b": "unknown file",
    r"\blabelled\b|\bneighbours?\b|\banalyse[ds]?\b|\banalysing\b|\bcolour(?:s|ed|-blind)\b": "American spelling",
    r"annotate\[": "annotate-video[...]: another project has the name",
}


@functools.cache
def _texts() -> dict[Path, str]:
    """Return the texts of all files but those of `_EXAMPLES`, read once for all patterns."""
    folders = [ROOT / name for name in ("annotate", "tests", "sample_videos", ".github", ".ci")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in KINDS or path.parent.name == ".ci"]
    files = sorted([*files, *ROOT.glob("*.md"), ROOT / "setup.cfg"])
    return {path: path.read_text(encoding="utf-8", errors="replace") for path in files if path.name not in _EXAMPLES}


@pytest.mark.parametrize("pattern", REPLACED, ids=lambda pattern: REPLACED[pattern][:30])
def test_a_replaced_word_is_not_used(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in _texts().items()
        if re.search(pattern, text)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert found == [], f"write instead: {REPLACED[pattern]}"
