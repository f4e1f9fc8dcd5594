"""How a video is made from another: byte by byte, with drawn boxes, with subtitle tracks, or for browsers to play."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate.errors import OutputError, unwritable
from annotate.media.containers import MATROSKA, MP4, container_for_burning, container_for_copying, left_out
from annotate.media.encode import FONT, Subtitles, burn, make_proxy, mux
from annotate.media.probe import Stream, Video
from annotate.results.formats import ass, srt
from annotate.results.report import Report
from annotate.settings import Limits
from annotate.storage.local.files import apply_usual_mode

LANGUAGES = {"en": "eng", "ru": "rus"}
"""Language tags as containers have them (ISO 639-2)."""

TITLES = {"en": ("Emotions", "Emotions, with boxes"), "ru": ("Эмоции", "Эмоции и рамки")}
"""What tracks are called in players: the subtitles, and those that are drawn around faces."""

_NO_FACES = "no faces, so copied as it is"

OnSeconds = Callable[[float], None]
"""Called with the seconds of video that are done."""


@dataclass(frozen=True)
class Rendering:
    """A video, and how another one is made of it: ``write`` does that, and returns how often the decoder complained."""

    video: Video
    container: str
    write: Callable[[Path, OnSeconds], int]
    remarks: tuple[str, ...] = ()

    def make(self, folder: Path, on_seconds: OnSeconds) -> tuple[Path, int]:
        """Write the new video into an empty folder on its target's disk, from where `put` moves it.

        Returns where it is, and how often the decoder complained.

        Raises:
            DecodingError: the video cannot be decoded to its end, or the decoder hung.
            OutputError: there is no space left.
        """
        made = folder / f"copy.{self.container}"
        return made, self.write(made, on_seconds)


def put(made: Path, target: Path) -> None:
    """Move a new video to its place, whole or not at all.

    Raises:
        OSError: it cannot be moved.
    """
    apply_usual_mode(made)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(made, target)


def exact(video: Video, container: str, remarks: tuple[str, ...] = ()) -> Rendering:
    """Return the copy of a video byte by byte."""

    def write(path: Path, on_seconds: OnSeconds) -> int:
        try:
            shutil.copyfile(video.path, path)
        except OSError as error:
            raise unwritable(path, error) from error
        return 0

    return Rendering(video, container, write, remarks)


def drawn(video: Video, container: str, drawing: str | None, limits: Limits, remarks: tuple[str, ...] = ()) -> Rendering:
    """Return a video with an ASS track, if there is one, drawn into its pictures."""

    def write(path: Path, on_seconds: OnSeconds) -> int:
        return burn(video, drawing, path, limits=limits, progress=on_seconds).warning_count

    return Rendering(video, container, write, remarks)


def with_tracks(
    video: Video, container: str, tracks: Sequence[Subtitles], limits: Limits, remarks: tuple[str, ...] = ()
) -> Rendering:
    """Return a video with further tracks of subtitles."""

    def write(path: Path, on_seconds: OnSeconds) -> int:
        return mux(video, tracks, path, limits=limits, progress=on_seconds).warning_count

    return Rendering(video, container, write, remarks)


def playable(video: Video, limits: Limits) -> Rendering:
    """Return a video that every browser plays."""

    def write(path: Path, on_seconds: OnSeconds) -> int:
        return make_proxy(video, path, limits=limits, progress=on_seconds).warning_count

    return Rendering(video, MP4, write)


def boxes(report: Report, language: str) -> str | None:
    """Return the ASS track that shows a report's faces with boxes; None without faces."""
    return ass.draw(report, language, font=FONT, with_bars=True)


def choose_boxes(video: Video, report: Report, language: str, asked: str, limits: Limits) -> Rendering:
    """Return the copy of a video with boxes drawn, in the container ``asked`` for or, if that is empty, the best one."""
    own, has_faces = video.path.suffix[1:].lower(), bool(report.face_cues)
    if not has_faces and own and asked in ("", own):
        return exact(video, own, (_NO_FACES,))
    container = asked or (container_for_burning if has_faces else container_for_copying)(video)
    lost = left_out(video.streams, container)
    if has_faces or _lacks_pictures(video, lost):
        subtitles = [stream for stream in lost if stream.kind == "subtitle"]
        remarks = _remarks(subtitles, container, "no faces", has_faces)
        return drawn(video, container, boxes(report, language), limits, remarks)
    return with_tracks(video, container, (), limits, _remarks(lost, container, _NO_FACES, has_faces))


def choose_tracks(video: Video, report: Report, language: str, asked: str, limits: Limits) -> Rendering:
    """Return the copy of a video with subtitle tracks, in the container ``asked`` for or, if that is empty, the best one.

    Raises:
        OutputError: the container that is asked for does not take the video's pictures as they are.
    """
    own, has_faces = video.path.suffix[1:].lower(), bool(report.face_cues)
    if not has_faces and own and asked in ("", own):
        return exact(video, own, (_NO_FACES,))
    container = asked or container_for_copying(video)
    lost = left_out(video.streams, container)
    if _lacks_pictures(video, lost):
        problem = f".{container} does not take its pictures as they are"
        raise OutputError(problem, "give --container mkv", path=video.path)
    tracks = tuple(_tracks(report, language, container)) if has_faces else ()
    return with_tracks(video, container, tracks, limits, _remarks(lost, container, _NO_FACES, has_faces))


def _lacks_pictures(video: Video, lost: Sequence[Stream]) -> bool:
    return any(stream.index == video.stream for stream in lost)


def _remarks(lost: Sequence[Stream], container: str, without_faces: str, has_faces: bool) -> tuple[str, ...]:
    """Return what to say of a copy: that there are no faces, and which streams are left out."""
    named = ", ".join(f"{stream.codec} ({stream.kind})" for stream in lost)
    losses = (f"without {named}, which .{container} does not take",) if named else ()
    return losses if has_faces else (without_faces, *losses)


def _tracks(report: Report, language: str, container: str) -> Iterator[Subtitles]:
    """Yield the tracks for a container: subtitles, and those drawn around faces where it takes them."""
    plain, drawn_title = TITLES[language]
    texts = [("srt", srt.write(report, language), plain)]
    if container == MATROSKA:
        texts.append(("ass", ass.write(report, language), drawn_title))
    for kind, text, title in texts:
        if text is not None:
            yield Subtitles(text, kind, LANGUAGES[language], title)
