"""Makes ``formats.jpg``: a frame of ``two_faces.mp4`` with its ASS track, drawn by libass, and its VTT track, by Chromium.

``python sample_videos/picture.py``, with this program installed, and ``chromium`` or ``google-chrome`` on the path.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from annotate.archive.layout import OutputOptions
from annotate.archive.scan import scan
from annotate.batch.run import Plan, annotate_archive
from annotate.media.ffmpeg import find_ffmpeg

FOLDER = Path(__file__).parent
CLIP = "two_faces.mp4"
MOMENT_S = 3.9
SIZE = (640, 360)
WIDTH = 1100
"""Of both frames side by side."""
QUIETLY = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")
BROWSERS = ("chromium", "google-chrome", "chrome")
WAIT = "/wait"
WAIT_S = 5.0
"""The page is complete, and its picture taken, when an image has come that takes so long: by then the video stands still."""

PAGE = f"""<!doctype html><style>body {{ margin: 0 }} video {{ display: block }}</style>
<video muted width={SIZE[0]} height={SIZE[1]}></video><img src="{WAIT}" hidden>
<script>
const video = document.querySelector("video"), track = document.createElement("track");
track.src = "two_faces.emotions.en.vtt";
track.default = true;
video.append(track);
video.onloadeddata = () => {{ video.onloadeddata = null; video.currentTime = {MOMENT_S}; }};
fetch("{CLIP}").then(answer => answer.blob()).then(blob => {{ video.src = URL.createObjectURL(blob); }});
</script>
"""


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and nothing after a while."""

    def do_GET(self) -> None:
        if self.path == WAIT:
            time.sleep(WAIT_S)
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


def draw_ass(folder: Path) -> Path:
    """The frame with the ASS track."""
    picture = folder / "ass.png"
    filters = f"ass=two_faces.emotions.en.ass,trim=start={MOMENT_S}"
    command = [find_ffmpeg().path, *QUIETLY, "-i", CLIP, "-vf", filters, "-frames:v", "1", "-update", "1", picture.name]
    subprocess.run(command, check=True, cwd=folder)
    return picture


def draw_vtt(folder: Path) -> Path:
    """The frame with the VTT track."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is on the path")
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    picture = folder / "vtt.png"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/page.html"
    options = f"--headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size={SIZE[0]},{SIZE[1]}".split()
    subprocess.run([browser, *options, f"--screenshot={picture}", address], check=True, stderr=subprocess.DEVNULL)
    server.shutdown()
    return picture


def main() -> None:
    """Annotates the clip, draws both frames and joins them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy2(FOLDER / CLIP, folder)
        list(annotate_archive(scan([folder / CLIP]), Plan(options=OutputOptions(("ass", "vtt")))))
        inputs = [option for picture in (draw_ass(folder), draw_vtt(folder)) for option in ("-i", str(picture))]
        joined = f"[0]format=rgb24,pad=iw+8:ih:0:0:white[a];[a][1]hstack,scale={WIDTH}:-2:flags=lanczos"
        target = ["-q:v", "3", "-update", "1", str(FOLDER / "formats.jpg")]
        subprocess.run([find_ffmpeg().path, *QUIETLY, *inputs, "-filter_complex", joined, *target], check=True)


if __name__ == "__main__":
    main()
