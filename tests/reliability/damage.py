"""Damaged files of many kinds: each is annotated as far as it goes, or refused with a sentence."""

from __future__ import annotations

import enum
import random
from collections import Counter
from pathlib import Path
from typing import Any

from annotate.archive.layout import REPORT_ENDING
from annotate.archive.stored_report import read_report
from annotate.errors import ReportError
from tests.clips import H264, file_url, make_face_picture, run_ffmpeg
from tests.reliability.archives import RUN_OPTIONS, TRACEBACK, count_statuses, leavings, read_log
from tests.reliability.processes import running
from tests.reliability.row import Faults, Options, Row, listed

_FILES, _QUICK_FILES = 500, 20
_TIMEOUT_S = 3600.0
_EDGE_BYTES = 4096
_OUR_FAULT = "an error of this program"
_WORKER_DIED = "its worker process died"

_CLIPS = {
    "mp4": (*H264, "-c:a", "aac"),
    "mkv": (*H264, "-bf", "2", "-c:a", "aac"),
    "avi": ("-c:v", "mpeg4", "-q:v", "4", "-c:a", "mp2"),
    "ts": (*H264, "-g", "10", "-c:a", "mp2"),
    "webm": ("-c:v", "libvpx", "-b:v", "1M", "-an"),
}
"""Containers, each with a codec that is usual in it."""


class Damage(enum.Enum):
    """What can befall a file."""

    FLIPPED = "bits flipped"
    CUT = "cut off"
    ZEROED = "blocks zeroed"


def damage(content: bytes, kind: Damage, chance: random.Random) -> bytes:
    """A copy damaged all over or at the edges, where containers keep tables; the same chance gives the same copy."""
    if kind is Damage.CUT:
        return content[: chance.randrange(len(content))]
    first, last = chance.choice(
        [(0, len(content)), (0, min(_EDGE_BYTES, len(content))), (max(0, len(content) - _EDGE_BYTES), len(content))]
    )
    damaged = bytearray(content)
    if kind is Damage.FLIPPED:
        for _ in range(2 ** chance.randrange(9)):
            damaged[chance.randrange(first, last)] ^= 1 << chance.randrange(8)
    else:
        for _ in range(2 ** chance.randrange(4)):
            start = chance.randrange(first, last)
            length = min(2 ** chance.randrange(14), last - start)
            damaged[start : start + length] = bytes(length)
    return bytes(damaged)


def damaged(options: Options) -> Row:
    """Damaged files: no traceback, no hang, each accounted for."""
    folder = options.room("damaged")
    archive = folder / "archive"
    archive.mkdir()
    count = _QUICK_FILES if options.quick else _FILES
    kinds = _make_files(archive, _make_clips(folder), count, random.Random(options.seed))
    log = folder / "log"
    faults = Faults("damaged")
    with running([*RUN_OPTIONS, "--stall-timeout", "20", "--log", log, archive], folder) as run:
        status = run.wait(_TIMEOUT_S)
        output = run.output + run.errors
    lines = read_log(log)
    faults.expect(status in (0, 1), f"the run ended with {status}", output[-2000:])
    faults.expect(TRACEBACK not in output, "a traceback was told", output[-4000:])
    _judge_lines(lines, archive, faults)
    faults.expect(not leavings(archive), f"temporary files left: {leavings(archive)}")
    _judge_reports(archive, faults)
    remarks = sum(line["status"] != "failed" and bool(line["reason"]) for line in lines)
    asked = f"{count} files ({listed(kinds)}) in {', '.join(_CLIPS)}: no traceback, no hang, each accounted for"
    return faults.row(asked, f"{len(lines)} accounted for: {listed(count_statuses(lines))}; {remarks} told as damaged")


def _make_clips(folder: Path) -> list[Path]:
    face = make_face_picture(folder / "face.png")
    sources = ("-loop", "1", "-framerate", "25", "-t", "1", "-i", face, "-f", "lavfi", "-t", "1", "-i", "sine=frequency=440")
    clips = []
    for ending, codecs in _CLIPS.items():
        clips.append(folder / f"whole.{ending}")
        run_ffmpeg(*sources, "-vf", "scale=320:180,noise=alls=8:allf=t:all_seed=1", *codecs, file_url(clips[-1]))
    return clips


def _make_files(archive: Path, clips: list[Path], count: int, chance: random.Random) -> dict[str, int]:
    """Writes damaged copies under names of their own; tells how many there are of each kind."""
    whole = [(clip.suffix, clip.read_bytes()) for clip in clips]
    kinds = list(Damage)
    for number in range(count):
        suffix, content = whole[number % len(whole)]
        kind = kinds[number // len(whole) % len(kinds)]
        (archive / f"{number:04d}{suffix}").write_bytes(damage(content, kind, chance))
    return dict(Counter(kinds[number // len(whole) % len(kinds)].value for number in range(count)))


def _judge_lines(lines: list[dict[str, Any]], archive: Path, faults: Faults) -> None:
    told = Counter(line["path"] for line in lines)
    there = {str(path) for path in archive.iterdir() if path.suffix[1:] in _CLIPS}
    missing, repeated = sorted(there - told.keys()), sorted(path for path in told if told[path] > 1)
    faults.expect(not missing, f"{len(missing)} files not accounted for: {', '.join(missing)}")
    faults.expect(not repeated, f"{len(repeated)} files told more than once: {', '.join(repeated)}")
    for line in lines:
        ours = _OUR_FAULT in line["reason"] or _WORKER_DIED in line["reason"]
        faults.expect(not ours, line["reason"], line.get("trace", ""))
        is_sentence = line["status"] != "failed" or line["reason"].startswith(line["path"])
        faults.expect(is_sentence, f"{line['path']} failed without a sentence that names it: {line['reason']!r}")


def _judge_reports(archive: Path, faults: Faults) -> None:
    for path in sorted(archive.glob(f"*{REPORT_ENDING}")):
        try:
            read_report(path)
        except ReportError as error:
            faults.add(str(error))
