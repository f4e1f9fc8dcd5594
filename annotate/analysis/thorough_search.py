"""A thorough search of a video for faces, to blur them: small, brief and doubtful ones too, which an analysis leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

from annotate.analysis.pipeline import analyzed_sizing, report_progress
from annotate.faces.blocks import TimedBox
from annotate.faces.coverage import FoundFaces
from annotate.faces.search import Observation, detect_faces
from annotate.faces.track import TrackedFace, link_detections
from annotate.faces.yunet import YuNetDetector
from annotate.media.decode import Frame, MediaProgress, decode
from annotate.media.probe import Video
from annotate.settings import ONE_CORE, Limits, Settings
from annotate.span import Span

THOROUGH = Settings(min_face=0.03, detection_interval_ms=100, search_interval_ms=500)
"""Settings of the search: smaller faces, and more passes than in an analysis."""

LENIENCY = 0.2
"""By how much less than in an analysis a face may score."""


def search_thoroughly(video: Video, *, limits: Limits = ONE_CORE, progress: MediaProgress | None = None) -> FoundFaces:
    """Return the faces in all frames of a video, with boxes in fractions of the frame.

    Raises:
        DecodingError: no frame could be decoded, or the decoder hung.
        ModelError: the detector's network is missing.
    """
    with closing(decode(video, analyzed_sizing(THOROUGH.min_face), limits=limits)) as frames:
        return find_faces(report_progress(frames, progress))


def find_faces(frames: Iterable[Frame]) -> FoundFaces:
    """Return the faces in the frames of a video; errors as for `search_thoroughly`."""
    detector = YuNetDetector(THOROUGH.min_face, leniency=LENIENCY)
    shots: list[Span] = []
    times_ms: set[int] = set()

    def noted(observations: Iterable[Observation]) -> Iterator[Observation]:
        for observation in observations:
            span = observation.frame.span
            times_ms.add(span.start_ms)
            if observation.begins_shot:
                shots.append(span)
            shots[-1] |= span
            yield observation

    tracks: dict[int, list[TimedBox]] = {}
    for tracked in link_detections(noted(detect_faces(frames, detector, THOROUGH)), THOROUGH):
        if isinstance(tracked, TrackedFace) and tracked.detected:
            height, width = tracked.frame.image.shape
            box = tracked.box.scaled(1 / width, 1 / height)
            tracks.setdefault(tracked.track, []).append(TimedBox(tracked.frame.span.start_ms, box))
    return FoundFaces(tuple(map(tuple, tracks.values())), tuple(shots), frozenset(times_ms))
