"""Draw ``preview.jpg``, ``timeline.png`` and ``rendered.jpg``: highlights, timeline and a rendered frame of a clip.

Run ``python sample_videos/previews.py``; needs ``pip install '.[plot]'``.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import scan
from annotate.archive.stored_report import read_report
from annotate.batch.render import render_archive, scan_renders
from annotate.batch.run import Plan, annotate_archive
from annotate.media.ffmpeg import find_ffmpeg
from annotate.plots.figures import encode_figure, plot_style
from annotate.plots.sheet import draw_sheet
from annotate.plots.timeline import draw_timeline

FOLDER = Path(__file__).parent
CLIP, STEM = "two_faces.mp4", "two_faces.emotions"
MOMENT_S = 3.9
WIDTH_PX = 1100
"""Maximum width of the images."""


def save_image(source: Path, target: Path, *options: str) -> None:
    """Save an image, or a frame of a video, scaled down; ``options`` are ffmpeg's for the input."""
    quiet = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")
    command = [find_ffmpeg().path, *quiet, *options, "-i", str(source), "-q:v", "3", "-frames:v", "1", "-update", "1"]
    subprocess.run(
        [*command, "-vf", f"scale='min(iw,{WIDTH_PX})':-2:flags=lanczos,format=yuvj444p", str(target)], check=True
    )


def main() -> None:
    """Annotate and render the clip, and draw the images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = Path(shutil.copy2(FOLDER / CLIP, folder))
        list(annotate_archive(scan([clip]), Plan(options=OutputOptions(("csv",)))))
        list(render_archive(scan_renders([clip])))
        report = read_report(folder / f"{STEM}.csv")
        with plot_style():
            (FOLDER / "timeline.png").write_bytes(encode_figure(draw_timeline(report, CLIP), ".png"))
            (folder / "sheet.png").write_bytes(encode_figure(draw_sheet(report, clip), ".png"))
        save_image(folder / "sheet.png", FOLDER / "preview.jpg")
        save_image(folder / f"{STEM}.boxes.en.mp4", FOLDER / "rendered.jpg", "-ss", str(MOMENT_S))


if __name__ == "__main__":
    main()
