"""Markdown documents: links, headings, code, and examples whose output is checked.

``python -m tests.documents`` updates the output of all examples in the documents.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from annotate.archive.discover import VIDEO_EXTENSIONS
from annotate.cli.main import main
from tests.runs import annotate

ROOT = Path(__file__).parent.parent
FOLDERS = ("annotate", "tests", "sample_videos", ".github")
SAMPLES = ROOT / "sample_videos"
EXAMPLE_COLUMNS = 100
"""Terminal width of the output in the documents."""

_FENCE = re.compile(r"^(```|~~~)(.*?)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_TABLE = re.compile(r"^\|(.+)\|\n\|[-:| ]+\|\n((?:\|.+\|\n)+)", re.MULTILINE)
_PROMPT = "$ "


@dataclass(frozen=True)
class Example:
    """A command at a prompt and its output."""

    command: str
    output: str


def documents() -> list[Path]:
    """Return all Markdown documents of the repository."""
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))
    return sorted([*ROOT.glob("*.md"), *below])


def readmes() -> list[Path]:
    """Return all documents called README.md."""
    return [path for path in documents() if path.name == "README.md"]


def read(name: str | Path) -> str:
    """Return the text of a document, named relative to the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def inline_code(text: str) -> list[str]:
    """Return the inline code of a document."""
    return re.findall(r"`([^`\n]+)`", _INDENTED.sub("", _FENCE.sub("", text)))


def links(text: str) -> list[str]:
    """Return the targets of the links and images of a document, also where the link text contains code."""
    return _LINK.findall(_INDENTED.sub("", _FENCE.sub("", text)))


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub generates for the headings of a document."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", _FENCE.sub("", text), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number = 0
        while (name := slug if not number else f"{slug}-{number}") in found:
            number += 1
        found.add(name)
    return found


def is_resolved(document: Path, link: str) -> bool:
    """Return whether a relative link of a document resolves to a file, and its anchor to a heading."""
    name, _, anchor = unquote(link).partition("#")
    target = (document.parent / name).resolve() if name else document
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield the tables of a document as rows of cells, the heading first."""
    for head, body in _TABLE.findall(text):
        yield [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, *body.splitlines())]


def code_blocks(text: str, language: str = "") -> list[str]:
    """Return the fenced code blocks of a language; without one, fenced blocks without language and indented blocks."""
    fenced = [code for _, name, code in _FENCE.findall(text) if name.strip() == language]
    indented = [] if language else _INDENTED.findall(_FENCE.sub("", text))
    return fenced + [re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in indented]


def commands(text: str) -> list[list[str]]:
    """Return the arguments of every ``annotate ...`` command in code blocks, without shell syntax."""
    found = []
    for block in code_blocks(text):
        for line in block.replace("\\\n", " ").splitlines():
            if "annotate" in line:
                found += [words[1:] for words in _simple_commands(line.removeprefix(_PROMPT)) if words[:1] == ["annotate"]]
    return found


def examples(text: str) -> list[Example]:
    """Return the commands at a prompt in code blocks, with their output."""
    parts = (part for block in code_blocks(text) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:])
    return [Example(command, output.rstrip("\n")) for command, _, output in (part.partition("\n") for part in parts)]


def annotate_samples(folder: Path) -> Path:
    """Return a copy of ``sample_videos`` with its codings and transcripts in a folder, annotated."""
    copy = folder / SAMPLES.name
    copy.mkdir()
    for path in SAMPLES.iterdir():
        if path.suffix[1:] in VIDEO_EXTENSIONS or path.suffix in (".csv", ".srt", ".vtt"):
            shutil.copy(path, copy)
    list(annotate([copy]))
    return copy


@contextmanager
def at_examples(folder: Path) -> Iterator[Path]:
    """Yield a folder as the current one, on a terminal as wide as the examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for module in ("agree", "summarize", "find", "join"):
            patch.setattr(f"annotate.cli.{module}.terminal_width", lambda: EXAMPLE_COLUMNS)
        yield folder


def run_example(command: str) -> str:
    """Run an ``annotate`` command and return its output without trailing empty lines."""
    name, *arguments = shlex.split(command)
    assert name == "annotate", command
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return "\n".join(line.rstrip() for line in result.output.splitlines()).rstrip("\n")


def _simple_commands(line: str) -> Iterator[Sequence[str]]:
    """Yield the words of each command in a shell line, without comments, assignments and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += "{}:,@%$[]!^'"
    words: list[str] = []
    is_target = False
    for token in [*lexer, ";"]:
        if is_target:
            is_target = False
        elif token == ">":
            is_target = True
        elif set(token) <= set(";&|"):
            yield words
            words = []
        elif words or not re.match(r"\w+=", token):
            words.append(token)


def _update(outputs: Mapping[str, str], path: Path) -> None:
    """Update the output of the examples in a document."""
    text = path.read_text(encoding="utf-8")
    for example in examples(text):
        old, new = (_indent(_at_prompt(example.command, out)) for out in (example.output, outputs[example.command]))
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def _at_prompt(command: str, output: str) -> str:
    return "\n".join([_PROMPT + command, *([output] if output else [])])


def _indent(text: str) -> str:
    return re.sub(r"^(?=.)", "    ", text, flags=re.MULTILINE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, at_examples(annotate_samples(Path(name)).parent):
        shown = {example.command for path in readmes() for example in examples(path.read_text(encoding="utf-8"))}
        printed = {command: run_example(command) for command in sorted(shown)}
    for readme in readmes():
        _update(printed, readme)
