"""Makes ``preview.jpg``, ``timeline.png`` and ``rendered.jpg``: telling moments, a timeline and a rendered frame of a clip.

``python sample_videos/look.py``, with this program and matplotlib installed (``pip install '.[plot]'``).
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
from annotate.plots.figures import encode, style
from annotate.plots.sheet import draw_sheet
from annotate.plots.timeline import draw_timeline

FOLDER = Path(__file__).parent
CLIP, STEM = "two_faces.mp4", "two_faces.emotions"
MOMENT_S = 3.9
WIDTH = 1100
"""Of the sheet, in pixels."""


def convert(source: Path, target: Path, *options: str) -> None:
    """Takes a picture from a file."""
    quietly = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")
    command = [find_ffmpeg().path, *quietly, *options, "-i", str(source), "-q:v", "3", "-frames:v", "1", "-update", "1"]
    subprocess.run([*command, "-vf", f"scale='min(iw,{WIDTH})':-2:flags=lanczos,format=yuvj444p", str(target)], check=True)


def main() -> None:
    """Annotates and renders the clip, and draws."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = Path(shutil.copy2(FOLDER / CLIP, folder))
        list(annotate_archive(scan([clip]), Plan(options=OutputOptions(("csv",)))))
        list(render_archive(scan_renders([clip])))
        report = read_report(folder / f"{STEM}.csv")
        with style():
            (FOLDER / "timeline.png").write_bytes(encode(draw_timeline(report, CLIP), ".png"))
            (folder / "sheet.png").write_bytes(encode(draw_sheet(report, clip), ".png"))
        convert(folder / "sheet.png", FOLDER / "preview.jpg")
        convert(folder / f"{STEM}.boxes.en.mp4", FOLDER / "rendered.jpg", "-ss", str(MOMENT_S))


if __name__ == "__main__":
    main()
