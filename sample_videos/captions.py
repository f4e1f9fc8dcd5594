"""Draw ``captions.jpg``: frames of one, two and five faces with captions (``--style caption``), drawn by libass.

Run ``python sample_videos/captions.py``; needs an ffmpeg with libass, which imageio-ffmpeg installs. Light, dark, 4:3 and
upright pictures are cut from the clips, and the one with five faces is put together from them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import scan
from annotate.batch.run import Plan, annotate_archive
from annotate.media.ffmpeg import find_ffmpeg

FOLDER = Path(__file__).parent
HEIGHT_PX = 270
DARK = "eq=brightness=-0.2:contrast=0.8"
QUIET_OPTIONS = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")


@dataclass(frozen=True)
class Picture:
    """A picture: clips with their starts in seconds, a filter graph, the moment to show, and the language."""

    clips: tuple[tuple[str, float], ...]
    filters: str
    moment_s: float
    language: str = "en"


_FACE = "fps=25,crop=280:360:160:0,scale=192:-2"
_FIVE = "".join(f"[{number}]{_FACE}[f{number}];" for number in range(5))

PICTURES = {
    "one": Picture((("portrait.mp4", 0),), "[0]null", 1.0),
    "two, dark": Picture((("two_faces.mp4", 0),), f"[0]{DARK}", 4.6),
    "five": Picture(
        tuple(("portrait.mp4", start_s) for start_s in (4, 5, 0, 6, 5.5)),
        f"{_FIVE}[f0][f1][f2][f3][f4]hstack=5,pad=960:540:0:120:black",
        5.6,
    ),
    "4:3, dark": Picture((("portrait.mp4", 0),), f"[0]crop=480:360:60:0,{DARK}", 9.5),
    "face at the top": Picture((("cut.mp4", 0),), "[0]crop=400:225:120:135", 1.0),
    "upright": Picture((("phone.mov", 0),), "[0]fps=25", 1.0),
    "Russian": Picture((("two_faces.mp4", 0),), "[0]null", 5.8, "ru"),
}
ROWS = (("one", "two, dark", "Russian"), ("five", "4:3, dark", "face at the top", "upright"))


def run_ffmpeg(*arguments: object, folder: Path) -> None:
    """Run ffmpeg in a folder."""
    subprocess.run([find_ffmpeg().path, *QUIET_OPTIONS, *map(str, arguments)], check=True, cwd=folder)


def draw(name: str, folder: Path, ending: str = "srt") -> Path:
    """Make the video of a picture, annotate it and draw its captions; return the image's path."""
    picture, video = PICTURES[name], folder / "video.mp4"
    inputs = [part for clip, start_s in picture.clips for part in ("-ss", start_s, "-i", FOLDER / clip)]
    run_ffmpeg(*inputs, "-filter_complex", picture.filters, "-an", "-crf", 14, video, folder=folder)
    options = OutputOptions((ending,), picture.language, variants=("caption",))
    list(annotate_archive(scan([video]), Plan(options=options)))
    captions = f"video.emotions.caption.{picture.language}.{ending}"
    filters = f"subtitles={captions},trim=start={picture.moment_s},scale=-2:{HEIGHT_PX}:flags=lanczos"
    image = folder / f"{name.replace(' ', '_').replace(':', '')}.png"
    run_ffmpeg("-i", video, "-vf", filters, "-frames:v", 1, "-update", 1, image, folder=folder)
    return image


def main(target: Path = FOLDER / "captions.jpg", ending: str = "srt") -> None:
    """Draw all pictures and put them together."""
    with tempfile.TemporaryDirectory() as path:
        images = []
        for row in ROWS:
            for name in row:
                folder = Path(path) / name
                folder.mkdir()
                images.append(draw(name, folder, ending))
        graph, rows, number = "", "", 0
        for which, row in enumerate(ROWS):
            tiles = "".join(f"[t{number + each}]" for each in range(len(row)))
            for each in range(number, number + len(row)):
                graph += f"[{each}]format=rgb24,pad=iw+6:ih+6:0:0:white[t{each}];"
            graph += f"{tiles}hstack={len(row)},scale=1446:-2[r{which}];"
            rows += f"[r{which}]"
            number += len(row)
        inputs = [part for image in images for part in ("-i", image)]
        output = ("-q:v", 5, "-update", 1, "sheet.jpg")
        run_ffmpeg(*inputs, "-filter_complex", f"{graph}{rows}vstack={len(ROWS)}", *output, folder=Path(path))
        shutil.copy(Path(path) / "sheet.jpg", target)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]), *sys.argv[2:3])
