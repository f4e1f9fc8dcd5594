"""Makes the sample clips of this folder from two photographs that scikit-image ships: ``python sample_videos/make.py``.

The portrait's expression is changed by a smooth warp: landmarks of the face, placed by hand, are moved, and a thin
plate spline carries the pixels between them along. Everything is seeded; nothing is downloaded.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator, RBFInterpolator
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.draw import polygon2mask
from skimage.transform import AffineTransform, resize, warp

Picture = NDArray[np.float64]
"""Height x width x 3, or height x width for a mask; 0..1."""
Script = tuple[tuple[float, str], ...]
"""From which second on a face shows which of EXPRESSIONS."""
Points = NDArray[np.float64]
"""Count x 2: x and y in pixels of the portrait."""

FOLDER = Path(__file__).parent
SIZE = (640, 360)
FRAME_RATE = 25
TRANSITION_S = 0.24
GRAIN = 0.007
CUTS = (60, 110)
"""The first frames of the second and the third shot of ``cut.mp4``."""
PHONE_TIMESCALE = 600
PHONE_TICKS = tuple((20 * n if n < 60 else 1200 + 30 * (n - 60)) + 7 * n % 5 for n in range(100))
"""When the phone takes its frames: 30, then 20 a second, none of them quite in time."""
PHONE_TICK_FORMULA = r"if(lt(N\,60)\,20*N\,1200+30*(N-60))+mod(7*N\,5)"
"""PHONE_TICKS in the language of ffmpeg."""
QUALITY = 22
"""Of x264: smaller is better and larger."""
TIDILY = ("-movflags", "+faststart", "-fflags", "+bitexact")
OLD_ROTATION = ("-metadata:s:v:0", "rotate=270")
"""What -display_rotation was before ffmpeg 6."""
QUIETLY = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")
COMMENT = "Made by a program from public-domain photographs; the expressions are computed"

ZOOM = 3
"""The portrait's face is enlarged by this much before it is warped, to keep edges smooth."""
FACE_BOX = (140, 10, 316, 216)
"""What the warp may change of the portrait: left, top, right, bottom."""
MOUTH_X = (202.5, 207, 213, 223, 233, 239, 244.5)
MOUTH_Y = {
    "upper_outer": (139.5, 139.2, 139.7, 140.5, 140.0, 139.9, 140.7),
    "upper_inner": (139.5, 141.2, 143.0, 144.2, 142.9, 141.2, 140.7),
    "lower_inner": (139.5, 144.6, 147.8, 149.8, 148.4, 145.0, 140.7),
    "lower_outer": (139.5, 147.0, 151.5, 154.8, 153.0, 148.0, 140.7),
}
"""The four outlines of the portrait's lips, from corner to corner, at each of MOUTH_X."""
LIP_TINT = (0.84, 0.7, 0.7)
"""By how much lips that are not stretched by a smile are darker."""
MOUTH_COLUMNS = 13
LANDMARKS = {
    "brow_outer": ((190, 91), (263, 96)),
    "brow": ((201, 88.7), (251, 92)),
    "brow_inner": ((213, 91.7), (238, 93.7)),
    "crease": ((203, 94), (246, 95.5)),
    "lid_upper": ((203, 97.3), (246, 99)),
    "lid_lower": ((203, 104), (247, 106.5)),
    "cheek": ((194, 150), (254, 152)),
    "jaw": ((205, 169), (243, 170)),
    "chin": ((218, 177), (230, 177)),
}
"""Pairs of points of the portrait as (x, y), the left one first as the viewer sees them."""
FIXED_POINTS = (
    *((x, y) for x in (140, 180, 225, 270, 315) for y in (10, 215)),
    *((x, y) for x in (140, 315) for y in (60, 110, 160)),
    *((193, 100.5), (211, 102), (236, 104), (258, 104), (186, 110), (268, 112), (211, 127), (223, 118), (223, 132)),
    *((184, 130), (190, 76), (205, 78), (225, 79), (245, 82), (262, 86), (266, 135), (190, 182), (224, 188)),
    *((236, 127), (252, 186)),
)
SMILE_FOLDS = (((209, 123), (203, 130), (197, 136)), ((237, 124), (244, 131), (250, 138), (249, 143)))
"""The lines from the nose to beside the mouth, which only a smile has."""
PERSON = (
    *((155, 100), (154, 72), (162, 56), (179, 41), (190, 33), (199, 26), (213, 19), (233, 16), (250, 20), (272, 30)),
    *((286, 41), (296, 60), (300, 87), (296, 107), (287, 119), (279, 128), (273, 134), (267, 137), (258, 160)),
    *((256, 172), (277, 187), (292, 204), (303, 228), (305, 237), (320, 242), (341, 268), (354, 300), (361, 340)),
    *((364, 400), (364, 512), (22, 512), (22, 420), (38, 300), (50, 265), (75, 235), (100, 219), (114, 208)),
    *((114, 188), (121, 185), (128, 173), (141, 159), (160, 152), (183, 149), (183, 132), (176, 129), (169, 118)),
    (159, 106),
)
"""The portrait's person, without the helmet, as a polygon."""


@dataclass(frozen=True)
class Expression:
    """How far a face is from the portrait's own smile, in pixels of the portrait."""

    moves: dict[str, tuple[float, float]]
    """Of LANDMARKS: towards the middle of the face, and down."""
    corner: tuple[float, float]
    """Of the mouth: towards its middle, and down."""
    arch: float
    """How far the middle of the upper lip hangs below the corners."""
    gap: float
    """Between the lips, at their middle."""
    lips: tuple[float, float]
    """How thick the upper and the lower lip become, as a factor."""
    mouth_colour: tuple[float, float, float]


_SOBER = {"cheek": (3.0, 2.0), "chin": (0.0, -2.0), "crease": (0.0, 0.7), "lid_upper": (0.0, 0.7)}
_RAISED = {"brow": (0.0, -6.0), "brow_inner": (0.0, -5.5), "brow_outer": (0.0, -4.5), "crease": (0.0, -3.0)}
_WIDE = {"lid_upper": (0.0, -1.6), "lid_lower": (0.0, 0.8), "chin": (0.0, 6.5), "jaw": (1.5, 5.0), "cheek": (2.5, 4.0)}
EXPRESSIONS: dict[str, Expression | None] = {
    "happiness": None,
    "neutral": Expression(_SOBER, (4.5, 8.5), -2.3, gap=1.2, lips=(0.55, 0.65), mouth_colour=(0.3, 0.14, 0.13)),
    "surprise": Expression(_RAISED | _WIDE, (8.5, 9), -5.0, gap=13, lips=(1, 1), mouth_colour=(0.2, 0.07, 0.07)),
}
"""None is the portrait's own."""


def mouth_points(expression: Expression | None) -> Points:
    """The two corners of the mouth, then the four outlines of the lips between them."""
    x = np.linspace(MOUTH_X[0], MOUTH_X[-1], MOUTH_COLUMNS)
    outlines = {name: PchipInterpolator(MOUTH_X, y)(x) for name, y in MOUTH_Y.items()}
    if expression is not None:
        inwards, down = expression.corner
        middle, half = (x[0] + x[-1]) / 2, (x[-1] - x[0]) / 2
        bend = 1 - np.abs((x - middle) / half) ** 2.2
        upper = (MOUTH_Y["upper_inner"][0] + MOUTH_Y["upper_inner"][-1]) / 2 + down + expression.arch * bend
        lower = upper + expression.gap * bend
        outlines = {
            "upper_outer": upper - (outlines["upper_inner"] - outlines["upper_outer"]) * expression.lips[0],
            "upper_inner": upper,
            "lower_inner": lower,
            "lower_outer": lower + (outlines["lower_outer"] - outlines["lower_inner"]) * expression.lips[1],
        }
        x = middle + (x - middle) * (half - inwards) / half
    corners = np.stack([x, outlines["upper_inner"]], 1)[[0, -1]]
    return np.concatenate([corners, *(np.stack([x, y], 1)[1:-1] for y in outlines.values())])


def face_points(expression: Expression | None) -> Points:
    """Where an expression (none: the portrait's own) puts all points that carry the warp."""
    moves = expression.moves if expression else {}
    pairs: list[tuple[float, float]] = []
    for name, (left, right) in LANDMARKS.items():
        inwards, down = moves.get(name, (0.0, 0.0))
        pairs += [(left[0] + inwards, left[1] + down), (right[0] - inwards, right[1] + down)]
    return np.concatenate([mouth_points(expression), np.array(pairs), np.array(FIXED_POINTS)])


def drawn(polygon: Iterable[tuple[float, float]], softness: float, box: tuple[int, int, int, int]) -> Picture:
    """A mask of a box of the enlarged portrait from a polygon in the portrait; its edge is some pixels soft."""
    left, top, right, bottom = box
    corners = [((y - top) * ZOOM, (x - left) * ZOOM) for x, y in polygon]
    mask = polygon2mask(((bottom - top) * ZOOM, (right - left) * ZOOM), corners)
    return np.asarray(gaussian_filter(mask.astype(np.float64), softness * ZOOM))


@cache
def portrait() -> Picture:
    """The photograph, ZOOM times its size."""
    photograph = data.astronaut() / 255
    enlarged = resize(photograph, (photograph.shape[0] * ZOOM, photograph.shape[1] * ZOOM), order=3)
    return np.asarray(np.clip(enlarged, 0, 1))


@cache
def person_mask() -> Picture:
    """Where the enlarged portrait shows the person."""
    return drawn(PERSON, 0.8, box=(0, 0, 512, 512))


@lru_cache(maxsize=4)
def posed(before: str, after: str, share: float) -> Picture:
    """The enlarged portrait, ``share`` (0..1) of the way from one expression to another."""
    first, second = EXPRESSIONS[before], EXPRESSIONS[after]
    strength = (1 - share) * (first is not None) + share * (second is not None)
    if strength == 0:
        return portrait()
    parts = [(part, weight) for part, weight in ((first, 1 - share), (second, share)) if part is not None]
    colour = np.average([part.mouth_colour for part, _ in parts], axis=0, weights=[weight for _, weight in parts])
    left, top, right, bottom = FACE_BOX
    place = np.s_[top * ZOOM : bottom * ZOOM, left * ZOOM : right * ZOOM]
    face = portrait()[place]

    mouth = strength * mouth_mask("upper_inner", "lower_inner")
    face = blend(face, gaussian_filter(face, (4 * ZOOM, 4 * ZOOM, 0)), strength * folds_mask() * (1 - mouth))
    face = blend(face, face * LIP_TINT, strength * mouth_mask("upper_outer", "lower_outer"))
    face = blend(face, colour, mouth)

    own, aim = face_points(None), (1 - share) * face_points(first) + share * face_points(second)
    rows, columns = np.mgrid[top : bottom : 1 / ZOOM, left : right : 1 / ZOOM]
    seen = np.stack([columns.ravel(), rows.ravel()], 1)
    source = seen + RBFInterpolator(aim, own - aim, kernel="thin_plate_spline")(seen)
    where = (source[:, ::-1] - (top, left)).T.reshape(2, *rows.shape) * ZOOM
    picture = portrait().copy()
    picture[place] = np.stack([warp(channel, where, order=1, mode="edge") for channel in np.moveaxis(face, 2, 0)], 2)
    return picture


@cache
def mouth_mask(upper: str, lower: str) -> Picture:
    """Where the enlarged face shows what lies between two outlines of the lips."""
    outline = [*zip(MOUTH_X, MOUTH_Y[upper], strict=True), *zip(MOUTH_X[::-1], MOUTH_Y[lower][::-1], strict=True)]
    return np.asarray(np.clip(1.3 * drawn(outline, 0.5, FACE_BOX), 0, 1))


@cache
def folds_mask() -> Picture:
    """Where the enlarged face shows SMILE_FOLDS."""
    lines = [drawn([*line, *((x + 2, y + 1) for x, y in reversed(line))], 2.5, FACE_BOX) for line in SMILE_FOLDS]
    return np.asarray(np.clip(8 * np.sum(lines, 0), 0, 0.95))


def blend(under: Picture, over: Picture, mask: Picture) -> Picture:
    """``over`` where the mask is 1, ``under`` where it is 0."""
    return under + (over - under) * mask[..., None]


def actor(script: Script, time_s: float) -> Picture:
    """The enlarged portrait at a time: each (second, expression) of the script lasts until the next one's second."""
    before = after = script[0][1]
    share = 1.0
    for start_s, expression in script[1:]:
        if time_s > start_s:
            before, after = after, expression
            progress = min(1.0, (time_s - start_s) / TRANSITION_S)
            share = progress * progress * (3 - 2 * progress)
    return posed(before if share < 1 else after, after, share)


@dataclass(frozen=True)
class View:
    """How a camera sees a picture."""

    centre: tuple[float, float]
    """What of the picture is shown in the middle of the frame, as (x, y)."""
    scale: float
    size: tuple[int, int] = SIZE
    mirrored: bool = False
    turn_degrees: float = 0.0
    light: tuple[float, float] = (1.0, 1.0)
    """What brightness is multiplied by at the left and the right edge."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Where the centre lies from the middle of the frame, in pixels of the frame."""

    def drifted(self, time_s: float, amount: float = 3.0) -> View:
        """The same view from a hand-held camera at a time."""
        x = self.centre[0] + amount * math.sin(1.1 * time_s) + amount / 3 * math.sin(2.9 * time_s + 1)
        y = self.centre[1] + amount * math.sin(0.8 * time_s + 2) + amount / 3 * math.sin(2.3 * time_s)
        turn_degrees = self.turn_degrees + amount / 2 * math.sin(0.9 * time_s + 0.5)
        return replace(self, centre=(x, y), turn_degrees=turn_degrees)

    def of(self, picture: Picture, enlargement: float = ZOOM) -> Picture:
        """A frame that shows a picture (or a mask), enlarged by a factor beforehand."""
        width, height = self.size
        middle = AffineTransform(translation=(-width / 2 - self.shift[0], -height / 2 - self.shift[1]))
        flip = AffineTransform(scale=((-1 if self.mirrored else 1) / self.scale, 1 / self.scale))
        turn = AffineTransform(rotation=math.radians(self.turn_degrees))
        way = middle + flip + turn + AffineTransform(translation=self.centre) + AffineTransform(scale=enlargement)
        if picture.ndim == 2:
            return np.asarray(warp(picture, way, output_shape=(height, width), order=1))
        frame = warp(picture, way, output_shape=(height, width), order=1, mode="edge")
        return np.asarray(frame * np.linspace(*self.light, width)[:, None])


def backdrop(colour: tuple[float, float, float], seed: int) -> Picture:
    """A photographer's mottled cloth."""
    noise = np.random.default_rng(seed).normal(size=(SIZE[1], SIZE[0]))
    mottled = gaussian_filter(noise, 40) * 40 * 0.08
    return np.asarray(np.clip((1 + mottled)[..., None] * np.array(colour), 0, 1))


def portrait_clip() -> Iterator[Picture]:
    """One face, whose expression changes twice while the camera and the light move."""
    script = ((0.0, "happiness"), (4.0, "neutral"), (8.0, "surprise"))
    for time_s in times(12):
        light = 1 + 0.18 * math.sin(0.5 * time_s), 0.95 - 0.15 * math.sin(0.5 * time_s)
        view = View((225, 112), scale=1.75 + 0.15 * math.sin(0.45 * time_s), light=light)
        yield view.drifted(time_s).of(actor(script, time_s))


def two_faces_clip() -> Iterator[Picture]:
    """A face that leaves to the left, and its darker mirror image, which has come in from the right."""
    cloth = backdrop((0.74, 0.73, 0.75), seed=1)
    left_script = ((0.0, "happiness"), (3.0, "surprise"), (5.0, "happiness"))
    right_script = ((0.0, "neutral"), (4.0, "happiness"), (6.0, "surprise"))
    for time_s in times(8):
        gone = 420 * max(0.0, time_s - 6.6) / 0.4
        missing = 420 * max(0.0, 2.4 - time_s) / 0.4
        left = View((225, 140), scale=1.2, shift=(-165 - gone, 0)).drifted(time_s, amount=2)
        right = View((225, 125), scale=1.4, mirrored=True, light=(0.75, 0.6), shift=(160 + missing, 0))
        right = right.drifted(time_s + 10, amount=2)
        frame = blend(cloth, left.of(actor(left_script, time_s)), left.of(person_mask()))
        yield blend(frame, right.of(actor(right_script, time_s)), right.of(person_mask()))


def cut_clip() -> Iterator[Picture]:
    """Three shots: a face, the mirrored face nearer and before another backdrop, and no face."""
    first = View((235, 115), scale=1.6)
    second = View((222, 108), scale=2.1, mirrored=True, light=(0.7, 0.95))
    third = View((300, 200), scale=1.2)
    cloth = backdrop((0.5, 0.55, 0.6), seed=2)
    for number, time_s in enumerate(times(6)):
        if number < CUTS[0]:
            yield first.drifted(time_s).of(posed("happiness", "happiness", 1))
        elif number < CUTS[1]:
            view = second.drifted(time_s)
            yield blend(cloth, view.of(posed("surprise", "surprise", 1)), view.of(person_mask()))
        else:
            yield third.drifted(time_s).of(data.coffee() / 255, enlargement=1)


def no_face_clip() -> Iterator[Picture]:
    """A pan over a cup of coffee."""
    for time_s in times(4):
        view = View((250 + 25 * time_s, 190 + 5 * time_s), scale=1.4)
        yield view.drifted(time_s, amount=1).of(data.coffee() / 255, enlargement=1)


def phone_clip() -> Iterator[Picture]:
    """A face held upright; the light fails, and the phone takes fewer frames a second."""
    script = ((0.0, "surprise"), (2.0, "happiness"))
    for tick in PHONE_TICKS:
        time_s = tick / PHONE_TIMESCALE
        light = 1.05 - 0.35 / (1 + math.exp(-8 * (time_s - 2)))
        view = View((225, 165), scale=1.9, size=SIZE[::-1], light=(light, light))
        yield view.drifted(time_s, amount=4).of(actor(script, time_s))


def times(duration_s: float) -> Iterator[float]:
    """The time of each frame of a clip with FRAME_RATE."""
    return (number / FRAME_RATE for number in range(round(duration_s * FRAME_RATE)))


def encode(frames: Iterable[Picture], target: Path, timing: Iterable[str] = ()) -> None:
    """Adds sensor grain to frames and writes them with x264; ``timing`` are options of ffmpeg."""
    random = np.random.default_rng(len(target.name))
    raw = f"-f rawvideo -pixel_format rgb24 -video_size {SIZE[0]}x{SIZE[1]} -framerate {FRAME_RATE} -i -"
    coded = f"-c:v libx264 -preset slow -crf {QUALITY} -pix_fmt yuv420p -threads 1".split()
    command = [ffmpeg(), *QUIETLY, *raw.split(), *timing, *coded, *TIDILY, "-metadata", f"comment={COMMENT}"]
    with subprocess.Popen([*command, str(target)], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for frame in frames:
            grainy = frame + random.normal(0, GRAIN, frame.shape[:2])[..., None]
            process.stdin.write(np.round(255 * np.clip(grainy, 0, 1)).astype(np.uint8).tobytes())
    if process.returncode:
        raise SystemExit(f"ffmpeg failed to write {target}")


def encode_like_a_phone(frames: Iterable[Picture], target: Path) -> None:
    """Writes upright frames lying on their side, with a note to turn them by 90 degrees, at PHONE_TICKS."""
    lying = target.with_suffix(".lying.mov")
    timing = f"-vf settb=1/{PHONE_TIMESCALE},setpts={PHONE_TICK_FORMULA} -fps_mode passthrough"
    timescale = f"-enc_time_base 1:{PHONE_TIMESCALE} -video_track_timescale {PHONE_TIMESCALE}"
    encode((np.rot90(frame) for frame in frames), lying, [*timing.split(), *timescale.split()])
    options = subprocess.check_output([ffmpeg(), "-hide_banner", "-h", "full"], text=True)
    new, old = (["-display_rotation", "-90"], []) if "-display_rotation" in options else ([], OLD_ROTATION)
    subprocess.run([ffmpeg(), *QUIETLY, *new, "-i", str(lying), "-c", "copy", *old, *TIDILY, str(target)], check=True)
    lying.unlink()


@cache
def ffmpeg() -> str:
    """The system's ffmpeg, else the one that imageio-ffmpeg brings."""
    return shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()


def main() -> None:
    """Writes all clips beside this file."""
    encode(portrait_clip(), FOLDER / "portrait.mp4")
    encode(two_faces_clip(), FOLDER / "two_faces.mp4")
    encode(cut_clip(), FOLDER / "cut.mp4")
    encode(no_face_clip(), FOLDER / "no_face.mp4")
    encode_like_a_phone(phone_clip(), FOLDER / "phone.mov")


if __name__ == "__main__":
    main()
