"""Videos that are made of others: copies that every browser plays, and copies with the emotions drawn in."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from annotate.analysis.parallel import Cores
from annotate.archive.layout import Outputs
from annotate.archive.stored_report import read_current_report
from annotate.batch.job import Outcome, Progress, Status
from annotate.errors import OutputError
from annotate.media.encode import FONT, burn, make_proxy
from annotate.media.probe import check_readable, probe
from annotate.results.formats import ass
from annotate.server.catalog import Video
from annotate.server.data_dir import Places
from annotate.server.queue import Kind
from annotate.settings import Limits
from annotate.storage.local.files import TEMPORARY_PREFIX, TEMPORARY_SUFFIX, apply_usual_mode, make_folder, remove, sentence

_ENDING = ".mp4"


class Made:
    """Knows where such videos lie in the data folder, while they are of the video and the report as these are."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def path(self, video: Video, kind: Kind) -> Path:
        """Where it lies, by the state of the video and of its results."""
        version = video.version if kind.language else 0
        return self._places.made / video.id / f"{kind.value}-{video.subject}-{version}{_ENDING}"

    def is_there(self, video: Video, kind: Kind) -> bool:
        """Whether it is made."""
        return self.path(video, kind).is_file()

    def job(self, video: Video, kind: Kind, limits: Limits) -> CopyJob:
        """What makes it."""
        return CopyJob(video.path, video.outputs, self.path(video, kind), kind, limits)


@dataclass(frozen=True)
class CopyJob:
    """A copy of a video that is to be made; it is done as annotating is, by worker processes."""

    path: Path
    outputs: Outputs
    target: Path
    kind: Kind
    limits: Limits

    def run(self, progress: Progress | None, cores: Cores | None) -> Outcome:
        """Makes it, whole or not at all. Errors as for `annotate.batch.job.Work.run`."""
        check_readable(self.path)
        make_folder(self.target.parent)
        video = probe(self.path, self.limits.max_pixels)

        def advance(done_s: float) -> None:
            if progress is not None:
                progress(done_s, video.duration_s)

        advance(0.0)
        try:
            with tempfile.TemporaryDirectory(TEMPORARY_SUFFIX, TEMPORARY_PREFIX, self.target.parent) as folder:
                made = Path(folder) / f"copy{_ENDING}"
                if self.kind.language:
                    drawing = ass.draw(
                        read_current_report(self.path, self.outputs), self.kind.language, font=FONT, with_bars=True
                    )
                    complaints = burn(video, drawing, made, limits=self.limits, progress=advance).warning_count
                else:
                    complaints = make_proxy(video, made, limits=self.limits, progress=advance).warning_count
                apply_usual_mode(made)
                self._remove_earlier()
                os.replace(made, self.target)
        except OSError as error:
            raise OutputError(sentence(self.target, error)) from error
        remark = f"damaged: the decoder complained {complaints} times" if complaints else ""
        return Outcome(self.path, Status.RENDERED, video.duration_s or 0.0, reason=remark)

    def _remove_earlier(self) -> None:
        """Copies of an earlier state serve no more."""
        for path in self.target.parent.glob(f"{self.kind.value}-*{_ENDING}"):
            remove(path)
