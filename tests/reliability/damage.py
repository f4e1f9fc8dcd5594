"""Damaged files of many kinds: each is annotated as far as possible, or refused with a message."""

from __future__ import annotations

import enum
import random
from collections import Counter
from pathlib import Path
from typing import Any

from annotate.archive.layout import REPORT_ENDING
from annotate.archive.stored_report import read_report
from annotate.errors import ReportError
from tests.clips import H264, file_url, make_face_image, run_ffmpeg
from tests.reliability.archives import RUN_OPTIONS, TRACEBACK, count_statuses, find_temporary_files, read_log
from tests.reliability.processes import running
from tests.reliability.result import Failures, Options, PartResult, format_counts

_FILES, _QUICK_FILES = 500, 20
_TIMEOUT_S = 3600.0
_EDGE_BYTES = 4096
_INTERNAL_ERRORS = ("internal error", "crashed")
"""Words of failures that are the fault of annotate or its libraries, not of the file."""

_CLIPS = {
    "mp4": (*H264, "-c:a", "aac"),
    "mkv": (*H264, "-bf", "2", "-c:a", "aac"),
    "avi": ("-c:v", "mpeg4", "-q:v", "4", "-c:a", "mp2"),
    "ts": (*H264, "-g", "10", "-c:a", "mp2"),
    "webm": ("-c:v", "libvpx", "-b:v", "1M", "-an"),
}
"""Containers, each with a typical codec."""


class Damage(enum.Enum):
    """Kinds of damage."""

    FLIPPED = "bits flipped"
    CUT = "cut off"
    ZEROED = "blocks zeroed"


def damage(content: bytes, kind: Damage, rng: random.Random) -> bytes:
    """Return a copy damaged anywhere or near the start or end, where containers keep tables; depends only on ``rng``."""
    if kind is Damage.CUT:
        return content[: rng.randrange(len(content))]
    first, last = rng.choice(
        [(0, len(content)), (0, min(_EDGE_BYTES, len(content))), (max(0, len(content) - _EDGE_BYTES), len(content))]
    )
    damaged = bytearray(content)
    if kind is Damage.FLIPPED:
        for _ in range(2 ** rng.randrange(9)):
            damaged[rng.randrange(first, last)] ^= 1 << rng.randrange(8)
    else:
        for _ in range(2 ** rng.randrange(4)):
            start = rng.randrange(first, last)
            length = min(2 ** rng.randrange(14), last - start)
            damaged[start : start + length] = bytes(length)
    return bytes(damaged)


def damaged(options: Options) -> PartResult:
    """Annotate damaged files: no traceback, no hang, each file accounted for."""
    folder = options.make_folder("damaged")
    archive = folder / "archive"
    archive.mkdir()
    count = _QUICK_FILES if options.quick else _FILES
    kinds = _make_files(archive, _make_clips(folder), count, random.Random(options.seed))
    log = folder / "log"
    failures = Failures("damaged")
    with running([*RUN_OPTIONS, "--stall-timeout", "20", "--log", log, archive], folder) as run:
        status = run.wait(_TIMEOUT_S)
        output = run.output + run.errors
    lines = read_log(log)
    failures.expect(status in (0, 1), f"the run ended with {status}", output[-2000:])
    failures.expect(TRACEBACK not in output, "a traceback was printed", output[-4000:])
    check_log(lines, {str(path) for path in archive.iterdir() if path.suffix[1:] in _CLIPS}, failures)
    failures.expect(not find_temporary_files(archive), f"temporary files left: {find_temporary_files(archive)}")
    check_tables(archive, failures)
    remarks = sum(line["status"] != "failed" and bool(line["reason"]) for line in lines)
    expected = f"{count} files ({format_counts(kinds)}) in {', '.join(_CLIPS)}: no traceback, no hang, each accounted for"
    return failures.result(
        expected, f"{len(lines)} accounted for: {format_counts(count_statuses(lines))}; {remarks} reported as damaged"
    )


def _make_clips(folder: Path) -> list[Path]:
    face = make_face_image(folder / "face.png")
    sources = ("-loop", "1", "-framerate", "25", "-t", "1", "-i", face, "-f", "lavfi", "-t", "1", "-i", "sine=frequency=440")
    clips = []
    for ending, codecs in _CLIPS.items():
        clips.append(folder / f"whole.{ending}")
        run_ffmpeg(*sources, "-vf", "scale=320:180,noise=alls=8:allf=t:all_seed=1", *codecs, file_url(clips[-1]))
    return clips


def _make_files(archive: Path, clips: list[Path], count: int, rng: random.Random) -> dict[str, int]:
    """Write numbered damaged copies; return the number of each kind."""
    sources = [(clip.suffix, clip.read_bytes()) for clip in clips]
    kinds = list(Damage)
    for number in range(count):
        suffix, content = sources[number % len(sources)]
        kind = kinds[number // len(sources) % len(kinds)]
        (archive / f"{number:04d}{suffix}").write_bytes(damage(content, kind, rng))
    return dict(Counter(kinds[number // len(sources) % len(kinds)].value for number in range(count)))


def check_log(lines: list[dict[str, Any]], files: set[str], failures: Failures) -> None:
    """Expect one line of the log for each file, and no failure that is not the file's own."""
    reported = Counter(line["path"] for line in lines)
    missing, repeated = sorted(files - reported.keys()), sorted(path for path in reported if reported[path] > 1)
    failures.expect(not missing, f"{len(missing)} files not accounted for: {', '.join(missing)}")
    failures.expect(not repeated, f"{len(repeated)} files reported more than once: {', '.join(repeated)}")
    for line in lines:
        is_internal = any(words in line["reason"] for words in _INTERNAL_ERRORS)
        failures.expect(not is_internal, line["reason"], line.get("trace", ""))
        names_file = line["status"] != "failed" or line["reason"].startswith(line["path"])
        failures.expect(names_file, f"{line['path']} failed with a message that does not name it: {line['reason']!r}")


def check_tables(archive: Path, failures: Failures) -> None:
    """Expect that every table of an archive can be read."""
    for path in sorted(archive.glob(f"*{REPORT_ENDING}")):
        try:
            read_report(path)
        except ReportError as error:
            failures.add(str(error))
