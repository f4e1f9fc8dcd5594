"""Malicious files: what they can open, how much memory they can use, what they can print. See SECURITY.md."""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.batch.job import Status
from annotate.errors import DecodingError, TooLargeError
from annotate.media.decode import decode
from annotate.media.encode import burn, mux
from annotate.media.ffmpeg import MAX_BLOCK_BYTES, MAX_STREAMS, find_ffmpeg, memory_options
from annotate.media.probe import Stream, Video, probe
from annotate.media.stills import read_still
from annotate.results.meta import read_meta
from tests.clips import H264, file_url, make_pattern, run_ffmpeg
from tests.runs import annotate

CANARY = "CANARY-7f3a"

PLAYLISTS = {
    "hls": "#EXTM3U\n#EXTINF:9,\n{url}/a.ts\n#EXTINF:9,\n{video}\n#EXTINF:9,\n{canary}\n#EXT-X-ENDLIST\n",
    "hls_key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}/key"\n#EXT-X-MAP:URI="{canary}"\n#EXTINF:9,\n{video}\n',
    "hls_concat": "#EXTM3U\n#EXTINF:9,\nconcat:{canary}|{video}\n#EXTINF:9,\nsubfile,,start,0,end,64,,:{canary}\n",
    "ffconcat": "ffconcat version 1.0\nfile '{video}'\nfile '{canary}'\nfile '{url}/a.mp4'\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S">'
        "<Period><AdaptationSet mimeType='video/mp4'><Representation id='1' bandwidth='9'><BaseURL>{url}/a.mp4</BaseURL>"
        "</Representation></AdaptationSet></Period></MPD>"
    ),
    "smil": "<smil><body><video src='{url}/a.mp4'/><video src='{video}'/></body></smil>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "redirect": "[Reference]\nRef1={url}/a.asf\nRef2=file://{video}\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:09,000\n<img src='{url}/a.png'>{{\\fn{canary}}}{canary}\n",
    "ass": "[Script Info]\n[Fonts]\nfontname: {canary}\n[Events]\nDialogue: 0,0:00:00.00,0:00:09.00,,,0,0,0,,x\n",
    "filter": "movie={video},amovie={canary}[out]\n",
    "svg": "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image href='{url}/a.png'/></svg>",
    "url": "{url}/a.mp4\n",
}


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """Yield a local port, and the list of connections made to it."""
    connections: list[object] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def accept() -> None:
            while True:
                try:
                    connections.append(server.accept())
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], connections
        server.shutdown(socket.SHUT_RDWR)


def test_the_listener_receives_connections(listener: tuple[int, list[object]]) -> None:
    """Without annotate's restrictions, the same playlist does connect, so the next test can fail."""
    port, connections = listener
    text = PLAYLISTS["hls"].format(url=f"http://127.0.0.1:{port}", video="x.ts", canary="y.ts", port=port)
    command = [find_ffmpeg().path, "-nostdin", "-protocol_whitelist", "file,pipe,http,tcp", "-f", "hls", "-i", "pipe:0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(text.encode())
        process.stdin.close()
        for _ in range(100):
            if connections:
                break
            threading.Event().wait(0.1)
        process.kill()
    assert connections


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts"])
def test_playlists_and_scripts_named_as_videos_open_nothing(
    tmp_path: Path, face_clip: Path, listener: tuple[int, list[object]], extension: str
) -> None:
    port, connections = listener
    archive = tmp_path / "archive"
    archive.mkdir()
    canary = tmp_path / "canary.txt"
    canary.write_text(f"{CANARY}\n" * 1000)
    for name, text in PLAYLISTS.items():
        filled = text.format(url=f"http://127.0.0.1:{port}", video=face_clip, canary=canary, port=port)
        # Null bytes at the end let it pass the content check of transport streams as well.
        (archive / f"{name}.{extension}").write_text(filled + "\0" * 8)
    outcomes = list(annotate([archive]))
    assert [outcome.path.stem for outcome in outcomes] == sorted(PLAYLISTS)
    assert {outcome.status for outcome in outcomes} == {Status.FAILED}
    assert not any(CANARY in outcome.reason + outcome.trace for outcome in outcomes)
    written = [path for path in archive.iterdir() if ".emotions." in path.name]
    assert all(path.name.endswith(".failed.json") and CANARY not in path.read_text() for path in written)
    assert connections == []


def test_rendering_and_reading_stills_of_playlists_and_scripts_opens_nothing(
    tmp_path: Path, face_clip: Path, listener: tuple[int, list[object]]
) -> None:
    """As if probing had accepted them as videos."""
    port, connections = listener
    canary = tmp_path / "canary.txt"
    canary.write_text(f"{CANARY}\n" * 1000)
    for name, text in PLAYLISTS.items():
        path = tmp_path / f"{name}.mp4"
        path.write_text(text.format(url=f"http://127.0.0.1:{port}", video=face_clip, canary=canary, port=port))
        video = Video(path, 0, 320, 240, 2.0, 25.0, "", (Stream(0, "video", "h264"),))
        work = tmp_path / name
        work.mkdir()
        for attempt in (
            functools.partial(burn, video, None, work / "rendered.mp4"),
            functools.partial(mux, video, [], work / "rendered.mkv"),
            functools.partial(read_still, path, 0, video=video),
        ):
            with pytest.raises(DecodingError) as raised:
                attempt()
            assert CANARY not in str(raised.value)
        assert not any(CANARY.encode() in written.read_bytes() for written in work.iterdir())
    assert connections == []


def test_other_files_that_a_video_refers_to_are_not_read(tmp_path: Path, empty_clip: Path, face_clip: Path) -> None:
    """Matroska chapters may name segments of other files."""
    linked = tmp_path / "linked.mkv"
    chapters = tmp_path / "chapters.txt"
    chapters.write_text(
        f";FFMETADATA1\ntitle={face_clip}\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle={face_clip}\n"
    )
    run_ffmpeg("-i", empty_clip, "-i", chapters, "-map", "0", "-map_metadata", "1", "-c", "copy", file_url(linked))
    (outcome,) = annotate([linked])
    assert (outcome.status, outcome.duration_s) == (Status.NO_FACES, 1.0)


def peak_memory_bytes(*arguments: str) -> int:
    """Return ffmpeg's peak memory, run by a small parent, since a child's peak includes its parent's memory at the fork."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, find_ffmpeg().path, "-nostdin", *arguments]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout) * 1024


@pytest.mark.skipif(not Path("/proc").exists(), reason="the unit of ru_maxrss differs between systems")
def test_an_attachment_is_not_read_into_memory(tmp_path: Path, empty_clip: Path) -> None:
    attachment, path = tmp_path / "large.bin", tmp_path / "attached.mkv"
    with attachment.open("wb") as file:
        file.truncate(2 * MAX_BLOCK_BYTES)
    attach = ("-attach", attachment, "-metadata:s:t", "mimetype=application/octet-stream")
    run_ffmpeg("-i", empty_clip, *attach, "-c", "copy", file_url(path))
    attachment.unlink()
    assert peak_memory_bytes("-i", str(path)) > 2 * MAX_BLOCK_BYTES
    assert peak_memory_bytes(*memory_options(), "-i", str(path)) < 2 * MAX_BLOCK_BYTES
    (outcome,) = annotate([path])
    assert (outcome.status, outcome.duration_s) == (Status.NO_FACES, 1.0)


@pytest.mark.parametrize("count", [MAX_STREAMS, MAX_STREAMS + 1])
def test_too_many_streams_are_rejected(tmp_path: Path, empty_clip: Path, count: int) -> None:
    path = tmp_path / "many.mkv"
    audio = ("-f", "lavfi", "-t", "0.1", "-i", "anullsrc=r=8000:cl=mono")
    mapped = [option for _ in range(count - 1) for option in ("-map", "1:a")]
    run_ffmpeg("-i", empty_clip, *audio, "-map", "0:v", *mapped, "-c:v", "copy", "-c:a", "pcm_u8", file_url(path))
    if count > MAX_STREAMS:
        with pytest.raises(TooLargeError) as raised:
            probe(path)
        assert raised.value.path == path
        assert "256 streams" in raised.value.problem
    else:
        assert len(list(decode(probe(path), (160, 120)))) == 25


def test_8k_frames_are_within_the_limits(tmp_path: Path) -> None:
    options = (*H264, "-pix_fmt", "yuv444p10le")
    path = make_pattern(tmp_path / "large.mp4", size="7680x4320", rate="1", options=options)
    (outcome,) = annotate([path])
    assert (outcome.status, outcome.duration_s, outcome.reason) == (Status.NO_FACES, 1.0, "")


def test_metadata_cannot_pretend_to_be_a_stream(tmp_path: Path, empty_clip: Path) -> None:
    fake = "x\n  Stream #0:0: Video: h264, yuv420p, 4000x3000, 9 fps\r\n  Duration: 99:00:00.00\x1b[2J"
    path = tmp_path / "faked.mkv"
    metadata = [option for key in ("title", "comment", "encoder") for option in ("-metadata", f"{key}={fake}")]
    run_ffmpeg("-i", empty_clip, *metadata, "-metadata:s:v", f"title={fake}", "-c", "copy", file_url(path))
    video = probe(path)
    assert (video.width_px, video.height_px, video.duration_s, video.frame_rate) == (160, 120, 1.0, 25.0)


@pytest.mark.parametrize(
    "name",
    [
        b"caf\xe9\xff.mp4",
        b"new\nline\rback.mp4",
        b"\x1b]0;title\x07\x1b[2J.mp4",
        b"'quoted' \"twice\" `once` $(touch x).mp4",
        b"=HYPERLINK(1).mp4",
        "\u202egpj.mp4".encode(),
        b"%d %s {0} {{}}.mp4",
    ],
)
def test_unusual_names_are_kept_to_the_byte(tmp_path: Path, empty_clip: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    try:
        path.write_bytes(empty_clip.read_bytes())
    except OSError:
        pytest.skip("the file system does not support this name")
    (outcome,) = annotate([tmp_path])
    stem = name.removesuffix(b".mp4")
    assert outcome.status is Status.NO_FACES
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted(
        [name, stem + b".emotions.csv", stem + b".emotions.meta.json"]
    )
    meta = read_meta(tmp_path / os.fsdecode(stem + b".emotions.meta.json"))
    assert meta is not None
    assert meta.source.name.encode("utf-8", "strict")
    assert next(annotate([tmp_path])).status is Status.UP_TO_DATE
