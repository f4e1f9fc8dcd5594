"""Measure which faces are found: ``python -m tests.benchmarks.faces [--boxes FILE.npz] [--clips DIR]``.

``--boxes`` holds labeled crowd pictures: ``jpeg`` (all files end to end), ``offset`` (where each begins), ``box_xyxy``
(n, 4) in 416ths of the width and height, and ``box_image`` (n,). They become a video, a second for each picture, that is
annotated as any other. ``--clips`` is searched for videos. Both are optional; pictures turned in the image plane, clips
without faces and the clip on which time is measured are made from the sample videos and by ffmpeg.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from annotate import Annotation, Box, Settings, iterate_annotations
from annotate.analysis.pipeline import analyzed_sizing
from annotate.archive.discover import walk
from annotate.errors import AnnotateError
from annotate.faces.box import pairwise_iou
from annotate.faces.detectors import load_detector
from annotate.faces.search import Observation, detect_faces
from annotate.faces.shots import limit_frame_rate
from annotate.faces.track import TrackedFace, link_detections
from annotate.media.decode import decode
from annotate.media.probe import probe
from annotate.settings import DETECTORS
from annotate.span import MS_PER_S, Span
from tests.benchmarks.clips import CLIPS, RATE, make_clip
from tests.benchmarks.faithfulness import compare
from tests.benchmarks.throughput import measure_stages
from tests.clips import SAMPLES, file_url, run_ffmpeg

PICTURE_PX = 640
LABEL_UNIT = 416
SIZES = (0.06, 0.15)
"""Minimum heights of labeled faces, as fractions of the picture."""

MIN_IOU = 0.4
"""Minimum intersection over union of a label and the rectangle of a found face that counts as its face."""

MAX_FALSE_IOU = 0.25
"""A box that overlaps every label less is no face."""

_FOREHEAD, _WIDTH = 0.235, 0.93
"""A label includes the forehead: how much higher it is than a found box, and how wide, in sides of the box."""

LIGHTS = {"": (1.0, 0.0), "faded, ": (0.15, 100.0), "dark, ": (0.06, 16.0)}
"""What luma is multiplied by, and what is added to it."""

ANGLES_DEG = tuple(range(0, 91, 15))
_TURNED_S = 2
_TIMED_S = 12
_SOURCES = {
    "bars": "smptehdbars=s=640x360:d=4",
    "test picture": "testsrc2=s=640x360:d=4",
    "mandelbrot": "mandelbrot=s=640x360:maxiter=500,trim=duration=4",
    "game of life": "life=s=640x360:mold=10:r=25:ratio=0.1:death_color=#C83232:life_color=#00ff00,trim=duration=4",
    "cells": "cellauto=s=640x360:rule=110,trim=duration=4",
    "noise": "nullsrc=s=640x360:d=4,geq=random(1)*255:128:128",
    "gradients": "gradients=s=640x360:d=4:nb_colors=8",
    "waves": "nullsrc=s=640x360:d=4,geq=128+60*sin(X/23+T)+60*cos(Y/17-T):128+50*sin(Y/31):128+50*cos(X/29)",
    "discs": "nullsrc=s=640x360:d=4,geq=if(lt(hypot(mod(X\\,80)-40\\,mod(Y\\,90)-45)\\,30)\\,190\\,60):110:150",
}
"""Pictures without faces, by ffmpeg's own sources."""


@dataclass(frozen=True)
class CrowdFigures:
    """How many labeled faces were found, by minimum size, and how many boxes are no face."""

    found: dict[float, tuple[int, int]]
    boxes: int
    false_boxes: int


@dataclass(frozen=True)
class ClipFigures:
    """The tracks of a clip: how many, whether two in one shot are never seen together, and the share of time with two."""

    ids: int
    may_split: bool
    sees_two: bool
    two_share: float

    @property
    def text(self) -> str:
        hint = ", perhaps of one person" if self.may_split else ""
        return f"{self.ids}{hint}" + (f", two for {self.two_share:.0%} of the time" if self.sees_two else "")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--boxes", type=click.Path(exists=True, path_type=Path), help="Labeled crowd pictures (.npz).")
@click.option("--clips", type=click.Path(exists=True, path_type=Path), help="Folder of videos.")
@click.option("--detector", "detectors", type=click.Choice(list(DETECTORS)), multiple=True, help="Default: all.")
def main(boxes: Path | None, clips: Path | None, detectors: tuple[str, ...]) -> None:
    """Print a table of figures, with a column for each detector."""
    rows: dict[str, list[str]] = {}
    names = detectors or tuple(DETECTORS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for detector in names:
            for label, figure in _figures(Settings(detector=detector), boxes, clips, folder):
                rows.setdefault(label, []).append(figure)
                click.echo(f"{detector}: {label}: {figure}", err=True)
    print(tabulate([[label, *row] for label, row in rows.items()], ["", *names], "github", disable_numparse=True))


def _figures(settings: Settings, boxes: Path | None, clips: Path | None, folder: Path) -> Iterator[tuple[str, str]]:
    if boxes is not None:
        yield from _crowd_figures(settings, boxes, folder)
    upright, found = turned_faces(settings, folder)
    yield "turned faces found, with the emotion of the upright one", f"{found} ({upright} upright)"
    for name, count in empty_clips(settings, folder):
        yield f"tracks in {name}", str(count)
    for clip, ms in detection_times(settings.detector, folder):
        yield f"detection, ms per frame: {clip}", f"{ms:.2f}"
    if clips is not None:
        total, shown = Counter[str](), list[ClipFigures]()
        for path in walk([clips]):
            if isinstance(path, Path):
                try:
                    part = compare(path, settings)
                    shown.append(follow(path, settings))
                except AnnotateError as error:
                    click.echo(f"skipped: {error}", err=True)
                    continue
                total.update(expected=part.true_ms, found=part.found_ms, added=part.extra_ms)
                yield f"IDs in {path.relative_to(clips)}", shown[-1].text
        yield "clips in which a person may have more than one ID", f"{sum(clip.may_split for clip in shown)} of {len(shown)}"
        pairs = [clip.two_share for clip in shown if clip.sees_two]
        yield "share of the time with two faces, of clips with two", f"{np.mean(pairs or [0]):.3f} ({len(pairs)} clips)"
        yield "face-seconds of detection on every frame", f"{total['expected'] / MS_PER_S:.1f}"
        yield "of these found", f"{total['found'] / max(1, total['expected']):.4f}"
        yield "found in addition", f"{total['added'] / MS_PER_S:.1f} s"


def _crowd_figures(settings: Settings, boxes: Path, folder: Path) -> Iterator[tuple[str, str]]:
    for light, (gain, offset) in LIGHTS.items():
        video, labels = crowd_video(boxes, folder, gain, offset)
        for min_face, size in zip((0.06, Settings.min_face), SIZES, strict=True):
            crowd = find_crowd(video, labels, replace(settings, min_face=min_face))
            name = f"{light}--min-face {min_face:g}"
            for minimum, (found, total) in crowd.found.items():
                hint = "" if minimum == size else " (for information)"
                yield f"{name}: faces of {minimum:.0%} and more", f"{found} of {total} ({found / total:.2f}){hint}"
            share = crowd.false_boxes / max(1, crowd.boxes)
            yield f"{name}: boxes that are no face", f"{crowd.false_boxes} of {crowd.boxes} ({share:.3f})"


def crowd_video(path: Path, folder: Path, gain: float = 1.0, offset: float = 0.0) -> tuple[Path, list[NDArray[np.float64]]]:
    """Make a video of labeled pictures, a second each; return its path and the labels (n, 4) in pixels.

    Luma is multiplied by ``gain``, and then ``offset`` is added.
    """
    data = np.load(path)
    files = [data["jpeg"][start:end] for start, end in zip(data["offset"], data["offset"][1:], strict=False)]
    for number, content in enumerate(files):
        (folder / f"{number:04}.jpg").write_bytes(content.tobytes())
    video = folder / "crowd.mp4"
    scale = f"scale={PICTURE_PX}:{PICTURE_PX},setsar=1,fps=10,format=yuv420p"
    if (gain, offset) != (1, 0):
        color = f"128+(val-128)*{gain}"
        scale += f",lutyuv=y=val*{gain}+{offset}:u={color}:v={color}"
    source = ("-framerate", "1", "-i", file_url(folder / "%04d.jpg"))
    run_ffmpeg("-y", *source, "-vf", scale, "-c:v", "libx264", "-crf", "16", file_url(video), timeout_s=600)
    boxes = data["box_xyxy"].astype(np.float64) * (PICTURE_PX / LABEL_UNIT)
    return video, [boxes[data["box_image"] == number] for number in range(len(files))]


def find_crowd(video: Path, labels: Sequence[NDArray[np.float64]], settings: Settings) -> CrowdFigures:
    """Annotate a video of `crowd_video` and compare its boxes with the labels."""
    found_boxes: dict[int, list[Box]] = {}
    for annotation in iterate_annotations(video, settings):
        middle_ms = (annotation.span.start_ms + annotation.span.end_ms) // 2
        found_boxes.setdefault(middle_ms // MS_PER_S, []).append(_with_forehead(annotation.box))
    counts = dict.fromkeys(SIZES, (0, 0))
    false_boxes = 0
    for number, corners in enumerate(labels):
        expected, found = [Box(x, y, right - x, bottom - y) for x, y, right, bottom in corners], found_boxes.get(number, [])
        ious = pairwise_iou(expected, found) if expected and found else np.zeros((len(expected), len(found)))
        is_found = ious.max(1, initial=0) >= MIN_IOU
        false_boxes += int((ious.max(0, initial=0) < MAX_FALSE_IOU).sum())
        for minimum, (hits, total) in counts.items():
            large = np.array([box.height >= minimum * PICTURE_PX for box in expected], bool)
            counts[minimum] = hits + int(is_found[large].sum()), total + int(large.sum())
    return CrowdFigures(counts, sum(map(len, found_boxes.values())), false_boxes)


def _with_forehead(box: Box) -> Box:
    width, height = _WIDTH * box.width, (1 + _FOREHEAD) * box.height
    return Box(box.x + (box.width - width) / 2, box.y + box.height * 0.93 - height + 0.0, width, height)


def turned_faces(settings: Settings, folder: Path) -> tuple[str, str]:
    """Turn a frontal face by `ANGLES_DEG`; return its emotion upright, and how many angles give one face of that emotion."""
    emotions: list[str] = []
    for angle_deg in ANGLES_DEG:
        turned = folder / "turned.mp4"
        turn = f"rotate={math.radians(angle_deg)}:ow=800:oh=800,format=yuv420p"
        run_ffmpeg("-t", str(_TURNED_S), "-i", SAMPLES / "portrait.mp4", "-vf", turn, "-an", "-y", file_url(turned))
        emotions.append(_only_emotion(list(iterate_annotations(turned, settings))))
    same = sum(emotion == emotions[0] for emotion in emotions)
    return emotions[0], f"{same} of {len(ANGLES_DEG)}: {', '.join(emotions)}"


def _only_emotion(annotations: Sequence[Annotation]) -> str:
    """Return the most frequent emotion of the only face, or why there is none."""
    if len({annotation.face_id for annotation in annotations}) != 1:
        return "several" if annotations else "none"
    return Counter(annotation.emotion for annotation in annotations).most_common(1)[0][0]


def empty_clips(settings: Settings, folder: Path) -> Iterator[tuple[str, int]]:
    """Yield names of clips without faces, and how many faces are found in them."""
    yield "no_face.mp4", _count_faces(SAMPLES / "no_face.mp4", settings)
    for name, source in _SOURCES.items():
        clip = folder / "empty.mp4"
        run_ffmpeg("-f", "lavfi", "-i", source, "-t", "4", "-pix_fmt", "yuv420p", "-y", file_url(clip))
        yield name, _count_faces(clip, settings)


def detection_times(detector: str, folder: Path) -> Iterator[tuple[str, float]]:
    """Yield names of clips of 720 lines, and the milliseconds per frame that detection takes."""
    for clip in CLIPS:
        if clip.height_px == 720 and clip.codec == "libx264":
            path = folder / f"{clip.name.replace(', ', '_').replace(' ', '_')}.mp4"
            path = path if path.exists() else make_clip(clip, folder, _TIMED_S)
            yield clip.name, 1000 * measure_stages(path, detector)["detect"] / RATE


def follow(path: Path, settings: Settings) -> ClipFigures:
    """Track the faces of a video."""
    video = probe(path)
    decoded = decode(video, analyzed_sizing(settings.min_face))
    frames = limit_frame_rate(decoded, video.frame_rate, settings.max_frame_rate)
    shots: dict[int, int] = {}
    spans: dict[int, Span] = {}
    most = 0

    def noted() -> Iterator[Observation]:
        nonlocal most
        shot = 0
        for each in detect_faces(frames, load_detector(settings.detector, settings.min_face), settings):
            shot += each.begins_shot
            shots[each.frame.index], spans[each.frame.index] = shot, each.frame.span
            most = max(most, len(each.detections or ()))
            yield each

    tracks: dict[int, set[int]] = {}
    for event in link_detections(noted(), settings):
        if isinstance(event, TrackedFace):
            tracks.setdefault(event.track, set()).add(event.frame.index)
    kept = [seen for seen in tracks.values() if len(seen) >= settings.min_track_frames]
    pairs = itertools.combinations(kept, 2)
    may_split = any(shots[min(one)] == shots[min(other)] and one.isdisjoint(other) for one, other in pairs)
    together_ms = sum(span.duration_ms for index, span in spans.items() if sum(index in seen for seen in kept) >= 2)
    return ClipFigures(len(kept), may_split, most >= 2, together_ms / sum(span.duration_ms for span in spans.values()))


def _count_faces(video: Path, settings: Settings) -> int:
    return len({annotation.face_id for annotation in iterate_annotations(video, settings)})


if __name__ == "__main__":
    main()
