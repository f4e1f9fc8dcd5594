"""Ways to render a video: a copy, boxes in the frames, blurred faces, added subtitle tracks, or a proxy for browsers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.analysis.thorough_search import search_thoroughly
from annotate.errors import OutputError, write_error
from annotate.faces.blocks import TimedBox
from annotate.faces.coverage import cover_faces
from annotate.media.blur import Kept, Region, blur
from annotate.media.containers import MATROSKA, MP4, container_for_burning, container_for_copying, dropped_streams
from annotate.media.decode import Frame
from annotate.media.encode import FONT, Subtitles, burn, make_proxy, mux
from annotate.media.ffmpeg import FFmpeg
from annotate.media.probe import Stream, Video, probe
from annotate.results.formats import ass, captions, srt
from annotate.results.report import Report
from annotate.settings import Limits
from annotate.storage.local.files import apply_default_mode

LANGUAGES = {"en": "eng", "ru": "rus"}
"""Language tags of containers (ISO 639-2)."""

TITLES = {"en": ("Emotions", "Emotions, with boxes", "Captions"), "ru": ("Эмоции", "Эмоции и рамки", "Титры")}
"""Track titles shown by players: plain subtitles, subtitles with boxes around the faces, and captions."""

_NO_FACES = "no faces; copied unchanged"

BoxesByFace = Mapping[int, Sequence[TimedBox]]
"""Detections of each face in order of time, with boxes in fractions of the frame."""

RenderProgress = Callable[[float], None]
"""Called with the rendered seconds of video."""


@dataclass(frozen=True)
class Rendering:
    """A way to render a video: ``write`` writes a file in ``container`` and returns the number of decoder warnings."""

    video: Video
    container: str
    write: Callable[[Path, RenderProgress], int]
    remarks: tuple[str, ...] = ()

    def make(self, folder: Path, on_progress: RenderProgress) -> tuple[Path, int]:
        """Write the rendered video into an empty folder; return its path and the number of decoder warnings.

        The folder should be on the disk of the target, to which `move_into_place` moves the file.

        Raises:
            DecodingError: the video cannot be decoded to its end, or the decoder hung.
            OutputError: there is no space left.
        """
        file = folder / f"copy.{self.container}"
        return file, self.write(file, on_progress)


def move_into_place(source: Path, target: Path) -> None:
    """Move a finished file to its target atomically.

    Raises:
        OSError: it cannot be moved.
    """
    apply_default_mode(source)
    with source.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(source, target)


def byte_copy(video: Video, container: str, remarks: tuple[str, ...] = ()) -> Rendering:
    """Return the rendering that copies the file."""

    def write(path: Path, on_progress: RenderProgress) -> int:
        try:
            shutil.copyfile(video.path, path)
        except OSError as error:
            raise write_error(path, error) from error
        return 0

    return Rendering(video, container, write, remarks)


def burned_in(
    video: Video,
    container: str,
    drawing: str | None,
    limits: Limits,
    remarks: tuple[str, ...] = (),
    *,
    changes_size: bool = False,
) -> Rendering:
    """Return the rendering that draws an ASS track, if given, into the frames."""

    def write(path: Path, on_progress: RenderProgress) -> int:
        report = burn(video, drawing, path, changes_size=changes_size, limits=limits, progress=on_progress)
        return report.warning_count

    return Rendering(video, container, write, remarks)


def with_tracks(
    video: Video, container: str, tracks: Sequence[Subtitles], limits: Limits, remarks: tuple[str, ...] = ()
) -> Rendering:
    """Return the rendering that copies all streams and adds subtitle tracks."""

    def write(path: Path, on_progress: RenderProgress) -> int:
        return mux(video, tracks, path, limits=limits, progress=on_progress).warning_count

    return Rendering(video, container, write, remarks)


def browser_proxy(video: Video, limits: Limits) -> Rendering:
    """Return the rendering that every browser can play."""

    def write(path: Path, on_progress: RenderProgress) -> int:
        return make_proxy(video, path, limits=limits, progress=on_progress).warning_count

    return Rendering(video, MP4, write)


def blurred(
    video: Video,
    container: str,
    known: BoxesByFace,
    keep: Sequence[int],
    kept: Kept,
    limits: Limits,
    remarks: tuple[str, ...] = (),
) -> Rendering:
    """Return the rendering in which all faces are blurred but those of ``keep``: ``known`` ones, and all others found."""

    def write(path: Path, on_progress: RenderProgress) -> int:
        found = search_thoroughly(video, limits=limits, progress=lambda done_s: on_progress(done_s / 2))
        coverage = cover_faces(
            found,
            [boxes for face_id, boxes in known.items() if face_id not in keep],
            [known[face_id] for face_id in keep if face_id in known],
        )
        end_s = max(shot.end_s for shot in found.shots)

        def regions_at(frame: Frame) -> list[Region] | None:
            boxes = coverage.at(frame.span.start_ms)
            return None if boxes is None else [(box.x, box.y, box.width, box.height) for box in boxes]

        report = blur(
            video, regions_at, path, kept=kept, limits=limits, progress=lambda done_s: on_progress((end_s + done_s) / 2)
        )
        return report.warning_count

    return Rendering(video, container, write, remarks)


def boxes_track(report: Report, language: str) -> str | None:
    """Return an ASS track with a box around every face; None without faces."""
    return ass.draw(report, language, font=FONT, with_bars=True)


def choose_boxes_rendering(video: Video, report: Report, language: str, requested: str, limits: Limits) -> Rendering:
    """Return the rendering with boxes in the frames; an empty ``requested`` container selects the best one."""
    own, has_faces = video.path.suffix[1:].lower(), bool(report.block_cues)
    if not has_faces and own and requested in ("", own):
        return byte_copy(video, own, (_NO_FACES,))
    container = requested or (container_for_burning if has_faces else container_for_copying)(video)
    dropped = dropped_streams(video.streams, container)
    if has_faces or _drops_video(video, dropped):
        subtitles = [stream for stream in dropped if stream.kind == "subtitle"]
        remarks = _remarks(subtitles, container, "no faces", has_faces)
        changes_size = bool(report.meta.size_changes)
        return burned_in(video, container, boxes_track(report, language), limits, remarks, changes_size=changes_size)
    return with_tracks(video, container, (), limits, _remarks(dropped, container, _NO_FACES, has_faces))


def choose_blurred_rendering(
    video: Video, report: Report, keep: Sequence[int], kept: Kept, requested: str, limits: Limits
) -> Rendering:
    """Return the rendering with blurred faces; an empty ``requested`` container selects the best one."""
    usual, renderer = video.ffmpeg, video.ffmpeg.renderer
    if renderer.path != usual.path:  # versions differ in where their clocks start
        encoder = FFmpeg(renderer.path, usual.version)
        video = probe(video.path, limits.max_pixels, ffmpeg=encoder, display_path=video.display_path)
    container, known = requested or container_for_burning(video), boxes_by_face(report, video)
    subtitles = [stream for stream in dropped_streams(video.streams, container) if stream.kind == "subtitle"]
    unknown = [str(face_id) for face_id in keep if face_id not in known]
    remarks = [f"no face {face_id} to keep" for face_id in unknown]
    return blurred(video, container, known, keep, kept, limits, (*remarks, *_remarks(subtitles, container, "", True)))


def boxes_by_face(report: Report, video: Video) -> BoxesByFace:
    """Return the detections of each face of a table, with boxes in fractions of the frame."""
    faces: dict[int, list[TimedBox]] = {}
    for face_id, detection in report.boxes:
        width_px, height_px = report.meta.size_px_at(detection.time_ms)
        box = detection.box.scaled(1 / (width_px or video.width_px), 1 / (height_px or video.height_px))
        faces.setdefault(face_id, []).append(TimedBox(detection.time_ms, box))
    return faces


def choose_soft_rendering(
    video: Video, report: Report, language: str, requested: str, limits: Limits, *, has_captions: bool = False
) -> Rendering:
    """Return the rendering with subtitle tracks; an empty ``requested`` container selects the best one.

    With ``has_captions``, captions take the place of plain subtitles.

    Raises:
        OutputError: the requested container does not support the codec of the video stream, or ffmpeg cannot copy how its
            container crops the frame.
    """
    own, has_faces = video.path.suffix[1:].lower(), bool(report.block_cues)
    if not has_faces and own and requested in ("", own):
        return byte_copy(video, own, (_NO_FACES,))
    container = requested or container_for_copying(video)
    dropped = dropped_streams(video.streams, container)
    if _drops_video(video, dropped):
        raise OutputError(f".{container} does not support its video codec", "give --container mkv", path=video.path)
    if video.cropping is not None and not video.ffmpeg.copies_cropping:
        problem = f"its container crops the frame, which ffmpeg {video.ffmpeg.version} does not copy"
        raise OutputError(problem, "draw the boxes without --soft, or use ffmpeg 7.1 or newer", path=video.path)
    tracks = tuple(_tracks(report, language, container, has_captions)) if has_faces else ()
    return with_tracks(video, container, tracks, limits, _remarks(dropped, container, _NO_FACES, has_faces))


def _drops_video(video: Video, dropped: Sequence[Stream]) -> bool:
    return any(stream.index == video.stream for stream in dropped)


def _remarks(dropped: Sequence[Stream], container: str, no_faces_remark: str, has_faces: bool) -> tuple[str, ...]:
    """Return the remarks on a rendered video: that it has no faces, and which streams were dropped."""
    names = ", ".join(f"{stream.codec} ({stream.kind})" for stream in dropped)
    drops = (f"dropped {names}, not supported by .{container}",) if names else ()
    return drops if has_faces else (no_faces_remark, *drops)


def _tracks(report: Report, language: str, container: str, has_captions: bool) -> Iterator[Subtitles]:
    """Yield plain subtitles or captions, and in Matroska also subtitles with boxes."""
    plain_title, boxes_title, captions_title = TITLES[language]
    texts = [("srt", srt.write(report, language), plain_title)]
    if has_captions:
        texts = [("srt", captions.write_srt(report, language), captions_title)]
    if container == MATROSKA:
        texts.append(("ass", ass.write(report, language), boxes_title))
    for kind, text, title in texts:
        if text is not None:
            yield Subtitles(text, kind, LANGUAGES[language], title)
