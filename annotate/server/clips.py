"""Clips of found moments as one ZIP archive: cut without encoding, one at a time, while the archive is sent."""

from __future__ import annotations

import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from annotate.analysis.tools import Tools
from annotate.analytics.export import encode_table
from annotate.analytics.moments import Moment
from annotate.archive.scan import ArchiveItem
from annotate.batch.clip_folder import TABLE, ClipRow, to_table
from annotate.batch.clip_job import ClipJob, ClipOptions, ClipOutcome, make_clip
from annotate.batch.clips import clip_name
from annotate.batch.job import WorkContext
from annotate.errors import AnnotateError
from annotate.results.meta import json_safe_text
from annotate.server.catalog import CatalogVideo
from annotate.server.data_dir import DataDir
from annotate.server.downloads import Chunks
from annotate.settings import Limits

MAX_CLIPS = 200
"""Maximum number of clips in one archive."""

_LIMITS = Limits(threads=1, stall_timeout_s=20.0)
_OPTIONS = ClipOptions(is_copied=True)
_READ_BYTES = 1 << 20


class MomentClips:
    """Makes clips, one at a time to leave the machine to other work; unfinished ones are in a folder in the data folder."""

    def __init__(self, data_dir: DataDir) -> None:
        self._folder, self._lock, self._context = data_dir.clips, threading.Lock(), WorkContext(Tools())
        shutil.rmtree(self._folder, ignore_errors=True)  # of a server that was killed

    def pack(self, found: Sequence[tuple[CatalogVideo, Moment]]) -> Iterator[bytes]:
        """Yield a ZIP archive with the clips of moments and their table; moments that cannot be cut are left out."""
        chunks, rows, names = Chunks(), list[ClipRow](), {TABLE}
        with zipfile.ZipFile(chunks, "w") as archive:  # type: ignore[call-overload]
            for video, moment in found:
                self._folder.mkdir(exist_ok=True)
                with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                    made = self._cut(video, moment, Path(folder) / "clip")
                    if made is None:
                        continue
                    file, row = made
                    name = json_safe_text(clip_name(moment, f"{video.folder}/" if video.folder else "")) + file.suffix
                    name = name if name not in names else f"{video.id}/{name}"
                    names.add(name)
                    rows.append(replace(row, file=name))
                    with file.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
                        while content := source.read(_READ_BYTES):
                            target.write(content)
                            yield chunks.take()
            archive.writestr(TABLE, encode_table(to_table(rows), ".csv", ["confidence"]), zipfile.ZIP_DEFLATED)
        yield chunks.take()

    def _cut(self, video: CatalogVideo, moment: Moment, folder: Path) -> tuple[Path, ClipRow] | None:
        """Return a clip in a folder, and its row; None if it cannot be cut, such as of a video that has changed."""
        item = ArchiveItem.read(video.path, video.outputs)
        if item.meta is None:
            return None
        job = ClipJob(item, video.outputs.csv, folder / "clip", moment.span, _OPTIONS, folder, _LIMITS)  # type: ignore[arg-type]
        try:
            with self._lock:
                outcome = make_clip(job, self._context)
        except AnnotateError:
            return None
        assert isinstance(outcome, ClipOutcome)
        assert outcome.shown is not None
        row = ClipRow.of(moment, video.path.parent, item.meta.source.hash)
        path = json_safe_text(f"{video.folder}/{video.name}".lstrip("/"))
        shown = outcome.shown
        return outcome.files[0], replace(row, video=path, clip_start_ms=shown.start_ms, clip_end_ms=shown.end_ms)
