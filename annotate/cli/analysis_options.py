"""Options of the analysis of videos, which become `annotate.settings.Settings`."""

from __future__ import annotations

import click

from annotate.cli.options import Command, Decorator, PathOrUrlType, collect, stacked
from annotate.settings import BASELINES, DECODE_MODES, DETECTORS, MAX_MIN_FACE, MIN_MIN_FACE, WHOLE_BLOCK, Settings

detector_option = click.option(
    "--detector",
    type=click.Choice(tuple(DETECTORS)),
    default=Settings.detector,
    show_default=True,
    help="Face detector: YuNet, or the older one of dlib, for frontal faces only.",
)
min_face_option = click.option(
    "--min-face",
    metavar="FRACTION",
    type=click.FloatRange(MIN_MIN_FACE, MAX_MIN_FACE),
    default=Settings.min_face,
    show_default=True,
    help="Smallest face, brow to chin, as a fraction of the frame's shorter side.",
)


def model_option(help_text: str = "Use this model instead of the installed one.") -> Decorator:
    """Declare ``--model``, a local file."""
    return click.option("--model", metavar="FILE.onnx", type=PathOrUrlType(remote=False), help=help_text)


def analysis_options(command: Command) -> Command:
    """Declare the options of ``settings``."""
    baseline = click.option(
        "--baseline",
        type=click.Choice(BASELINES),
        default=Settings.baseline,
        show_default=True,
        help="Add columns relative to each face's own baseline: its first 3 s, or the median of all.",
    )
    decode = click.option(
        "--decode",
        type=click.Choice(DECODE_MODES),
        default=Settings.decode,
        show_default=True,
        help="Frames to decode: leaving out B-frames that no other needs, or all but key frames, is faster and less exact.",
    )
    hop = click.option(
        "--hop",
        metavar="N",
        type=click.IntRange(1, WHOLE_BLOCK),
        default=Settings.hop,
        show_default=True,
        help="Frames from one segment of 20 to the next. Fewer show onsets and peaks in finer steps, and take longer.",
    )
    persons = click.option(
        "--persons",
        is_flag=True,
        help="Number persons, over cuts and absences, in a last column. This is biometric processing: in the EU it needs a "
        "legal ground, and emotion recognition is forbidden at work and in education.",
    )
    collecting = collect("settings", Settings, "detector", "min_face", "model", "baseline", "decode", "hop", "persons")
    return stacked(detector_option, min_face_option, model_option(), baseline, decode, hop, persons, collecting)(command)
