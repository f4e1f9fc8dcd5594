"""Draw ``formats.jpg``: a frame of ``two_faces.mp4`` with its ASS track (by libass) and its VTT track (by Chromium).

Run ``python sample_videos/formats.py``; needs annotate installed, and ``chromium`` or ``google-chrome`` on the path.
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
SIZE_PX = (640, 360)
WIDTH_PX = 1100
"""Width of both frames side by side."""
QUIET_OPTIONS = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")
BROWSERS = ("chromium", "google-chrome", "chrome")
DELAY_PATH = "/wait"
DELAY_S = 5.0
"""Delay of an image in the page: Chromium takes the screenshot when it has loaded, after seeking has finished."""

PAGE = f"""<!doctype html><style>body {{ margin: 0 }} video {{ display: block }}</style>
<video muted width={SIZE_PX[0]} height={SIZE_PX[1]}></video><img src="{DELAY_PATH}" hidden>
<script>
const video = document.querySelector("video"), track = document.createElement("track");
track.src = "two_faces.emotions.en.vtt";
track.default = true;
video.append(track);
video.onloadeddata = () => {{ video.onloadeddata = null; video.currentTime = {MOMENT_S}; }};
fetch("{CLIP}").then(response => response.blob()).then(blob => {{ video.src = URL.createObjectURL(blob); }});
</script>
"""


class Server(http.server.SimpleHTTPRequestHandler):
    """Serve a folder, and a delayed response at ``DELAY_PATH``."""

    def do_GET(self) -> None:
        if self.path == DELAY_PATH:
            time.sleep(DELAY_S)
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def draw_ass(folder: Path) -> Path:
    """Draw the frame with the ASS track; return the image's path."""
    image = folder / "ass.png"
    filters = f"ass=two_faces.emotions.en.ass,trim=start={MOMENT_S}"
    command = [find_ffmpeg().path, *QUIET_OPTIONS, "-i", CLIP, "-vf", filters, "-frames:v", "1", "-update", "1", image.name]
    subprocess.run(command, check=True, cwd=folder)
    return image


def draw_vtt(folder: Path) -> Path:
    """Draw the frame with the VTT track; return the image's path."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is on the path")
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    image = folder / "vtt.png"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/page.html"
    options = f"--headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size={SIZE_PX[0]},{SIZE_PX[1]}".split()
    subprocess.run([browser, *options, f"--screenshot={image}", url], check=True, stderr=subprocess.DEVNULL)
    server.shutdown()
    return image


def main() -> None:
    """Annotate the clip, draw both frames and join them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy2(FOLDER / CLIP, folder)
        list(annotate_archive(scan([folder / CLIP]), Plan(options=OutputOptions(("ass", "vtt")))))
        inputs = [option for image in (draw_ass(folder), draw_vtt(folder)) for option in ("-i", str(image))]
        join_filter = f"[0]format=rgb24,pad=iw+8:ih:0:0:white[a];[a][1]hstack,scale={WIDTH_PX}:-2:flags=lanczos"
        target = ["-q:v", "3", "-update", "1", str(FOLDER / "formats.jpg")]
        subprocess.run([find_ffmpeg().path, *QUIET_OPTIONS, *inputs, "-filter_complex", join_filter, *target], check=True)


if __name__ == "__main__":
    main()
