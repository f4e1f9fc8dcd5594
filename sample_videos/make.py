"""Make the sample clips of this folder from two photographs of scikit-image: ``python sample_videos/make.py``.

The portrait's expression is changed by warping: hand-placed face landmarks are moved, and a thin plate spline interpolates
between them. Everything is seeded; nothing is downloaded.
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

Image = NDArray[np.float64]
"""An image (height, width, 3) or a mask (height, width), in 0..1."""
Script = tuple[tuple[float, str], ...]
"""Pairs of a start time in seconds and the name of an expression."""
Points = NDArray[np.float64]
"""Points (count, 2) as x and y in pixels of the portrait."""

FOLDER = Path(__file__).parent
SIZE_PX = (640, 360)
FRAME_RATE = 25
TRANSITION_S = 0.24
GRAIN = 0.007
CUTS = (60, 110)
"""First frames of the second and the third shot of ``cut.mp4``."""
PHONE_TIMESCALE = 600
PHONE_TICKS = tuple((20 * n if n < 60 else 1200 + 30 * (n - 60)) + 7 * n % 5 for n in range(100))
"""Timestamps of the phone's frames: 30 fps, then 20 fps, each with some jitter."""
PHONE_TICKS_EXPRESSION = r"if(lt(N\,60)\,20*N\,1200+30*(N-60))+mod(7*N\,5)"
"""PHONE_TICKS as an expression of ffmpeg."""
CRF = 22
"""Quality of x264; lower means better quality and larger files."""
OUTPUT_OPTIONS = ("-movflags", "+faststart", "-fflags", "+bitexact")
OLD_ROTATION = ("-metadata:s:v:0", "rotate=270")
"""Equivalent of -display_rotation before ffmpeg 6."""
QUIET_OPTIONS = ("-nostdin", "-hide_banner", "-loglevel", "error", "-y")
COMMENT = "Made by a program from public-domain photographs; the expressions are computed"

ENLARGEMENT = 3
"""Factor by which the portrait is enlarged before warping, to keep edges smooth."""
FACE_BOX = (140, 10, 316, 216)
"""Region of the portrait that is warped: left, top, right, bottom."""
MOUTH_X = (202.5, 207, 213, 223, 233, 239, 244.5)
MOUTH_Y = {
    "upper_outer": (139.5, 139.2, 139.7, 140.5, 140.0, 139.9, 140.7),
    "upper_inner": (139.5, 141.2, 143.0, 144.2, 142.9, 141.2, 140.7),
    "lower_inner": (139.5, 144.6, 147.8, 149.8, 148.4, 145.0, 140.7),
    "lower_outer": (139.5, 147.0, 151.5, 154.8, 153.0, 148.0, 140.7),
}
"""The four outlines of the portrait's lips, from corner to corner: y at each of MOUTH_X."""
LIP_TINT = (0.84, 0.7, 0.7)
"""Color factor of lips that are not stretched by a smile."""
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
"""Pairs of points of the portrait as (x, y), the viewer's left one first."""
FIXED_POINTS = (
    *((x, y) for x in (140, 180, 225, 270, 315) for y in (10, 215)),
    *((x, y) for x in (140, 315) for y in (60, 110, 160)),
    *((193, 100.5), (211, 102), (236, 104), (258, 104), (186, 110), (268, 112), (211, 127), (223, 118), (223, 132)),
    *((184, 130), (190, 76), (205, 78), (225, 79), (245, 82), (262, 86), (266, 135), (190, 182), (224, 188)),
    *((236, 127), (252, 186)),
)
SMILE_FOLDS = (((209, 123), (203, 130), (197, 136)), ((237, 124), (244, 131), (250, 138), (249, 143)))
"""Lines from the nose to beside the mouth, which only a smile has."""
PERSON = (
    *((155, 100), (154, 72), (162, 56), (179, 41), (190, 33), (199, 26), (213, 19), (233, 16), (250, 20), (272, 30)),
    *((286, 41), (296, 60), (300, 87), (296, 107), (287, 119), (279, 128), (273, 134), (267, 137), (258, 160)),
    *((256, 172), (277, 187), (292, 204), (303, 228), (305, 237), (320, 242), (341, 268), (354, 300), (361, 340)),
    *((364, 400), (364, 512), (22, 512), (22, 420), (38, 300), (50, 265), (75, 235), (100, 219), (114, 208)),
    *((114, 188), (121, 185), (128, 173), (141, 159), (160, 152), (183, 149), (183, 132), (176, 129), (169, 118)),
    (159, 106),
)
"""Outline of the person in the portrait, without the helmet."""


@dataclass(frozen=True)
class Expression:
    """An expression, as changes to the portrait's smile in pixels of the portrait."""

    moves: dict[str, tuple[float, float]]
    """Offsets of LANDMARKS: towards the middle of the face, and down."""
    corner: tuple[float, float]
    """Offset of the corners of the mouth: towards its middle, and down."""
    arch: float
    """Offset of the middle of the upper lip below the corners."""
    gap: float
    """Distance between the lips at their middle."""
    lips: tuple[float, float]
    """Factors of the thickness of the upper and the lower lip."""
    mouth_color: tuple[float, float, float]


_SOBER = {"cheek": (6.0, 5.5), "chin": (0.0, -2.0), "crease": (0.0, 0.7), "lid_upper": (0.0, 0.7)}
_RAISED = {"brow": (0.0, -6.0), "brow_inner": (0.0, -5.5), "brow_outer": (0.0, -4.5), "crease": (0.0, -3.0)}
_WIDE = {"lid_upper": (0.0, -1.6), "lid_lower": (0.0, 0.8), "chin": (0.0, 6.5), "jaw": (1.5, 5.0), "cheek": (2.5, 4.0)}
EXPRESSIONS: dict[str, Expression | None] = {
    "happiness": None,
    "neutral": Expression(_SOBER, (6.5, 8.5), -2.3, gap=1.2, lips=(0.55, 0.65), mouth_color=(0.3, 0.14, 0.13)),
    "surprise": Expression(_RAISED | _WIDE, (8.5, 9), -5.0, gap=13, lips=(1, 1), mouth_color=(0.2, 0.07, 0.07)),
}
"""Expressions by name; None is that of the portrait."""


def mouth_points(expression: Expression | None) -> Points:
    """Return the two corners of the mouth, then the four outlines of the lips between them."""
    x = np.linspace(MOUTH_X[0], MOUTH_X[-1], MOUTH_COLUMNS)
    outlines = {name: PchipInterpolator(MOUTH_X, y)(x) for name, y in MOUTH_Y.items()}
    if expression is not None:
        inward, down = expression.corner
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
        x = middle + (x - middle) * (half - inward) / half
    corners = np.stack([x, outlines["upper_inner"]], 1)[[0, -1]]
    return np.concatenate([corners, *(np.stack([x, y], 1)[1:-1] for y in outlines.values())])


def face_points(expression: Expression | None) -> Points:
    """Return all control points of the warp for an expression (None: that of the portrait)."""
    moves = expression.moves if expression else {}
    pairs: list[tuple[float, float]] = []
    for name, (left, right) in LANDMARKS.items():
        inward, down = moves.get(name, (0.0, 0.0))
        pairs += [(left[0] + inward, left[1] + down), (right[0] - inward, right[1] + down)]
    return np.concatenate([mouth_points(expression), np.array(pairs), np.array(FIXED_POINTS)])


def draw_polygon(polygon: Iterable[tuple[float, float]], softness: float, box: tuple[int, int, int, int]) -> Image:
    """Return a polygon's mask for a box of the enlarged portrait, with edges blurred by ``softness`` pixels."""
    left, top, right, bottom = box
    corners = [((y - top) * ENLARGEMENT, (x - left) * ENLARGEMENT) for x, y in polygon]
    mask = polygon2mask(((bottom - top) * ENLARGEMENT, (right - left) * ENLARGEMENT), corners)
    return np.asarray(gaussian_filter(mask.astype(np.float64), softness * ENLARGEMENT))


@cache
def portrait() -> Image:
    """Return the photograph, enlarged by ENLARGEMENT."""
    photograph = data.astronaut() / 255
    enlarged = resize(photograph, (photograph.shape[0] * ENLARGEMENT, photograph.shape[1] * ENLARGEMENT), order=3)
    return np.asarray(np.clip(enlarged, 0, 1))


@cache
def person_mask() -> Image:
    """Return the mask of the person in the enlarged portrait."""
    return draw_polygon(PERSON, 0.8, box=(0, 0, 512, 512))


@lru_cache(maxsize=4)
def pose(before: str, after: str, share: float) -> Image:
    """Return the enlarged portrait with a blend of two expressions; ``share`` (0..1) is the weight of the second."""
    first, second = EXPRESSIONS[before], EXPRESSIONS[after]
    strength = (1 - share) * (first is not None) + share * (second is not None)
    if strength == 0:
        return portrait()
    parts = [(part, weight) for part, weight in ((first, 1 - share), (second, share)) if part is not None]
    color = np.average([part.mouth_color for part, _ in parts], axis=0, weights=[weight for _, weight in parts])
    left, top, right, bottom = FACE_BOX
    region = np.s_[top * ENLARGEMENT : bottom * ENLARGEMENT, left * ENLARGEMENT : right * ENLARGEMENT]
    face = portrait()[region]

    mouth = strength * mouth_mask("upper_inner", "lower_inner")
    face = blend(face, gaussian_filter(face, (4 * ENLARGEMENT, 4 * ENLARGEMENT, 0)), strength * folds_mask() * (1 - mouth))
    face = blend(face, face * LIP_TINT, strength * mouth_mask("upper_outer", "lower_outer"))
    face = blend(face, color, mouth)

    points, target_points = face_points(None), (1 - share) * face_points(first) + share * face_points(second)
    rows, columns = np.mgrid[top : bottom : 1 / ENLARGEMENT, left : right : 1 / ENLARGEMENT]
    pixels = np.stack([columns.ravel(), rows.ravel()], 1)
    source = pixels + RBFInterpolator(target_points, points - target_points, kernel="thin_plate_spline")(pixels)
    coordinates = (source[:, ::-1] - (top, left)).T.reshape(2, *rows.shape) * ENLARGEMENT
    image = portrait().copy()
    image[region] = np.stack([warp(channel, coordinates, order=1, mode="edge") for channel in np.moveaxis(face, 2, 0)], 2)
    return image


@cache
def mouth_mask(upper: str, lower: str) -> Image:
    """Return the mask of the area between two outlines of the lips in the enlarged face."""
    outline = [*zip(MOUTH_X, MOUTH_Y[upper], strict=True), *zip(MOUTH_X[::-1], MOUTH_Y[lower][::-1], strict=True)]
    return np.asarray(np.clip(1.3 * draw_polygon(outline, 0.5, FACE_BOX), 0, 1))


@cache
def folds_mask() -> Image:
    """Return the mask of SMILE_FOLDS in the enlarged face."""
    lines = [draw_polygon([*line, *((x + 2, y + 1) for x, y in reversed(line))], 2.5, FACE_BOX) for line in SMILE_FOLDS]
    return np.asarray(np.clip(8 * np.sum(lines, 0), 0, 0.95))


def blend(under: Image, over: Image, mask: Image) -> Image:
    """Return ``over`` where the mask is 1 and ``under`` where it is 0."""
    return under + (over - under) * mask[..., None]


def render_face(script: Script, time_s: float) -> Image:
    """Return the enlarged portrait with the expression at ``time_s``; changes of the script take TRANSITION_S."""
    before = after = script[0][1]
    share = 1.0
    for start_s, expression in script[1:]:
        if time_s > start_s:
            before, after = after, expression
            progress = min(1.0, (time_s - start_s) / TRANSITION_S)
            share = progress * progress * (3 - 2 * progress)
    return pose(before if share < 1 else after, after, share)


@dataclass(frozen=True)
class View:
    """A camera view of an image."""

    center: tuple[float, float]
    """Point (x, y) of the image in the middle of the frame, before ``shift``."""
    scale: float
    size: tuple[int, int] = SIZE_PX
    mirrored: bool = False
    rotation_degrees: float = 0.0
    light: tuple[float, float] = (1.0, 1.0)
    """Brightness factors at the left and the right edge."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Offset of ``center`` from the middle of the frame, in pixels of the frame."""

    def handheld(self, time_s: float, amount: float = 3.0) -> View:
        """Return the view of a handheld camera at a time."""
        x = self.center[0] + amount * math.sin(1.1 * time_s) + amount / 3 * math.sin(2.9 * time_s + 1)
        y = self.center[1] + amount * math.sin(0.8 * time_s + 2) + amount / 3 * math.sin(2.3 * time_s)
        rotation_degrees = self.rotation_degrees + amount / 2 * math.sin(0.9 * time_s + 0.5)
        return replace(self, center=(x, y), rotation_degrees=rotation_degrees)

    def render(self, image: Image, enlargement: float = ENLARGEMENT) -> Image:
        """Return a frame of an image (or a mask) that is enlarged by a factor."""
        width, height = self.size
        middle = AffineTransform(translation=(-width / 2 - self.shift[0], -height / 2 - self.shift[1]))
        flip = AffineTransform(scale=((-1 if self.mirrored else 1) / self.scale, 1 / self.scale))
        rotation = AffineTransform(rotation=math.radians(self.rotation_degrees))
        transform = middle + flip + rotation + AffineTransform(translation=self.center) + AffineTransform(scale=enlargement)
        if image.ndim == 2:
            return np.asarray(warp(image, transform, output_shape=(height, width), order=1))
        frame = warp(image, transform, output_shape=(height, width), order=1, mode="edge")
        return np.asarray(frame * np.linspace(*self.light, width)[:, None])


def make_backdrop(color: tuple[float, float, float], seed: int) -> Image:
    """Return a mottled studio background."""
    noise = np.random.default_rng(seed).normal(size=(SIZE_PX[1], SIZE_PX[0]))
    mottled = gaussian_filter(noise, 40) * 40 * 0.08
    return np.asarray(np.clip((1 + mottled)[..., None] * np.array(color), 0, 1))


def portrait_clip() -> Iterator[Image]:
    """Yield frames of one face whose expression changes twice while camera and light move."""
    script = ((0.0, "happiness"), (4.0, "neutral"), (8.0, "surprise"))
    for time_s in times(12):
        light = 1 + 0.18 * math.sin(0.5 * time_s), 0.95 - 0.15 * math.sin(0.5 * time_s)
        view = View((225, 112), scale=1.75 + 0.15 * math.sin(0.45 * time_s), light=light)
        yield view.handheld(time_s).render(render_face(script, time_s))


def two_faces_clip() -> Iterator[Image]:
    """Yield frames of a face that leaves to the left, and its darker mirror image, which enters from the right."""
    background = make_backdrop((0.74, 0.73, 0.75), seed=1)
    left_script = ((0.0, "happiness"), (3.0, "surprise"), (5.0, "happiness"))
    right_script = ((0.0, "neutral"), (4.0, "happiness"), (6.0, "surprise"))
    for time_s in times(8):
        left_offset = 420 * max(0.0, time_s - 6.6) / 0.4
        right_offset = 420 * max(0.0, 2.4 - time_s) / 0.4
        left = View((225, 140), scale=1.2, shift=(-165 - left_offset, 0)).handheld(time_s, amount=2)
        right = View((225, 125), scale=1.4, mirrored=True, light=(0.75, 0.6), shift=(160 + right_offset, 0))
        right = right.handheld(time_s + 10, amount=2)
        frame = blend(background, left.render(render_face(left_script, time_s)), left.render(person_mask()))
        yield blend(frame, right.render(render_face(right_script, time_s)), right.render(person_mask()))


def cut_clip() -> Iterator[Image]:
    """Yield frames of three shots: a face, the mirrored face closer on another background, and no face."""
    first = View((235, 115), scale=1.6)
    second = View((222, 108), scale=2.1, mirrored=True, light=(0.7, 0.95))
    third = View((300, 200), scale=1.2)
    background = make_backdrop((0.5, 0.55, 0.6), seed=2)
    for number, time_s in enumerate(times(6)):
        if number < CUTS[0]:
            yield first.handheld(time_s).render(pose("happiness", "happiness", 1))
        elif number < CUTS[1]:
            view = second.handheld(time_s)
            yield blend(background, view.render(pose("surprise", "surprise", 1)), view.render(person_mask()))
        else:
            yield third.handheld(time_s).render(data.coffee() / 255, enlargement=1)


def no_face_clip() -> Iterator[Image]:
    """Yield frames of a pan over a cup of coffee."""
    for time_s in times(4):
        view = View((250 + 25 * time_s, 190 + 5 * time_s), scale=1.4)
        yield view.handheld(time_s, amount=1).render(data.coffee() / 255, enlargement=1)


def phone_clip() -> Iterator[Image]:
    """Yield upright frames of a face; the light dims, and the frame rate drops."""
    script = ((0.0, "surprise"), (2.0, "happiness"))
    for tick in PHONE_TICKS:
        time_s = tick / PHONE_TIMESCALE
        light = 1.05 - 0.35 / (1 + math.exp(-8 * (time_s - 2)))
        view = View((225, 165), scale=1.9, size=SIZE_PX[::-1], light=(light, light))
        yield view.handheld(time_s, amount=4).render(render_face(script, time_s))


def times(duration_s: float) -> Iterator[float]:
    """Yield the time of each frame at FRAME_RATE."""
    return (number / FRAME_RATE for number in range(round(duration_s * FRAME_RATE)))


def encode(frames: Iterable[Image], target: Path, timing: Iterable[str] = ()) -> None:
    """Add sensor grain to frames and encode them with x264; ``timing`` are options of ffmpeg."""
    random = np.random.default_rng(len(target.name))
    raw = f"-f rawvideo -pixel_format rgb24 -video_size {SIZE_PX[0]}x{SIZE_PX[1]} -framerate {FRAME_RATE} -i -"
    codec = f"-c:v libx264 -preset slow -crf {CRF} -pix_fmt yuv420p -threads 1".split()
    command = [ffmpeg(), *QUIET_OPTIONS, *raw.split(), *timing, *codec, *OUTPUT_OPTIONS, "-metadata", f"comment={COMMENT}"]
    with subprocess.Popen([*command, str(target)], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for frame in frames:
            grainy = frame + random.normal(0, GRAIN, frame.shape[:2])[..., None]
            process.stdin.write(np.round(255 * np.clip(grainy, 0, 1)).astype(np.uint8).tobytes())
    if process.returncode:
        raise SystemExit(f"ffmpeg failed to write {target}")


def encode_phone_clip(frames: Iterable[Image], target: Path) -> None:
    """Encode upright frames as rotated ones with rotation metadata of 90 degrees, at PHONE_TICKS."""
    rotated = target.with_suffix(".lying.mov")  # the length of this name seeds the grain
    timing = f"-vf settb=1/{PHONE_TIMESCALE},setpts={PHONE_TICKS_EXPRESSION} -fps_mode passthrough"
    timescale = f"-enc_time_base 1:{PHONE_TIMESCALE} -video_track_timescale {PHONE_TIMESCALE}"
    encode((np.rot90(frame) for frame in frames), rotated, [*timing.split(), *timescale.split()])
    options = subprocess.check_output([ffmpeg(), "-hide_banner", "-h", "full"], text=True)
    new, old = (["-display_rotation", "-90"], []) if "-display_rotation" in options else ([], OLD_ROTATION)
    subprocess.run(
        [ffmpeg(), *QUIET_OPTIONS, *new, "-i", str(rotated), "-c", "copy", *old, *OUTPUT_OPTIONS, str(target)], check=True
    )
    rotated.unlink()


@cache
def ffmpeg() -> str:
    """Return the path of ffmpeg: the system's, or else that of imageio-ffmpeg."""
    return shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()


def main() -> None:
    """Write all clips into this folder."""
    encode(portrait_clip(), FOLDER / "portrait.mp4")
    encode(two_faces_clip(), FOLDER / "two_faces.mp4")
    encode(cut_clip(), FOLDER / "cut.mp4")
    encode(no_face_clip(), FOLDER / "no_face.mp4")
    encode_phone_clip(phone_clip(), FOLDER / "phone.mov")


if __name__ == "__main__":
    main()
